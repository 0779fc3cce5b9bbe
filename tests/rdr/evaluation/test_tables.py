import dataclasses
import json

import numpy as np
import pytest

from paper_figures.tables import read_table
from rdr.evaluation import tables


def points(**changes):
    columns = {name: [0.0, 0.0] for name in tables.POINT_COLUMNS}
    return columns | {"codec": ["a", "b"], "rate_bits": [1.0, 2.0], "bound_lower_bits": [0.9, 2.1],
                      "gap_se": [0.01, 0.04]} | changes


def test_tables_round_trip_with_their_header(tmp_path):
    columns = {"name": ["x", "y"], "value": [1 / 3, np.float32(2.5)], "count": [1, np.int64(2)]}
    tables.write_table(tmp_path / "t.csv", columns, {"units": "bits: per sample"})
    header, read = read_table(tmp_path / "t.csv")
    assert header == {"schema_version": "1", "units": "bits: per sample"}
    assert list(read["name"]) == ["x", "y"] and read["value"].dtype == np.float64
    np.testing.assert_allclose(read["value"], [1 / 3, 2.5], rtol=1e-9)
    np.testing.assert_array_equal(read["count"], [1, 2])


def test_the_schema_is_held_and_comes_first(tmp_path):
    tables.write_points(tmp_path / "p.csv", {"extra": [5, 6], **points()}, {})
    _, read = read_table(tmp_path / "p.csv")
    assert tuple(read)[: len(tables.POINT_COLUMNS)] == tables.POINT_COLUMNS and list(read)[-1] == "extra"
    with pytest.raises(ValueError, match="points lack the columns gap_se"):
        tables.write_points(tmp_path / "p.csv", {k: v for k, v in points().items() if k != "gap_se"}, {})


def test_cells_keep_their_line_breaks_and_comments_are_above_the_heading(tmp_path):
    (tmp_path / "t.csv").write_bytes(
        b'# units: bits\n\n# seed: 1\r\nname,note\r\n#7,"two\n\nlines, #8"\r\n , \r\n\n"x", y \n')
    header, names, rows = tables.read_rows(tmp_path / "t.csv")
    assert header == {"units": "bits", "seed": "1"} and names == ["name", "note"]
    assert rows == [["#7", "two\n\nlines, #8"], ["x", "y"]]
    (tmp_path / "t.csv").write_text("# units: bits\n")
    with pytest.raises(ValueError, match="holds no rows"):
        tables.read_rows(tmp_path / "t.csv")


def test_ragged_columns_and_commas_are_refused(tmp_path):
    with pytest.raises(ValueError, match="columns must have one length"):
        tables.write_table(tmp_path / "t.csv", {"a": [1], "b": [1, 2]}, {})
    with pytest.raises(ValueError, match="no comma"):
        tables.write_table(tmp_path / "t.csv", {"a": ["x,y"]}, {})


def test_a_violation_is_more_than_three_errors_below_or_not_a_number():
    assert tables.violations(points()) == []
    assert tables.violations(points(bound_lower_bits=[0.9, 2.13])) == [1]
    assert tables.violations(points(rate_bits=[float("nan"), 2.0])) == [0]
    assert tables.violations(points(gap_se=[0.01, float("nan")])) == [1]
    assert tables.violations(points(gap_se=[float("inf"), 0.04])) == [0]


def test_rendered_tables_are_aligned():
    text = tables.render({"codec": ["a", "longer"], "rate": [1.0, float("nan")], "n": [1, 20]})
    lines = text.splitlines()
    assert len(set(map(len, lines))) == 1 and lines[2].split() == ["a", "1.0000", "1"]


def test_the_run_record_repeats_the_run(tmp_path):
    @dataclasses.dataclass(frozen=True)
    class Config:
        steps: int = 3
        rates: tuple[float, ...] = (0.5, 1.0)

    tables.write_run_record(tmp_path, name="experiments.x", config=Config(), duration_seconds=1.26)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["command"] == "python -m experiments.x --steps=3 --rates=0.5,1.0"
    assert record["versions"]["jax"] and record["duration_seconds"] == 1.3 and record["devices"]
