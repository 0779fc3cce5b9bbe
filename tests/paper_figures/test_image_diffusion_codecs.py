"""The committed table of diffusion codecs of images: bounds, what the page says, and the figures."""

import numpy as np
import pytest

from paper_figures import image_diffusion_codecs
from paper_figures.tables import DATA


@pytest.fixture(scope="module")
def data():
    return image_diffusion_codecs.load(DATA / "image_diffusion_codecs.csv")


def test_no_row_beats_its_bound(data):
    columns = data.columns
    lower = np.nan_to_num(columns["bound_lower_bits"])
    assert (columns["rate_bits"] > lower - 3 * columns["gap_se"]).all()
    assert (columns["gap_bits"] > 0).all()  # of upper bounds, too
    np.testing.assert_allclose(columns["psnr"], -10 * np.log10(columns["distortion"] / columns["dimension"]), rtol=1e-6)


def test_decoders_of_one_message_are_ordered(data):
    for name in image_diffusion_codecs.SERIES:
        if image_diffusion_codecs.SERIES[name][0] in image_diffusion_codecs.TRANSFORMS:
            continue
        mean, flow = (data.series(name, decoder) for decoder in ("mean", "flow"))
        assert mean["rate_bits"].size >= 3
        np.testing.assert_array_equal(mean["rate_bits"], flow["rate_bits"])
        assert (mean["distortion"] < flow["distortion"]).all() and (np.diff(mean["distortion"]) < 0).all()
        assert (mean["perception"] > flow["perception"]).all()
        # What is Gaussian has no features of clothes, and more noise has less of them.
        assert ((mean["feature_frechet"] > flow["feature_frechet"]) == ("linear" not in name)).all()


def test_the_network_needs_fewer_bits_than_principal_components(data):
    linear = data.series("KLT, dithered scalars", "mean")
    network = data.series("1 step, network", "mean")
    known, wanted = (-np.log(rows["distortion"]) for rows in (linear, network))
    rates = np.exp(np.interp(wanted, known, np.log(linear["rate_bits"])))
    assert (network["rate_bits"] < 0.9 * rates).all()


def test_the_trained_codec_has_two_decoders_of_one_message(data):
    mean, real = (data.series("trained transforms, dithered scalars", decoder) for decoder in ("mean", "realistic"))
    assert mean["rate_bits"].size == 3 and (np.diff(mean["distortion"]) < 0).all()
    np.testing.assert_array_equal(mean["rate_bits"], real["rate_bits"])
    assert (mean["distortion"] < real["distortion"]).all() and (mean["perception"] > real["perception"]).all()


def test_the_figures_show_every_series_and_the_images_as_they_are(data):
    figure = image_diffusion_codecs.image_diffusion_codecs(data)
    texts = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {*image_diffusion_codecs.SERIES, *image_diffusion_codecs.BOUNDS.values(), "originals"} == texts
    axes = image_diffusion_codecs.image_diffusion_sheet(data).axes
    labels = [label for label, _, _ in image_diffusion_codecs.sheet_rows(data)]
    assert len(axes) == len(labels) == len(set(labels)) >= 9
    for axis, label in zip(axes, labels):
        shown = np.asarray(axis.get_images()[0].get_array())[:, :16, 0]
        np.testing.assert_array_equal(shown, data.images[label][0, ..., 0])


def test_the_page_says_what_the_table_says(data):
    page = (DATA.parents[1] / "docs" / "results" / "diffusion_codecs.md").read_text(encoding="utf-8")
    c = data.columns
    for i in range(len(c["codec"])):
        bits = f"| {c['rate_bits'][i]:.2f} ({c['rate_se'][i]:.2f}) | "
        bits += f"{c['distortion'][i]:.3f} ({c['distortion_se'][i]:.3f}) |"
        rest = f" {c['psnr'][i]:.2f} | {c['perception'][i]:.2f} | {c['feature_frechet'][i]:.1f} |"
        assert page.count(bits + rest) == 1, bits
