"""Transform coding of independent Gaussian components: one slope for all, dithered scalars or a trellis.

Components of variances lam_i cost rate R_i for a squared error D_i each. At slope -theta of reverse water-filling,
every component takes the operating point of least

    D_i + 2 ln 2 theta R_i,     dD/dR = -2 ln 2 theta,

among those of its quantizer and "not at all" (D_i = lam_i, R_i = 0). Components of like variances share an integer
table. Scalars are uniform quantizers of step s with or without a dither u that both sides know,

    k = round(x / s - u),   P(k | u) = F(s (k + u + 1/2)) - F(s (k + u - 1/2)),   y = E[x | k, u],

F the normal distribution function. The trellis is that of `rdr.codecs.vectors.trellis`, used where it
is better than scalars.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from scipy.special import ndtr

from rdr.bitstream import coder, container
from rdr.bitstream.tables import Tables, make_tables, table_bits
from rdr.codecs.vectors.trellis import trellis_quantizer
from rdr.entropy_models.trellis import prior_from_tree
from rdr.entropy_models.trellis_coder import path_bits
from rdr.quantize import trellis
from rdr.randomness import dither_offsets, shared_integers

QUANTIZERS = ("dither", "rounding", "trellis-256", "trellis-64", "trellis-8")
DITHER_LEVELS = 256
_STEPS = 2.0 ** (np.arange(-24, 17) / 8)  # of scalars, in standard deviations
_TRELLIS_RATES = (0.45, 8.0)  # bits; where a trellis is used
_TRELLIS_LOSS = {256: 0.04, 64: 0.05, 8: 0.08}  # bits above 1/2 log2(1 / D), about: chooses, and nothing else


class Point(NamedTuple):
    """An operating point for a standard normal number.

    Attributes:
      quantizer: "dither", "rounding" or "trellis-...".
      step: of the quantizer.
      rate: bits.
      distortion: mean squared error.
    """

    quantizer: str
    step: float
    rate: float
    distortion: float


class Band(NamedTuple):
    """Components that are coded alike.

    Attributes:
      components: their indices [n].
      point: the operating point of each after division by `deviations`.
      deviations: their standard deviations [n].
    """

    components: np.ndarray
    point: Point
    deviations: np.ndarray


class Plan(NamedTuple):
    """How a vector of independent Gaussian components is coded.

    Attributes:
      variances: of the components [n].
      level: theta.
      bands: what is coded; components in none of them are decoded as 0.
      rate: expected bits of a vector.
      distortion: expected squared error of a vector.
    """

    variances: np.ndarray
    level: float
    bands: tuple[Band, ...]
    rate: float
    distortion: float


class _Scalar(NamedTuple):
    """Tables of one step: `tables` [levels], centroids [levels, width] from integer `offset` on."""

    tables: Tables
    centroids: np.ndarray
    offset: int
    rate: float
    distortion: float


def _density(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi)


@functools.lru_cache(maxsize=512)
def _scalar(step: float, levels: int) -> _Scalar:
    """Tables and performance of the scalar quantizer of one step for N(0, 1)."""
    reach = math.ceil(7.0 / step) + 1
    offsets = np.asarray(dither_offsets(levels), np.float64) if levels > 1 else np.zeros(1)
    low = step * (np.arange(-reach, reach + 1)[None] + offsets[:, None] - 0.5)
    # From the nearer tail, so that small probabilities keep their digits.
    pmf = np.where(low > 0, ndtr(-low) - ndtr(-low - step), ndtr(low + step) - ndtr(low))
    masses = _density(low) - _density(low + step)
    middle = low + 0.5 * step
    centroids = np.where(pmf > 1e-280, masses / np.maximum(pmf, 1e-280), middle)
    entropy = -(pmf * np.log2(np.maximum(pmf, 1e-300))).sum(-1).mean()
    return _Scalar(make_tables(pmf, -reach), centroids, -reach, float(entropy),
                   float(1.0 - (pmf * centroids**2).sum(-1).mean()))


@functools.cache
def operating_points(name: str) -> tuple[Point, ...]:
    """The operating points that a family of quantizers has for a standard normal number, besides (0, 1).

    Args:
      name: "dither" (scalars with a shared dither), "rounding" (scalars without), or "trellis-STATES" (with a
        shared dither, and scalars without at low rates).

    Returns:
      The points: of scalars exact, of trellises about.

    Raises:
      ValueError: if there is no such family.
    """
    if name not in QUANTIZERS:
        raise ValueError(f"quantizer must be one of {', '.join(QUANTIZERS)}, got {name!r}")
    scalar = "dither" if name == "dither" else "rounding"
    levels = DITHER_LEVELS if scalar == "dither" else 1
    points = []
    for step in _STEPS:
        found = _scalar(float(step), levels)
        points.append(Point(scalar, float(step), found.rate, found.distortion))
    if name.startswith("trellis"):
        states = int(name.split("-")[1])
        moment = trellis_quantizer(states).second_moment
        for rate in np.arange(_TRELLIS_RATES[0], _TRELLIS_RATES[1], 0.125):
            distortion = 4.0**-rate
            step = math.sqrt(distortion / (1.0 - distortion) / moment)
            points.append(Point(name, step, float(rate) + _TRELLIS_LOSS[states], distortion))
    return tuple(points)


def plan(variances: Any, level: float, *, quantizer: str = "dither", classes: int = 8) -> Plan:
    """Chooses an operating point for each class of components.

    Args:
      variances: of the components [n], >= 0.
      level: theta > 0, the water level.
      quantizer: a family, see `operating_points`.
      classes: into how many classes, of equal ratios of variance, what may be coded is divided.

    Returns:
      The plan; its rate is without what a message says about itself.

    Raises:
      ValueError: if variances or level are not as above, or there is no such family.
    """
    variances = np.asarray(variances, np.float64)
    if variances.ndim != 1 or not np.isfinite(variances).all() or (variances < 0).any():
        raise ValueError(f"variances must be finite numbers >= 0 of shape [n], got shape {variances.shape}")
    if not 0 < level < math.inf:
        raise ValueError(f"level must be positive and finite, got {level}")
    if classes < 1:
        raise ValueError(f"classes must be at least 1, got {classes}")
    points = operating_points(quantizer)
    candidates = np.flatnonzero(variances > level)
    bands, rate, distortion = [], 0.0, float(variances.sum())
    if candidates.size:
        logs = np.log(variances[candidates] / level)
        number = np.minimum((logs * (classes / logs.max())).astype(int), classes - 1)
        for c in range(classes):
            members = candidates[number == c]
            if not members.size:
                continue
            mean = float(variances[members].mean())
            costs = [mean * p.distortion + 2.0 * math.log(2.0) * level * p.rate for p in points]
            best = points[int(np.argmin(costs))]
            if min(costs) >= mean:
                continue
            bands.append(Band(members, best, np.sqrt(variances[members])))
            rate += members.size * best.rate
            distortion -= members.size * mean * (1.0 - best.distortion)
    return Plan(variances, float(level), tuple(bands), rate, distortion)


class _Coder(NamedTuple):
    """How the numbers of a band, divided by their deviations, become bytes; all arrays [blocks, numbers]."""

    encode: Callable[[np.ndarray, np.ndarray], tuple[tuple[bytes, bytes], np.ndarray]]
    decode: Callable[[bytes, bytes, np.ndarray], np.ndarray]
    cells: Callable[[bytes, bytes, np.ndarray], tuple[np.ndarray, np.ndarray]] | None
    levels: int


@functools.lru_cache(maxsize=256)
def _coder(point: Point) -> _Coder:
    """The coder of an operating point: `encode` also returns the ideal bits of each number."""
    if point.quantizer in ("dither", "rounding"):
        levels = DITHER_LEVELS if point.quantizer == "dither" else 1
        return _scalar_coder(_scalar(point.step, levels), point.step, levels)
    return _trellis_coder(int(point.quantizer.split("-")[1]), point.step)


def _scalar_coder(found: _Scalar, step: float, levels: int) -> _Coder:
    offsets = np.asarray(dither_offsets(levels), np.float64) if levels > 1 else np.zeros(1)
    last = found.centroids.shape[1] - 1

    def encode(x, dither):
        k = np.rint(x / step - offsets[dither]).astype(np.int32)
        bits = table_bits(k, found.tables, dither) + coder.escape_bits(k, found.tables, dither)
        return coder.encode_symbols(k, found.tables, dither), bits

    def integers(coded, escapes, dither):
        k = coder.decode_symbols(coded, escapes, dither.size, found.tables, dither.reshape(-1))
        return k.reshape(dither.shape)

    def cells(coded, escapes, dither):
        middle = step * (integers(coded, escapes, dither) + offsets[dither])
        return middle - 0.5 * step, middle + 0.5 * step

    def decode(coded, escapes, dither):
        k = integers(coded, escapes, dither)
        column = k.astype(np.int64) - found.offset
        middle = step * (k + offsets[dither])
        inside = (column >= 0) & (column <= last)
        return np.where(inside, found.centroids[dither, np.clip(column, 0, last)], middle)

    return _Coder(encode, decode, cells, levels)


def _trellis_coder(states: int, step: float) -> _Coder:
    quantizer, path = trellis_quantizer(states), trellis(states)
    power = 1.0 + quantizer.second_moment * step**2
    tables = quantizer.tables(0.5 / power, step, DITHER_LEVELS)
    prior = prior_from_tree(tables)
    spacing = quantizer.period / DITHER_LEVELS

    def encode(x, dither):
        points = np.asarray(quantizer.nearest(np.asarray(x / step + dither * spacing, np.float32)))
        return quantizer.encode(points, dither, tables), path_bits(points, dither, path, prior)

    def decode(coded, escapes, dither):
        points = quantizer.decode(coded, escapes, dither, tables)
        return (points - dither * spacing) * (step / power)

    return _Coder(encode, decode, None, DITHER_LEVELS)


def _fingerprint(made: Plan) -> bytes:
    tree = {"variances": made.variances,
            "bands": [(np.asarray(b.components), np.array(b.point[1:]), np.frombuffer(b.point.quantizer.encode(), "u1"))
                      for b in made.bands]}
    return container.fingerprint(tree)


def _dither(shared_key: jax.Array, number: int, shape: tuple[int, int], levels: int) -> np.ndarray:
    return np.asarray(shared_integers(jax.random.fold_in(shared_key, number), shape, levels=levels))


def encode(made: Plan, x: Any, *, shared_key: jax.Array) -> tuple[bytes, np.ndarray]:
    """Codes vectors.

    Args:
      made: the plan.
      x: [blocks, count, n]; a trellis runs through all vectors of a block, scalars do not care.
      shared_key: of the dithers; what both sides agreed on, it may be the same for everything that is coded.

    Returns:
      The message, and the ideal code length of each vector under the integer tables, float64 [blocks, count].

    Raises:
      ValueError: if x is not finite or has another shape.
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 3 or x.shape[2] != made.variances.size:
        raise ValueError(f"x must have shape [blocks, count, {made.variances.size}], got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("x must be finite")
    payloads, bits = [], np.zeros(x.shape[:2])
    for number, band in enumerate(made.bands):
        used = _coder(band.point)
        part = (x[:, :, band.components] / band.deviations).reshape(len(x), -1)
        coded, found = used.encode(part, _dither(shared_key, number, part.shape, used.levels))
        payloads += coded
        bits += found.reshape(*x.shape[:2], -1).sum(-1)
    return container.pack(container.Message("water-filling", _fingerprint(made), x.shape, tuple(payloads))), bits


def decode(made: Plan, message: bytes, *, shared_key: jax.Array, max_elements: int = 2**26) -> np.ndarray:
    """Decodes what `encode` wrote.

    Args:
      made: the same plan.
      message: the bytes.
      shared_key: the same key.
      max_elements: largest reconstruction.

    Returns:
      float64 [blocks, count, n].

    Raises:
      ValueError: if the message is damaged, or of another plan.
    """
    shape, bands = _opened(made, message, shared_key, max_elements)
    y = np.zeros(shape)
    for band, used, payloads, dither in bands:
        y[:, :, band.components] = used.decode(*payloads, dither).reshape(*shape[:2], -1) * band.deviations
    return y


def decode_cells(made: Plan, message: bytes, *, shared_key: jax.Array, max_elements: int = 2**26
                 ) -> tuple[np.ndarray, np.ndarray]:
    """Decodes the intervals that the components lie in, for decoders that draw from the posterior distribution.

    Args:
      made: the same plan, without trellises.
      message: the bytes.
      shared_key: the same key.
      max_elements: largest reconstruction.

    Returns:
      Lower and upper ends, float64 [blocks, count, n]; infinite for components that are not coded.

    Raises:
      ValueError: if the message is damaged, of another plan, or from a trellis.
    """
    if any(band.point.quantizer.startswith("trellis") for band in made.bands):
        raise ValueError("a trellis has no intervals: the plan must be of scalars")
    shape, bands = _opened(made, message, shared_key, max_elements)
    low, high = np.full(shape, -np.inf), np.full(shape, np.inf)
    for band, used, payloads, dither in bands:
        for ends, found in zip((low, high), used.cells(*payloads, dither)):
            ends[:, :, band.components] = found.reshape(*shape[:2], -1) * band.deviations
    return low, high


def _opened(made: Plan, message: bytes, shared_key: jax.Array, max_elements: int) -> tuple[tuple[int, ...], list]:
    """The reconstruction's shape, and for each band its coder, payloads and dither."""
    parts = container.unpack(message, max_elements=max_elements)
    if parts.codec != "water-filling" or parts.fingerprint != _fingerprint(made):
        raise ValueError("the message was written with another plan, or by another codec")
    if len(parts.shape) != 3 or parts.shape[2] != made.variances.size or len(parts.payloads) != 2 * len(made.bands):
        raise ValueError(f"damaged message: shape {parts.shape} with {len(parts.payloads)} payloads")
    opened = []
    for number, band in enumerate(made.bands):
        used = _coder(band.point)
        shape = (parts.shape[0], parts.shape[1] * band.components.size)
        opened.append((band, used, parts.payloads[2 * number : 2 * number + 2],
                       _dither(shared_key, number, shape, used.levels)))
    return parts.shape, opened
