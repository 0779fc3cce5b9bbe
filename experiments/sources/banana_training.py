"""Training the codecs of `experiments.sources.banana`: a family's grid of prices at once, from one or more starts."""

import dataclasses
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.sources import harness
from rdr import quantize
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.block import block_codec
from rdr.codecs.vectors.codebook import codebook_codec
from rdr.losses.sliced_wasserstein import sliced_w2_squared
from rdr.quantize.codebook import annealed_cost
from theory.bounds import sources

FAMILIES = ("factorised", "scalar", "hexagonal", "codebook", "dithered")
CAUSAL = ("scalar", "hexagonal")


def make_codec(config: Any, family: str) -> VectorCodec:
    """The codec of a family."""
    if family == "codebook":
        return codebook_codec(dimension=2, codewords=config.codewords)
    options = {"factorised": {}, "scalar": {"context": True}, "hexagonal": {"context": True, "lattice": "A2"},
               "dithered": {"dither_levels": config.dither_levels}}[family]
    return block_codec(dimension=2, hidden=(config.hidden, config.hidden), prior_scale=3.0, **options)


def weights(config: Any, family: str) -> tuple[np.ndarray, np.ndarray]:
    """lambda and lambda_P of each codec of a family, float32, bits per unit."""
    ratios = config.realism_ratios if family == "dithered" else (0.0,)
    rates = np.array({"codebook": config.codebook_rates, "dithered": config.dithered_rates}.get(
        family, config.target_rates))
    price = np.repeat(2.0**rates / (3.0 * np.log(2.0)), len(ratios))
    return price.astype(np.float32), (price * np.tile(ratios, len(rates))).astype(np.float32)


def principal_start(params: Any, source: sources.Source, *, least_first: bool = False) -> Any:
    """Makes the transforms of a grid of block codecs start as the Karhunen-Loeve transform and its inverse.

    Args:
      params: of the grid.
      source: the source.
      least_first: whether the component of least variance is the first latent, else the last.

    Returns:
      The parameters.
    """
    values, axes = np.linalg.eigh(source.covariance)
    axes = axes[:, np.argsort(values if least_first else -values)].astype(np.float32)
    mean = source.mean.astype(np.float32)
    start = {"analysis": {"line": axes, "bias": -mean @ axes}, "synthesis": {"line": axes.T, "bias": mean}}
    for part, values in start.items():
        params[part] |= {name: jnp.broadcast_to(value, params[part][name].shape) for name, value in values.items()}
    return params


def hexagons_from_rectangles(params: Any, trained: Any, *, bricks: bool) -> Any:
    """Makes a grid of hexagonal codecs start from the transforms of trained codecs that round.

    Rows of hexagons lie along the first latent of the trained codecs, the one of most variance; rows are coded first.

    Args:
      params: fresh parameters of the hexagonal codecs.
      trained: parameters of codecs that round.
      bricks: whether rows of hexagons, pressed, lie where rows of rectangles lay; else the step, thus the cell's area
        in the latent space, stays.

    Returns:
      The parameters.
    """
    along, across = quantize.lattice("A2").scale  # a row's points are 2 `along` apart, rows are `across` apart
    row = 2.0 * along if bricks else 1.0
    press = jnp.array([across / row if bricks else 1.0, 1.0], jnp.float32)
    analysis, synthesis = dict(trained["analysis"]), dict(trained["synthesis"])
    last = max(name for name in analysis if name.startswith("Dense"))

    def out(leaf):
        return leaf[..., ::-1] * jnp.broadcast_to(press, leaf.shape)

    def back(leaf):
        return leaf[..., ::-1, :] / jnp.broadcast_to(press[:, None], leaf.shape)

    analysis |= {"line": out(analysis["line"]), "bias": out(analysis["bias"]),
                 last: {**analysis[last], "kernel": out(analysis[last]["kernel"])}}
    synthesis |= {"line": back(synthesis["line"]),
                  "Dense_0": {**synthesis["Dense_0"], "kernel": back(synthesis["Dense_0"]["kernel"])}}
    return {**params, "analysis": analysis, "synthesis": synthesis,
            "log_step": trained["log_step"] - jnp.float32(np.log(row))}


def train_family(config: Any, family: str, directory: pathlib.Path, trained: dict[str, Any]) -> Any:
    """Trains the grid of a family.

    Args:
      config: settings.
      family: one of `FAMILIES`.
      directory: of checkpoints and metrics.
      trained: parameters of the families before it, from which the causal ones have further starts.

    Returns:
      Parameters with a leading axis over the grid.
    """
    source, codec = sources.banana(), make_codec(config, family)
    weight = tuple(jnp.asarray(w) for w in weights(config, family))
    key = jax.random.fold_in(jax.random.key(config.seed), FAMILIES.index(family))

    def sample(key, batch):
        return source.sample(key, (batch,)).astype(jnp.float32)

    def loss(params, weight, x, key, temperature):
        if family == "codebook":
            d, bits = annealed_cost(x, params["points"], params["logits"], weight[0], temperature)
            distortion, rate = jnp.mean(d), jnp.mean(bits)
            return rate + weight[0] * distortion, {"rate": rate, "distortion": distortion}
        keys = jax.random.split(key, 3)
        y, bits = codec.forward(params, x, key=keys[0], temperature=temperature)
        rate, distortion = jnp.mean(bits), jnp.mean(jnp.square(x - y).sum(-1))
        total = rate + weight[0] * distortion
        metrics = {"rate": rate, "distortion": distortion}
        if family == "dithered":
            metrics["realism"] = 2.0 * sliced_w2_squared(y, sample(keys[1], x.shape[0]), key=keys[2],
                                                         num_projections=8)
            total = total + weight[1] * metrics["realism"]
        return total, metrics

    def fresh():
        params = jax.vmap(codec.init)(jax.random.split(key, weight[0].size))
        if family == "codebook":
            params["log_weight"] = jnp.log(weight[0])
            params["points"] = jax.vmap(lambda k: sample(k, config.codewords))(jax.random.split(key, weight[0].size))
            return params
        params = principal_start(params, source, least_first=family == "hexagonal")
        # The step of high-rate theory: -2 log2(step) + lambda 2 step^2 / 12 is least at step^2 = 6 / (lambda ln 2).
        params["log_step"] = 0.5 * jnp.log(6.0 / (weight[0] * jnp.float32(np.log(2.0))))
        return params

    def fit(schedule, starts, name):
        """All starts at once; [starts, codecs, ..]."""
        count = len(starts)
        params = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *starts)
        result = harness.train_grid(
            schedule, params, tuple(jnp.tile(w, count) for w in weight), loss=loss, sample=sample, key=key,
            directory=directory / name, description=f"{family} {name}",
            frozen_when_hard=("analysis", "log_step") if family in ("factorised", *CAUSAL) else (),
            frozen=("log_weight",) if family == "codebook" else ())
        return jax.tree.map(lambda leaf: leaf.reshape(count, -1, *leaf.shape[1:]), result)

    starts = [fresh()]
    if family == "scalar":
        starts.append({**fresh(), **{part: trained["factorised"][part] for part in ("analysis", "synthesis",
                                                                                    "log_step")}})
    if family == "hexagonal":
        starts.append(hexagons_from_rectangles(fresh(), trained["factorised"], bricks=False))
    result = fit(config.schedule(family), starts, "own")
    if family == "hexagonal":
        starts = [hexagons_from_rectangles(fresh(), trained["scalar"], bricks=bricks) for bricks in (False, True)]
        more = fit(dataclasses.replace(config.schedule(family), steps=config.steps, hard_fraction=1.0), starts,
                   "from_scalar")
        result = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), result, more)
    starts = jax.tree.leaves(result)[0].shape[0]
    if starts == 1:
        return harness.entry(result, 0)
    x = sample(jax.random.fold_in(key, 2**20), 2**14)
    costs = jax.jit(jax.vmap(jax.vmap(lambda p, w: loss(p, w, x, key, None)[0]), in_axes=(0, None)))(result, weight)
    by_codec = jax.tree.map(lambda leaf: leaf.swapaxes(0, 1).reshape(-1, *leaf.shape[2:]), (result, costs))
    return harness.best_of_starts(*by_codec, starts)[0]
