"""From a fitted state to what is coded: whole numbers, and weights with as few digits as they need."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from rdr.bitstream import coder
from rdr.bitstream.tables import table_bits
from rdr.codecs.overfitted import exact_inference, network
from rdr.codecs.overfitted.architecture import Architecture, shapes
from rdr.codecs.overfitted.format import Description, weight_table
from rdr.codecs.overfitted.pretrained_init import quantized_pretrained
from rdr.codecs.overfitted.quantized_laplace import LOCATION_STEPS, laplace_tables
from rdr.codecs.overfitted.signals import SRGB, Signal
from rdr.codecs.overfitted.training import LATENT_UNIT, Data, State

# Weights of a group share one step size.
GROUPS = (
    ("pixel_in", "pixel_out", "pixel_skip", "refine_in", "refine_out"),
    ("pixel_in_bias", "pixel_out_bias", "refine_in_bias", "refine_out_bias"),
    ("upsampling",),
    ("entropy_in", "entropy_hidden", "entropy_out", "entropy_skip"),
    ("entropy_in_bias", "entropy_hidden_bias", "entropy_out_bias"),
)
_COARSEST = 2


def weight_bits(whole: np.ndarray) -> float:
    """Bits that weights take in the file, nearly.

    Args:
      whole: whole numbers, less those of the start.

    Returns:
      Bits.
    """
    ids = np.full(whole.shape, 2 * LOCATION_STEPS * weight_table(whole))
    tables = laplace_tables()
    return float((table_bits(whole, tables, ids) + coder.escape_bits(whole, tables, ids)).sum())


@functools.lru_cache(maxsize=8)
def _cost(arch: Architecture, distance: Callable[[Any, Any, jax.Array], jax.Array]) -> Callable[..., jax.Array]:
    @jax.jit
    def cost(weights, latents, data, rd_lambda):
        image = jnp.clip(network.synthesize(weights, latents, data.noise), 0.0, 1.0).transpose(1, 2, 0)
        rate = network.bits(weights, latents).sum() / (arch.height * arch.width)
        return rate + rd_lambda * distance(data.params, data.target, image[None])[0]

    return cost


def coded_latents(state: State) -> list[np.ndarray]:
    """The numbers that are coded.

    Args:
      state: after the last step.

    Returns:
      int32 [rows, columns] each, finest first.
    """
    latents = [np.rint(np.asarray(latent, np.float64) * LATENT_UNIT) for latent in state.latents]
    return [np.clip(latent, -exact_inference.LIMIT, exact_inference.LIMIT).astype(np.int32) for latent in latents]


def quantize_fit(arch: Architecture, state: State, data: Data, distance: Callable[[Any, Any, jax.Array], jax.Array],
           seed: int | None, *, rate_multiplier: float = 1.0, signal: Signal = SRGB) -> Description:
    """Rounds everything, looking for the step sizes of the weights that cost least.

    Args:
      arch: sizes of the decoder.
      state: after the last step.
      data: what the fit saw.
      distance: the objective.
      seed: of the shared noise, or None.
      rate_multiplier: how many times more a bit of the weights weighs than one of the latents.
      signal: what the image's values are.

    Returns:
      All that a decoder needs.
    """
    latents = coded_latents(state)
    floats = tuple(jnp.asarray(latent, jnp.float32) for latent in latents)
    cost, rd_lambda = _cost(arch, distance), jnp.exp(state.rate.log_lambda)
    exponents = dict.fromkeys(shapes(arch), exact_inference.MAX_EXPONENT)
    whole = {name: exact_inference.quantize_weights(w, exponents[name]) for name, w in state.weights.items()}

    def total(whole, exponents):
        start = quantized_pretrained(arch, exponents)
        exact = {name: jnp.asarray(w * 2.0 ** -exponents[name], jnp.float32) for name, w in whole.items()}
        bits = sum(weight_bits(w - start[name]) for name, w in whole.items())
        return float(cost(exact, floats, data, rd_lambda)) + rate_multiplier * bits / (arch.height * arch.width)

    for group in GROUPS:
        best, retained, coarsest = total(whole, exponents), whole, exponents
        for exponent in reversed(range(_COARSEST, exact_inference.MAX_EXPONENT)):
            tried = whole | {name: exact_inference.quantize_weights(state.weights[name], exponent) for name in group}
            now = total(tried, exponents | dict.fromkeys(group, exponent))
            if now <= best:  # the cost is not convex: rates jump where a network's outputs cross a table's border
                best, retained, coarsest = now, tried, exponents | dict.fromkeys(group, exponent)
        whole, exponents = retained, coarsest
    return Description(arch, exponents, whole, latents, seed, signal)
