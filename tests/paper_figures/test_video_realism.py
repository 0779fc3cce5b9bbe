import numpy as np

from paper_figures import video_realism as figure
from paper_figures.tables import DATA

TABLES = figure.load(DATA / "video_realism.csv")


def test_the_order_of_the_notions_and_the_persistence_of_the_error():
    for table in TABLES:
        assert (table["plain"] <= table["framewise"] + 1e-9).all()
        assert (table["framewise"] <= table["joint"] + 1e-9).all()
    # Nearly no first frame at correlation .95: any rate leaves most of 2 - 2 sqrt(1 - .95^2) = 1.38.
    low = TABLES.second["first_rate_bits"] == 0.05
    assert TABLES.second["joint"][low].min() > 0.9 and TABLES.second["framewise"][low].min() < 0.01
    np.testing.assert_allclose(TABLES.frames["plain"][0], 4**-0.05, rtol=1e-9)


def test_it_is_drawn(tmp_path):
    assert figure.main(["video_realism", f"--out={tmp_path}"]) == 0
    assert (tmp_path / "video_realism.png").stat().st_size > 10_000
