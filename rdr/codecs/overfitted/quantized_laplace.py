"""Laplace laws as integer tables, made with whole numbers only: the same tables on every machine, without storing them.

A law has one of 49 scales b = 2^-6, 2^-5.75, .., 2^6 and its middle at one of 8 places f = 0, 1/8, .., 7/8; whole parts
of the middle are taken off the symbol. Table `8 s + 8 f` is that of scale s.
"""

import functools
import math

import numpy as np

from rdr.bitstream.tables import PRECISION, Tables

SCALES = 49
PER_OCTAVE = 4
PLACES = 8
_DIGITS = 60  # of the binary fractions below
_TAIL = 20  # what is less probable than 2^-20 on one side is left to the escape symbol


def _decay(scale: int) -> int:
    """exp(-1 / (8 b)) with 60 binary digits."""
    one = 1 << _DIGITS
    root = math.isqrt(math.isqrt((1 << (scale % PER_OCTAVE)) << (4 * _DIGITS)))  # 2^((scale mod 4) / 4)
    # 1 / (8 b) = 2^(6 - 3 - scale // 4) / root, halved until it is small, for the series.
    halvings = 8
    x = ((one * one // root) << 3) >> (scale // PER_OCTAVE + halvings)
    term = total = one
    for n in range(1, 30):
        term = term * x // (n << _DIGITS)
        total += term if n % 2 == 0 else -term
    for _ in range(halvings):
        total = total * total >> _DIGITS
    return total


@functools.cache
def laplace_tables() -> Tables:
    """Makes the tables.

    Returns:
      Tables of all scales and places, those of one scale side by side.
    """
    one = 1 << _DIGITS
    rows = []
    for scale in range(SCALES):
        decay, powers = _decay(scale), [one]
        while powers[-1] >> (_DIGITS - 2 * _TAIL):
            powers.append(powers[-1] * decay >> _DIGITS)
        reach = len(powers) // PLACES + 2
        powers += [0] * (PLACES * (reach + 2))

        def below(eighths: int, powers: list[int] = powers) -> int:
            """P(X < eighths / 8) of a law with its middle at 0."""
            return powers[-eighths] >> 1 if eighths < 0 else one - (powers[eighths] >> 1)

        for place in range(PLACES):
            edges = [below(PLACES * k - PLACES // 2 - place) for k in range(-reach, reach + 2)]
            mass = [high - low for low, high in zip(edges, edges[1:])]
            first = next(i for i, m in enumerate(mass) if m >> (_DIGITS - _TAIL))
            last = next(i for i in reversed(range(len(mass))) if mass[i] >> (_DIGITS - _TAIL))
            mass = mass[first : last + 1]
            free = (1 << PRECISION) - len(mass) - 1
            counts = [1 + (free * m >> _DIGITS) for m in mass]
            escape = 1 + (free * max(one - sum(mass), 0) >> _DIGITS)
            counts[mass.index(max(mass))] += (1 << PRECISION) - sum(counts) - escape
            rows.append(([*counts, escape], first - reach))
    width = max(len(counts) for counts, _ in rows)
    table = np.zeros((len(rows), width), np.int32)
    for row, (counts, _) in zip(table, rows):
        row[: len(counts)] = counts
    return Tables(table, np.asarray([len(counts) - 1 for counts, _ in rows], np.int32),
                  np.asarray([offset for _, offset in rows], np.int32))
