import dataclasses

import numpy as np
import pytest

from experiments.sources import banana, brackets
from paper_figures.tables import read_table
from rdr import command_line
from rdr.evaluation import tables
from theory.closed_form import manifolds

TINY = banana.Config(target_rates=(3.0,), dithered_rates=(3.0,), realism_ratios=(4.0,), hidden=4, codewords=8,
                     codebook_rates=(2.5,), steps=4, codebook_steps=200, chunk=200, batch=64, samples=4096,
                     slopes=(1.0,), atoms=(10,), seed=1)


@pytest.fixture(scope="module", params=[
    ("factorised",), pytest.param(banana.FAMILIES, marks=pytest.mark.stress)], ids=["one", "all"])
def finished(request, tmp_path_factory):
    """A run; each family is a program of its own: all are under `stress`; test_sawbridge.py trains codebooks."""
    workdir = tmp_path_factory.mktemp("banana")
    # A solved point of the banana: beta = 1 nat, certified to 0.011 bit; solving it takes a minute.
    slope = 1.0 / np.log(2.0)
    np.savez(workdir / "bracket.npz", slope=[slope], intercept=[2.263608 + slope * 0.704007], distortion=[0.704007],
             rate=[2.274674])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(banana, "FAMILIES", request.param)
        banana.run(TINY, command_line.open_workdir(workdir, TINY))
    return workdir, request.param


def test_every_family_is_held_against_the_bracket(finished):
    workdir, families = finished
    header, table = read_table(workdir / "points.csv")
    assert list(table["codec"]) == list(families)
    shannon = np.asarray(manifolds.banana_lower_bound(table["distortion"]))
    assert (table["bound_lower_bits"] >= shannon - 1e-9).all()
    assert (table["bound_upper_bits"] >= table["bound_lower_bits"]).all()
    np.testing.assert_allclose(table["gap_bits"], table["rate_bits"] - table["bound_upper_bits"], atol=1e-8)
    np.testing.assert_allclose(table["gap_bits_per_component"], table["gap_bits"] / 2, atol=1e-8)
    assert tables.violations(table) == [] and "vector" in header["units"]
    assert (table["perception"] > 0).all() and float(header["perception_bias"].split()[0]) < 0.1
    # The codecs start as quantizers of the principal axes, at the step that theory names.
    step2 = 6.0 / (2.0**3.0 / (3.0 * np.log(2.0)) * np.log(2.0))
    principal = [families.index(family) for family in ("factorised", "scalar") if family in families]
    np.testing.assert_allclose(table["distortion"][principal], step2 / 6, rtol=0.15)
    if "codebook" in families:  # it has left the mean, where the error is 10.87
        assert table["distortion"][families.index("codebook")] < 3.0


def test_the_cells_of_a_figure_are_saved(finished):
    workdir, families = finished
    with np.load(workdir / "cells.npz") as stored:
        for family in families:
            cells, points = stored[f"{family}_cells"], stored[f"{family}_points"]
            assert cells.shape == (banana.CELLS, banana.CELLS) and len(np.unique(cells)) > 3
            assert points.shape[1] == 2 and np.isfinite(points).all()
        # A dither moves reconstructions: there are many more than cells. Without one there is one for each cell in use.
        if "dithered" in families:
            assert len(stored["dithered_points"]) > 10 * len(stored["factorised_points"])


@pytest.mark.parametrize("words, said", [
    (["--target_rates=0"], "target_rates must be positive"), (["--realism_ratios=-1"], "realism_ratios must be"),
    (["--dither_levels=3"], "dither_levels must be a power of two"), (["--samples=1"], "samples must be at least 2"),
    (["--atoms=3"], "atoms must name a number for each of 4 slopes"),
])
def test_mistakes_are_one_sentence(words, said, tmp_path, capsys):
    assert banana.main(["banana", f"--workdir={tmp_path / 'w'}", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.startswith("error: ") and err.count("\n") == 1


def test_sliced_realism_is_zero_for_the_reference_and_the_shift_for_a_shift():
    """Oracle: a shift by (a, b) moves a projection by a cos + b sin; twice the mean square is a^2 + b^2."""
    x = np.random.default_rng(0).standard_normal((500, 2))
    perception = banana.sliced_perception(x, 32)
    assert perception(x[::-1])[0] < 1e-20
    np.testing.assert_allclose(perception(x + np.array([0.3, -0.4]))[0], 0.25, rtol=1e-9)


def test_presets_grow():
    smoke, quick, full = (banana.PRESETS[name] for name in ("smoke", "quick", "full"))
    assert smoke.steps < quick.steps < full.steps
    assert dataclasses.replace(quick, seed=1) != quick
    assert brackets.Bracket._fields == ("slope", "intercept", "distortion", "rate")
