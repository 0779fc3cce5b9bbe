"""Oracles: the functions of `theory.finite_blocklength` on the same sources."""

import numpy as np
import pytest

from paper_figures.tables import read_table
from rdr.cli import bound, bound_blocks
from theory import finite_blocklength


def run(folder, pmf, **flags):
    path = folder / "pmf.csv"
    path.write_text(",".join(str(p) for p in pmf))
    return bound.run(bound.Config(pmf=str(path), distortions=(0.05, 0.1), **flags), folder / "out")


def test_a_coin_has_bounds_beside_the_approximation(tmp_path, capsys):
    columns = run(tmp_path, (0.7, 0.3), blocklength=(50, 200), excess_probability=0.1)
    exact = [finite_blocklength.bernoulli_bounds(0.3, d, blocklength=[50, 200], excess_probability=0.1)
             for d in (0.05, 0.1)]
    for index, n in enumerate((50, 200)):
        low, high = columns[f"converse_bits_n{n}"], columns[f"achievability_bits_n{n}"]
        np.testing.assert_allclose(low, [float(one.converse[index]) for one in exact], rtol=1e-9)
        np.testing.assert_allclose(high, [float(one.achievability[index]) for one in exact], rtol=1e-9)
        normal = finite_blocklength.normal_approximation(
            columns["rate_bits"], finite_blocklength.bernoulli_dispersion(0.3, 0.1), n, 0.1)
        np.testing.assert_allclose(columns[f"normal_approximation_bits_n{n}"], normal, atol=1e-8)
    spread = finite_blocklength.bernoulli_dispersion(0.3, 0.1)
    np.testing.assert_allclose(columns["dispersion_bits2"], spread, atol=1e-7)
    header, _ = read_table(tmp_path / "out" / "bound.csv")
    assert "no bound" in header["blocks"] and "probability 0.1" in header["blocks"]
    printed = capsys.readouterr().out
    assert "converse_bits_n50" in printed and "normal_approximation_bits_n200" in printed


def test_letters_without_known_bounds_have_the_approximation_alone(tmp_path):
    columns = run(tmp_path, (0.5, 0.3, 0.2), blocklength=(200,))
    assert bound_blocks.shown(columns) == ["normal_approximation_bits_n200"]
    assert np.all(columns["normal_approximation_bits_n200"] > columns["rate_bits"])


def test_equally_likely_letters_have_bounds():
    rates = {"max_distortion": np.array([0.1]), "rate_bits": np.array([1.0]), "dispersion_bits2": np.array([0.0])}
    found = bound_blocks.block_columns(np.ones(4) / 4, 1 - np.eye(4), rates, (100,), 0.01)
    exact = finite_blocklength.uniform_bounds(4, 0.1, blocklength=100, excess_probability=0.01)
    assert found["converse_bits_n100"] == pytest.approx(float(exact.converse), rel=1e-12)
    assert found["achievability_bits_n100"] == pytest.approx(float(exact.achievability), rel=1e-12)


def test_flags_that_do_not_fit_are_refused():
    for flags, said in [
        ({"blocklength": (0,)}, "--blocklength must be from 1"),
        ({"excess_probability": 1.0}, "--excess_probability must lie between 0 and 1"),
        ({"blocklength": (10,), "divergence": "tv"}, "--blocklength is for rate-distortion curves"),
    ]:
        with pytest.raises(ValueError, match=said):
            bound.Config(**flags)
    assert bound_blocks.explanation((), 0.1) == {}
