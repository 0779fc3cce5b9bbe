"""Stages of `make gpu`: each has its time, is done once, goes on where it was, and may fail without harm to others."""

import json
import sys
import time

import pytest

from benchmarks import gpu


def python(code):
    return sys.executable, "-c", code


@pytest.fixture
def stages(monkeypatch):
    """Puts other stages in the place of the real ones."""
    def put(*made):
        monkeypatch.setattr(gpu, "make_stages", lambda config, workdir: list(made))

    monkeypatch.setattr(gpu, "GRACE", 2.0)
    monkeypatch.setattr(gpu, "LEAST", 0.2)
    return put


def test_a_stage_that_fails_is_named_and_the_next_ones_are_done_once(stages, tmp_path, capsys):
    note = f"open({str(tmp_path / 'calls')!r}, 'a').write"
    stages(gpu.Stage("good", 1.0, (python(f"{note}('a')"), python(f"{note}('b')"))),
           gpu.Stage("bad", 1.0, (python(f"{note}('c'); raise SystemExit(3)"), python(f"{note}('never')"))),
           gpu.Stage("after", 1.0, (python(f"{note}('d'); print('said')"),)),
           gpu.Stage("poor", 1.0, (python(f"{note}('never')"),), "IMAGES=FOLDER"))
    command = ["gpu", f"--workdir={tmp_path / 'out'}", "--minutes=1"]
    assert gpu.main(command) == 1
    assert (tmp_path / "calls").read_text() == "abcd"
    shown = capsys.readouterr().out
    assert "bad: failed" in shown and "poor: left out, it needs IMAGES=FOLDER" in shown
    state = json.loads((tmp_path / "out" / "stages.json").read_text())
    assert {name: record["status"] for name, record in state.items()} == {
        "good": "done", "bad": "failed", "after": "done"}
    assert "said" in (tmp_path / "out" / "after.log").read_text()
    assert gpu.main(command) == 1 and (tmp_path / "calls").read_text() == "abcdc"  # what failed is tried again


def test_a_stage_out_of_time_is_interrupted_and_goes_on(stages, tmp_path):
    calls = tmp_path / "calls"
    first = python(f"open({str(calls)!r}, 'a').write('1')")
    long = python(f"import pathlib, time; p = pathlib.Path({str(calls)!r}); n = len(p.read_text()); "
                  f"p.write_text(p.read_text() + '2'); time.sleep(60 if n < 4 else 0)")
    stages(gpu.Stage("long", 1.0, (first, long)), gpu.Stage("short", 1.0, (first,)))
    started = time.monotonic()
    state = gpu.run(gpu.Config(), tmp_path, 0.2)
    assert 8.0 < time.monotonic() - started < 20.0
    assert state["long"] | {"seconds": 0} == {"status": "interrupted", "finished_commands": 1, "seconds": 0}
    assert state["short"]["status"] == "done"  # in its own time, which the long one did not take
    assert calls.read_text() == "1212"  # and what was left was for the long one
    again = gpu.run(gpu.Config(), tmp_path, 2.0)
    assert again["long"]["status"] == "done" and calls.read_text() == "12122"
    assert again["long"]["seconds"] >= state["long"]["seconds"] > 5.0


def test_the_plan_is_shown_and_nothing_is_done(tmp_path, capsys):
    assert gpu.main(["gpu", f"--workdir={tmp_path / 'out'}", "--dry_run", "--minutes=6"]) == 0
    shown = capsys.readouterr().out
    assert "check (4.0 minutes)" in shown and "best (left out: IMAGES=FOLDER)" in shown  # 2 of the 3 that can be done
    assert "train (left out: TRAIN=FOLDER)" in shown and "--steps=10000" in shown and "--features=vgg16" in shown
    assert not (tmp_path / "out").exists()


def test_wrong_folders_are_refused(tmp_path, capsys):
    assert gpu.main(["gpu", f"--workdir={tmp_path / 'out'}", "--images=/no/such"]) == 1
    assert "no folder" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.stress
def test_all_stages_run_small_on_any_machine(tmp_path, capsys):
    command = ["gpu", "--preset=smoke", f"--workdir={tmp_path / 'out'}", "--minutes=30"]
    status = gpu.main(command)
    logs = "\n".join(path.read_text() for path in (tmp_path / "out").glob("*.log"))
    assert status == 0, logs
    state = json.loads((tmp_path / "out" / "stages.json").read_text())
    assert {name: record["status"] for name, record in state.items()} == dict.fromkeys(
        ("check", "best", "realism", "train", "benchmarks"), "done")
    for name in ("best", "realism"):
        assert sorted(path.name for path in (tmp_path / "out" / name).glob("*.rdr")) == ["0.rdr", "1.rdr"]
    assert (tmp_path / "out" / "train" / "codec.npz").exists() and "| fitted | cpu | 0 |" in logs
    capsys.readouterr()
    assert gpu.main(command) == 0 and ".." not in capsys.readouterr().out  # all was done
