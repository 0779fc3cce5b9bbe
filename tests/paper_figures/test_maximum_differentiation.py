"""The committed maximum differentiation pair: recomputed from its images, and refusals."""

import shutil

import numpy as np
import pytest

from paper_figures import maximum_differentiation
from paper_figures.tables import DATA


def test_the_squared_errors_of_the_committed_images_are_those_of_the_table():
    data = maximum_differentiation.load(DATA / "maximum_differentiation.csv")
    reference = data.images["reference"] / 255.0
    for row, (held, varied) in enumerate(zip(data.columns["held"], data.columns["varied"])):
        image = data.images[f"{held} held, {data.columns['direction'][row]} {varied}"] / 255.0
        column = "held_end" if held == "mse" else "varied_end"
        assert "mse" in (held, varied)
        np.testing.assert_allclose(np.mean((image - reference) ** 2), data.columns[column][row], rtol=1e-4)
    # What is held stays within two per cent of the start; what is driven differs at least twofold.
    np.testing.assert_allclose(data.columns["held_end"], data.columns["held_start"], rtol=0.02)
    assert (data.columns["varied_end"][1::2] > 2 * data.columns["varied_end"][::2]).all()
    assert len(maximum_differentiation.make_figure(data).axes) == 6


def test_missing_images_are_named(tmp_path):
    shutil.copy(DATA / "maximum_differentiation.csv", tmp_path / "x.csv")
    with pytest.raises(ValueError, match="the images of .*x.csv are missing"):
        maximum_differentiation.load(tmp_path / "x.csv")
    np.savez(tmp_path / "x.npz", reference=np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="lacks the image 'start'"):
        maximum_differentiation.load(tmp_path / "x.csv")
