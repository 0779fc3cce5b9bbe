"""The figure of eigendistortions, from the committed table and array."""

import jax
import matplotlib.pyplot as plt
import numpy as np
import pytest

from paper_figures import eigendistortions as figure
from paper_figures.tables import DATA
from rdr.losses.pointwise import squared_error
from rdr.losses.ssim import MS_SSIM_WEIGHTS, ms_ssim_loss

TABLE = DATA / "eigendistortions.csv"


@pytest.fixture(scope="module")
def data():
    return figure.load(TABLE)


def test_the_committed_distortions_stand_in_the_order_of_the_curvatures(data):
    assert data.names == ("squared_error", "ms_ssim", "lpips", "dists", "wasserstein")
    np.testing.assert_allclose(np.mean(data.distortions**2, axis=(2, 3, 4)), 1.0, rtol=2e-3)
    assert (data.curvatures[1:, 0] > 100 * data.curvatures[1:, 1]).all()
    np.testing.assert_allclose(data.curvatures[0], 2 / data.image.size, rtol=1e-6)
    # Each loss ranks its own two distortions as its curvature does.
    for k in range(1, len(data.names)):
        assert data.cross[k, 0, k] > 3 * data.cross[k, 1, k]


def test_the_committed_values_of_mse_and_ms_ssim_follow_from_the_committed_array(data):
    changed = (data.image + data.amplitude * data.distortions).reshape(-1, *data.image.shape).astype(np.float32)
    image = np.broadcast_to(np.float32(data.image), changed.shape)
    # The array holds the image in half precision, rounded by up to 2e-4 of the range; 1 - MS-SSIM in float32 is
    # rounded by about 1e-7.
    np.testing.assert_allclose(squared_error(changed, image), data.cross[..., 0].ravel(), rtol=1e-4)
    weights = tuple(w / sum(MS_SSIM_WEIGHTS[:3]) for w in MS_SSIM_WEIGHTS[:3])
    np.testing.assert_allclose(
        jax.jit(ms_ssim_loss, static_argnames="weights")(changed, image, weights=weights),
        data.cross[..., 1].ravel(),
        rtol=5e-3,
        atol=3e-7,
    )


def test_the_figure_shows_the_image_and_four_pictures_per_loss(data):
    drawn = figure.make_figure(data)
    images = [image for axes in drawn.axes for image in axes.images]
    assert len(images) == 1 + 4 * len(data.names)
    titles = [axes.get_title() for axes in drawn.axes if axes.get_title()]
    assert titles[:3] == ["image", "MSE", "MS-SSIM"] and len(titles) == 1 + len(data.names)
    plt.close(drawn)


def test_a_table_that_does_not_fit_its_array_is_refused(tmp_path, data):
    text = TABLE.read_text().splitlines()
    (tmp_path / "eigendistortions.csv").write_text("\n".join(text[:-2]) + "\n")
    (tmp_path / "eigendistortions.npy").write_bytes(TABLE.with_suffix(".npy").read_bytes())
    with pytest.raises(ValueError, match="must name two distortions per loss"):
        figure.load(tmp_path / "eigendistortions.csv")
