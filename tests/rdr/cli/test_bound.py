"""Oracles: closed forms for Bernoulli sources with Hamming distortion; what the command writes and refuses."""

import json
import types

import numpy as np
import pytest

from paper_figures.tables import read_table
from rdr.cli import bound
from theory import discrete


def write(path, rows):
    path.write_text("\n".join(",".join(map(str, np.atleast_1d(row))) for row in rows) + "\n")
    return str(path)


def call(tmp_path, **options):
    flags = [f"--{name}={value}" for name, value in options.items()]
    return bound.main(["rdr bound", f"--workdir={tmp_path / 'out'}", *flags])


def entropy(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


def test_bernoulli_table_brackets_the_closed_forms(tmp_path):
    pmf = write(tmp_path / "pmf.csv", [[0.75, 0.25]])
    assert call(tmp_path, pmf=pmf, divergence="tv", perceptions="0,inf", distortions="0.1,0.2") == 0
    header, columns = read_table(tmp_path / "out" / "bound.csv")
    # P = 0: recorded values of the Bernoulli rate-distortion-perception function, nats.
    exact = {(0.1, 0.0): 0.2535370186382847 / np.log(2), (0.2, 0.0): 0.09957637744583003 / np.log(2)}
    exact |= {(d, np.inf): entropy(0.25) - entropy(d) for d in (0.1, 0.2)}
    assert len(columns["rate_bits"]) == 4 and "bits" in header["units"]
    for d, p, lower, upper in zip(*(columns[k] for k in ("max_distortion", "max_perception", "rate_lower_bits", "rate_bits"))):  # noqa: E501
        # The table holds ten digits.
        assert lower - 1e-9 <= exact[d, p] <= upper + 1e-9
        assert upper - lower < 1e-7
    assert (tmp_path / "out" / "bound.png").stat().st_size > 5000
    assert (tmp_path / "out" / "bound.pdf").exists()
    assert "rdr bound --pmf" in json.loads((tmp_path / "out" / "run.json").read_text())["command"]


def test_rectangular_distortion_from_npy_gives_the_erasure_curve(tmp_path):
    np.save(tmp_path / "pmf.npy", np.array([0.5, 0.5]))
    np.save(tmp_path / "d.npy", np.array([[0.0, np.inf, 1.0], [np.inf, 0.0, 1.0]]))
    columns = bound.run(
        bound.Config(pmf=str(tmp_path / "pmf.npy"), distortion=str(tmp_path / "d.npy"), distortions=(0.1, 0.3, 1.0)),
        tmp_path,
    )
    np.testing.assert_allclose(columns["rate_bits"], 1.0 - columns["max_distortion"], atol=1e-8)


def test_a_call_again_shows_what_is_there_and_solves_nothing(tmp_path, capsys, monkeypatch):
    """Fault 20: a repeated call solved everything again, and a changed setting was refused only after that."""
    pmf = write(tmp_path / "pmf.csv", [[0.75, 0.25]])
    options = {"pmf": pmf, "divergence": "tv", "perceptions": "0", "distortions": "0.1,0.2"}
    assert call(tmp_path, **options) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr(bound, "solve", lambda *_: 1 / 0)
    assert call(tmp_path, **options) == 0
    assert capsys.readouterr().out == first
    assert call(tmp_path, **options | {"perceptions": "0.1"}) == 1
    assert "holds a run with other settings (perceptions)" in capsys.readouterr().err
    write(tmp_path / "pmf.csv", [[0.5, 0.5]])
    with pytest.raises(ZeroDivisionError):  # the file has changed, so this must be solved
        call(tmp_path, **options)


def test_json_and_the_other_name_of_squared(tmp_path, capsys):
    pmf = write(tmp_path / "pmf.csv", [[0.25, 0.5, 0.25]])
    rates = []
    for index, name in enumerate(("squared", "mse", "absolute")):
        assert call(tmp_path / str(index), pmf=pmf, distortion=name, distortions="0.3", json="true") == 0
        said = json.loads(capsys.readouterr().out)
        rates.append(said["rate_bits"][0])
        assert said["points"] == 1 and said["seconds"] > 0 and said["largest_gap_bits"] < 1e-6
    assert rates[0] == rates[1] != rates[2]


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([[0.5, 0.4]], {}, "pmf must sum to 1, got a sum of 0.9"),
        ([[1.5, -0.5]], {}, "pmf must have entries >= 0, got -0.5 for letter 1"),
        ([["nan", 0.5]], {}, "pmf must have entries >= 0, got nan for letter 0"),
        ([["a", 0.5]], {}, "does not hold rows of numbers"),
        ([[0.5, 0.3], [0.2]], {}, "does not hold rows of numbers"),
        ([[0.5, 0.3], [0.1, 0.1]], {}, "pmf must be one row or one column"),
        ([[0.5, 0.5]], {"distortion": "absent.csv"}, "no distortion of that name; there are hamming, squared"),
        ([[0.5, 0.5]], {"distortion": "PMF"}, "one row per letter, 2 rows"),
        ([[0.5, 0.5]], {"divergence": "cosine"}, "divergence must be one of none, tv"),
        ([[0.5, 0.5]], {"perceptions": "0.1"}, "--perceptions need a divergence"),
        ([[0.5, 0.5]], {"divergence": "tv", "perceptions": "-1"}, "perceptions must be >= 0"),
        ([[0.5, 0.5]], {"distortions": "-0.1"}, "distortions must be >= 0"),
        ([[0.5, 0.5]], {"num_points": "0"}, "num_points must be >= 1"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(tmp_path, capsys, rows, options, message):
    pmf = write(tmp_path / "pmf.csv", rows)
    options = {k: pmf if v == "PMF" else v for k, v in options.items()}
    wrong_call = {"divergence", "perceptions", "distortions", "num_points"} & set(options)
    assert call(tmp_path, pmf=pmf, **options) == (2 if wrong_call else 1)
    assert message in capsys.readouterr().err


def test_infeasible_pairs_are_refused(tmp_path, capsys):
    pmf = write(tmp_path / "pmf.csv", [[0.75, 0.25]])
    cost = write(tmp_path / "d.csv", [[1, 0], [0, 1]])
    assert call(tmp_path, pmf=pmf, distortion=cost, divergence="tv", perceptions="0,inf", distortions="0.3,0.3") == 1
    # Swapping letters with p_Y = p_X leaves at least |0.75 - 0.25| wrong.
    assert "no channel has distortion <= 0.3 and tv <= 0" in capsys.readouterr().err
    shifted = write(tmp_path / "s.csv", [[1, 2], [2, 1]])
    assert call(tmp_path, pmf=pmf, distortion=shifted, distortions="0.5") == 1
    assert "distortions must be at least 1" in capsys.readouterr().err
    # A refused call claims no workdir: the corrected one may use the same.
    assert not (tmp_path / "out").exists()


def test_power_divergences_are_named_by_their_order(tmp_path, capsys, monkeypatch):
    """What they are is tested in tests/theory/discrete/perception/test_power_divergence.py."""
    pmf, asked = write(tmp_path / "pmf.csv", [[0.7, 0.3]]), []

    def surface(pmf, matrix, *, distortions, perceptions, divergence):
        asked.append((divergence, distortions.tolist(), perceptions.tolist()))
        numbers = dict.fromkeys(("rate", "rate_lower", "slope", "perception"), np.full((1, 1), 0.125))
        return types.SimpleNamespace(**numbers, distortion=distortions[:, None])

    monkeypatch.setattr(discrete, "rate_distortion_perception_surface", surface)
    assert call(tmp_path, pmf=pmf, divergence="alpha=-0.5", perceptions="0.02", distortions="0.1") == 0
    assert asked == [("alpha=-0.5", [0.1], [0.02])]
    header, columns = read_table(tmp_path / "out" / "bound.csv")
    assert header["divergence"] == "alpha=-0.5" and columns["rate_bits"] == [0.125]
    capsys.readouterr()
    for wrong in ("alpha=x", "alpha=inf", "alpha="):
        assert call(tmp_path, pmf=pmf, divergence=wrong) == 2
        assert "alpha= and a finite number" in capsys.readouterr().err


def test_a_missing_pmf_is_named(tmp_path, capsys):
    assert call(tmp_path) == 2
    assert "--pmf is missing" in capsys.readouterr().err
