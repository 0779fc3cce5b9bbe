"""Files that experiments want: fitted once, side by side where that is possible."""

import numpy as np
import pytest

from experiments.images import bitstream_cache
from rdr.codecs import overfitted

OPTIONS = overfitted.Options(schedule=overfitted.Schedule(steps=2))
RNG = np.random.default_rng(0)
SQUARES = [RNG.integers(0, 256, (8, 8, 1), np.uint8) for _ in range(3)]
FITS = [bitstream_cache.Fit("a", SQUARES[0], OPTIONS), bitstream_cache.Fit("wide", SQUARES[0][:4], OPTIONS),
        bitstream_cache.Fit("b", SQUARES[1], OPTIONS),
        bitstream_cache.Fit("other", SQUARES[0], OPTIONS._replace(seed=1)),
        bitstream_cache.Fit("c", SQUARES[2], OPTIONS)]


@pytest.fixture
def calls(monkeypatch):
    made = []

    def encode_batch(images, options, *, directory):
        directory.mkdir(parents=True)
        made.append(([image.tobytes() for image in images], options.seed, directory.name))
        return [b"%d " % options.seed + image.tobytes() for image in images]

    monkeypatch.setattr(overfitted, "encode_batch", encode_batch)
    return made


def test_images_of_one_size_and_kind_go_together_and_files_keep_their_names(tmp_path, calls):
    found = bitstream_cache.messages(FITS, tmp_path, batch=2)
    assert list(found) == ["a", "wide", "b", "other", "c"]
    for fit in FITS:
        assert found[fit.stem] == b"%d " % fit.options.seed + fit.image.tobytes()
        assert (tmp_path / "messages" / f"{fit.stem}.rdr").read_bytes() == found[fit.stem]
    assert [len(images) for images, _, _ in calls] == [2, 1, 1, 1]
    assert not list((tmp_path / "progress").iterdir())
    assert len({directory for _, _, directory in calls}) == 4


def test_what_is_there_is_not_made_again(tmp_path, calls):
    bitstream_cache.messages(FITS[:1], tmp_path)
    found = bitstream_cache.messages(FITS, tmp_path, batch=8)
    assert [len(images) for images, _, _ in calls] == [1, 1, 2, 1]
    again = bitstream_cache.messages(FITS, tmp_path, batch=8)
    assert len(calls) == 4 and again == found


def test_another_company_has_progress_of_its_own(tmp_path, calls):
    bitstream_cache.messages([FITS[0], FITS[2]], tmp_path / "x", batch=2)
    bitstream_cache.messages([FITS[0], FITS[4]], tmp_path / "y", batch=2)
    bitstream_cache.messages([FITS[0]], tmp_path / "z", batch=2)
    names = [directory for _, _, directory in calls]
    assert len(set(names)) == 3 and names[2] == "a"


def test_refuses_an_empty_batch(tmp_path):
    with pytest.raises(ValueError, match="--batch"):
        bitstream_cache.messages(FITS, tmp_path, batch=0)
