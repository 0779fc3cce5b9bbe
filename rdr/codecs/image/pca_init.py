"""Initialization of an image codec's transforms: the principal components of 2 x 2 blocks, four times over.

Random kernels need tens of thousands of steps before an image comes out of them. The same architecture can begin as a
linear transform codec instead: each strided convolution of the analysis takes the principal components of its input's
2 x 2 blocks, as far as it has channels, and each doubling of the synthesis puts them together again. GDN and its
inverse nearly cancel for the small signals in between. A little of the random kernels stays, for what is to be
learned.

Reference: Gersho and Gray (gersho1992vector), section 8.6: the optimal linear transform of a Gaussian is that of the
principal components.
"""

import math
from typing import Any

import jax
import numpy as np

LAYERS = 4


def step_gain(weight: float) -> float:
    """The gain at which steps of size 1 are those of least R + weight 255^2 MSE, were rates high.

    A latent's coefficient in an orthonormal transform of a block of 16 x 16 is 16 times the latent. Its squared error D
    counts weight 255^2 D / 768 against bits / 256, whose slope is -1 / (2 ln 2 D). With D a twelfth of the squared
    step, the step is sqrt(18 / (ln 2 weight)) / 255.

    Args:
      weight: lambda.

    Returns:
      The gain.
    """
    return 16.0 * 255.0 * math.sqrt(math.log(2.0) * weight / 18.0)


def principal_start(params: Any, images: np.ndarray, *, weights: tuple[float, float], noise: float = 0.1) -> Any:
    """Puts principal components into the transforms of fresh parameters, and steps for the loss into its gains.

    Args:
      params: of an image codec, from its `init`; the latents' model stays as it is.
      images: uint8 [images, height, width, 3], sides multiples of 16, what components are computed of.
      weights: lambda of the first and the last level; without levels, the first.
      noise: how much of the random kernels stays.

    Returns:
      Parameters of the same structure, numpy float32.

    Raises:
      ValueError: if `images` has another shape or dtype.
    """
    images = np.asarray(images)
    sides = images.shape[1:3]
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] != 3 or any(side % 16 for side in sides):
        raise ValueError("images must be uint8 [images, height, width, 3] with sides that are multiples of 16, got "
                         f"{images.dtype}{list(images.shape)}")
    params = jax.tree.map(lambda leaf: np.array(leaf, np.float32), params)
    analysis, synthesis = params["analysis"], params["synthesis"]
    x = images.astype(np.float64) / 255.0 - 0.5
    for i in range(LAYERS):
        forward = analysis[f"Convolution_{i}"]
        backward = synthesis[f"Convolution_{LAYERS - 1 - i}"]
        blocks = _blocks(x)
        components = _components(blocks, forward["kernel"].shape[-1])
        wide, narrow = x.shape[-1], components.shape[-1]
        square = components.reshape(2, 2, wide, narrow)
        # A constant keeps its value through an analysis and through a synthesis.
        forward["kernel"] *= noise
        forward["kernel"][2:4, 2:4, :wide, :narrow] += 0.5 * square
        backward["kernel"] *= noise
        backward["kernel"][2:4, 2:4, :narrow, :wide] += 2.0 * square.transpose(0, 1, 3, 2)
        if i == 0:
            forward["bias"] -= 0.5 * forward["kernel"].sum((0, 1, 2))
            backward["bias"] += 0.5
        x = 0.5 * (blocks @ components)
        if i < LAYERS - 1:
            x = x / np.sqrt(1.0 + 0.1 * x * x)  # GDN as it starts
    low, high = (math.log(step_gain(weight)) for weight in weights)
    if "gains" in params:
        table = params["gains"]["log_gain"]
        table[:] = np.linspace(low, high, len(table), dtype=np.float32)[:, None]
        params["gains"]["log_inverse"] = -table
    else:
        analysis[f"Convolution_{LAYERS - 1}"]["kernel"] *= math.exp(low)
        synthesis["Convolution_0"]["kernel"] *= math.exp(-low)
    return params


def _blocks(x: np.ndarray) -> np.ndarray:
    """[n, height, width, channels] to [n, height / 2, width / 2, 4 channels]."""
    count, height, width, channels = x.shape
    x = x.reshape(count, height // 2, 2, width // 2, 2, channels).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(count, height // 2, width // 2, 4 * channels)


def _components(blocks: np.ndarray, most: int) -> np.ndarray:
    """Orthonormal columns, by falling power; the largest entry of each is positive, so that machines agree."""
    flat = blocks.reshape(-1, blocks.shape[-1])
    _, vectors = np.linalg.eigh(flat.T @ flat)
    vectors = vectors[:, ::-1][:, :most]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], 0)
    return vectors * np.sign(largest)
