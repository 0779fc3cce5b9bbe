"""The benchmark of ColorVideoVDP: what it measures, at sizes that say nothing of speed."""

import io
import json

import numpy as np
import pytest

from benchmarks import cvvdp


def test_images_are_of_the_shape_that_is_asked_for_and_differ():
    for shape in ((6, 8), (3, 6, 8)):
        test, reference = cvvdp.images(shape)
        assert test.shape == (*shape, 3) and test.dtype == reference.dtype == np.float32
        assert test.min() >= 0 and test.max() <= 1 and 0.02 < np.abs(test - reference).mean() < 0.06


def test_a_line_is_a_call_and_memory_is_what_the_call_took(monkeypatch, capsys):
    calls = []

    def call():
        calls.append(np.ones(2**24).sum())  # 128 MiB
        return 9.5

    monkeypatch.setattr("sys.stdin", io.StringIO("\n\n"))
    before = cvvdp.resident_peak(reset=True)
    cvvdp.serve(call, "words")
    ready, *spent = map(json.loads, capsys.readouterr().out.splitlines())
    assert ready == {"version": "words", "value": 9.5} and len(calls) == 3 and len(spent) == 2
    for cpu, wall, memory in spent:
        assert cpu > 0 and wall > 0 and (before == 0 or memory > before + 100)


@pytest.mark.stress
def test_a_small_run_writes_its_page(tmp_path, capsys):
    cvvdp.main(["--image=4x5", "--video=3x4x5", "--turns=1", f"--out={tmp_path / 'cvvdp.md'}"])
    page = (tmp_path / "cvvdp.md").read_text(encoding="utf-8")
    assert page == capsys.readouterr().out and page.startswith("# Speed and memory of ColorVideoVDP\n")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| value")]
    assert [row[0] for row in rows] == ["| value, 5 x 4", "| value and gradient, 5 x 4", "| value, 3 frames of 5 x 4"]
    assert all(float(row[1]) >= 0 and float(row[3]) > 100 and "temporary numbers" in row[-1] for row in rows)
