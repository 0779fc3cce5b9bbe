"""Laplace distributions as integer tables, made with whole numbers only: the same on every machine, not stored.

A distribution has one of 49 scales b = 2^-6, 2^-5.75, .., 2^6 and its middle at one of 8 places f = 0, 1/8, .., 7/8;
whole parts of the middle are taken off the symbol. Table `8 s + 8 f` is that of scale s.
"""

import functools
import math

import numpy as np

from rdr.bitstream.tables import PRECISION, Tables

SCALES = 49
SCALES_PER_OCTAVE = 4
LOCATION_STEPS = 8
FIXED_POINT_BITS = 60  # of the binary fractions below
_TAIL = 20  # what is less probable than 2^-20 on one side is left to the escape symbol


def _decay(scale: int) -> int:
    """exp(-1 / (8 b)) with 60 binary digits."""
    one = 1 << FIXED_POINT_BITS
    root = math.isqrt(math.isqrt((1 << (scale % SCALES_PER_OCTAVE)) << (4 * FIXED_POINT_BITS)))  # 2^((scale mod 4) / 4)
    # 1 / (8 b) = 2^(6 - 3 - scale // 4) / root, halved until it is small, for the series.
    halvings = 8
    x = ((one * one // root) << 3) >> (scale // SCALES_PER_OCTAVE + halvings)
    term = total = one
    for n in range(1, 30):
        term = term * x // (n << FIXED_POINT_BITS)
        total += term if n % 2 == 0 else -term
    for _ in range(halvings):
        total = total * total >> FIXED_POINT_BITS
    return total


@functools.cache
def laplace_tables() -> Tables:
    """Makes the tables.

    Returns:
      Tables of all scales and places, those of one scale side by side.
    """
    one = 1 << FIXED_POINT_BITS
    rows = []
    for scale in range(SCALES):
        decay, powers = _decay(scale), [one]
        while powers[-1] >> (FIXED_POINT_BITS - 2 * _TAIL):
            powers.append(powers[-1] * decay >> FIXED_POINT_BITS)
        reach = len(powers) // LOCATION_STEPS + 2
        powers += [0] * (LOCATION_STEPS * (reach + 2))

        def below(location_eighths: int, powers: list[int] = powers) -> int:
            """P(X < location_eighths / 8) of a distribution with its middle at 0."""
            return powers[-location_eighths] >> 1 if location_eighths < 0 else one - (powers[location_eighths] >> 1)

        for place in range(LOCATION_STEPS):
            edges = [below(LOCATION_STEPS * k - LOCATION_STEPS // 2 - place) for k in range(-reach, reach + 2)]
            mass = [high - low for low, high in zip(edges, edges[1:])]
            first = next(i for i, m in enumerate(mass) if m >> (FIXED_POINT_BITS - _TAIL))
            last = next(i for i in reversed(range(len(mass))) if mass[i] >> (FIXED_POINT_BITS - _TAIL))
            mass = mass[first : last + 1]
            free = (1 << PRECISION) - len(mass) - 1
            counts = [1 + (free * m >> FIXED_POINT_BITS) for m in mass]
            escape = 1 + (free * max(one - sum(mass), 0) >> FIXED_POINT_BITS)
            counts[mass.index(max(mass))] += (1 << PRECISION) - sum(counts) - escape
            rows.append(([*counts, escape], first - reach))
    width = max(len(counts) for counts, _ in rows)
    table = np.zeros((len(rows), width), np.int32)
    for row, (counts, _) in zip(table, rows):
        row[: len(counts)] = counts
    return Tables(table, np.asarray([len(counts) - 1 for counts, _ in rows], np.int32),
                  np.asarray([offset for _, offset in rows], np.int32))
