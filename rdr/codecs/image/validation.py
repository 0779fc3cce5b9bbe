"""Validation of codec files from strangers: archives, headers and integers, before anything is computed with them."""

import io
import math
import types
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rdr.bitstream.tables import Tables, check_tables
from rdr.entropy_models.integer_network import check_layer

MAX_FILE_BYTES = 2**28  # of all arrays together, inflated
MAX_HEADER_BYTES = 2**20
_MAX_ARRAYS = 1024
_KINDS = "fiu"
# Options of a file -> largest value; those that are not here are not a file's to say.
_MAX_OPTIONS = {"channels": 1024, "latents": 1024, "dither_levels": 64, "rate_levels": 64}


class CodingLayout(NamedTuple):
    """What a model's integers are like.

    Attributes:
      tables: name -> number of tables.
      networks: name -> shapes of the kernels of its layers.
      thresholds: how many there are; None for a model without.
      others: name -> what raises ValueError for a part that is none; of models that have more than these.
    """

    tables: Mapping[str, int]
    networks: Mapping[str, Sequence[tuple[int, int, int, int]]]
    thresholds: int | None
    others: Mapping[str, Callable[[Any], None]] = types.MappingProxyType({})


def read_arrays(data: bytes) -> dict[str, np.ndarray]:
    """Reads an archive of arrays; sizes are looked at before anything is inflated.

    Args:
      data: an .npz file.

    Returns:
      Arrays of numbers by name.

    Raises:
      ValueError: if the archive holds anything but numbers, is damaged, or is larger than any codec.
    """
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if len(members) > _MAX_ARRAYS or sum(member.file_size for member in members) > MAX_FILE_BYTES:
            raise ValueError(f"it holds more than {_MAX_ARRAYS} arrays or {MAX_FILE_BYTES} bytes")
        for member in members:
            name = member.filename.removesuffix(".npy")
            limit = MAX_HEADER_BYTES if name == "header" else MAX_FILE_BYTES
            if member.file_size > limit:
                raise ValueError(f"{name} has {member.file_size} bytes, more than {limit}")
            with archive.open(member) as stream:
                content = stream.read(member.file_size)  # and no byte more, whatever the member inflates to
            arrays[name] = _array(name, content)
    return arrays


def _array(name: str, content: bytes) -> np.ndarray:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"{name} has version {version} of numpy's format")
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError(f"{name}: Object arrays cannot be loaded")
    rest = content[stream.tell() :]
    if dtype.kind not in _KINDS or dtype.itemsize > 8 or len(rest) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} holds {dtype}{list(shape)} in {len(rest)} bytes, not numbers")
    values = np.frombuffer(rest, dtype).reshape(shape, order="F" if fortran else "C")
    return np.ascontiguousarray(values)


def check_options(options: Any) -> dict[str, Any]:
    """Refuses options that no codec file has.

    Args:
      options: what a file's header says that `make_codec` is to be called with.

    Returns:
      The options.

    Raises:
      ValueError: if a name is unknown or a value out of its range.
    """
    if not isinstance(options, dict) or not isinstance(options.get("name"), str):
        raise ValueError("its options are no dictionary with a name")
    for name, value in options.items():
        if name in _MAX_OPTIONS:
            if type(value) is not int or not 0 <= value <= _MAX_OPTIONS[name]:
                raise ValueError(f"its option {name} is {value!r}, not an integer up to {_MAX_OPTIONS[name]}")
        elif name == "realism":
            if not isinstance(value, bool):
                raise ValueError(f"its option realism is {value!r}, neither true nor false")
        elif name not in ("name", "transforms", "channel") or not isinstance(value, str):
            raise ValueError(f"its option {name} is unknown or no word: {value!r}")
    return options


def check_finite(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuses floats that are not finite.

    Args:
      arrays: by name.

    Raises:
      ValueError: if there is one.
    """
    for name, value in arrays.items():
        if value.dtype.kind == "f" and not np.isfinite(value).all():
            raise ValueError(f"{name} is not finite")


def check_coding(coding: Any, layout: CodingLayout) -> None:
    """Refuses integers that are not those of a model.

    Args:
      coding: from a file.
      layout: of the model.

    Raises:
      ValueError: if a part is missing, unknown, of another shape or dtype, or out of its range.
    """
    single = layout.networks.keys() == {"network"}  # beside the tables; several have a dictionary of their own
    names = {*layout.tables, *layout.others}
    if layout.networks:
        names.add("network" if single else "networks")
    if layout.thresholds is not None:
        names.add("thresholds")
    if not isinstance(coding, dict) or coding.keys() != names:
        raise ValueError("its integers are not those of its model")
    for name, count in layout.tables.items():
        _check_stored_tables(coding[name], count)
    for name, check in layout.others.items():
        check(coding[name])
    networks = {"network": coding["network"]} if single else coding.get("networks", {})
    if not isinstance(networks, dict) or networks.keys() != layout.networks.keys():
        raise ValueError("its integer networks are not those of its model")
    for name, shapes in layout.networks.items():
        layers = networks[name]
        if not isinstance(layers, list) or len(layers) != len(shapes):
            raise ValueError(f"its integer network {name} does not have {len(shapes)} layers")
        for layer, shape in zip(layers, shapes):
            check_layer(layer, shape)
    if layout.thresholds is not None:
        values = coding["thresholds"]
        if np.shape(values) != (layout.thresholds,) or values.dtype != np.int32 or (np.diff(values) <= 0).any():
            raise ValueError(f"its thresholds are not {layout.thresholds} increasing integers")


def _check_stored_tables(stored: Any, count: int) -> None:
    if not isinstance(stored, dict) or stored.keys() != {"counts", "lengths", "offsets"}:
        raise ValueError("its tables have other parts than counts, lengths and offsets")
    if any(not isinstance(part, np.ndarray) or part.dtype != np.int32 for part in stored.values()):
        raise ValueError("its tables are not arrays of int32")
    check_tables(Tables(**stored))
    if len(stored["lengths"]) != count or np.abs(stored["offsets"].astype(np.int64)).max() > 2**24:
        raise ValueError(f"its tables are not {count} around 0")
