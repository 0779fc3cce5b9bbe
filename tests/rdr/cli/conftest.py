"""What tests of commands share: the command, a small image and its message."""

import numpy as np
import pytest
from PIL import Image

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
def encoded(tmp_path_factory, rdr):
    """A folder with in.png, 17 x 3 pixels, and out.rdr, its message."""
    folder = tmp_path_factory.mktemp("encoded")
    Image.fromarray(IMAGE).save(folder / "in.png")
    assert rdr("encode", folder / "in.png", folder / "out.rdr", "--steps=8", "--rd_lambda=0.1") == 0
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
