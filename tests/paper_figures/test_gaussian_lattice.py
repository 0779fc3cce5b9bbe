import numpy as np
import pytest

from paper_figures import gaussian_lattice
from paper_figures.tables import DATA
from theory import gaussian
from theory.quantization import lattices

TABLE = DATA / "gaussian_lattice.csv"


@pytest.fixture(scope="module")
def columns():
    return gaussian_lattice.load(TABLE).columns


def rows(columns, codec, **equal):
    chosen = columns["codec"] == codec
    for name, value in equal.items():
        chosen &= columns[name] == value
    assert chosen.any()
    return {name: column[chosen] for name, column in columns.items()}


def test_the_committed_table_is_what_theory_says(columns):
    real = columns["weight"] == 1
    bound = np.where(real, gaussian.rate_distortion_perception(columns["distortion"], 0.0),
                     gaussian.rate_distortion(columns["distortion"]))
    np.testing.assert_allclose(columns["bound_upper_bits"], bound, rtol=0, atol=1e-8)
    np.testing.assert_allclose(columns["gap_bits"], columns["rate_bits"] - bound, rtol=0, atol=1e-8)
    assert (columns["rate_bits"] > columns["bound_lower_bits"]).all()
    for name, found in lattices.LATTICES.items():
        if name != "A3*":
            loss = float(lattices.space_filling_loss(found.normalized_second_moment))
            np.testing.assert_allclose(rows(columns, f"lattice-{name}")["high_rate_excess_bits"], loss, rtol=1e-8)


@pytest.mark.parametrize("codec, most", [("lattice-E8", 0.151), ("lattice-Leech", 0.090), ("trellis-8", 0.084),
                                         ("trellis-64", 0.060)])
def test_the_committed_codecs_keep_their_promise(columns, codec, most):
    """At about 1 and 2 bits, in bytes: the excess over R(D), and with a shared dither over R(D, 0)."""
    for rate in (1.0, 2.0):
        found = rows(columns, codec, target_rate_bits=rate)
        assert len(found["gap_bits"]) == 3 and np.abs(found["rate_bits"] - rate).max() < 0.05
        assert found["gap_bits"].max() <= most
        real = found["weight"] == 1
        assert found["perception"][real].max() < 1e-4
        assert np.abs(found["neighbour_correlation"][real]).max() < 4 * found["correlation_se"][real].max()


def test_the_figure_shows_the_table(columns):
    figure = gaussian_lattice.make_figure(gaussian_lattice.Data(columns))
    drawn = [np.sort(line.get_ydata()) for axis in figure.axes for line in axis.lines]
    for shared, weight in (("none", 0), ("dither", 0), ("dither", 1)):
        for rate in (1.0, 2.0):
            chosen = ((columns["shared"] == shared) & (columns["weight"] == weight)
                      & (columns["target_rate_bits"] == rate))
            expected = np.sort(columns["controlled_gap_bits"][chosen])
            assert any(len(y) == len(expected) and np.array_equal(y, expected) for y in drawn)
    assert "bits per sample" in figure.axes[0].get_ylabel()
    ball = np.asarray(lattices.space_filling_loss(lattices.sphere_bound(np.arange(1, 25))))
    for axis in figure.axes:
        assert any(len(line.get_ydata()) == 24 and np.allclose(line.get_ydata(), ball) for line in axis.lines)


def test_places_do_not_meet():
    dimension, states = np.array([1, 24, 0, 0, 0]), np.array([0, 0, 8, 64, 256])
    found = gaussian_lattice.place(dimension, states)
    assert (np.diff(found) > 0).all() and found[1] == 24


def test_a_table_without_a_column_is_refused(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("dimension,states\n1,0\n")
    with pytest.raises(ValueError, match="lacks the columns controlled_gap_bits, controlled_gap_se, gap_bits"):
        gaussian_lattice.load(path)
