"""Sizes and costs of overfitted decoders."""

import numpy as np

from rdr.codecs.overfitted.architecture import CONTEXT, SLOPE, Architecture, operations, shapes


def test_grids_halve_and_round_up():
    assert Architecture(17, 3, levels=6).latent_shapes == ((17, 3), (9, 2), (5, 1), (3, 1), (2, 1), (1, 1))


def test_contexts_are_decoded_before():
    assert all(column + SLOPE * row < 0 for row, column in CONTEXT)
    assert len(set(CONTEXT)) == len(CONTEXT)


def test_kodak_decoder_stays_below_three_thousand_operations_with_noise_too():
    assert operations(Architecture(512, 768))["all"] < 3000
    assert operations(Architecture(512, 768, noise_levels=7))["all"] < 3000


def test_operations_are_those_of_the_matrix_products():
    arch = Architecture(4, 4, levels=2, entropy_width=5, synthesis_width=7, refinement_width=2)
    counts, inputs = operations(arch), 17
    assert shapes(arch)["entropy_in"] == (5, inputs)
    assert counts["entropy"] == (16 + 4) * (5 * inputs + 25 + 10 + 2 * inputs) / 16
    assert counts["synthesis"] == 7 * 2 + 3 * 7 + 3 * 2 + 27 * 2 + 18 * 3
    assert counts["upsampling"] == 4 * (4 * 2 + 4 * 4) / 16
    np.testing.assert_allclose(counts["all"], counts["entropy"] + counts["synthesis"] + counts["upsampling"])
