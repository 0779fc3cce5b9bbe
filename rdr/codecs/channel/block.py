"""Gaussian noise by choosing among shared candidates: one index for a block of a few samples.

Good for: the lowest rates, hundredths of a bit per sample, where single numbers cost 1.22 sqrt(I) bit and a block of
32 or 64 samples a third of that; and as what everything else is compared with. At a quarter and half a bit, blocks of
8 by "poisson" cost 4 or 5 % less than E8 (`rdr.codecs.channel.lattice`), at a tenth to a thirtieth of its speed; at a
bit and more lattices are cheaper and faster. The average number of candidates is at least 2^information times up to 2
for every sample, so that blocks of more than 8 to 10 bits are slow. Which rule:

* "greedy" (greedy rejection sampling) and "gprs" (greedy Poisson rejection sampling, its form in continuous time) are
  exact, stop soonest, and cost I_F + log2(e + 1) bits at most, for greedy.
* "poisson" (Poisson functional representation) is what most codecs that simulate channels use, and the baseline here.
  It looks at more candidates, and its indices cost a little less where blocks hold several bits.
* "ordered" (ordered random coding) and "importance" (minimal random coding, whose indices are uniform) need the
  density ratio only up to a factor: for targets of which nothing else is known. They are approximate, however many
  candidates there are: at least 2^10 times 2^information, or the noise is visibly not what it should be.

All exact rules here use the survival function of the density ratio, known for Gaussian sources and noise, to end
early without an error.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np
from numpy.typing import ArrayLike

from rdr.bitstream.adaptive_coder import StepDecoder, StepEncoder
from rdr.bitstream.tables import Tables
from rdr.codecs.base import stored_tables
from rdr.codecs.channel import base
from rdr.codecs.channel.index_code import add_index, fit_table, read_index
from rdr.codecs.channel.proposals import GROUP, chosen_normals
from rdr.codecs.channel.selection import EXACT, RULES, Target, select
from rdr.codecs.channel.sources import deviation_ratio
from rdr.codecs.channel.survival import MAX_CANDIDATES, Survival, survival_tables
from rdr.randomness import shared_key as make_key

_FINE = 24  # fractional bits of what is sent without an index
_BYTES = 6  # of each such number


@functools.cache
def block_channel(rule: str = "greedy", *, dimension: int = 2, max_candidates: int = 2**18, widening: float = 0.25,
                  fit_blocks: int = 4096, max_elements: int = base.MAX_ELEMENTS) -> base.ChannelCodec:
    """Makes a codec that adds Gaussian noise to blocks.

    In noise scales, a block's target is Q = N(x / s, I). For a Gaussian source of standard deviation a s, the output is
    N(0, k^2) in every coordinate, k^2 = a^2 + 1, and candidates from it are the cheapest to name; but then the average
    number that has to be looked at, E max dQ/dP, is infinite. They are from N(0, k^2 + b a k), b the widening; b = 1
    makes the average least, about (2 k)^n at high rates, and costs up to .05 bit per sample more. The encoder chooses
    one by the rule, from density ratios; the decoder makes the candidate that the message names and computes no
    ratio, so that floats of two machines need not agree. The exact rules stop at `max_candidates`, too: what is then
    left of Q is sampled from and sent as plain numbers of 48 bits, so that the noise is exactly Gaussian whatever x is,
    up to 2^-24 of a noise scale, the 2^-32 of words and the 10^-5 of the tables of survival.

    Args:
      rule: "greedy", "gprs", "poisson", "ordered" or "importance" (`rdr.codecs.channel.selection`).
      dimension: n, samples of a block.
      max_candidates: how many are looked at, a multiple of 128; "ordered" and "importance" look at all of them.
      widening: b, from 0 to 1.
      fit_blocks: how many random blocks the probabilities of indices are fitted to.
      max_elements: the largest message.

    Returns:
      The codec. `finalize(source, ...)` takes the standard deviation of the source or its cumulative distribution
      function (only the second moment counts), and one noise scale; of an array,
      the geometric mean counts. `encode` takes any noise scales: each sample gets its own. `exact` says which it is.

    Raises:
      ValueError: if an argument is none of these.

    Reference: [harsha2010communication, flamich2023adaptive, flamich2023gprs, li2018strong, theis2022algorithms,
      havasi2019minimal].
    """
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(map(repr, RULES))}, got {rule!r}")
    if not 1 <= dimension <= 64:
        raise ValueError(f"dimension must be from 1 to 64, got {dimension}")
    if not GROUP <= max_candidates <= MAX_CANDIDATES or max_candidates % GROUP:
        raise ValueError(f"max_candidates must be a multiple of {GROUP} up to {MAX_CANDIDATES}, got "
                         f"{max_candidates}")
    if not 0.0 <= widening <= 1.0:
        raise ValueError(f"widening must be from 0 to 1, got {widening}")
    if fit_blocks < 1:
        raise ValueError(f"fit_blocks must be at least 1, got {fit_blocks}")
    name, n = f"channel-{rule}-{dimension}", dimension

    def finalize(source: float, *, noise_scale: ArrayLike) -> dict[str, Any]:
        deviation = deviation_ratio(source, noise_scale)
        ratio = float(np.sqrt(deviation**2 + widening * deviation * np.hypot(deviation, 1.0)))
        tables = survival_tables(ratio, n, deviation) if rule in EXACT else None
        z = deviation * np.random.default_rng(0).standard_normal((fit_blocks, n))
        result = select(make_key(0), z, Target(ratio, tables), rule=rule, most=max_candidates)
        table = fit_table(result.index, max_candidates)
        survival = {} if tables is None else {"survival": tables._asdict()}
        return {"tables": {"ratio": np.float64(ratio), "index": table._asdict(), **survival}}

    def encode(params: Any, x: ArrayLike, *, noise_scale: ArrayLike, shared_key: jax.Array) -> bytes:
        tables = stored_tables(params)
        x = base.check_samples(x, dimension=n, max_elements=max_elements)
        scale = base.check_noise_scale(noise_scale, x.shape)
        key = base.check_shared_key(shared_key)
        z = (x / scale.astype(np.float64)).reshape(-1, n)
        result = select(key, z, _target(tables), rule=rule, most=max_candidates)
        encoder = StepEncoder()
        add_index(encoder, result.index, Tables(**tables["index"]))
        return base.pack_message(name, params, scale, x.shape, (*encoder.finish(), _to_bytes(result.plain)))

    def decode(message: bytes, *, params: Any, noise_scale: ArrayLike, shared_key: jax.Array) -> np.ndarray:
        scale, key = base.check_noise_scale(noise_scale), base.check_shared_key(shared_key)
        parts = base.open_message(message, name=name, params=params, noise_scale=scale, payloads=3, dimension=n,
                                  max_elements=max_elements)
        tables = stored_tables(params)
        blocks = int(np.prod(parts.shape)) // n
        decoder = StepDecoder(*parts.payloads[:2])
        index = read_index(decoder, blocks, Tables(**tables["index"]), max_candidates)
        decoder.finish()
        plain = index < 0
        if len(parts.payloads[2]) != plain.sum() * n * _BYTES:
            raise ValueError("damaged message: there are more or fewer plain numbers than its blocks need")
        y = np.zeros((blocks, n))
        deviation = np.sqrt(float(tables["ratio"]) ** 2 + 1.0)
        y[~plain] = deviation * chosen_normals(key, np.flatnonzero(~plain), index[~plain], n)
        y[plain] = _from_bytes(parts.payloads[2]).reshape(-1, n)
        return y.reshape(parts.shape) * scale.astype(np.float64)

    return base.ChannelCodec(name, n, rule in EXACT, finalize, encode, decode)


def _target(tables: dict[str, Any]) -> Target:
    survival = Survival(**tables["survival"]) if "survival" in tables else None
    return Target(float(tables["ratio"]), survival)


def _to_bytes(y: np.ndarray) -> bytes:
    """Plain numbers, in noise scales."""
    if not y.size:
        return b""
    fixed = np.rint(y * 2.0**_FINE)
    if np.abs(fixed).max() >= 2.0 ** (8 * _BYTES - 1):
        raise ValueError(f"x must be within 2^{8 * _BYTES - 1 - _FINE} noise scales of 0, got a number that is larger")
    return np.ascontiguousarray(fixed.astype("<i8").reshape(-1, 1).view(np.uint8)[:, :_BYTES]).tobytes()


def _from_bytes(data: bytes) -> np.ndarray:
    """The inverse: float64, in noise scales."""
    low = np.frombuffer(data, np.uint8).reshape(-1, _BYTES)
    sign = np.where(low[:, -1:] >= 128, 255, 0).astype(np.uint8)
    whole = np.concatenate([low, np.repeat(sign, 8 - _BYTES, 1)], 1)
    return np.ascontiguousarray(whole).view("<i8")[:, 0] / 2.0**_FINE
