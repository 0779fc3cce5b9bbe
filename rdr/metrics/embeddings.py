"""Feature vectors of patches, by name: what distances between sets compare."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.arguments import image_batch
from rdr.features import alexnet, efficientnet, steerable_pyramid, vgg, weights
from rdr.metrics.protocol import parameters_digest


class Embedding(NamedTuple):
    """A map from images to vectors.

    Attributes:
      name: what distances are named after: "alexnet" gives "fd_alexnet".
      call: compiled function of parameters and images [batch, height, width, 3], float32 sRGB in [0, 1], to
        [batch, dimension].
      params: what `call` takes first.
      dimension: length of the vectors.
      min_side: pixels that images must have each way.
      weights_sha256: of the parameters, None without a network.
      options: what else the vectors depend on.
    """

    name: str
    call: Callable[[Any, jax.Array], jax.Array]
    params: Any
    dimension: int
    min_side: int
    weights_sha256: str | None
    options: dict[str, Any]


def embedding(name: str | Embedding | Callable[[ArrayLike], jax.Array], *, min_side: int = 1) -> Embedding:
    """Builds an embedding.

    Args:
      name: one of `EMBEDDINGS`; or an embedding, which is returned as it is; or a function from images
        [batch, height, width, 3] in [0, 1] to vectors [batch, dimension], whose name is the embedding's.
      min_side: pixels that images must have each way, of a function.

    Returns:
      The embedding.

    Raises:
      ValueError: if there is none of this name.
      FileNotFoundError: if the weights that it needs are not installed.
    """
    if isinstance(name, Embedding):
        return name
    if callable(name):
        return _from_function(name, min_side)
    if name not in EMBEDDINGS:
        raise ValueError(f"embedding must be one of {', '.join(map(repr, EMBEDDINGS))}, got {name!r}")
    return _build(name)


@functools.cache
def _build(name: str) -> Embedding:
    # The same embedding again is compiled and read once.
    return EMBEDDINGS[name]()


def _from_function(function: Callable[[ArrayLike], jax.Array], min_side: int) -> Embedding:
    side = max(min_side, 32)
    shape = jax.eval_shape(function, jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)).shape
    if len(shape) != 2 or shape[0] != 1:
        raise ValueError(f"an embedding must map [batch, height, width, 3] to [batch, dimension], got {shape} for one "
                         "image")
    call = jax.jit(lambda _, images: function(images))
    return Embedding(getattr(function, "__name__", type(function).__name__), call, None, shape[1], min_side, None, {})


def embedding_available(name: str) -> bool:
    """Says whether `embedding(name)` would find its weights.

    Args:
      name: one of `EMBEDDINGS`.

    Returns:
      True if it needs none or they are installed.
    """
    if name == "efficientnet_lite0":
        return efficientnet.weights_available()
    return name == "steerable" or weights.weights_available(name)


def steerable_statistics(images: ArrayLike) -> jax.Array:
    """Computes how much of each scale and orientation an image has, without a network.

    Args:
      images: [batch, height, width, 3], in [0, 1].

    Returns:
      [batch, 81]: per channel the mean and standard deviation of the magnitude of each band of the complex steerable
      pyramid (3 scales, 4 orientations), the standard deviation of the high-pass and the mean and standard deviation
      of the low-pass residual.
    """
    images = image_batch(images, channels=3)
    pyramid = steerable_pyramid.steerable_pyramid(images, num_scales=3, num_orientations=4)
    result = [jnp.std(pyramid.highpass, axis=(1, 2)), *_mean_and_deviation(pyramid.lowpass)]
    for band in pyramid.bands:
        magnitude = steerable_pyramid.magnitude(band)
        result += [part.reshape(images.shape[0], -1) for part in _mean_and_deviation(magnitude)]
    return jnp.concatenate(result, axis=1)


def _mean_and_deviation(maps: jax.Array) -> tuple[jax.Array, jax.Array]:
    return jnp.mean(maps, axis=(1, 2)), jnp.std(maps, axis=(1, 2))


def _steerable() -> Embedding:
    call = jax.jit(lambda _, images: steerable_statistics(images))
    options = {"vector": "means and deviations of bands, 3 scales, 4 orientations"}
    return Embedding("steerable", call, None, 81, 8, None, options)


def _network(name, features, tap, dimension, least):
    def build() -> Embedding:
        params = weights.load_params(name)
        call = jax.jit(lambda params, images: jnp.mean(features(params, images, taps=(tap,))[tap], axis=(1, 2)))
        return Embedding(name, call, params, dimension, least, parameters_digest(params), {"vector": f"mean of {tap}"})

    return build


def _efficientnet() -> Embedding:
    params = efficientnet.load_params()
    options = {"vector": "mean of the last map, after the head"}
    call = jax.jit(efficientnet.pooled_features)
    return Embedding("efficientnet_lite0", call, params, 1280, 32, parameters_digest(params), options)


EMBEDDINGS: dict[str, Callable[[], Embedding]] = {
    "steerable": _steerable,
    "alexnet": _network("alexnet", alexnet.features, "relu5", 256, 31),
    "vgg16": _network("vgg16", vgg.features, "relu5_3", 512, 16),
    "efficientnet_lite0": _efficientnet,
}
