"""Codecs of blocks by trellis-coded quantization: between the two scalings of `rdr.codecs.vectors.linear`."""

import functools
from typing import Any

import numpy as np

from rdr import quantize
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.codec import vector_codec
from rdr.codecs.vectors.linear import MAX_ELEMENTS, Quantizer, linear_model
from rdr.codecs.vectors.model import VectorModel
from rdr.entropy_models import trellis_coder
from rdr.entropy_models.trellis import prior_from_tree, prior_tree, trellis_prior

# Mean squared error per sample of long blocks, for integers one apart, by simulation: about.
_SECOND_MOMENTS = {8: 0.2604, 16: 0.2558, 32: 0.2520, 64: 0.2497, 128: 0.2468, 256: 0.2454}


@functools.cache
def trellis_quantizer(states: int) -> Quantizer:
    """A trellis as a quantizer; in every state the integers of one parity are at hand, two apart.

    Args:
      states: of the trellis (`rdr.quantize.trellis`).

    Returns:
      The quantizer.

    Raises:
      ValueError: if there is no such trellis.
    """
    trellis = quantize.trellis(states)

    def tables(beta: float, step: float, dither_levels: int) -> dict[str, Any]:
        return prior_tree(trellis_prior(beta=beta, step=step, levels=dither_levels or 4))

    def nearest(x):
        return quantize.nearest_path(x.reshape(-1, x.shape[-1]), trellis).reshape(x.shape)

    return Quantizer(
        name=f"trellis-{states}",
        dimension=0,
        volume=2.0,
        second_moment=_SECOND_MOMENTS[states],
        period=4,
        scale=np.ones(1),
        nearest=nearest,
        encode=lambda points, dither, tree: trellis_coder.encode_path(points, dither, trellis, prior_from_tree(tree)),
        decode=lambda coded, escapes, dither, tree: trellis_coder.decode_path(
            coded, escapes, dither, trellis, prior_from_tree(tree)),
        bits=lambda points, dither, tree: trellis_coder.path_bits(
            points, dither, trellis, prior_from_tree(tree)).sum(-1),
        tables=tables,
    )


def trellis_model(states: int, *, dither_levels: int = 0, max_elements: int = MAX_ELEMENTS) -> VectorModel:
    """Makes the model of `trellis_codec`.

    Args:
      states: of the trellis.
      dither_levels: number of values of the shared dither along an axis; 0 for none.
      max_elements: largest number of samples in a message.

    Returns:
      The model, the same object for the same arguments.

    Raises:
      ValueError: if an argument is none of those of `trellis_codec`.
    """
    return _model(states, dither_levels, max_elements)


@functools.lru_cache(maxsize=64)
def _model(states: int, dither_levels: int, max_elements: int) -> VectorModel:
    return linear_model(trellis_quantizer(states), dither_levels=dither_levels, max_elements=max_elements)


def trellis_codec(states: int, *, dither_levels: int = 0, max_elements: int = MAX_ELEMENTS) -> VectorCodec:
    """Makes a codec for blocks of any length; each starts in state 0, which costs a little, so long ones are better.

    Args:
      states: 8, 16, 32, 64, 128 or 256.
      dither_levels: number of values of the shared dither at each step, a power of two from 4 to 2^16; 0 for none.
      max_elements: largest number of samples in a message; larger ones are refused before memory is claimed.

    Returns:
      The codec (`rdr.codecs.vectors.linear.linear_model`), the same object for the same arguments. Its symbols are the
      integers of `rdr.quantize.nearest_path`.

    Raises:
      ValueError: if there is no such trellis, or `dither_levels` is no such number.
    """
    return vector_codec(trellis_model(states, dither_levels=dither_levels, max_elements=max_elements))
