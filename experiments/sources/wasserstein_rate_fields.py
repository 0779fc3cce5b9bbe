"""Codecs of Gaussian fields under Wasserstein distortion with a sliding Gaussian window, on a torus.

With q the window, m = q * X and v^2 = q * X^2 - m^2, the proxy loss is the squared error of the pair (m, v). Coded are
the components of m (discrete Hartley transform) that lie above the water level, and as a second field, where one is
wanted, those of v. The decoder gives x_L = m^/Q on the coded band, and fills with a fixed carrier e of local mean 0
and local power 1 so that the local variance comes out right:

    x^ = x_L + g e,   g^2 = max(0, (E v)^2 + 2 E v (u^/Q) - x_L^2 + m^^2),   u^ the decoded v - E v.

On a torus the converse by pooled means is exact at every size: reverse water-filling of |Q|^2 S.
"""

import functools
import math
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.fft
from scipy.special import ndtri

from rdr.codecs.vectors import water_filling
from rdr.randomness import shared_key
from theory.gaussian.vector import rate_distortion

SOURCES = ("white", "ar1", "inverse-square")
CARRIERS = ("checkerboard", "quantiles", "noise")
AR1_CORRELATION = 0.5
_KEPT = 1e-7  # of the largest spectral value: what lies below is never coded at the levels in use


class Setting(NamedTuple):
    """A field, a window, and what follows for the two fields that the loss compares.

    Attributes:
      source: name.
      sigma: of the window.
      spectrum: S of the field, mean 1 [side, ...].
      transfer: Q of the window.
      means: |Q|^2 S, variances of the components of m.
      deviations: |Q|^2 S_2 / 2, variances of those of v to second order (asymptotic: parameters of a codec, no bound).
    """

    source: str
    sigma: float
    spectrum: np.ndarray
    transfer: np.ndarray
    means: np.ndarray
    deviations: np.ndarray


class Fields(NamedTuple):
    """The pair (m, v) of many fields.

    Attributes:
      m: float32 [fields, side, ...].
      v: the same.
      expected: mean of v over other fields.
      others: of the other fields, float32 [others, side, ...].
    """

    m: np.ndarray
    v: np.ndarray
    expected: float
    others: np.ndarray


def hartley(x: np.ndarray) -> np.ndarray:
    """Discrete Hartley transform over all axes: orthonormal, and its own inverse.

    Args:
      x: [side, ...].

    Returns:
      sum_t x_t cas(2 pi k t / side) / sqrt(size), cas = cos + sin of the sum over axes.
    """
    f = scipy.fft.fftn(x, workers=1)
    return (f.real - f.imag) / math.sqrt(x.size)


def filtered(x: np.ndarray, transfer: np.ndarray) -> np.ndarray:
    """Convolves a field on a torus with an even kernel of the given transfer function."""
    return scipy.fft.ifftn(scipy.fft.fftn(x, workers=1) * transfer, workers=1).real


def statistics(x: np.ndarray, transfer: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local means and deviations.

    Args:
      x: a field [side, ...].
      transfer: of the window.

    Returns:
      m and v, of the same shape.
    """
    m = filtered(x, transfer)
    return m, np.sqrt(np.maximum(filtered(x * x, transfer) - m * m, 0.0))


def spectrum(source: str, side: int, dimension: int) -> np.ndarray:
    """Power spectrum of a field on a torus.

    Args:
      source: "white", "ar1" (separable, correlation 0.5 between neighbors) or "inverse-square" (K / |w|^2, and at
        w = 0 what the lowest frequency has).
      side: of the torus.
      dimension: 1 or 2.

    Returns:
      S, scaled to mean 1 [side, ...].

    Raises:
      ValueError: if there is no such source.
    """
    w = 2.0 * math.pi * scipy.fft.fftfreq(side)
    axes = np.meshgrid(*[w] * dimension, indexing="ij")
    if source == "white":
        return np.ones([side] * dimension)
    if source == "ar1":
        one = (1.0 - AR1_CORRELATION**2) / (1.0 - 2.0 * AR1_CORRELATION * np.cos(w) + AR1_CORRELATION**2)
        result = functools.reduce(np.multiply.outer, [one] * dimension)
    elif source == "inverse-square":
        squares = sum(a * a for a in axes)
        result = 1.0 / np.maximum(squares, (2.0 * math.pi / side) ** 2)
    else:
        raise ValueError(f"source must be one of {', '.join(SOURCES)}, got {source!r}")
    return result / result.mean()


def setting(source: str, side: int, dimension: int, sigma: float) -> Setting:
    """Puts a field and a window together.

    Args:
      source: see `spectrum`.
      side: of the torus, at least 12 sigma.
      dimension: 1 or 2.
      sigma: standard deviation of the sampled Gaussian window along each axis.

    Returns:
      The setting.

    Raises:
      ValueError: if the torus is too small for the window.
    """
    if not side >= 12 * sigma:
        raise ValueError(f"side must be at least 12 sigma = {12 * sigma:g}, got {side}")
    t = np.arange(side)
    window = np.exp(-0.5 * (np.minimum(t, side - t) / sigma) ** 2)
    one = scipy.fft.fft(window / window.sum()).real
    transfer = functools.reduce(np.multiply.outer, [one] * dimension)
    power = spectrum(source, side, dimension)
    correlation = scipy.fft.ifftn(power).real
    second = scipy.fft.fftn(correlation**2).real
    return Setting(source, sigma, power, transfer, transfer**2 * power, transfer**2 * second / 2.0)


def carrier(kind: str, transfer: np.ndarray) -> np.ndarray:
    """What fills: a fixed field of local mean 0 and local power 1.

    Args:
      kind: "checkerboard"; "quantiles", the normal quantiles of a low-discrepancy sequence, whose local distribution is
        about normal; or "noise", normal numbers without what the window sees of them, the same for every field.
      transfer: of the window, on a torus of even side.

    Returns:
      e [side, ...].

    Raises:
      ValueError: if there is no such carrier.
    """
    side, dimension = len(transfer), transfer.ndim
    t = np.meshgrid(*[np.arange(side)] * dimension, indexing="ij")
    if kind == "checkerboard":
        return 1.0 - 2.0 * (sum(t) % 2)
    if kind == "noise":
        drawn = np.random.default_rng(733).standard_normal(transfer.shape)
        drawn = hartley(hartley(drawn) * (np.abs(transfer) < 1e-3))
        return drawn / math.sqrt(np.mean(drawn**2))
    if kind == "quantiles":
        root = {1: 1.6180339887498949, 2: 1.3247179572447460}[dimension]  # of x^(dimension + 1) = x + 1
        phase = sum(a * root ** -(i + 1.0) for i, a in enumerate(t)) + 0.5
        result = ndtri(np.clip(phase % 1.0, 1e-6, 1.0 - 1e-6))
        return result / math.sqrt(np.mean(result**2))
    raise ValueError(f"carrier must be one of {', '.join(CARRIERS)}, got {kind!r}")


def surplus_bits(x: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """What Gaussian components cost more than others of their kind: of mean 0 where the variances are theirs.

    The information that a backward test channel gives is 1/2 log2(lam / D) + 1/2 log2 e (x^2 / lam - (x - y)^2 / D).
    Ideal code lengths follow its second term, and standard errors are several times smaller without it.

    Args:
      x: components [..., n].
      variances: lam [n].

    Returns:
      1/2 log2 e sum_i (x_i^2 / lam_i - 1) [...].
    """
    return 0.5 * math.log2(math.e) * (np.square(x) / variances - 1.0).sum(-1)


def draw(where: Setting, fields: int, seed: int, others: int = 32) -> Fields:
    """Draws fields and keeps what the loss sees of them.

    Args:
      where: the setting.
      fields: how many.
      seed: of them.
      others: how many more, for what v is like without the fields themselves.

    Returns:
      The fields.
    """
    shape, root = where.spectrum.shape, np.sqrt(where.spectrum)

    def pair(key):
        x = hartley(root * np.random.default_rng(key).standard_normal(shape))
        return statistics(x, where.transfer)

    more = np.stack([pair([seed, 2, i])[1].astype(np.float32) for i in range(others)])
    m, v = (np.empty((fields, *shape), np.float32) for _ in range(2))
    for i in range(fields):
        m[i], v[i] = pair([seed, 1, i])
    return Fields(m, v, float(more.mean(dtype=np.float64)), more)


def water_filling_rate(spectra: tuple[np.ndarray, ...], distortion: float) -> tuple[float, float, int]:
    """Reverse water-filling of spectra.

    Args:
      spectra: of fields of one size.
      distortion: per pixel, all of them together.

    Returns:
      Bits per pixel, their derivative, and how many components are above the water level.

    Raises:
      ValueError: if the water level lies where the spectrum is cut off.
    """
    size, whole = spectra[0].size, np.concatenate([part.ravel() for part in spectra])
    lam = whole[whole > _KEPT * whole.max()]
    rest = size * distortion - (whole.sum() - lam.sum())
    if not rest > lam.size * lam.min():
        raise ValueError(f"distortion must leave the water level above {_KEPT:g} of the spectrum, got {distortion:g}")
    if rest >= lam.sum():
        return 0.0, 0.0, 0
    rate, slope = (float(f) for f in jax.value_and_grad(rate_distortion)(rest, lam))
    level = -1.0 / (2.0 * math.log(2.0) * slope)
    return rate / size, slope, int((lam > level).sum())


class _Coded(NamedTuple):
    """One of the two fields, coded: `found` are decoded components [fields, ...], `errors` their squares [fields].

    `surplus` are the sample's own bits [fields], `surplus_se` the standard error of their expectation.
    """

    message: bytes
    bits: np.ndarray
    index: np.ndarray
    found: np.ndarray
    errors: np.ndarray
    surplus: np.ndarray
    surplus_se: float


def _components(fields: np.ndarray, center: float, index: np.ndarray) -> np.ndarray:
    return np.stack([hartley(one.astype(np.float64) - center).ravel()[index] for one in fields])


def _code(fields: np.ndarray, center: float, variances: np.ndarray, level: float, quantizer: str, seed: int,
          others: np.ndarray | None = None) -> _Coded:
    index = np.flatnonzero(variances > level)
    lam = variances.ravel()[index]
    x = _components(fields, center, index)
    surplus, surplus_se = surplus_bits(x, lam), 0.0
    if others is not None:  # variances are not quite those of v
        more = surplus_bits(_components(others, center, index), lam)
        surplus, surplus_se = surplus - more.mean(), more.std(ddof=1) / math.sqrt(len(more))
    classes = 6 if lam.size * len(fields) > 4000 else 4
    # A trellis is better where it is long, and faster where many run side by side.
    blocks = math.gcd(len(fields), 2 ** int(np.clip(math.log2(x.size / 2048.0), 0, 10)))
    made = water_filling.plan(lam, level, quantizer=quantizer, classes=classes)
    x = x.reshape(blocks, -1, lam.size)
    message, bits = water_filling.encode(made, x, shared_key=shared_key(seed))
    result = water_filling.decode(made, message, shared_key=shared_key(seed))
    errors = np.square(x - result).sum(-1).reshape(-1) + variances.sum() - lam.sum()
    return _Coded(message, bits.ravel(), index, result.reshape(len(fields), -1), errors, surplus, surplus_se)


def _spread(components: np.ndarray, index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    whole = np.zeros(math.prod(shape))
    whole[index] = components
    return whole.reshape(shape)


def measure(where: Setting, fields: Fields, level: float, *, quantizer: str, second: bool, filler: str, seed: int
            ) -> dict[str, Any]:
    """Codes fields, decodes them from the bytes and compares what the loss sees.

    Args:
      where: the setting.
      fields: drawn in it.
      level: theta, in units of the spectra.
      quantizer: of `water_filling`.
      second: whether v is coded, too.
      filler: see `carrier`.
      seed: of the dither, which is fixed.

    Returns:
      A row of the table.
    """
    shape, count = where.spectrum.shape, len(fields.m)
    mean = _code(fields.m, 0.0, where.means, level, quantizer, seed)
    spread = None
    if second and (where.deviations > level).any():
        spread = _code(fields.v, fields.expected, where.deviations, level, quantizer, seed + 1, fields.others)
    texture = carrier(filler, where.transfer)
    errors, clipped = np.zeros(count), 0.0
    for i in range(count):
        band = _spread(mean.found[i], mean.index, shape)
        low = hartley(_spread(mean.found[i] / where.transfer.ravel()[mean.index], mean.index, shape))
        power = fields.expected**2 - low**2 + hartley(band) ** 2
        if spread is not None:
            u = spread.found[i] / where.transfer.ravel()[spread.index]
            power += 2.0 * fields.expected * hartley(_spread(u, spread.index, shape))
        clipped += np.mean(power < 0) / count
        m, v = statistics(low + np.sqrt(np.maximum(power, 0.0)) * texture, where.transfer)
        errors[i] = np.mean((m - fields.m[i]) ** 2 + (v - fields.v[i]) ** 2)
    return _row(where, fields, level, [mean] if spread is None else [mean, spread], errors, texture) | {
        "codec": f"{filler}-{quantizer}", "family": "two fields" if second else "means only", "seed": seed,
        "clipped": clipped}


def _row(where: Setting, fields: Fields, level: float, coded: list[_Coded], errors: np.ndarray,
         texture: np.ndarray) -> dict[str, Any]:
    """What a codec did, and the bounds at its distortion."""
    count, pixels = len(errors), where.means.size
    spectra = (where.means, where.deviations)[: len(coded)]
    distortion, unseen = float(errors.mean()), 0.0
    if len(coded) == 1:  # v is as it is, and the carrier's is its own
        unseen = float(np.square(fields.v.astype(np.float64) - fields.expected).mean())
        unseen += fields.expected**2 * float(statistics(texture, where.transfer)[1].var())
    expected = sum(float(c.errors.mean()) for c in coded) / pixels + unseen
    lower, slope, above = water_filling_rate((where.means,), distortion)
    reference, degrees = math.nan, sum(int((part > level).sum()) for part in spectra)
    if distortion > 1.01 * unseen:  # else what is coded is lost in what is not
        reference, _, degrees = water_filling_rate(spectra, distortion - unseen)
    ideal = np.sum([c.bits for c in coded], 0) / pixels
    noise, surplus = ideal - slope * errors, np.sum([c.surplus for c in coded], 0) / pixels
    unsure = [c.surplus_se / pixels for c in coded]
    squares = np.sum([c.errors for c in coded], 0) / pixels
    coded_bits, coded_slope, _ = water_filling_rate(spectra, float(squares.mean()))
    ses = [math.hypot(part.std(ddof=1) / math.sqrt(count), *unsure)
           for part in (noise - surplus, ideal - coded_slope * squares - surplus)]
    length = sum(len(c.message) for c in coded)
    return {
        "source": where.source, "dimension": where.means.ndim, "shared": "none",
        "rate_bits": 8 * length / (count * pixels), "distortion": distortion, "perception": math.nan,
        "bound_kind": "pooled means", "bound_lower_bits": lower, "bound_upper_bits": math.nan,
        "gap_bits": float(ideal.mean()) - lower, "gap_se": noise.std(ddof=1) / math.sqrt(count), "loss": "proxy",
        "sigma": where.sigma, "level": level / where.means.max(),
        "distortion_se": errors.std(ddof=1) / math.sqrt(count), "message_bytes": length,
        "surplus_bits": float(surplus.mean()), "surplus_se": ses[0], "coded_bits": coded_bits, "coded_se": ses[1],
        "ideal_bits": float(ideal.mean()), "degrees": degrees / pixels, "samples": count * pixels,
        "side": len(where.means), "bound_degrees": above / pixels, "asymptotic_bits": reference,
        "asymptotic_distortion": expected,
        "zero_rate_distortion": float(where.means.mean() + fields.v.astype(np.float64).var()),
    }
