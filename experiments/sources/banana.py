"""Trained codecs of the banana against its certified rate-distortion function.

    python -m experiments.sources.banana --preset=quick --workdir=runs/banana/quick

The banana is a Gaussian of the plane bent by a parabola (`theory.bounds.sources.banana`). Families:

* `factorized`: nonlinear transform coding as it is known, rounding and independent densities of both coordinates;
* `scalar`: the same rounding, the second coordinate coded given the first;
* `hexagonal`: nearest points of the lattice A2 instead of rounding, coded in the same way;
* `codebook`: an entropy-coded vector quantizer with a learned codebook, no transform;
* `dithered`: as `factorized`, with a dither that both sides know, trained with and without a weight on realism.

Transforms start as the Karhunen-Loeve transform, the codebook as samples. Each family is trained on rate + lambda D
over a grid of lambda at once. The two causal families have a second start, the transforms of the trained `factorized`
codec of the same lambda; hexagons have two more, the trained `scalar` codec's transforms, which stay while what follows
them learns: with the same step, and with latents pressed so that hexagons stand as bricks where rectangles were. The
start with the least training objective is kept. Then fresh samples are encoded to bytes, decoded from them and held
against R(D), which `theory.continuous` brackets. Realism is twice the squared sliced W2 distance to fresh samples, at
most W2^2; the bound ignores it. `cells.npz` holds what a figure of the cells needs.
"""

import dataclasses
import pathlib
import sys
import time
from typing import Any

import jax
import numpy as np

from experiments.sources import brackets, harness
from experiments.sources.banana_training import CAUSAL, FAMILIES, make_codec, train_family, weights
from experiments.sources.harness import Schedule
from rdr import command_line, files
from rdr.command_line import option
from rdr.randomness import shared_key
from theory import bounds, continuous
from theory.bounds import sources

CELLS = 240  # cells of the figure's grid along each axis
WINDOW = (-10.0, 8.0, -9.0, 9.0)  # of the figure: x1 and x2 from, to


@dataclasses.dataclass(frozen=True)
class Config:
    """Settings of the experiment; rates are in bits per vector; each field says what it is."""

    target_rates: tuple[float, ...] = option(
        (1.6, 2.2, 2.8, 3.4, 4.0, 4.6, 6.5, 9.5), "where the grid aims: lambda = 2^R / (3 ln 2), the slope of the "
        "Shannon lower bound at R")
    dithered_rates: tuple[float, ...] = option((1.6, 2.8, 4.0), "the same of the dithered family")
    realism_ratios: tuple[float, ...] = option((0.0, 4.0), "lambda_P / lambda of the dithered family")
    dither_levels: int = option(64, "values of the shared dither")
    hidden: int = option(16, "width of the two hidden layers of each transform")
    codewords: int = option(64, "room in the codebook of the `codebook` family")
    codebook_rates: tuple[float, ...] = option((1.8, 2.6, 3.4, 4.2), "its target rates")
    steps: int = option(4000, "training steps")
    codebook_steps: int = option(3000, "those of the codebook")
    chunk: int = option(200, "steps between checkpoints")
    batch: int = option(512, "vectors per step")
    learning_rate: float = option(0.01, "learning rate of Adam")
    samples: int = option(2**17, "for evaluation")
    slopes: tuple[float, ...] = option((0.5, 0.9, 1.5, 2.6), "bits per unit of distortion at which R(D) is bracketed")
    atoms: tuple[int, ...] = option((100, 160, 240, 360), "room for atoms of the channel at each")
    tolerance: float = option(0.005, "tolerance of the brackets, bits")
    shown_rate: float = option(
        3.5, "the codecs whose cells are saved are nearest to this rate, dithered ones of the largest ratio")
    seed: int = option(0, "random seed of everything")

    def __post_init__(self):
        harness.check_positive(self, "target_rates", "codebook_rates", "dithered_rates", "dither_levels",
                                      "hidden", "codewords", "slopes", "tolerance", "shown_rate", "codebook_steps")
        if not self.realism_ratios or not (np.isfinite(self.realism_ratios).all() and min(self.realism_ratios) >= 0):
            raise ValueError(f"realism_ratios must be non-negative numbers, got {self.realism_ratios}")
        if self.samples < 2:
            raise ValueError(f"samples must be at least 2, got {self.samples}")
        harness.check_seed(self.seed)
        if len(self.atoms) != len(self.slopes):
            raise ValueError(f"atoms must name a number for each of {len(self.slopes)} slopes, got {self.atoms}")
        for family in FAMILIES:
            self.schedule(family)
        if self.dither_levels > 2**16 or self.dither_levels & (self.dither_levels - 1):
            raise ValueError(f"dither_levels must be a power of two up to 2^16, got {self.dither_levels}")

    def schedule(self, family: str) -> Schedule:
        """How a family is trained."""
        if family == "codebook":
            return Schedule(self.codebook_steps, self.chunk, self.batch, 3 * self.learning_rate, hard_fraction=0.3,
                            temperature_start=0.3, temperature_end=0.02)
        return Schedule(self.steps * (2 if family in CAUSAL else 1), self.chunk, self.batch, self.learning_rate,
                        hard_fraction=1.0 if family == "dithered" else 0.4)


PRESETS = {
    "smoke": Config(target_rates=(3.0,), dithered_rates=(3.0,), realism_ratios=(4.0,), hidden=8, codewords=16,
                    codebook_rates=(3.0,), steps=60, codebook_steps=60, chunk=30, batch=128, samples=2**14,
                    slopes=(0.4,), atoms=(40,), tolerance=0.1),
    "quick": Config(),
    "full": Config(target_rates=tuple(np.arange(1.6, 6.2, 0.25).tolist()),
                   dithered_rates=tuple(np.arange(1.6, 6.2, 0.5).tolist()), realism_ratios=(0.0, 1.0, 4.0, 16.0),
                   hidden=64, codewords=256, codebook_rates=tuple(np.arange(1.6, 5.3, 0.3).tolist()), steps=20_000,
                   codebook_steps=10_000, chunk=1000, batch=4096, learning_rate=0.005, samples=2**20,
                   slopes=(0.4, 0.6, 0.9, 1.3, 1.9, 2.8, 4.0), atoms=(100, 130, 160, 230, 300, 400, 500),
                   tolerance=0.002),
}


def sliced_perception(reference: np.ndarray, directions: int):
    """Twice the squared sliced W2 distance of decoded vectors to as many fresh samples, along fixed directions."""
    turns = np.pi * (np.arange(directions) + 0.5) / directions
    axes = np.stack([np.cos(turns), np.sin(turns)])
    target = np.sort(reference @ axes, axis=0)

    def perception(y):
        return 2.0 * float(np.mean(np.square(np.sort(y @ axes, axis=0) - target))), np.zeros(len(y))

    return perception


def cell_maps(config: Config, chosen: dict[str, tuple[Any, float, float]]) -> dict[str, np.ndarray]:
    """What a figure of the cells needs: for each family the cell of every point of a grid, and reconstructions.

    Args:
      config: settings.
      chosen: family -> finalized parameters, rate and distortion.

    Returns:
      Arrays by name: `FAMILY_cells` [y, x] numbers of cells, `FAMILY_points` [m, 2] reconstructions of 3,000 samples
      (for the dithered family cells are those of one value of the dither, points those of all), `FAMILY_figures` rate
      and distortion; `window`.
    """
    x1, x2 = (np.linspace(low, high, CELLS) for low, high in (WINDOW[:2], WINDOW[2:]))
    grid = np.stack(np.meshgrid(x1, x2), -1).reshape(-1, 2).astype(np.float32)
    samples = np.asarray(sources.banana().sample(jax.random.key(config.seed + 7), (3000,)), np.float32)
    out, key = {"window": np.array(WINDOW)}, shared_key(config.seed)
    for family, (params, rate, distortion) in chosen.items():
        codec = make_codec(config, family)
        if family == "dithered":
            y = codec.decode(codec.encode(params, samples, shared_key=key), params=params, shared_key=key)
            # A batch of one vector sees the first value that the key draws; so does every point here.
            k = np.asarray(jax.vmap(lambda point, c=codec, p=params: c.symbols(p, point[None], key)[0])(grid))
        else:
            y = codec.decode(codec.encode(params, samples), params=params)
            k = np.asarray(codec.symbols(params, grid)).reshape(len(grid), -1)
        _, cells = np.unique(k, axis=0, return_inverse=True)
        out |= {f"{family}_cells": cells.reshape(CELLS, CELLS).astype(np.int16),
                f"{family}_points": np.unique(np.asarray(y, np.float32), axis=0),
                f"{family}_figures": np.array([rate, distortion])}
    return out


def run(config: Config, workdir: pathlib.Path) -> dict[str, list]:
    """Trains, evaluates and writes the results.

    Args:
      config: settings.
      workdir: an existing directory; an interrupted run in it goes on.

    Returns:
      The columns of `points.csv`.

    Raises:
      ValueError: if an operating point beats its bound, or a message is longer than its tables explain.
    """
    started = time.monotonic()
    trained: dict[str, Any] = {}
    for family in FAMILIES:
        trained[family] = train_family(config, family, workdir / "training" / family, trained)
    result = bounds.bounds_of(sources.banana()) + brackets.bracketing_bounds(brackets.solve(
        continuous.banana(tail_mass=1e-4), config.slopes, config.atoms, tolerance=config.tolerance,
        path=workdir / "bracket.npz"), dimension=2)
    draw = jax.jit(sources.banana().sample, static_argnums=1)
    x, reference = (np.asarray(draw(jax.random.fold_in(jax.random.key(config.seed), 2**20 + i), (config.samples,)),
                               np.float32) for i in range(2))
    realism = sliced_perception(reference, 32)
    table: dict[str, list] = {}
    nearest: dict[str, tuple[Any, float, float]] = {}
    for family in FAMILIES:
        codec, dithered = make_codec(config, family), family == "dithered"
        for i, (price, weight) in enumerate(zip(*weights(config, family))):
            params = codec.finalize(harness.entry(trained[family], i))
            m = harness.measure(codec, params, x, shared_key=shared_key(config.seed) if dithered else None,
                                       perception=realism)
            harness.add_row(
                table, m, source="banana", dimension=2, codec=family, shared="dither" if dithered else "nothing",
                bound_kind="R(D) without realism", lower=lambda d, _: bounds.interval(result, d).lower,
                upper=lambda d, _: bounds.interval(result, d).upper, seed=config.seed, distortion_weight=price,
                perception_weight=weight)
            table.setdefault("gap_bits_per_component", []).append(table["gap_bits"][-1] / 2)
            far = [abs(rate - config.shown_rate) for rate in (m.rate, nearest.get(family, (None, np.inf))[1])]
            if far[0] < far[1] and (not dithered or weight >= price * max(config.realism_ratios) * (1 - 1e-6)):
                nearest[family] = (params, m.rate, m.distortion)
    files.write_arrays(workdir / "cells.npz", cell_maps(config, {f: nearest[f] for f in FAMILIES}), compressed=True)
    harness.write(
        workdir, "banana", config, PRESETS, table, started=started, samples=config.samples,
        units="rates: bits per vector; distortion: squared error of a vector; perception: twice the squared sliced W2 "
              "distance to fresh samples",
        shown=("gap_bits_per_component",),
        choice="of two starts of scalar and four of hexagonal codecs the one of least training objective is kept",
        perception_bias=f"{realism(x.astype(np.float64))[0]:.3g} (the same of as many samples of the source itself)")
    return table


def main(argv: list[str] | None = None) -> int:
    """Runs the experiment from the command line."""
    return command_line.main(__doc__, PRESETS, run, argv)


if __name__ == "__main__":
    sys.exit(main())
