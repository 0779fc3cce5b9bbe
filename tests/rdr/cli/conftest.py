"""What tests of commands share: the command, a small image and its message."""

import contextlib
import zlib

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


def unfitted_message(image, options, seed=0):
    """A message of an image's size and an option's signal: the pretrained decoder, and latents that are drawn.

    What is drawn depends on the pixels, so that equal messages are of equal images.
    """
    from rdr.codecs.overfitted import codec, exact_inference, format
    from rdr.codecs.overfitted.architecture import shapes
    from rdr.codecs.overfitted.pretrained_init import pretrained_weights

    image = np.asarray(image)
    arch = codec.architecture(codec.as_image(image).shape, options)
    rng = np.random.default_rng([zlib.crc32(image.tobytes()), seed])
    weights = {name: exact_inference.quantize_weights(w, 6) for name, w in pretrained_weights(arch).items()}
    latents = [np.rint(rng.laplace(size=shape)).astype(np.int32) for shape in arch.latent_shapes]
    return format.write(format.Description(arch, dict.fromkeys(shapes(arch), 6), weights, latents,
                                           seed if arch.noise_levels else None, options.signal)).message


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
            return [unfitted_message(image, options, seed)
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
