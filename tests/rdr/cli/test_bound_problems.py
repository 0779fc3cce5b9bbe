"""Oracles: closed forms of binary sources seen through noise, beside side information, and behind an encoder."""

import json

import numpy as np
import pytest
from scipy.optimize import linprog

from paper_figures.tables import read_table
from rdr.cli import bound, bound_problems
from rdr.cli.bound_problems import Problem

FLIP = 0.2
COIN = 0.5 * np.array([[1 - FLIP, FLIP], [FLIP, 1 - FLIP]])  # a fair coin, and a noisy copy of it
HAMMING = 1.0 - np.eye(2)


def h(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def table(folder, name, rows):
    path = folder / name
    path.write_text("\n".join(",".join(map(repr, map(float, row))) for row in rows) + "\n")
    return str(path)


def run(folder, name="out", **fields):
    return bound.run(bound.Config(**fields), folder / name)


def test_side_information_at_the_decoder_and_at_both_ends(tmp_path):
    path = table(tmp_path, "joint.csv", COIN)
    d = np.array([0.01, 0.03])  # below where the Wyner-Ziv function is a line to (q, 0)
    alone = run(tmp_path, "alone", side_information=path, distortions=tuple(d))
    both = run(tmp_path, "both", side_information=path, distortions=tuple(d), side_information_at="both")
    convolved = d * (1 - FLIP) + (1 - d) * FLIP
    for columns, exact in ((alone, h(convolved) - h(d)), (both, h(FLIP) - h(d))):
        assert np.all(columns["rate_lower_bits"] <= exact + 1e-9) and np.all(columns["rate_bits"] >= exact - 1e-9)
        np.testing.assert_allclose(columns["rate_bits"], exact, atol=1e-7)
    header, _ = read_table(tmp_path / "alone" / "bound.csv")
    assert "with side information" in header["bounds"] and (tmp_path / "alone" / "bound.png").stat().st_size > 5000


def test_a_source_behind_noise(tmp_path):
    path = table(tmp_path, "joint.csv", COIN)
    columns = run(tmp_path, observation=path, distortions=(0.25, 0.3))
    # E[d] = q + (1 - 2 q) times the error in what is seen.
    seen = (np.array([0.25, 0.3]) - FLIP) / (1 - 2 * FLIP)
    np.testing.assert_allclose(columns["rate_bits"], 1.0 - h(seen), atol=1e-7)
    with pytest.raises(ValueError, match="distortions must be at least 0.2"):
        run(tmp_path, "least", observation=path, distortions=(0.1,))


def test_what_is_proved_is_told_from_what_was_not_found(tmp_path, monkeypatch):
    # p_Y = (.7, .3) puts .3 of Y = 1 on the second observation, where the source is 1 with probability .3 / .65.
    path = table(tmp_path, "joint.csv", [[0.35, 0.35], [0.0, 0.3]])
    least = 0.3 * 0.35 / 0.65 + 0.35 * 0.3 / 0.65
    fields = {"observation": path, "divergence": "tv", "perceptions": (0.0,)}
    with pytest.raises(ValueError, match="no channel has distortion <= 0.3 and tv <= 0"):
        run(tmp_path, **fields, distortions=(0.3,))
    met = run(tmp_path, **fields, distortions=(least + 0.01,))["distortion"][0]
    assert met == pytest.approx(least + 0.01, abs=1e-9)  # ten digits are written
    lost = {"max_distortion": [0.1], "max_perception": [0.0], "rate_lower_bits": [np.nan], "rate_bits": [np.nan]}
    lost = {name: np.array(column) for name, column in lost.items()}
    monkeypatch.setattr(bound, "solve", lambda *_: bound_problems.without_infeasible(lost))
    with pytest.raises(ValueError, match="no channel was found that has distortion <= 0.1 and tv <= 0"):
        run(tmp_path, "lost", pmf=table(tmp_path, "pmf.csv", [[0.5, 0.5]]), divergence="tv", perceptions=(0.0,),
            distortions=(0.1,))


def test_grids_end_where_rates_are_zero(tmp_path):
    path = table(tmp_path, "joint.csv", COIN)
    columns = run(tmp_path, observation=path, divergence="tv", num_points=3, perceptions=(0.0,))
    assert np.all(np.diff(columns["rate_bits"]) < 1e-9) and columns["rate_bits"][-1] == pytest.approx(0.0, abs=1e-7)
    pmf, matrix = np.array([0.7, 0.2, 0.1]), 1.0 - np.eye(3)
    # An independent sample of the source errs with probability 1 - sum p^2.
    alone = Problem("source", pmf, matrix, np.zeros((0, 0)))
    assert bound_problems.ends(alone) == pytest.approx((0.0, 1 - 0.49 - 0.04 - 0.01))
    # A sample of the source given its noisy copy errs with probability 2 q (1 - q).
    known = Problem("side_information", COIN.sum(1), HAMMING, COIN)
    assert bound_problems.ends(known) == pytest.approx((0.0, 2 * FLIP * (1 - FLIP)))
    # Given that the copy is 0 the source is: what is not used has no sample.
    one = np.array([[0.5, 0.0], [0.0, 0.5]])
    assert bound_problems.ends(Problem("side_information", one.sum(1), HAMMING, one)) == (0.0, 0.0)
    grid = bound_problems.distortion_grid(0.0, 1.0, 7)
    assert grid.shape == (7,) and grid[0] > 0 and grid[-1] == 1.0


def test_decoders_of_an_encoder(tmp_path, capsys):
    rng = np.random.default_rng(4)
    pmf, encoder = np.array([0.5, 0.3, 0.2]), rng.dirichlet(np.ones(2), 3)
    paths = {"pmf": table(tmp_path, "pmf.csv", [pmf]), "encoder": table(tmp_path, "encoder.csv", encoder)}
    config = bound.Config(**paths, divergence="tv", perceptions=(0.0, 0.1, float("inf")))
    columns = bound.run(config, tmp_path / "out", bound.Extra(json=True))
    said = json.loads(capsys.readouterr().out)
    assert said["points"] == 3 and said["largest_gap"] < 1e-6 and said["distortion"] == list(columns["distortion"])
    joint = pmf[:, None] * encoder
    cost = joint.T @ (1.0 - np.eye(3))  # [k, n], times p(z)
    for level, found in zip(columns["max_perception"], columns["distortion"]):
        # Oracle: a linear program over Q(y|z) and the excess of p_Y.
        k, n = cost.shape
        objective = np.concatenate([cost.ravel(), np.zeros(n)])
        output = np.kron(joint.sum(0), np.eye(n)).reshape(n, k * n)
        mass = np.hstack([np.kron(np.eye(k), np.ones(n)), np.zeros((k, n))])
        limits = [np.hstack([output, -np.eye(n)]), np.hstack([np.zeros((1, k * n)), np.ones((1, n))])]
        best = linprog(objective, A_ub=np.vstack(limits), b_ub=[*pmf, min(level, 1.0)], A_eq=mass, b_eq=np.ones(k))
        assert found == pytest.approx(best.fun, abs=1e-6)
    header, _ = read_table(tmp_path / "out" / "bound.csv")
    product = pmf[:, None] * joint.sum(0)
    rate = float((joint * np.log2(joint / product)).sum())
    assert float(header["encoder_rate_bits"]) == pytest.approx(rate, abs=1e-9)
    lines = (tmp_path / "out" / "bound.tex").read_text().splitlines()
    assert "least distortion of decoders" in lines[0] and lines[3].startswith("$P$ (tv) & lower & upper")
    assert any(line.startswith(r"$\infty$") for line in lines)


def test_a_grid_of_perceptions_ends_at_the_decoder_without_realism():
    pmf, encoder = np.array([0.5, 0.3, 0.2]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    columns, rate = bound_problems.solve_decoders(Problem("encoder", pmf, 1.0 - np.eye(3), encoder), "tv", (), 4)
    assert rate == pytest.approx(1.0) and np.isinf(columns["max_perception"][-1]) and columns["max_perception"][0] == 0
    assert np.all(np.diff(columns["distortion"]) <= 1e-9) and columns["perception"][-1] == pytest.approx(0.2, abs=1e-9)
    assert columns["distortion"][-1] == pytest.approx(0.2, abs=1e-9)


def test_rounded_rows_and_tables_are_normalized():
    thirds = bound_problems.encoder_table(np.array([[0.3333333, 0.6666666]]), 1)
    assert thirds.sum() == pytest.approx(1.0, abs=1e-15) and thirds[0, 0] == pytest.approx(1 / 3, abs=1e-7)
    assert bound_problems.joint_pmf("x", np.array([[0.3333333, 0.6666666]])).sum() == pytest.approx(1.0, abs=1e-15)


@pytest.mark.parametrize(("rows", "flag", "message"), [
    ([[0.5, 0.2], [0.2, 0.2]], "side_information", "side_information must hold joint probabilities, which sum to 1"),
    ([[1.2, -0.2], [0.0, 0.0]], "observation", "observation must have entries >= 0, got -0.2"),
    ([["nan", 0.5], [0.2, 0.3]], "observation", "observation must have entries >= 0, got nan"),
    ([[1.0, 0.0], [0.5, 0.4]], "encoder", "encoder must have rows that sum to 1, got 0.9 in row 1"),
    ([[1.0, 0.0]], "encoder", "one row per letter, 2 rows, got shape (1, 2)"),
])
def test_tables_that_are_none_are_refused(tmp_path, capsys, rows, flag, message):
    path = table(tmp_path, "table.csv", rows)
    beside = ["--pmf=" + table(tmp_path, "pmf.csv", [[0.5, 0.5]]), "--divergence=tv"] if flag == "encoder" else []
    assert bound.main(["rdr bound", f"--{flag}={path}", f"--workdir={tmp_path / 'out'}", *beside]) == 1
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize(("fields", "message"), [
    ({"observation": "a", "side_information": "b"}, "--observation and --side_information are two problems"),
    ({"observation": "a", "pmf": "b"}, "--pmf and --observation both say"),
    ({"encoder": "a", "pmf": "b"}, "say by which divergence"),
    ({"encoder": "a", "pmf": "b", "divergence": "tv", "distortions": (0.1,)}, "--distortions cannot be given with"),
    ({"observation": "a", "blocklength": (5,)}, "--blocklength cannot be given with --observation"),
    ({"observation": "a", "realism": "joint"}, "--realism is about --side_information"),
    ({"pmf": "a", "side_information_at": "both"}, "--side_information_at is about"),
])
def test_flags_that_do_not_fit_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        bound.Config(**fields)
