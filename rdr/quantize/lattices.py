"""Lattices whose nearest point is found exactly: Z, A2, D4, E8, the Barnes-Wall lattice BW16 and the Leech lattice.

All of them are of one kind. With a binary code C, integers z and a glue m, their points are, up to a scale,

    m 1 + a c + b z,    c in C,    sum z = target(m) mod 2 (where there is a parity rule),

so one search serves all: for every coset (m, c) each coordinate is rounded by itself, and where the parity is
wrong, the coordinate that loses least goes to its second nearest integer.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike


class Lattice(NamedTuple):
    """A lattice as cosets of scaled integers.

    Points are `scale` * (m + inner * c + outer * z); what is coded are the whole numbers in the bracket.

    Attributes:
      name: "Z", "A2", "D4", "E8", "BW16" or "Leech".
      dimension: n.
      scale: length of a unit along each axis, float64 [n]; it makes the cell's volume 1.
      glues: number of values of m: 0, 1, ..
      inner: a, the step of the code (0 without a code).
      outer: b, the step of z; for every coset b z runs through all of b Z^n, or those of one parity.
      code: words of C, int32 [words, n].
      parities: target(m) for each m, or None without a parity rule.
      second_moment: G, mean squared error per dimension of a cell of volume 1 (Leech: to six digits).
    """

    name: str
    dimension: int
    scale: np.ndarray
    glues: int
    inner: int
    outer: int
    code: np.ndarray
    parities: tuple[int, ...] | None
    second_moment: float

    @property
    def period(self) -> int:
        """Of the lattice along every axis, in whole numbers: adding it to a coordinate leads to another point."""
        return self.outer * (1 if self.parities is None else 2)


def _span(generator: np.ndarray) -> np.ndarray:
    """All words of a binary code; the bits of a word's index are its message, most significant first."""
    k = len(generator)
    messages = (np.arange(2**k)[:, None] >> np.arange(k)[::-1]) & 1
    return (messages @ generator % 2).astype(np.int32)


def golay_code() -> np.ndarray:
    """The extended binary Golay code [24, 12, 8].

    Returns:
      int32 [4096, 24].

    Reference: Conway and Sloane (conway1999sphere), chapter 3, 2.8: cyclic code of length 23 with
      generator x^11 + x^9 + x^7 + x^6 + x^5 + x + 1, and a parity bit.
    """
    polynomial = np.zeros(23, np.int64)
    polynomial[[0, 1, 5, 6, 7, 9, 11]] = 1
    rows = np.stack([np.roll(polynomial, shift) for shift in range(12)])
    return _span(np.concatenate([rows, rows.sum(1, keepdims=True) % 2], 1))


def reed_muller_code() -> np.ndarray:
    """The first-order Reed-Muller code [16, 5, 8].

    Returns:
      int32 [32, 16].
    """
    place = np.arange(16)
    return _span(np.stack([np.ones(16, np.int64), *((place >> bit) & 1 for bit in range(4))]))


def lattice(name: str) -> Lattice:
    """Looks a lattice up, scaled to cells of volume 1.

    Args:
      name: "Z", "A2", "D4", "E8", "BW16" or "Leech".

    Returns:
      The lattice.

    Raises:
      ValueError: if there is no such lattice here.

    Reference: Conway and Sloane (conway1999sphere), chapters 4 and 21 (second moments); Pook-Kolb, Agrell and Allen,
      2023, arXiv 2301.06092, for BW16's.
    """
    if name not in LATTICES:
        raise ValueError(f"name must be one of {', '.join(map(repr, LATTICES))}, got {name!r}")
    return LATTICES[name]


def _make(name, n, volume, second_moment, *, glues=1, inner=0, outer=1, code=None, parities=None, stretch=None):
    stretch = np.ones(n) if stretch is None else np.asarray(stretch)
    unit = (volume * np.prod(stretch)) ** (-1.0 / n)
    code = np.zeros((1, n), np.int32) if code is None else code
    return Lattice(name, n, stretch * unit, glues, inner, outer, code, parities, second_moment)


# Lattices by name. Volumes are those of the whole numbers m + a c + b z, before scaling.
LATTICES = {
    lattice.name: lattice
    for lattice in (
        _make("Z", 1, 1.0, 1 / 12),
        _make("A2", 2, 2.0, 5 / (36 * 3**0.5), glues=2, outer=2, stretch=(1.0, 3**0.5)),
        _make("D4", 4, 2.0, 13 / (120 * 2**0.5), parities=(0,)),
        _make("E8", 8, 2.0**8, 929 / 12960, glues=2, outer=2, parities=(0, 0)),
        _make("BW16", 16, 2.0**12, 207049815983 * 2**0.5 / 4287303820800, inner=1, outer=2, code=reed_muller_code(),
              parities=(0,)),
        _make("Leech", 24, 8.0**12, 0.0657710, glues=2, inner=2, outer=4, code=golay_code(), parities=(0, 1)),
    )
}
_CHUNK = 2**19  # cosets looked at in one go


def closest_point(x: ArrayLike, lattice: Lattice) -> tuple[jax.Array, jax.Array]:
    """Finds the nearest lattice point of vectors, exactly.

    Args:
      x: [..., n], floating; computed with in float32, or float64 if it is.
      lattice: from `lattice`; known by its name.

    Returns:
      The whole numbers m + a c + b z of the point, int32 [..., n], whose products with `lattice.scale` are its
      coordinates; and its coset, int32 [..., 2]: m and the index of c. Ties go to any of the nearest points.

    Raises:
      ValueError: if the last axis does not have n entries.

    Reference: Conway and Sloane (conway1982fast); the search over all cosets is theirs, too.
    """
    x = jnp.asarray(x)
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    n = lattice.dimension
    if x.ndim == 0 or x.shape[-1] != n:
        raise ValueError(f"x must have shape [..., {n}] for {lattice.name}, got {x.shape}")
    flat = x.reshape(-1, n) / jnp.asarray(lattice.scale, x.dtype)[None]
    rows = max(1, _CHUNK // (len(lattice.code) * n))
    if flat.shape[0] <= rows:
        points, cosets = _search(flat, lattice.name)
    else:
        blocks = -(-flat.shape[0] // rows)
        padded = jnp.pad(flat, ((0, blocks * rows - flat.shape[0]), (0, 0)))
        points, cosets = jax.lax.map(lambda part: _search(part, lattice.name), padded.reshape(blocks, rows, n))
        points, cosets = (a.reshape(blocks * rows, -1)[: flat.shape[0]] for a in (points, cosets))
    return points.reshape(x.shape), cosets.reshape(*x.shape[:-1], 2)


@functools.partial(jax.jit, static_argnames="name")
def _search(x: jax.Array, name: str) -> tuple[jax.Array, jax.Array]:
    """The same for x [rows, n] in units of whole numbers."""
    lattice = LATTICES[name]
    weight = jnp.asarray(lattice.scale**2, x.dtype)[None]
    code = jnp.asarray(lattice.code, x.dtype)
    exact = jax.lax.Precision.HIGHEST
    best = None
    for m in range(lattice.glues):
        # Each coordinate in either residue, c = 0 or 1: nearest integer, cost, and what the second nearest adds.
        places = [(x - m - lattice.inner * c) / lattice.outer for c in range(2)]
        nearest = [jnp.round(place) for place in places]
        errors = [place - z for place, z in zip(places, nearest)]
        step = lattice.outer**2 * weight
        costs = [step * e**2 for e in errors]
        flips = [step * (1 - 2 * jnp.abs(e)) for e in errors]

        def chosen(pair):
            """Sums over coordinates for every word, [rows, words]."""
            return pair[0].sum(-1)[:, None] + jnp.matmul(pair[1] - pair[0], code.T, precision=exact)

        total = chosen(costs)
        if lattice.parities is not None:
            odd = jnp.mod(jnp.round(chosen(nearest)) - lattice.parities[m], 2)
            least = jnp.full_like(total, jnp.inf)
            for i in range(lattice.dimension):
                here = jnp.where(code[None, :, i] > 0, flips[1][:, i : i + 1], flips[0][:, i : i + 1])
                least = jnp.minimum(least, here)
            total = total + odd * least
        word = jnp.argmin(total, -1)
        cost = jnp.take_along_axis(total, word[:, None], 1)[:, 0]
        bits = code[word] > 0
        z, error, flip = (jnp.where(bits, b, a) for a, b in (nearest, errors, flips))
        if lattice.parities is not None:
            wrong = jnp.mod(z.sum(-1) - lattice.parities[m], 2)
            where = jnp.argmin(flip, -1)[:, None] == jnp.arange(lattice.dimension)[None]
            z = z + wrong[:, None] * where * jnp.where(error >= 0, 1.0, -1.0)
        point = (m + lattice.inner * bits + lattice.outer * z).astype(jnp.int32)
        coset = jnp.stack([jnp.full(word.shape, m, jnp.int32), word.astype(jnp.int32)], -1)
        if best is None:
            best = (cost, point, coset)
        else:
            better = cost < best[0]
            best = (
                jnp.where(better, cost, best[0]),
                *(jnp.where(better[:, None], new, old) for new, old in zip((point, coset), best[1:])),
            )
    assert best is not None
    return best[1], best[2]
