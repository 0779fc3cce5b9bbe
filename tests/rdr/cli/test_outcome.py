"""The line of JSON for scripts."""

import json
import math

import numpy as np

from rdr.cli import outcome


def test_the_keys_are_always_there_and_the_line_is_json(capsys):
    rows = [np.float64(1.5), {"n": np.int64(2)}]
    outcome.show_json(outcome.Outcome(bytes=3, psnr_db=math.inf), rows=rows, bad=math.nan)
    [line] = capsys.readouterr().out.splitlines()
    said = json.loads(line, parse_constant=lambda constant: 1 / 0)
    assert said == {"bytes": 3, "bits_per_pixel": None, "psnr_db": "inf", "seconds": None, "sha256": None,
                    "rows": [1.5, {"n": 2}], "bad": "nan"}
