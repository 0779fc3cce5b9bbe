import numpy as np
import pytest

from paper_figures.tables import read_beside, read_table, rows_by


def test_numbers_and_words_are_told_apart(tmp_path):
    (tmp_path / "t.csv").write_text("# a: b: c\n# seed: 0\nname,x\nu,1\nv,nan\n")
    header, columns = read_table(tmp_path / "t.csv")
    assert header == {"a": "b: c", "seed": "0"} and list(columns["name"]) == ["u", "v"]
    np.testing.assert_array_equal(columns["x"], [1.0, np.nan])


@pytest.mark.parametrize("text, said", [
    ("", "holds no columns"), ("# only: header\n", "holds no columns"), ("a,b\n1\n", "row 1 has 1 cells")])
def test_damaged_tables_are_refused(tmp_path, text, said):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ValueError, match=said):
        read_table(tmp_path / "t.csv")


def test_a_missing_table_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"missing\.csv cannot be read"):
        read_table(tmp_path / "missing.csv")


def test_a_second_table_is_the_committed_one_or_the_runs_own(tmp_path):
    (tmp_path / "second.csv").write_text("a\n1\n")
    assert read_beside(tmp_path / "t.csv", "second")["a"] == [1.0]
    (tmp_path / "t_second.csv").write_text("a\n2\n")
    assert read_beside(tmp_path / "t.csv", "second")["a"] == [2.0]
    with pytest.raises(ValueError, match=r"third\.csv cannot be read"):
        read_beside(tmp_path / "t.csv", "third")


def test_columns_that_are_needed_are_asked_for(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    assert list(read_table(tmp_path / "t.csv", {"b"})[1]) == ["a", "b"]
    with pytest.raises(ValueError, match=r"t\.csv lacks the columns c, d"):
        read_table(tmp_path / "t.csv", {"d", "a", "c"})


def test_rows_are_parted_in_the_order_of_the_table_and_sorted():
    columns = {"codec": np.array(["v", "u", "v"]), "rate": np.array([3.0, 5.0, 1.0]), "psnr": np.array([30.0, 50, 10])}
    parts = rows_by(columns, "codec", "rate")
    assert list(parts) == ["v", "u"] and parts["v"]["psnr"].tolist() == [10.0, 30.0] and parts["u"]["rate"] == [5.0]
