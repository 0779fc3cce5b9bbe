"""A sample of the posterior against rounding: theory's price by quadrature, and messages that were decoded."""

import json

import numpy as np
import pytest
from scipy import integrate, stats

from experiments.images import sampled_latents
from paper_figures.tables import read_table


def test_the_entropy_of_rounding_and_the_price():
    # Oracles: the entropy by scipy's distribution, differential entropy at high rate, and the layered dither's rate by
    # definition, the mean over layers of h(X + A U) - log2 2A, at one scale.
    k = np.arange(-60, 61)
    for scale in (0.11, 0.7, 5.0):
        p = stats.norm.cdf((k + 0.5) / scale) - stats.norm.cdf((k - 0.5) / scale)
        expected = stats.entropy(p, base=2)
        assert sampled_latents.rounded_entropy(np.array([scale]))[0] == pytest.approx(expected, rel=1e-9)
    wide = 0.5 * np.log2(2 * np.pi * np.e * 200.0**2)
    assert sampled_latents.rounded_entropy(np.array([200.0]))[0] == pytest.approx(wide, abs=1e-5)
    high = 0.520773633 - 0.5 * np.log2(2 * np.pi * np.e / 12)
    assert sampled_latents.theory_price(np.full((3, 2), 200.0)) == pytest.approx(high, abs=1e-4)
    sigma, noise = 0.7, 12.0**-0.5

    def rate(layer):
        half = noise * layer
        density = lambda y: (stats.norm.cdf((y + half) / sigma) - stats.norm.cdf((y - half) / sigma)) / (2 * half)  # noqa: E731
        entropy = 2 * integrate.quad(lambda y: -density(y) * np.log2(max(density(y), 1e-300)), 0, 9 * sigma + half)[0]
        return (entropy - np.log2(2 * half)) * stats.chi(3).pdf(layer)

    layered = integrate.quad(rate, 0, 8, epsabs=1e-7)[0]
    p = stats.norm.cdf((k + 0.5) / sigma) - stats.norm.cdf((k - 0.5) / sigma)
    mixed = np.array([0.7, 200.0, 0.7, 0.7])
    expected = 0.75 * (layered - stats.entropy(p, base=2)) + 0.25 * high
    assert sampled_latents.theory_price(mixed) == pytest.approx(expected, abs=1e-4)


def test_the_smoke_run_measures_what_decoders_get(tmp_path):
    columns = sampled_latents.run(sampled_latents.PRESETS["smoke"], tmp_path)
    header, table = read_table(tmp_path / "sampled_latents.csv")
    assert "bits per latent" in header["units"] and json.loads((tmp_path / "run.json").read_text())
    assert list(columns) == list(sampled_latents.COLUMNS) and list(table["level"]) == [0.0, 1.0]
    np.testing.assert_array_equal(table["latents"], 96 * 4 * 4)
    np.testing.assert_allclose(table["price_bits"], 8 * (table["sampled_bytes"] - table["rounded_bytes"]) / 1536)
    # It costs bits; noise is more than rounding's where latents are narrow, at the lowest level, and as much where they
    # are wide; and theory is near what is measured.
    assert (table["price_bits"] > 0.1).all() and table["sampled_psnr"][0] < table["rounded_psnr"][0]
    assert abs(table["sampled_psnr"][1] - table["rounded_psnr"][1]) < 1.0
    assert np.abs(table["price_bits"] - table["theory_price_bits"]).max() < 0.15


@pytest.mark.parametrize("wrong, match", [
    ({"levels": ()}, "levels must be"), ({"levels": (2.0,)}, "levels must be"), ({"metrics": ("ssim",)}, "metrics"),
    ({"seed": -1}, "seed must be")])
def test_settings_are_checked(wrong, match):
    with pytest.raises(ValueError, match=match):
        sampled_latents.Config(**wrong)


def test_a_codec_without_gaussian_latents_is_refused(small_codec, tmp_path):
    config = sampled_latents.Config(codec=str(small_codec / "codec.npz"), images=str(small_codec / "images"), names=())
    with pytest.raises(ValueError, match="channel 'layered' is for bmshj2018-hyperprior"):
        sampled_latents.run(config, tmp_path)


def test_bad_words_end_with_one_sentence(capsys):
    assert sampled_latents.main(["sampled_latents", "--preset=none", "--workdir=x"]) != 0
    assert capsys.readouterr().err.startswith("error: ")
