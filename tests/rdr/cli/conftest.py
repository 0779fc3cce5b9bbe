"""What tests of commands share: the command, a small image and its message."""

import contextlib

import numpy as np
import pytest
from PIL import Image

from tests.image_codec_fixtures import unfitted_message

IMAGE = np.add.outer(np.arange(17) * 9, np.arange(3) * 20).astype(np.uint8)


@pytest.fixture(scope="session")
def rdr():
    """Runs `rdr` with words, and returns the exit status."""
    from rdr.cli import main

    return lambda *words: main.main(["rdr", *map(str, words)])


@pytest.fixture(scope="session")
def small_image():
    """Gray, 17 x 3 pixels, uint8."""
    return IMAGE


@pytest.fixture(scope="session")
def without_fits():
    """Fits compile for a while: within this context, messages are those of `unfitted_message`, and the images and
    options asked for are listed. Large images are cut into tiles as ever."""
    from rdr.codecs import overfitted
    from rdr.codecs.overfitted import codec

    @contextlib.contextmanager
    def context():
        asked = []

        def encode_batch(images, options, *, directory, seeds=None, **_):
            directory.mkdir(parents=True, exist_ok=True)
            asked.extend((np.asarray(image), options) for image in images)
            return [unfitted_message(image, options, seed=seed)
                    for image, seed in zip(images, seeds or [options.seed] * len(images), strict=True)]

        with pytest.MonkeyPatch.context() as patch:
            for module in (overfitted, codec):  # in this order: a lazy package finds what the module has
                patch.setattr(module, "encode_batch", encode_batch)
            yield asked
        assert overfitted.encode_batch is codec.encode_batch  # nothing of it stays

    return context


@pytest.fixture(scope="session")
def encoded(tmp_path_factory, rdr, without_fits):
    """A folder with in.png, 17 x 3 pixels, and out.rdr, a message of that size."""
    folder = tmp_path_factory.mktemp("encoded")
    Image.fromarray(IMAGE).save(folder / "in.png")
    with without_fits():
        assert rdr("encode", folder / "in.png", folder / "out.rdr") == 0
    return folder


@pytest.fixture
def instant_fits(monkeypatch):
    """Fits take no time, messages are not decoded; returned is the list of images that were asked for."""
    from rdr.cli import encode
    from rdr.codecs import overfitted

    asked = []

    def fit(image, options, *, tile=0, directory):
        asked.append(image)
        directory.mkdir(exist_ok=True)
        return b"one"

    monkeypatch.setattr(overfitted, "encode", fit)
    monkeypatch.setattr(overfitted, "encode_batch", lambda images, options, *, directory: [
        fit(image, options, directory=directory) for image in images])
    monkeypatch.setattr(encode, "_report", lambda *_, **__: False)
    return asked
