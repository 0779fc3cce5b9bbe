import numpy as np
import pytest

from paper_figures import sampled_latents
from paper_figures.tables import DATA


@pytest.fixture(scope="module")
def data():
    return sampled_latents.load(DATA / "sampled_latents.csv")


def test_the_committed_table_is_consistent(data):
    columns = data.columns
    more = 8 * (columns["sampled_bytes"] - columns["rounded_bytes"]) / columns["latents"]
    np.testing.assert_allclose(columns["price_bits"], more, rtol=1e-6)
    assert (columns["sampled_psnr"] < columns["rounded_psnr"]).all() and (columns["price_bits"] > 0).all()
    assert len(data.draw_images()) == 3 and all(rows["level"].size == 5 for rows in data.draw_images().values())


def test_the_price_at_high_rate():
    assert sampled_latents.high_rate_price() == pytest.approx(0.520773633 - 0.5 * np.log2(2 * np.pi * np.e / 12))


def test_the_figure_shows_the_table(data):
    left, right = sampled_latents.make_figure(data).axes
    curves = {line.get_label(): line.get_xydata() for line in left.lines}
    prices = {line.get_label(): line.get_xydata() for line in right.lines}
    for name, rows in data.draw_images().items():
        bits = 8 * rows["rounded_bytes"] / rows["latents"]
        np.testing.assert_allclose(curves[f"{name}, rounded"], np.stack([bits, rows["rounded_psnr"]], 1))
        np.testing.assert_allclose(prices[f"{name}, measured"], np.stack([bits, rows["price_bits"]], 1))
        np.testing.assert_allclose(prices[f"{name}, theory"], np.stack([bits, rows["theory_price_bits"]], 1))
        assert f"{name}, sampled" in curves
    assert "latent" in left.get_xlabel() and "PSNR" in left.get_ylabel()


def test_a_table_without_a_column_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("picture,level\nbrick,1\n")
    with pytest.raises(ValueError, match="lacks the columns latents"):
        sampled_latents.load(path)
