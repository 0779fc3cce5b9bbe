"""Image codecs in files: what a codec was made with, and its finalized parameters; no code, no pickles."""

import hashlib
import io
import json
import pathlib
from typing import Any, NamedTuple

import jax
import numpy as np

from rdr.codecs.base import Codec
from rdr.codecs.image import validation
from rdr.files import write_bytes

FORMAT = "rdr image codec 1"
_MODEL_OPTIONS = ("channels", "latents", "dither_levels", "channel")


class LoadedCodec(NamedTuple):
    """A codec from a file.

    Attributes:
      codec: the codec.
      params: its finalized parameters.
      options: what `rdr.codecs.image.make_codec` was called with, "name" among them.
      notes: what the writer said of it: how it was trained, say.
    """

    codec: Codec
    params: Any
    options: dict
    notes: dict


def half_precision(params: Any) -> Any:
    """Rounds floats to 16 bits, which files then hold; before `finalize`, so that coding sees what files say.

    Args:
      params: a tree of float32 arrays.

    Returns:
      The rounded tree, float32.

    Raises:
      ValueError: if a value is too large for 16 bits.
    """
    def rounded(leaf):
        value = np.asarray(leaf, np.float32)
        if value.size and not np.abs(value).max() < 65504.0:
            raise ValueError("the parameters are not finite, or too large for 16 bits")
        return value.astype(np.float16).astype(np.float32)

    return jax.tree.map(rounded, params)


def save_codec(path: str | pathlib.Path, options: dict, params: Any, *, notes: dict | None = None) -> str:
    """Writes a codec, whole or not at all.

    Args:
      path: the file.
      options: of `make_codec`, "name" among them.
      params: finalized; leaves that hold nothing beyond 16 bits are stored in 16 bits.
      notes: whatever JSON can hold.

    Returns:
      The SHA-256 of the file, in hexadecimal digits.

    Raises:
      ValueError: if the parameters are not finalized.
    """
    if "coding" not in params:
        raise ValueError("params must have been through the codec's finalize")
    arrays: dict[str, Any] = {"header": np.frombuffer(json.dumps(
        {"format": FORMAT, "options": options, "notes": notes or {}}, sort_keys=True).encode(), np.uint8)}
    for key, leaf in jax.tree_util.tree_leaves_with_path(params):
        value = np.asarray(leaf)
        if value.dtype == np.float32:
            with np.errstate(over="ignore"):
                small = value.astype(np.float16)
            value = small if (small.astype(np.float32) == value).all() else value
        arrays[jax.tree_util.keystr(key, simple=True, separator="/")] = value
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_bytes(path, buffer.getvalue())
    return hashlib.sha256(buffer.getvalue()).hexdigest()


def load_codec(path: str | pathlib.Path, *, sha256: str | None = None) -> LoadedCodec:
    """Reads a codec.

    Args:
      path: from `save_codec`.
      sha256: what the file's SHA-256 must be, in hexadecimal digits.

    Returns:
      The codec.

    Raises:
      ValueError: if there is no such file, it is none of these, damaged, or not the one with that hash.
    """
    from rdr.codecs.image.models import make_codec, make_model

    path = pathlib.Path(path)
    if not path.is_file():
        raise ValueError(f"checkpoint: there is no file {path}")
    data = path.read_bytes()
    if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
        raise ValueError(f"checkpoint: {path} has SHA-256 {hashlib.sha256(data).hexdigest()}, expected {sha256}")
    try:
        arrays = validation.read_arrays(data)
        header = json.loads(arrays.pop("header").tobytes())
        if header["format"] != FORMAT:
            raise ValueError(f"its format is {header['format']!r}")
        options, notes = validation.check_options(header["options"]), header["notes"]
        codec = make_codec(**options)
        validation.check_finite(arrays)
        params = _nested({name: value.astype(np.float32) if value.dtype == np.float16 else value
                          for name, value in arrays.items()})
        _check_network(codec, {name: tree for name, tree in params.items() if name != "coding"})
        model = make_model(options["name"], **{key: options[key] for key in _MODEL_OPTIONS if key in options})
        validation.check_coding(params.get("coding"), model.coding_layout)
    except Exception as error:
        # numpy and zipfile report damage by many exception types; for the caller there is one answer.
        raise ValueError(f"checkpoint: {path} is no image codec, or damaged ({error})") from None
    return LoadedCodec(codec, params, options, notes)


def _check_network(codec: Codec, network: Any) -> None:
    expected = jax.eval_shape(codec.init, jax.random.key(0))
    if jax.tree.map(np.shape, expected) != jax.tree.map(np.shape, network):
        raise ValueError("its parameters do not fit its options")
    if any(leaf.dtype != np.float32 for leaf in jax.tree.leaves(network)):
        raise ValueError("its parameters are not float32")


def encode_image(loaded: LoadedCodec, image: np.ndarray, *, rate: float | None = None,
                   shared_key: jax.Array | None = None) -> bytes:
    """Encodes one 8-bit image.

    Args:
      loaded: the codec.
      image: uint8 [height, width, 3].
      rate: level of a codec with a rate input.
      shared_key: of a codec with a dither, or with the layered channel.

    Returns:
      The message.

    Raises:
      ValueError: if the image is none, or the codec refuses an argument.
    """
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(f"image must be uint8 [height, width, 3], got {image.dtype}{list(image.shape)}")
    x = image[None].astype(np.float32) / np.float32(255.0)
    return loaded.codec.encode(loaded.params, x, shared_key=shared_key, rate=rate)


def decode_image(loaded: LoadedCodec, message: bytes, *, realism: float | None = None,
                   shared_key: jax.Array | None = None) -> np.ndarray:
    """Decodes one image.

    Args:
      loaded: the codec.
      message: from `encode_image`.
      realism: weight, of a codec that takes one; 0 if it is not given.
      shared_key: of a codec with a dither, or with the layered channel.

    Returns:
      uint8 [height, width, 3].

    Raises:
      ValueError: if the message is damaged, by another codec or of several images, or the codec refuses an argument.
    """
    x = loaded.codec.decode(message, params=loaded.params, shared_key=shared_key, condition=realism)
    if len(x) != 1:
        raise ValueError(f"the message holds {len(x)} images, not one: decode it with the codec itself")
    return np.round(np.asarray(x[0]) * 255.0).astype(np.uint8)


def _nested(flat: dict[str, np.ndarray]) -> Any:
    tree: dict = {}
    for name, value in flat.items():
        *path, last = name.split("/")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[last] = value

    def lists(node):
        if not isinstance(node, dict):
            return node
        node = {key: lists(child) for key, child in node.items()}
        if node and all(key.isdigit() for key in node):
            return [node[str(i)] for i in range(len(node))]
        return node

    return lists(tree)
