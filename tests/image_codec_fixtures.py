"""What several experiments' tests share: a small trained codec, and the overfitted codec without its fits."""

import zlib

import numpy as np
import pytest

# Imports stand in the fixtures: this plugin is loaded at every start.

OPTIONS = {"name": "bmshj2018-factorized", "channels": 8, "latents": 12, "rate_levels": 2, "realism": True}


@pytest.fixture(scope="session")
def small_codec(tmp_path_factory):
    """A folder with codec.npz, of random weights, and images/a.png, 64 x 48, and b.png, 48 x 64."""
    import jax
    from PIL import Image

    from rdr.codecs.image import files, make_codec

    folder = tmp_path_factory.mktemp("small_codec")
    rng = np.random.default_rng(0)
    (folder / "images").mkdir()
    for name, shape in (("a", (48, 64, 3)), ("b", (64, 48, 3))):
        Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / "images" / f"{name}.png")
    small = make_codec(**OPTIONS)
    draws = jax.tree.map(lambda leaf: rng.normal(0.0, 0.1, leaf.shape).astype(np.float32),
                         jax.eval_shape(small.init, jax.random.key(0)))
    draws["gains"]["log_gain"] += np.array([[2.0], [3.0]], np.float32)
    for k in range(5):
        draws["model"]["prior"][f"matrix_{k}"] -= 1.2  # wide enough for these latents: no escapes
    for part in ("analysis", "synthesis"):
        for i in range(3):
            draws[part][f"GDN_{i}"]["root_beta"] += 1.0
    files.save_codec(folder / "codec.npz", OPTIONS, small.finalize(draws))
    return folder


def unfitted_message(image, options, *, seed=0, draw=0):
    """A message of an image's size and an option's signal: the pretrained decoder, and latents that are drawn.

    What is drawn depends on the pixels, the seed and the draw, so that equal messages are of equal images.
    """
    from rdr.codecs.overfitted import codec, exact_inference, format
    from rdr.codecs.overfitted.architecture import shapes
    from rdr.codecs.overfitted.pretrained_init import pretrained_weights

    image = np.asarray(image)
    arch = codec.architecture(codec.as_image(image).shape, options)
    rng = np.random.default_rng([zlib.crc32(image.tobytes()), seed, draw])
    weights = {name: exact_inference.quantize_weights(w, 6) for name, w in pretrained_weights(arch).items()}
    latents = [np.rint(rng.laplace(size=shape)).astype(np.int32) for shape in arch.latent_shapes]
    return format.write(format.Description(arch, dict.fromkeys(shapes(arch), 6), weights, latents,
                                           seed if arch.noise_levels else None, options.signal)).message


@pytest.fixture
def unfitted(monkeypatch):
    """Fits compile for a while: whole files of some numbers are written; returned is the list of options asked for."""
    from rdr.codecs import overfitted

    asked = []

    def encode(image, options, *, directory=None, tile=None):
        asked.append(options)
        return unfitted_message(image, options, seed=options.seed, draw=len(asked))

    def encode_batch(images, options, *, directory=None):
        return [encode(image, options) for image in images]

    monkeypatch.setattr(overfitted, "encode", encode)
    monkeypatch.setattr(overfitted, "encode_batch", encode_batch)
    return asked
