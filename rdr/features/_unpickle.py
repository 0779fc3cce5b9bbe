"""Reading pickled weights without running what they contain.

A pickle is a program. The two readers here interpret it with a table of the few names that an array of
numbers needs, and refuse every other name; nothing of PyTorch is imported to read a `.pth` file. What the program
allocates is bounded by the length of the file: places in its memo are counted before it runs, arrays have the shape
that their bytes have, and a tensor has no more elements than its storage.
"""

import collections
import functools
import io
import math
import pathlib
import pickle
import pickletools
import struct
import zipfile
from typing import Any, BinaryIO

import numpy as np

# PyTorch's storage types, as the array elements they hold.
_STORAGE_DTYPES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
}
# First object of a `.pth` file of the older, unzipped format (a constant of that format).
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C


_MAX_DEPTH = 100  # of containers in each other


def _check_program(stream: BinaryIO) -> None:
    """Refuses a pickle whose memo has more places than the program has steps; leaves the stream where it was."""
    start, steps = stream.tell(), 0
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            steps += 1
            if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and not 0 <= int(argument or 0) <= steps:
                raise pickle.UnpicklingError(f"refused: the file asks for {argument} places in {steps} steps")
    except (ValueError, IndexError, struct.error, OverflowError) as error:
        raise pickle.UnpicklingError(f"not a whole pickle ({error})") from None
    stream.seek(start)


class _PickledType:
    """A data type as pickled arrays state it: numbers of one byte order, and nothing else."""

    def __init__(self, code: str, *_: Any):
        self.dtype = np.dtype(code) if isinstance(code, str) and len(code) <= 4 else np.dtype(object)
        if self.dtype.kind not in "fiu":
            raise pickle.UnpicklingError(f"refused: arrays must hold numbers, the file asks for {code!r:.40}")

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "|", "=") or any(
                part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("refused: arrays must hold numbers, the file asks for fields")
        self.dtype = self.dtype.newbyteorder(state[1])


class _PickledArray:
    """An array as pickles state it: first nothing, then shape, type and bytes."""

    def __init__(self, *_: Any):
        self.value: np.ndarray = np.zeros(0, np.float32)

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5:
            raise pickle.UnpicklingError("refused: an array must state its shape, type and bytes")
        _, shape, kind, fortran, data = state
        data = data.encode("latin-1") if isinstance(data, str) else data  # as Python 2 wrote them
        if not isinstance(kind, _PickledType) or not isinstance(data, bytes | bytearray) or not _is_shape(shape):
            raise pickle.UnpicklingError("refused: an array must state its shape, type and bytes")
        if math.prod(shape) * kind.dtype.itemsize != len(data):
            raise pickle.UnpicklingError(f"refused: an array of shape {shape} has {len(data)} bytes")
        self.value = np.frombuffer(data, kind.dtype).reshape(shape, order="F" if fortran else "C")


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple) and len(shape) <= 32 and all(isinstance(n, int) and n >= 0 for n in shape)


def _arrays_of(value: Any, done: dict[int, Any] | None = None, depth: int = 0) -> Any:
    """Puts arrays in the place of what stands for them, in each container once however often it occurs."""
    done = {} if done is None else done
    if depth > _MAX_DEPTH:
        raise pickle.UnpicklingError(f"refused: containers of more than {_MAX_DEPTH} levels")
    if isinstance(value, _PickledArray):
        return value.value
    if not isinstance(value, dict | list | tuple):
        return value
    if id(value) not in done:
        if isinstance(value, dict):
            done[id(value)] = {key: _arrays_of(item, done, depth + 1) for key, item in value.items()}
        else:
            done[id(value)] = type(value)(_arrays_of(item, done, depth + 1) for item in value)
    return done[id(value)]


class _Restricted(pickle.Unpickler):
    """An unpickler that knows only the names in `table`."""

    def __init__(self, stream: BinaryIO, table: dict[tuple[str, str], Any], persistent_load=None):
        _check_program(stream)
        super().__init__(stream)
        self._table = table
        self._persistent = persistent_load

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._table[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"refused: the file asks for {module}.{name}, which weights do not need"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        if self._persistent is None:
            raise pickle.UnpicklingError("refused: the file refers to data outside of itself")
        return self._persistent(pid)


def load_numpy_pickle(path: pathlib.Path) -> Any:
    """Reads a pickle of containers and NumPy arrays, and of nothing else.

    Args:
      path: the file.

    Returns:
      The object: dicts, lists, numbers, strings and arrays.

    Raises:
      pickle.UnpicklingError: if the file is not a pickle, asks for any other name, or for more memory than it is long.
    """
    table: dict[tuple[str, str], Any] = {("numpy", "ndarray"): "numpy.ndarray", ("numpy", "dtype"): _PickledType}
    for package in ("numpy.core", "numpy._core"):  # the package was renamed in NumPy 2
        table[f"{package}.multiarray", "_reconstruct"] = _PickledArray
    # In memory, where what is asked for beyond the end is not allocated.
    return _arrays_of(_Restricted(io.BytesIO(path.read_bytes()), table).load())


def _rebuild_tensor(storage, offset, shape, stride, *_) -> np.ndarray:
    """Views a flat storage as the array that PyTorch saved (strides count elements)."""
    flat = storage()
    if not _is_shape(shape) or not _is_shape(stride) or len(shape) != len(stride) or not isinstance(offset, int):
        raise pickle.UnpicklingError("refused: a tensor must have a shape and strides")
    if math.prod(shape) > flat.size:
        raise pickle.UnpicklingError(f"refused: a tensor of shape {shape} has a storage of {flat.size} elements")
    last = offset + sum((n - 1) * s for n, s in zip(shape, stride))
    if 0 in shape:
        return np.zeros(shape, flat.dtype)
    if offset < 0 or min(stride, default=0) < 0 or last >= flat.size:
        raise pickle.UnpicklingError("refused: a tensor reaches beyond its storage")
    strides = [s * flat.itemsize for s in stride]
    return np.lib.stride_tricks.as_strided(flat[offset:], shape, strides, writeable=False).copy()


def _torch_table() -> dict[tuple[str, str], Any]:
    def ignore_parameter(data, *_):
        return data

    table: dict[tuple[str, str], Any] = {
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): lambda *args: functools.partial(_rebuild_tensor, *args),
        ("torch._utils", "_rebuild_parameter"): ignore_parameter,
    }
    for name, dtype in _STORAGE_DTYPES.items():
        table["torch", name] = dtype
    return table


def load_torch_file(path: pathlib.Path) -> dict[str, np.ndarray]:
    """Reads the state dict in a `.pth` file, zipped or of the older format, without PyTorch.

    Args:
      path: the file.

    Returns:
      A dict from parameter names to arrays.

    Raises:
      pickle.UnpicklingError: if the file is of neither format, is cut short, or asks for a name that a dict
        of tensors does not need.
    """
    if zipfile.is_zipfile(path):
        delayed = _load_zipped(path)
    else:
        delayed = _load_legacy(path)
    if not isinstance(delayed, dict):
        raise pickle.UnpicklingError(f"expected a dict of tensors, the file holds a {type(delayed).__name__}")
    arrays, left = {}, path.stat().st_size
    for name, tensor in delayed.items():
        if isinstance(tensor, functools.partial):
            arrays[name] = tensor()
            left -= arrays[name].nbytes
            if left < 0:
                raise pickle.UnpicklingError("refused: tensors share storages, and are larger than the file together")
    return arrays


def _storage_from_bytes(data: bytes, dtype: np.dtype, size: int) -> np.ndarray:
    if len(data) != size * dtype.itemsize:
        raise pickle.UnpicklingError(
            f"a storage of {size} {dtype} has {len(data)} bytes; is the file cut short?"
        )
    return np.frombuffer(data, dtype)


def _load_zipped(path: pathlib.Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        names = [n for n in archive.namelist() if n.endswith("/data.pkl")]
        if len(names) != 1:
            raise pickle.UnpicklingError("the archive has no data.pkl, so it is no PyTorch file")
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in archive.infolist()):
            raise pickle.UnpicklingError("refused: PyTorch does not compress its files, and this one is")
        prefix = names[0].removesuffix("data.pkl")

        def persistent_load(pid):
            _, dtype, key, _, size = pid
            array = _storage_from_bytes(archive.read(f"{prefix}data/{key}"), dtype, size)
            return lambda: array

        return _Restricted(io.BytesIO(archive.read(names[0])), _torch_table(), persistent_load).load()


def _load_legacy(path: pathlib.Path) -> Any:
    # Four pickles (magic number, version, machine, object), the list of storage keys, then per storage
    # its element count (int64) and its elements.
    storages: dict[str, tuple[np.dtype, list]] = {}

    def persistent_load(pid):
        if pid[0] != "storage" or pid[-1] is not None:
            raise pickle.UnpicklingError("refused: views of storages are not read")
        _, dtype, key = pid[:3]
        _, holder = storages.setdefault(key, (dtype, []))
        return lambda: holder[0]

    with io.BytesIO(path.read_bytes()) as stream:
        try:
            magic = _Restricted(stream, {}).load()
        except (pickle.UnpicklingError, EOFError, ValueError, IndexError, KeyError) as error:
            raise pickle.UnpicklingError(f"not a PyTorch file ({error})") from None
        if magic != _LEGACY_MAGIC:
            raise pickle.UnpicklingError("not a PyTorch file (wrong magic number)")
        for _ in range(2):
            _Restricted(stream, {}).load()
        delayed = _Restricted(stream, _torch_table(), persistent_load).load()
        for key in _Restricted(stream, {}).load():
            if key not in storages:
                raise pickle.UnpicklingError("refused: a storage that no tensor refers to")
            dtype, holder = storages[key]
            size = int.from_bytes(stream.read(8), "little", signed=True)
            if size < 0:
                raise pickle.UnpicklingError("refused: a storage of negative size")
            holder.append(_storage_from_bytes(stream.read(size * dtype.itemsize), dtype, size))
    return delayed
