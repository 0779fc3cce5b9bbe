"""Tables of scales."""

import csv
import io

import numpy as np

from rdr.evaluation.studies.answers import Item
from rdr.evaluation.studies.scale_tables import SCALE_COLUMNS, scale_rows, scale_text, to_csv
from rdr.evaluation.studies.scaling import Scales


def scales(condition="c", *, study="s", source="kodim01"):
    value = np.array([0.0, 1 / 3, 1.5])
    items = (Item("reference", "0"), Item(condition, "2"), Item(condition, "10"))
    half = np.array([0, 0.1, 0.2])
    return Scales(study, source, condition, items, 0, value, value - half, value + half, value * np.nan, value * np.nan,
                  0 * value, np.eye(3), np.zeros((0, 3)), 1.0, 0.0, "thurstone", 7, 90, *np.zeros((2, 3), int))


def test_rows_hold_the_source_once_and_are_named_after_studies_if_there_are_several():
    rows = scale_rows([scales("c"), scales("d")])
    assert [(row["condition"], row["level"]) for row in rows] == [
        ("reference", "0"), ("c", "2"), ("c", "10"), ("d", "2"), ("d", "10")]
    assert {row["source"] for row in rows} == {"kodim01"} and rows[1]["scale"] == 1 / 3
    several = scale_rows([scales(), scales(study="t")])
    assert len(several) == 6 and {row["source"] for row in several} == {"s/kodim01", "t/kodim01"}


def test_csv_is_read_by_any_reader():
    text = to_csv(scale_rows([scales('my "codec", 2')]), (*SCALE_COLUMNS, "bootstrap_error"))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert text.startswith("source,condition,level,scale,lower,upper,bootstrap_error\nkodim01,reference,0,0,0,0,\n")
    assert rows[1]["condition"] == 'my "codec", 2' and float(rows[1]["scale"]) == 0.3333333333


def test_text_has_sources_across_and_conditions_in_order():
    lines = scale_text([scales(), scales(source="kodim02")]).splitlines()
    assert lines[0].split() == ["condition", "level", "kodim01", "kodim02"]
    assert lines[2].split() == ["reference", "0", "0", "0"]
    assert [line.split()[1] for line in lines[2:]] == ["0", "2", "10"] and "1.50 [1.30, 1.70]" in lines[4]
