import json
import os

import pytest

from rdr.training.metrics import MetricsLog


def test_a_resumed_log_keeps_the_lines_of_saved_steps_only(tmp_path):
    path = tmp_path / "run" / "metrics.jsonl"
    log = MetricsLog(path, done=0)
    for step in (2, 4, 6):
        log.write(step, {"loss": 1.0 / step})
    with path.open("a", encoding="utf-8") as file:
        file.write('{"step": 8, "loss": 0.1')  # cut off by an interruption
    MetricsLog(path, done=4).write(5, {"loss": 7.0})
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"step": 2, "loss": 0.5}, {"step": 4, "loss": 0.25}, {"step": 5, "loss": 7.0}]
    assert list(path.parent.iterdir()) == [path]


def test_being_killed_while_it_is_cut_back_costs_no_line(tmp_path, monkeypatch):
    path = tmp_path / "metrics.jsonl"
    MetricsLog(path, done=0).write(2, {"loss": 1.0})
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        MetricsLog(path, done=0)
    assert path.read_bytes() == before


def test_numbers_that_are_not_finite_are_not_written(tmp_path):
    log = MetricsLog(tmp_path / "metrics.jsonl", done=0)
    with pytest.raises(AssertionError):
        log.write(1, {"loss": float("nan")})
