"""Tables for samples of the layered dither, and the choice among them.

A table is for a bin of the half-width A = noise scale x layer and a bin of the dither u. Bins are chosen by integers:
the logarithm of the layer is looked up by the top bits of the shared word V, that of the noise scale by the bits of the
float32 that both sides hold, and the dither's bin is the top bits of the shared word W. No float that was computed
takes part, so that encoder and decoder cannot disagree.

Where A is far below the source's spread, k has many values that are about equally likely: its low bits are coded as
uniform, and the table is for the rest.
"""

from typing import Any, NamedTuple

import numpy as np

from rdr.bitstream.tables import Tables, check_tables, make_tables
from rdr.codecs.channel.noises import Noise, Source

LOG_STEPS = 256  # of an octave, for the logarithms that are added
_BIN_STEPS = 16  # of those in a bin of A: 16 bins an octave cost about 0.0002 bit
_CELL_BITS = 12  # of V, for the layer's logarithm
_MANTISSA_BITS = 8
_MAX_OFFSET_BITS = 6  # 64 bins of u at most
_MAX_WIDTH = 2**16
_FINEST = 32  # cells in a standard deviation of the source, for what tables tell apart
MAX_LOW_BITS = 12
_TAIL = 2.0**-31  # probability that is left to escapes on either side


class TableIndex(NamedTuple):
    """How tables are chosen; all arrays are int32 and part of the codec's parameters.

    Attributes:
      layer_log: [2^12], 256 log2 of the layer's half-width at scale 1, by the top bits of V; [1] for uniform noise.
      mantissa_log: [256], 256 log2 of a float32's mantissa by its top bits.
      first: [1], the sum of both from which bins of A are counted.
      start: [bins], index of a bin's first table.
      shift: [bins], 31 minus the number of W's top bits that choose among a bin's tables.
      low_bits: [tables], how many low bits of k are coded as uniform.
    """

    layer_log: np.ndarray
    mantissa_log: np.ndarray
    first: np.ndarray
    start: np.ndarray
    shift: np.ndarray
    low_bits: np.ndarray


def scale_log(noise_scale: np.ndarray, index: TableIndex) -> np.ndarray:
    """256 log2 of noise scales, from their bits.

    Args:
      noise_scale: float32, positive, normal; any shape.
      index: of the codec.

    Returns:
      int32, same shape.
    """
    bits = np.ascontiguousarray(noise_scale).view(np.uint32).reshape(noise_scale.shape)
    exponent = (bits >> np.uint32(23)).astype(np.int32) - 127
    top = (bits >> np.uint32(23 - _MANTISSA_BITS)) & np.uint32(2**_MANTISSA_BITS - 1)
    return exponent * LOG_STEPS + index.mantissa_log[top.astype(np.int32)]


def table_ids(layer_words: np.ndarray, offset_words: np.ndarray, logs: np.ndarray | np.int32,
              index: TableIndex) -> np.ndarray:
    """The tables of samples.

    Args:
      layer_words: V, uint32 [n].
      offset_words: W, uint32 [n].
      logs: from `scale_log`: [n], or one for all.
      index: of the codec.

    Returns:
      int32 [n].
    """
    if index.layer_log.size > 1:
        logs = logs + index.layer_log.take((layer_words >> np.uint32(32 - _CELL_BITS)).astype(np.int32))
    else:
        logs = np.broadcast_to(logs + index.layer_log[0], offset_words.shape)
    bins = np.clip((logs - index.first[0]) // _BIN_STEPS, 0, index.start.size - 1)
    inside = (offset_words >> np.uint32(1)) >> index.shift.take(bins).astype(np.uint32)
    return index.start.take(bins) + inside.astype(np.int32)


def _layer_logs(noise: Noise) -> np.ndarray:
    if noise.quantile is None:
        return np.zeros(1, np.int32)
    cells = 2**_CELL_BITS
    middle = (np.arange(cells) + 0.5) / cells
    return np.round(LOG_STEPS * np.log2(noise.quantile(middle, middle[::-1]))).astype(np.int32)


def _support(source: Source) -> tuple[float, float]:
    """An interval that holds all but a tiny part of the source, by bisection."""
    ends = []
    for sign in (-1.0, 1.0):
        def outside(t, sign=sign):
            below = float(source(np.asarray(sign * t, np.float64)))
            return (below if sign < 0 else 1.0 - below) <= _TAIL

        grid = np.concatenate([-np.geomspace(1e30, 1e-30, 601), [0.0], np.geomspace(1e-30, 1e30, 601)])
        below = np.asarray(source(sign * grid), np.float64)
        beyond = np.flatnonzero((below if sign < 0 else 1.0 - below) <= _TAIL)
        if not beyond.size:
            raise ValueError("source must be a cumulative distribution function that tends to 0 and 1")
        far = grid[beyond[0]]
        near = grid[max(int(np.searchsorted(grid, far)) - 1, 0)]
        for _ in range(50):
            middle = (near + far) / 2
            near, far = (near, middle) if outside(middle) else (middle, far)
        ends.append(sign * far)
    low, high = ends
    if not low < high:
        raise ValueError("source must be a cumulative distribution function of a distribution with a density")
    return low, high


def _mean_pmfs(source, half, low, high, offset_bins, low_bits):
    """pmf of k >> low_bits averaged over a bin of ln A and over each bin of u: [offset_bins, width], and the first."""
    step = 2 * half * 2**low_bits
    first = max(int(np.floor(low / step - 1)), -_MAX_WIDTH // 2)
    last = min(int(np.ceil(high / step + 1)), _MAX_WIDTH // 2)
    u = (np.arange(offset_bins * 2) + 0.5) / (offset_bins * 2) - 0.5
    # k >> b is q where x lies between 2A (2^b q - u - 1/2) and 2A (2^b (q + 1) - u - 1/2).
    edges = np.arange(first, last + 2) - (u[:, None] + 0.5) / 2**low_bits
    spread = 2.0 ** (_BIN_STEPS / LOG_STEPS * np.array([-np.sqrt(15.0), 0.0, np.sqrt(15.0)]) / 10)  # Gauss nodes
    pmfs = np.zeros(())
    for factor, weight in zip(spread, (5 / 18, 8 / 18, 5 / 18)):
        cdf = np.asarray(source(step * factor * edges), np.float64)
        pmfs = pmfs + weight * np.maximum(np.diff(cdf, axis=1), 0.0)
    return pmfs.reshape(offset_bins, 2, -1).mean(1), first


def _resolution(half, spread):
    """Bits of u that matter, and low bits of k that do not: with small steps none of u, with large ones none of k."""
    log = np.log2(max(2 * half / spread, 1e-30))
    offset_bits = int(np.clip(np.ceil(log + 4), 0, _MAX_OFFSET_BITS))
    return offset_bits, int(np.clip(np.floor(-log - np.log2(_FINEST)) + 1, 0, MAX_LOW_BITS))


def low_tables() -> Tables:
    """Uniform tables for the low bits of k: row b - 1 for b of them.

    Returns:
      The tables.
    """
    pmfs = np.zeros((MAX_LOW_BITS, 2**MAX_LOW_BITS))
    for b in range(1, MAX_LOW_BITS + 1):
        pmfs[b - 1, : 2**b] = 2.0**-b
    return make_tables(pmfs, 0)


def _spread(source, low, high):
    """Standard deviation of a source, nearly."""
    grid = np.linspace(low, high, 4097)
    mass = np.maximum(np.diff(source(grid)), 0.0)
    middle = (grid[1:] + grid[:-1]) / 2
    spread = np.sqrt(np.average((middle - np.average(middle, weights=mass)) ** 2, weights=mass))
    if not spread > 0:
        raise ValueError("source must be a cumulative distribution function of a distribution with a density")
    return spread


def make_layered_tables(source: Source, noise: Noise, noise_scale: np.ndarray) -> dict[str, Any]:
    """Makes everything that both sides must share.

    Args:
      source: cumulative distribution function of the model of the source.
      noise: its shape.
      noise_scale: float32, the scales that will occur; their range counts.

    Returns:
      A tree of arrays: "index" (`TableIndex`), "tables" (`Tables`) and "low" (`low_tables`).

    Raises:
      ValueError: if the source is no distribution function.
    """
    steps = np.round(LOG_STEPS * np.log2(1 + (np.arange(2**_MANTISSA_BITS) + 0.5) / 2**_MANTISSA_BITS))
    layer_log, mantissa_log = _layer_logs(noise), steps.astype(np.int32)
    partial = TableIndex(layer_log, mantissa_log, *[np.zeros(1, np.int32)] * 4)
    logs = scale_log(np.array([noise_scale.min(), noise_scale.max()], np.float32), partial)
    first = int(logs[0] + layer_log[0])
    bins = (int(logs[1] + layer_log[-1]) - first) // _BIN_STEPS + 1
    low, high = _support(source)
    spread = _spread(source, low, high)
    rows, start, shift, low_bits = [], [], [], []
    for b in range(bins):
        # Middle of the bin of logarithms that are whole numbers.
        half = 2.0 ** ((first + b * _BIN_STEPS + (_BIN_STEPS - 1) / 2) / LOG_STEPS)
        offset_bits, uniform_bits = _resolution(half, spread)
        start.append(len(low_bits))
        shift.append(31 - offset_bits)
        low_bits += [uniform_bits] * 2**offset_bits
        rows.append(make_tables(*_mean_pmfs(source, half, low, high, 2**offset_bits, uniform_bits)))
    index = TableIndex(layer_log, mantissa_log, *(np.array(v, np.int32) for v in ([first], start, shift, low_bits)))
    return {"index": index._asdict(), "tables": _stacked(rows)._asdict(), "low": low_tables()._asdict()}


def check_layered_tables(stored: Any) -> None:
    """Refuses what `make_layered_tables` cannot have made for noise with layers, before anything is looked up in it.

    Args:
      stored: a tree of arrays from somewhere.

    Raises:
      ValueError: if a part is missing, or of another shape, dtype or range.
    """
    fields = {"index": TableIndex._fields, "tables": Tables._fields, "low": Tables._fields}
    if not isinstance(stored, dict) or stored.keys() != fields.keys():
        raise ValueError("its layered tables have other parts than index, tables and low")
    for name, parts in fields.items():
        tree = stored[name]
        if not isinstance(tree, dict) or tree.keys() != set(parts) or any(
                not isinstance(part, np.ndarray) or part.dtype != np.int32 for part in tree.values()):
            raise ValueError(f"its layered tables' {name} does not hold {', '.join(parts)} as int32")
    index, tables, low = TableIndex(**stored["index"]), Tables(**stored["tables"]), Tables(**stored["low"])
    check_tables(tables)
    check_tables(low)
    bins, count = index.start.size, len(tables.lengths)
    shapes = ((2**_CELL_BITS,), (2**_MANTISSA_BITS,), (1,), (bins,), (bins,), (count,))
    if not bins or any(part.shape != shape for part, shape in zip(index, shapes)) or len(low.lengths) != MAX_LOW_BITS:
        raise ValueError("its layered tables have shapes that do not belong together")
    if (max(np.abs(part.astype(np.int64)).max() for part in (*index[:3], tables.offsets)) > 2**24
            or low.offsets.any() or (index.low_bits < 0).any() or (index.low_bits > MAX_LOW_BITS).any()
            or (index.shift < 31 - _MAX_OFFSET_BITS).any() or (index.shift > 31).any() or (index.start < 0).any()
            or (index.start.astype(np.int64) + (1 << (31 - index.shift)) > count).any()):
        raise ValueError("its layered tables' index points outside of its tables")


def _stacked(rows):
    """Tables of several widths as one."""
    width = max(part.counts.shape[1] for part in rows)
    counts = [np.pad(part.counts, ((0, 0), (0, width - part.counts.shape[1]))) for part in rows]
    return Tables(np.concatenate(counts), *(np.concatenate([part[i] for part in rows]) for i in (1, 2)))
