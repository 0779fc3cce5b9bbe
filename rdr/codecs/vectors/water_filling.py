"""Transform coding of independent Gaussian components: one slope for all, dithered scalars or a trellis.

Components of variances lam_i cost rate R_i for a squared error D_i each. At slope -theta of reverse water-filling,
every component takes the operating point of least

    D_i + 2 ln 2 theta R_i,     dD/dR = -2 ln 2 theta,

among those of its quantizer and "not at all" (D_i = lam_i, R_i = 0). Components of like variances share an integer
table. Scalars are uniform quantizers of step s with or without a dither u that both sides know,

    k = round(x / s - u),   P(k | u) = F(s (k + u + 1/2)) - F(s (k + u - 1/2)),   y = E[x | k, u],

F the normal distribution function. The trellis is that of `rdr.codecs.vectors.trellis`, used for all components of
lam_i >= 1.5 theta (coding less gains nothing): one path runs through them with steps s_i, where m is its mean squared
error at step 1,

    m s_i^2 = lam_i theta / (lam_i - theta),   y = (1 - theta / lam_i) s_i (k - u),   E (x - y)^2 = theta,

and integers k of variance m lam_i / theta, which is all that the prior has to know of a component.
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
from rdr.entropy_models import trellis_coder
from rdr.entropy_models.trellis import trellis_prior
from rdr.quantize import trellis
from rdr.randomness import dither_offsets, shared_integers

QUANTIZERS = ("dither", "rounding", "trellis-256", "trellis-64", "trellis-8")
DITHER_LEVELS = 256
_STEPS = 2.0 ** (np.arange(-24, 17) / 8)  # of scalars, in standard deviations
_TRELLIS_RATIOS = (1.5, 4.0**8)  # lam / theta; below, not at all is better; above, tables would be too large
_TRELLIS_LOSS = {256: 0.04, 64: 0.05, 8: 0.08}  # bits above 1/2 log2(lam / theta), about: what a plan expects
_PRIORS = 16  # to a factor e of lam / theta: what is lost is 1e-4 bit


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
    """Components that are coded together.

    Attributes:
      components: their indices [n].
      point: the operating point of each (of a trellis: their mean, at step 1).
      scales: what they are divided by [n]; for scalars their standard deviations.
      gains: what decoded numbers are multiplied by [n].
      ratios: lam / theta that the priors of a trellis are made for; () for scalars.
      priors: which of them is a component's [n].
    """

    components: np.ndarray
    point: Point
    scales: np.ndarray
    gains: np.ndarray
    ratios: tuple[float, ...]
    priors: np.ndarray


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
    """The operating points that scalars have for a standard normal number, besides (0, 1).

    Args:
      name: "dither" (scalars with a shared dither) or "rounding" (without).

    Returns:
      The points, exact.

    Raises:
      ValueError: if there is no such family.
    """
    if name not in ("dither", "rounding"):
        raise ValueError(f"scalars must be 'dither' or 'rounding', got {name!r}")
    levels = DITHER_LEVELS if name == "dither" else 1
    points = []
    for step in _STEPS:
        result = _scalar(float(step), levels)
        points.append(Point(name, float(step), result.rate, result.distortion))
    return tuple(points)


def plan(variances: Any, level: float, *, quantizer: str = "dither", classes: int = 8) -> Plan:
    """Chooses an operating point for each class of components, or puts one trellis through all.

    Args:
      variances: of the components [n], >= 0.
      level: theta > 0, the water level.
      quantizer: one of `QUANTIZERS`.
      classes: into how many classes, of equal ratios of variance, what scalars may code is divided.

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
    if quantizer not in QUANTIZERS:
        raise ValueError(f"quantizer must be one of {', '.join(QUANTIZERS)}, got {quantizer!r}")
    bands, rate, distortion = [], 0.0, float(variances.sum())
    if quantizer.startswith("trellis"):
        candidates = np.flatnonzero(variances >= _TRELLIS_RATIOS[0] * level)
        if candidates.size:
            band = _trellis_band(quantizer, candidates, variances[candidates], level)
            rate = candidates.size * band.point.rate
            distortion -= variances[candidates].sum() * (1.0 - band.point.distortion)
            bands.append(band)
        return Plan(variances, float(level), tuple(bands), rate, float(distortion))
    points, candidates = operating_points(quantizer), np.flatnonzero(variances > level)
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
            scales = np.sqrt(variances[members])
            bands.append(Band(members, best, scales, scales, (), np.zeros(members.size, int)))
            rate += members.size * best.rate
            distortion -= members.size * mean * (1.0 - best.distortion)
    return Plan(variances, float(level), tuple(bands), rate, distortion)


def _trellis_band(quantizer: str, members: np.ndarray, variances: np.ndarray, level: float) -> Band:
    """What one trellis codes."""
    states = int(quantizer.split("-")[1])
    ratio = np.clip(variances / level, *_TRELLIS_RATIOS)
    scales = np.sqrt(variances / (ratio - 1.0) / trellis_quantizer(states).second_moment)
    logs, priors = np.unique(np.rint(np.log(ratio) * _PRIORS).astype(int), return_inverse=True)
    point = Point(quantizer, 1.0, float(0.5 * np.log2(ratio).mean()) + _TRELLIS_LOSS[states],
                  float((variances / ratio).sum() / variances.sum()))
    ratios = tuple(float(r) for r in np.exp(logs / _PRIORS))
    return Band(members, point, scales, scales * (1.0 - 1.0 / ratio), ratios, priors.reshape(-1))


class _Coder(NamedTuple):
    """How the numbers of a band, divided by their scales, become bytes; arrays [blocks, numbers].

    `dither` stands for the dither plus `levels` times the number of the prior.
    """

    encode: Callable[[np.ndarray, np.ndarray], tuple[tuple[bytes, bytes], np.ndarray]]
    decode: Callable[[bytes, bytes, np.ndarray], np.ndarray]
    cells: Callable[[bytes, bytes, np.ndarray], tuple[np.ndarray, np.ndarray]] | None
    levels: int


@functools.lru_cache(maxsize=256)
def _coder(quantizer: str, step: float, ratios: tuple[float, ...]) -> _Coder:
    """The coder of a band: `encode` also returns the ideal bits of each number."""
    if quantizer in ("dither", "rounding"):
        levels = DITHER_LEVELS if quantizer == "dither" else 1
        return _scalar_coder(_scalar(step, levels), step, levels)
    return _trellis_coder(int(quantizer.split("-")[1]), ratios)


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


def _trellis_coder(states: int, ratios: tuple[float, ...]) -> _Coder:
    quantizer, path = trellis_quantizer(states), trellis(states)
    prior = trellis_prior(beta=0.5 / (quantizer.second_moment * np.array(ratios)), step=1.0, levels=DITHER_LEVELS)
    spacing = quantizer.period / DITHER_LEVELS

    def encode(x, dither):
        points = np.asarray(quantizer.nearest(np.asarray(x + dither % DITHER_LEVELS * spacing, np.float32)))
        bits = trellis_coder.path_bits(points, dither, path, prior, levels=DITHER_LEVELS)
        return trellis_coder.encode_path(points, dither, path, prior, levels=DITHER_LEVELS), bits

    def decode(coded, escapes, dither):
        points = trellis_coder.decode_path(coded, escapes, dither, path, prior, levels=DITHER_LEVELS)
        return points - dither % DITHER_LEVELS * spacing

    return _Coder(encode, decode, None, DITHER_LEVELS)


def _fingerprint(made: Plan) -> bytes:
    tree = {"variances": made.variances, "level": np.array(made.level),
            "bands": [(np.asarray(b.components), np.array(b.point[1:]), np.frombuffer(b.point.quantizer.encode(), "u1"),
                       b.priors) for b in made.bands]}
    return container.fingerprint(tree)


def _dither(shared_key: jax.Array, number: int, band: Band, blocks: int, count: int) -> np.ndarray:
    levels = _coder(*band.point[:2], band.ratios).levels
    result = shared_integers(jax.random.fold_in(shared_key, number), (blocks, count * band.priors.size), levels=levels)
    return np.asarray(result) + levels * np.tile(band.priors, count)


def encode(made: Plan, x: Any, *, shared_key: jax.Array) -> tuple[bytes, np.ndarray]:
    """Codes vectors.

    Args:
      made: the plan.
      x: [blocks, count, n]; a trellis runs through all vectors of a block, scalars do not care.
      shared_key: of the dithers; what both sides agreed on, it may be the same for everything that is coded.

    Returns:
      The message, and the ideal code length of each vector under the integer tables, float64 [blocks, count].

    Raises:
      ValueError: if x is not finite or has another shape, or the message is shorter than a decoder believes
        (`rdr.bitstream.container.check_announced`).
    """
    x = np.asarray(x, np.float64)
    if x.ndim != 3 or x.shape[2] != made.variances.size:
        raise ValueError(f"x must have shape [blocks, count, {made.variances.size}], got {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("x must be finite")
    payloads, bits = [], np.zeros(x.shape[:2])
    for number, band in enumerate(made.bands):
        used = _coder(*band.point[:2], band.ratios)
        part = (x[:, :, band.components] / band.scales).reshape(len(x), -1)
        coded, result = used.encode(part, _dither(shared_key, number, band, *x.shape[:2]))
        payloads += coded
        bits += result.reshape(*x.shape[:2], -1).sum(-1)
    message = container.pack(container.Message("water-filling", _fingerprint(made), x.shape, tuple(payloads)))
    _check_announced(made, x.shape, message)  # what would not be decoded is not encoded
    return message, bits


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
        y[:, :, band.components] = used.decode(*payloads, dither).reshape(*shape[:2], -1) * band.gains
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
        for ends, result in zip((low, high), used.cells(*payloads, dither)):
            ends[:, :, band.components] = result.reshape(*shape[:2], -1) * band.scales
    return low, high


def _check_announced(made: Plan, shape: tuple[int, ...], message: bytes) -> None:
    coded = sum(band.components.size for band in made.bands)
    container.check_announced((*shape[:2], coded), len(message))


def _opened(made: Plan, message: bytes, shared_key: jax.Array, max_elements: int) -> tuple[tuple[int, ...], list]:
    """The reconstruction's shape, and for each band its coder, payloads and dither."""
    parts = container.unpack(message, max_elements=max_elements)
    if parts.codec != "water-filling" or parts.fingerprint != _fingerprint(made):
        raise ValueError("the message was written with another plan, or by another codec")
    if len(parts.shape) != 3 or parts.shape[2] != made.variances.size or len(parts.payloads) != 2 * len(made.bands):
        raise ValueError(f"damaged message: shape {parts.shape} with {len(parts.payloads)} payloads")
    _check_announced(made, parts.shape, message)
    opened = []
    for number, band in enumerate(made.bands):
        opened.append((band, _coder(*band.point[:2], band.ratios), parts.payloads[2 * number : 2 * number + 2],
                       _dither(shared_key, number, band, *parts.shape[:2])))
    return parts.shape, opened
