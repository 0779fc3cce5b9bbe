"""Records of evaluated images: broken ones are left out and named, the others are evaluated."""

import json

import numpy as np
import pytest
from PIL import Image

from rdr.cli import image_records


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    for side in ("ref", "cand"):
        (tmp_path / side).mkdir()
        for name in "abcd":
            Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(tmp_path / side / f"{name}.png")
    return tmp_path


def test_broken_images_do_not_keep_others_from_being_evaluated(folders, rdr, capsys):
    """Fault 23: one broken image aborted a folder before any work."""
    whole = (folders / "cand" / "b.png").read_bytes()
    (folders / "cand" / "b.png").write_bytes(whole[:600])  # its header is right
    (folders / "ref" / "c.png").write_bytes(b"nothing")
    words = ("evaluate", f"--reference={folders / 'ref'}", f"--candidate={folders / 'cand'}", "--metrics=psnr",
             f"--workdir={folders / 'out'}")
    assert rdr(*words) == 1
    shown = capsys.readouterr()
    error = shown.err.splitlines()[-1]
    assert error.startswith("error: 2 of 4 pairs of images could not be evaluated") and "b.png" in error
    assert "c.png" in error and "2 images; results.json" in shown.out
    document = json.loads((folders / "out" / "results.json").read_text())
    assert document["images"] == 2 and sum("left out" in note for note in document["notes"]) == 2
    Image.fromarray(np.zeros((20, 24, 3), np.uint8)).save(folders / "ref" / "c.png")
    (folders / "cand" / "b.png").write_bytes(whole)
    assert rdr(*words) == 0  # the repaired ones are added
    assert json.loads((folders / "out" / "results.json").read_text())["images"] == 4
    for name in "abcd":
        (folders / "ref" / f"{name}.png").write_bytes(b"nothing")
    assert rdr(*words) == 1 and capsys.readouterr().err.splitlines()[-1].startswith("error: ")


def test_records_are_of_the_files_that_are_there(folders):
    from rdr.data.image_pairs import pair_folders

    pair = pair_folders(str(folders / "ref"), str(folders / "cand"))[0]
    digests = image_records.digests_of(pair)
    record = {"sha256": digests, "bits": pair.bits}
    assert image_records.is_current(record, pair, digests)
    assert not image_records.is_current(record | {"bits": 8}, pair, digests)
    (folders / "cand" / "a.png").write_bytes((folders / "cand" / "b.png").read_bytes())
    assert not image_records.is_current(record, pair, image_records.digests_of(pair))
    assert [image_records.encode(value) for value in (1.5, np.inf, -np.inf)] == [1.5, "inf", "-inf"]
