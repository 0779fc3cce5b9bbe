"""Images found by descending the Wasserstein distortion to another one, from coarse resolutions to fine ones."""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from rdr.features import alexnet, vgg, weights
from rdr.features.multiscale import half_resolution, multiscale
from rdr.losses.wasserstein_distortion import distance, prepare

_NOISE = 0.1  # deviation of what a descent starts from
_MORE_NOISE = 0.03  # of what is added where a resolution starts from the one before


def feature_maps(network: str, blocks: Sequence[int]) -> Callable[[jax.Array], dict[str, jax.Array]]:
    """Builds the map from images to what the distortion compares.

    Args:
      network: "vgg16" (average pooling, the last map of each block), "alexnet", or "pixels".
      blocks: of VGG-16, that are used at each resolution, from the finest; 0 for the first rectifier alone. Of others
        there are as many resolutions.

    Returns:
      A function from [batch, height, width, 1 or 3] to a dict of feature maps, the normalized image among them.

    Raises:
      ValueError: if there is no such network.
      FileNotFoundError: if its weights are not installed.
    """
    if network == "pixels":
        return lambda images: multiscale(lambda x: {"pixels": x}, images, num_scales=len(blocks))
    if network not in ("vgg16", "alexnet"):
        raise ValueError(f"features must be 'vgg16', 'alexnet' or 'pixels', got {network!r}")
    params = weights.load_params(network)

    def at_one_scale(images, count):
        images = jnp.repeat(images, 3, -1) if images.shape[-1] == 1 else images
        if network == "alexnet":
            return alexnet.features(params, images, taps=("relu1", "relu2"), pooling="average")
        taps = vgg.LAST_OF_EACH_BLOCK[:count] if count else ("relu1_1",)
        return vgg.features(params, images, taps=taps, pooling="average")

    def maps(images):
        found = {"pixels": (images - 0.449) / 0.226}
        for scale, count in enumerate(blocks):
            images = half_resolution(images) if scale else images
            found |= {f"1/{2**scale} {name}": one for name, one in at_one_scale(images, count).items()}
        return found

    return maps


def make_descent(
    features: Callable[[jax.Array], dict[str, jax.Array]], *, learning_rate: float
) -> Callable[[jax.Array, jax.Array, jax.Array, int], tuple[jax.Array, jax.Array]]:
    """Builds the optimizer; a compilation for each size serves every sigma.

    Args:
      features: see `feature_maps`.
      learning_rate: of Adam at the beginning, decayed to 0 by a cosine.

    Returns:
      A function of (image [1, n, n, channels], sigma map [n, n], start like the image, number of steps) that returns
      the optimized image, clipped to [0, 1], and the distortion before each step [steps].
    """
    optimizer = optax.scale_by_adam()
    measure = jax.jit(lambda photo, sigma: prepare(features(photo), sigma))

    @jax.jit
    def step(image, state, statistics, rate):
        value, gradient = jax.value_and_grad(lambda x: distance(statistics, features(x))[0])(image)
        update, state = optimizer.update(gradient, state)
        return jnp.clip(image - rate * update, 0, 1), state, value

    def descend(photo, sigma, start, steps):
        statistics, state, values = measure(photo, sigma), optimizer.init(start), []
        # Not a lax loop: inside of one, XLA's convolutions on CPU take several times as long.
        image = start
        for number in range(steps):
            rate = learning_rate / 2 * (1 + math.cos(math.pi * number / steps))
            image, state, value = step(image, state, statistics, rate)
            values.append(value)
        return image, jnp.stack(values)

    return descend


def noise_image(photo: np.ndarray, noise: jax.Array) -> jax.Array:
    """Makes noise of an image's mean color and a realistic spread.

    Args:
      photo: [1, n, n, channels].
      noise: [1, m, m, channels], standard normal.

    Returns:
      The shape of `noise`, in [0, 1].
    """
    return jnp.clip(photo.mean((0, 1, 2), keepdims=True) + _NOISE * noise, 0, 1)


def halved(image: np.ndarray) -> np.ndarray:
    """Halves the resolution by means over blocks of 2 x 2.

    Args:
      image: [height, width, ..], of even sides.

    Returns:
      [height / 2, width / 2, ..].
    """
    height, width, *others = image.shape
    return image.reshape(height // 2, 2, width // 2, 2, *others).mean((1, 3))


def descend_from_coarse(
    descend: Callable[[jax.Array, jax.Array, jax.Array, int], tuple[jax.Array, jax.Array]], photo: np.ndarray,
    sigma: np.ndarray, key: jax.Array, *, coarser: int, steps: int,
) -> tuple[jax.Array, jax.Array]:
    """Finds an image at coarse resolutions first, each of which starts the next one.

    Args:
      descend: from `make_descent`.
      photo: [1, n, n, channels], in [0, 1].
      sigma: [n, n], pixels.
      key: of the noise that it starts from, and of the less that is added at each finer resolution.
      coarser: how many coarser resolutions.
      steps: number of steps at the resolution of `photo`, twice as many at the next coarser one, where a step costs a
        quarter, and so on.

    Returns:
      The image [1, n, n, channels], and the distortion before each step at the resolution of `photo` [steps].
    """
    pairs = [(photo[0], sigma)]
    for _ in range(coarser):
        pairs.append((halved(pairs[-1][0]), halved(pairs[-1][1]) / 2))
    image, values = None, None
    for level, (target, widths) in reversed(list(enumerate(pairs))):
        noise = jax.random.normal(jax.random.fold_in(key, level), target.shape, jnp.float32)[None]
        if image is None:
            image = noise_image(photo, noise)
        else:
            image = jax.image.resize(image, noise.shape, "linear") + _MORE_NOISE * noise
        image, values = descend(target[None], widths, jnp.clip(image, 0, 1), steps * 2**level)
    return image, values
