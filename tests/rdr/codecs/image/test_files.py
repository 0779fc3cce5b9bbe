"""Codecs in files and images in messages: what comes back, and what is refused when a byte is not what it was."""

import hashlib
import json
import os
import pathlib
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.bitstream import container
from rdr.codecs.image import files, make_codec
from rdr.randomness import shared_key

OPTIONS = {"name": "bmshj2018-factorized", "channels": 4, "latents": 6, "rate_levels": 2, "realism": True}
NOTES = {"training": {"steps": 3, "images": "ä"}, "list": [1, None, 0.5]}


def drawn(codec):
    """Parameters in 16 bits under which images come out in all colors."""
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        name = jax.tree_util.keystr(path)
        if "kernel" in name:
            kernel = rng.standard_normal(leaf.shape) / np.sqrt(np.prod(leaf.shape[:3]))
            return 0.1 * kernel if "realism" in name else kernel
        if "root" in name:
            return ("realism" not in name) * (1.0 if "beta" in name else 0.3 * np.eye(len(leaf))) * np.ones(leaf.shape)
        if "log" in name:
            return (1.0 if "log_gain" in name else -1.0) * np.array([[1.0], [2.0]]) + np.zeros(leaf.shape)
        return rng.normal(-1.2 if "matrix" in name else 0.0, 0.2, leaf.shape)

    params = jax.tree_util.tree_map_with_path(draw, jax.eval_shape(codec.init, jax.random.key(0)))
    params["synthesis"]["Convolution_3"]["bias"] += 0.5
    return files.half_precision(params)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The file, its hash, and what was saved."""
    path = tmp_path_factory.mktemp("codec") / "codec.npz"
    codec = make_codec(**OPTIONS)
    params = codec.finalize(drawn(codec))
    return path, files.save_codec(path, OPTIONS, params, notes=NOTES), params


@pytest.fixture(scope="module")
def loaded(saved):
    return files.load_codec(saved[0])


def make_image(height, width, seed=1):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture(scope="module")
def message(loaded):
    return files.encode_image(loaded, make_image(17, 33), rate=0.5)


def test_everything_comes_back_to_the_bit(saved, loaded):
    path, digest, params = saved
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert files.load_codec(path, sha256=digest).options == loaded.options == OPTIONS and loaded.notes == NOTES
    assert loaded.codec is make_codec(**OPTIONS)
    assert jax.tree.structure(loaded.params) == jax.tree.structure(params)
    for want, found in zip(jax.tree.leaves(params), jax.tree.leaves(loaded.params)):
        assert found.dtype == want.dtype and found.tobytes() == want.tobytes()
    assert container.fingerprint(loaded.params) == container.fingerprint(params)
    assert [other.name for other in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["mbt2018-mean", "channelwise-checkerboard"])
def test_integer_networks_come_back_as_the_lists_that_they_are(name, tmp_path):
    options = {"name": name, "channels": 2, "latents": 8}
    codec = make_codec(**options)
    rng = np.random.default_rng(3)
    params = codec.finalize(jax.tree.map(lambda leaf: rng.normal(0.0, 0.1, leaf.shape).astype(np.float32),
                                         jax.eval_shape(codec.init, jax.random.key(0))))
    files.save_codec(tmp_path / "codec.npz", options, params)
    found = files.load_codec(tmp_path / "codec.npz").params
    assert jax.tree.structure(found) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, found, params)


def test_leaves_of_16_bits_take_16_bits_and_others_keep_theirs(saved, tmp_path):
    path, _, params = saved
    with np.load(path) as archive:
        dtypes = {name: archive[name].dtype for name in archive.files}
    assert dtypes["analysis/Convolution_0/kernel"] == np.float16 and dtypes["coding/tables/counts"] == np.int32
    other = params | {"realism": jax.tree.map(lambda leaf: leaf + np.float32(1 / 3), params["realism"])}
    other["realism"]["Convolution_0"]["bias"][:2] = [1e6, -0.0]
    files.save_codec(tmp_path / "codec.npz", OPTIONS, other)
    found = files.load_codec(tmp_path / "codec.npz")
    assert found.notes == {}
    for want, got in zip(jax.tree.leaves(other), jax.tree.leaves(found.params)):
        assert got.tobytes() == want.tobytes()


def test_half_precision_is_to_the_nearest_of_16_bits_and_refuses_what_has_none():
    values = np.array([1 / 3, -2.0**-24, 2.0**-26, 65503.0, 0.0], np.float32)
    found = files.half_precision({"a": [jnp.asarray(values)], "b": np.zeros((0, 3), np.float32)})
    assert found["a"][0].dtype == np.float32 and found["b"].shape == (0, 3)
    want = [1365 / 4096, -2.0**-24, 0.0, 65504.0, 0.0]  # 11 digits, the smallest is 2^-24
    np.testing.assert_array_equal(found["a"][0], np.float32(want))
    for value in (np.nan, np.inf, -70000.0):
        with pytest.raises(ValueError, match="not finite, or too large for 16 bits"):
            files.half_precision({"a": np.float32(value)})


def test_a_file_that_cannot_be_written_leaves_the_one_before(saved, tmp_path, monkeypatch):
    path = tmp_path / "codec.npz"
    path.write_bytes(b"before")

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space left"):
        files.save_codec(path, OPTIONS, saved[2])
    assert path.read_bytes() == b"before"
    with pytest.raises(ValueError, match="must have been through the codec's finalize"):
        files.save_codec(path, OPTIONS, {name: tree for name, tree in saved[2].items() if name != "coding"})


def header(**changes):
    said = {"format": files.FORMAT, "options": OPTIONS, "notes": {}} | changes
    said = {key: value for key, value in said.items() if value is not None}
    return np.frombuffer(json.dumps(said).encode(), np.uint8)


KERNEL = "analysis/Convolution_1/kernel"


@pytest.mark.parametrize(("change", "words"), [
    ({"header": None}, "header"), ({"header": np.frombuffer(b"{", np.uint8)}, "Expecting"),
    ({"header": header(format="rdr image codec 0")}, "its format is 'rdr image codec 0'"),
    ({"header": header(format=None)}, "format"), ({"header": header(options=None)}, "options"),
    ({"header": header(notes=None)}, "notes"),
    ({"header": header(options=OPTIONS | {"name": "jpeg"})}, "must be one of"),
    ({"header": header(options=OPTIONS | {"latents": 8})}, "do not fit its options"),
    ({"header": header(options=OPTIONS | {"realism": False})}, "do not fit its options"),
    ({"header": header(options=OPTIONS | {"hue": 1})}, "hue"),
    ({"header": header(options=OPTIONS | {"channels": [4]})}, "channels is"),
    ({"header": header(options=OPTIONS | {"channels": 2**40})}, "channels is"),
    ({"header": header(options=OPTIONS | {"max_elements": 2**50})}, "max_elements is unknown"),
    ({"header": header(options=[1])}, "no dictionary"),
    ({KERNEL: None}, "do not fit its options"),
    ({KERNEL: np.zeros((5, 5, 4, 3), np.float32)}, "do not fit its options"),
    ({"analysis/Convolution_9/kernel": np.zeros(3, np.float32)}, "do not fit its options"),
    ({KERNEL: np.array([{"a": 1}], object)}, "Object arrays cannot be loaded"),
    ({"analysis": np.zeros(3, np.float32)}, ""),
    ({KERNEL: np.full((5, 5, 4, 4), np.nan, np.float32)}, "is not finite"),
    ({"model/prior/bias_0": np.full((6, 3), 1, np.int32)}, "not float32"),
    ({KERNEL: np.zeros((5, 5, 4, 4), np.complex64)}, "not numbers"),
    ({"coding/tables/counts": None}, "its tables have other parts"),
    ({"coding/tables/counts": np.zeros((6, 4), np.int32)}, "tables have shapes|must have a count"),
    ({"coding/tables/lengths": np.full(6, 2**30, np.int32)}, "must have a count"),
    ({"coding/tables/offsets": np.full(6, 2**30, np.int32)}, "around 0"),
    ({"coding/tables/offsets": np.zeros(6, np.float32)}, "not arrays of int32"),
    ({"coding/thresholds": np.zeros(3, np.int32)}, "integers are not those of its model"),
])  # fmt: skip
def test_archives_that_hold_something_else_are_refused(saved, tmp_path, change, words):
    """Fault 32: NaN weights, lengths of 2^30, limits from the file and other dtypes came through or in tracebacks."""
    with np.load(saved[0]) as archive:
        arrays = {name: archive[name] for name in archive.files}
    arrays = {name: value for name, value in (arrays | change).items() if value is not None}
    path = tmp_path / "codec.npz"
    np.savez_compressed(path, **arrays)
    with pytest.raises(ValueError, match=f"checkpoint: .*codec.npz is no image codec, or damaged .*{words}"):
        files.load_codec(path)


def test_no_pickle_is_ever_read(tmp_path):
    class Trap:
        def __reduce__(self):
            return pathlib.Path.touch, (tmp_path / "sprung",)

    (tmp_path / "codec.npz").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ValueError, match="is no image codec"):
        files.load_codec(tmp_path / "codec.npz")
    assert not (tmp_path / "sprung").exists()


def test_cut_and_altered_files_are_refused_or_hold_the_same(saved, tmp_path):
    """Zip archives have bytes that say nothing of their contents, such as dates; all others are noticed."""
    data, path, rng = saved[0].read_bytes(), tmp_path / "codec.npz", np.random.default_rng(2)
    refused = 0
    for length in (0, 1, len(data) // 3, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match="is no image codec, or damaged"):
            files.load_codec(path)
    for place in rng.integers(len(data), size=25):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1 << rng.integers(8)]) + data[place + 1 :])
        with pytest.raises(ValueError, match="has SHA-256"):
            files.load_codec(path, sha256=saved[1])
        try:
            found = files.load_codec(path)
        except ValueError:
            refused += 1
        else:
            assert container.fingerprint(found.params) == container.fingerprint(saved[2]) and found.options == OPTIONS
    assert refused > 15
    with pytest.raises(ValueError, match="there is no file"):
        files.load_codec(tmp_path)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (17, 33), (16, 32)])
def test_images_of_any_size_come_back_as_the_codec_reconstructs_them(loaded, height, width):
    image = make_image(height, width)
    message = files.encode_image(loaded, image, rate=1)
    assert message == loaded.codec.encode(loaded.params, image[None] / np.float32(255), rate=1)
    found = [files.decode_image(loaded, message, realism=beta) for beta in (None, 0.0, 1.0)]
    for beta, decoded in zip((0.0, 0.0, 1.0), found):
        assert decoded.dtype == np.uint8 and decoded.shape == image.shape
        floats = np.float64(loaded.codec.decode(message, params=loaded.params, condition=beta)[0])
        assert np.abs(decoded - 255 * floats).max() <= 0.5 + 1e-4
    assert (found[0] != found[2]).any() and container.unpack(message).shape == (1, height, width, 3)


def test_the_codec_sees_values_from_0_to_1_and_what_it_gives_is_rounded_to_the_nearest(loaded):
    seen = []
    known = loaded.codec._replace(encode=lambda params, x, **said: seen.append((x, said)),
                                  decode=lambda message, **said: jnp.asarray([[[[0.0, 0.4999 / 255, 0.5001 / 255],
                                                                                [254.4 / 255, 254.6 / 255, 1.0]]]]))
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)[..., None].repeat(3, -1)
    files.encode_image(loaded._replace(codec=known), image, rate=0.25)
    (x, said), = seen
    assert x.dtype == np.float32 and said == {"rate": 0.25, "shared_key": None}
    np.testing.assert_array_equal(x[0, :, :, 1].ravel(), np.float32(np.arange(256)) / np.float32(255))
    found = files.decode_image(loaded._replace(codec=known), b"")
    np.testing.assert_array_equal(found, [[[0, 0, 1], [254, 255, 255]]])


@pytest.mark.parametrize("image", [
    np.zeros((4, 5), np.uint8), np.zeros((4, 5, 1), np.uint8), np.zeros((4, 5, 4), np.uint8),
    np.zeros((1, 4, 5, 3), np.uint8), np.zeros((4, 5, 3), np.uint16), np.zeros((4, 5, 3), np.float32),
    np.zeros((4, 5, 3), bool),
])  # fmt: skip
def test_what_is_no_picture_of_three_8_bit_channels_is_refused(loaded, image):
    with pytest.raises(ValueError, match=r"image must be uint8 \[height, width, 3\], got "):
        files.encode_image(loaded, image, rate=0)


def test_empty_pictures_and_levels_that_do_not_exist_are_refused(loaded):
    with pytest.raises(ValueError, match="without empty sides"):
        files.encode_image(loaded, np.zeros((0, 5, 3), np.uint8), rate=0)
    with pytest.raises(ValueError, match="needs a rate"):
        files.encode_image(loaded, make_image(4, 4))
    with pytest.raises(ValueError, match="shared_key must be None"):
        files.encode_image(loaded, make_image(4, 4), rate=0, shared_key=shared_key(1))
    for level in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"rate must be a level in \[0, 1\], got "):
            files.encode_image(loaded, make_image(4, 4), rate=level)


def test_messages_that_were_cut_or_altered_are_refused(loaded, message):
    for place in range(0, len(message), 5):
        with pytest.raises(ValueError):
            files.decode_image(loaded, message[:place])
        with pytest.raises(ValueError):
            files.decode_image(loaded, message[:place] + bytes([message[place] ^ 0x10]) + message[place + 1 :])
    parts = container.unpack(message)
    for payload in (parts.payloads[1][:-1], parts.payloads[1] + bytes(4), b"\1\0\0\0" + 9 * parts.payloads[1]):
        forged = container.pack(parts._replace(payloads=(parts.payloads[0], payload, parts.payloads[2])))
        with pytest.raises(ValueError, match="damaged message"):
            files.decode_image(loaded, forged)


def test_messages_of_other_parameters_are_refused_by_the_last_digit(loaded, message):
    params = jax.tree.map(np.array, loaded.params)
    kernel = params["analysis"]["Convolution_0"]["kernel"]
    kernel.flat[7] = np.nextafter(kernel.flat[7], np.float32(9))
    with pytest.raises(ValueError, match="other parameters than those given"):
        files.decode_image(loaded._replace(params=params), message)


def test_messages_of_several_images_are_refused_instead_of_losing_some(loaded):
    batch = np.stack([make_image(4, 5), make_image(4, 5, 2)]) / np.float32(255)
    message = loaded.codec.encode(loaded.params, batch, rate=0)
    with pytest.raises(ValueError, match="holds 2 images, not one"):
        files.decode_image(loaded, message)


def test_a_dither_needs_the_key_that_both_sides_share(tmp_path):
    options = {"name": "bmshj2018-factorized", "channels": 4, "latents": 6, "dither_levels": 4}
    codec = make_codec(**options)
    files.save_codec(tmp_path / "codec.npz", options, codec.finalize(drawn(codec)))
    loaded, image = files.load_codec(tmp_path / "codec.npz"), make_image(17, 33)
    with pytest.raises(ValueError, match="needs the shared_key"):
        files.encode_image(loaded, image)
    message = files.encode_image(loaded, image, shared_key=shared_key(3))
    found = [files.decode_image(loaded, message, shared_key=shared_key(3)) for _ in range(2)]
    np.testing.assert_array_equal(*found)
    with pytest.raises(ValueError, match="takes no realism weight"):
        files.decode_image(loaded, message, realism=0.5, shared_key=shared_key(3))
