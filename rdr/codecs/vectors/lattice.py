"""Codecs of blocks by lattices: between the two scalings of `rdr.codecs.vectors.linear`."""

import functools
from typing import Any

from rdr import quantize
from rdr.codecs.base import VectorCodec
from rdr.codecs.vectors.codec import vector_codec
from rdr.codecs.vectors.linear import MAX_ELEMENTS, Quantizer, linear_model
from rdr.codecs.vectors.model import VectorModel
from rdr.entropy_models import lattice_coder
from rdr.entropy_models.lattice import lattice_prior, prior_from_tree, prior_tree


@functools.cache
def lattice_quantizer(name: str) -> Quantizer:
    """A lattice with cells of volume 1 as a quantizer.

    Args:
      name: of the lattice (`rdr.quantize.lattice`).

    Returns:
      The quantizer.

    Raises:
      ValueError: if there is no such lattice.
    """
    lattice = quantize.lattice(name)

    def tables(beta: float, step: float, dither_levels: int) -> dict[str, Any]:
        levels = dither_levels * lattice.outer // lattice.period or lattice.outer
        return prior_tree(lattice_prior(lattice, beta=beta, step=step, levels=levels))

    return Quantizer(
        name=f"lattice-{name}",
        dimension=lattice.dimension,
        volume=1.0,
        second_moment=lattice.second_moment,
        period=lattice.period,
        scale=lattice.scale,
        nearest=lambda x: quantize.closest_point(x, lattice)[0],
        encode=lambda points, dither, tree: lattice_coder.encode_points(
            points, dither, lattice, prior_from_tree(tree)),
        decode=lambda coded, escapes, dither, tree: lattice_coder.decode_points(
            coded, escapes, dither, lattice, prior_from_tree(tree)),
        bits=lambda points, dither, tree: lattice_coder.point_bits(points, dither, lattice, prior_from_tree(tree)),
        tables=tables,
    )


def lattice_model(name: str, *, dither_levels: int = 0, max_elements: int = MAX_ELEMENTS) -> VectorModel:
    """Makes the model of `lattice_codec`.

    Args:
      name: of the lattice.
      dither_levels: number of values of the shared dither along an axis; 0 for none.
      max_elements: largest number of samples in a message.

    Returns:
      The model, the same object for the same arguments.

    Raises:
      ValueError: if an argument is none of those of `lattice_codec`.
    """
    return _model(name, dither_levels, max_elements)


@functools.lru_cache(maxsize=64)
def _model(name: str, dither_levels: int, max_elements: int) -> VectorModel:
    return linear_model(lattice_quantizer(name), dither_levels=dither_levels, max_elements=max_elements)


def lattice_codec(name: str, *, dither_levels: int = 0, max_elements: int = MAX_ELEMENTS) -> VectorCodec:
    """Makes a codec for blocks of as many numbers as the lattice has dimensions.

    Args:
      name: "Z", "A2", "D4", "E8", "BW16" or "Leech".
      dither_levels: number of values of the shared dither along an axis, a power of two from the lattice's period in
        whole numbers (at most 8) to 2^16; 0 for none.
      max_elements: largest number of samples in a message; larger ones are refused before memory is claimed.

    Returns:
      The codec (`rdr.codecs.vectors.linear.linear_model`), the same object for the same arguments. Its symbols are the
      whole numbers of `rdr.quantize.closest_point`.

    Raises:
      ValueError: if there is no such lattice, or `dither_levels` is no such number.
    """
    return vector_codec(lattice_model(name, dither_levels=dither_levels, max_elements=max_elements))
