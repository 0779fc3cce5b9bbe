import dataclasses
import math

import numpy as np
import pytest

from experiments.images import foveated_glance as experiment
from paper_figures.tables import read_table
from rdr import command_line
from theory.wasserstein_distortion import power_law_water_filling

TINY = dataclasses.replace(experiment.PRESETS["smoke"], fixations=(0.25, 0.5), rd_lambda=300.0, steps=30)


def test_rate_of_a_field_is_the_closed_form_of_the_plane():
    sigma = np.array([4.0, 8.0])
    found = experiment.field_rate(sigma, 1.6, 512)
    expected = power_law_water_filling(1.6, sigma)
    np.testing.assert_allclose(found, np.asarray(expected.rate), rtol=0.02)
    np.testing.assert_allclose(expected.rate, [0.0117280165, 0.0056803883], rtol=1e-7)


def test_scale_of_a_spectrum_is_found():
    random = np.random.default_rng(0)
    w = 2 * math.pi * np.fft.fftfreq(256)
    squares = w[:, None] ** 2 + w[None] ** 2
    squares[0, 0] = np.inf
    x = np.fft.ifft2(np.fft.fft2(random.standard_normal((256, 256))) * np.sqrt(0.3 / squares)).real
    gray = 255 * (0.449 + experiment.PIXEL_DEVIATION * x)
    assert experiment.spectrum_scale(gray) == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("fitted", [False, pytest.param(True, marks=pytest.mark.stress)])
def test_bits_of_octaves_are_those_of_the_latents(fitted, tmp_path, request):
    asked = [] if fitted else request.getfixturevalue("unfitted")
    finished = command_line.open_workdir(tmp_path, TINY)
    experiment.run(TINY, finished)
    if not fitted:
        (options,) = asked
        assert (options.objective, options.features, options.rd_lambda) == ("wd", "pixels", 300.0)
        r = experiment.eccentricity(TINY.size, (0.25, 0.5))
        np.testing.assert_allclose(options.sigma, TINY.slope * (r + TINY.offset), rtol=1e-6)
    header, octaves = read_table(finished / "octaves.csv")
    _, glance = read_table(finished / "glance.csv")
    assert octaves["latent_bits"].sum() == pytest.approx(glance["latent_bits"].sum(), rel=1e-6)
    assert octaves["field_bits"].sum() == pytest.approx(glance["field_bits"].sum(), rel=1e-6)
    assert octaves["pixels"].sum() == TINY.size**2
    bits = glance["latent_bits"].sum()
    # Code lengths under the tables against bytes: words of 32 bits, and two strings.
    assert bits > 50 and bits / 8 - 1 <= glance["latent_bytes"].sum() <= 1.01 * bits / 8 + 12
    assert header["picture"] == "astronaut"
    with np.load(finished / "glance.npz") as arrays:
        assert arrays["bits0"].shape == (32, 32) and arrays["decoded0"].dtype == np.uint8
        assert arrays["bits0"].sum() == pytest.approx(bits, rel=1e-5)


@pytest.mark.parametrize("change, said", [({"fixations": (0.5,)}, "pairs"), ({"slope": 0.0}, "--slope must be"),
                                          ({"size": 8}, "--size")])
def test_settings_that_make_no_sense_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(TINY, **change)
