"""The decoder's networks in floating point, as they are trained; `exact_inference` is the same in whole numbers."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from rdr.codecs.overfitted.architecture import CONTEXT, PARENTS, TAPS, Architecture, shapes
from rdr.codecs.overfitted.convolution import convolve
from rdr.randomness import normal

MIN_LOG2_SCALE, MAX_LOG2_SCALE = -6.0, 6.0
# Interpolation from samples at -7/4, -3/4, 1/4, 5/4: cubic, a = -1/2.
CUBIC = (-0.0703125, 0.8671875, 0.2265625, -0.0234375)


def initial_weights(arch: Architecture, key: jax.Array) -> dict[str, jax.Array]:
    """Draws weights to start from.

    Args:
      arch: sizes of the decoder.
      key: of the draw.

    Returns:
      float32 weights by name.
    """
    weights = {}
    for index, (name, shape) in enumerate(shapes(arch).items()):
        draw = normal(jax.random.fold_in(key, index), shape)
        if name == "upsampling":
            weights[name] = jnp.tile(jnp.asarray([CUBIC[::-1]], jnp.float32), (shape[0], 1))
        elif name.endswith("bias") or name in ("entropy_out", "refine_out", "entropy_skip"):
            weights[name] = jnp.zeros(shape, jnp.float32)
        else:
            weights[name] = draw * (1.0 / shape[-1]) ** 0.5
    weights["pixel_in"] = weights["pixel_in"] * 0.1
    # Latents are brightness to start with.
    weights["pixel_skip"] = 0.05 + 0.01 * weights["pixel_skip"]
    weights["pixel_out_bias"] = jnp.full((arch.channels,), 0.5, jnp.float32)
    return weights


def _upsample_axis(x: jax.Array, taps: jax.Array, size: int, axis: int) -> jax.Array:
    """Twice as many samples along an axis of [maps, rows, columns]: one convolution makes both phases."""
    n = x.shape[axis]
    first, last = jax.lax.slice_in_dim(x, 0, 1, axis=axis), jax.lax.slice_in_dim(x, n - 1, n, axis=axis)
    x = jnp.concatenate([first] * (TAPS // 2) + [x] + [last] * (TAPS // 2), axis)
    kernel = jnp.stack([jnp.pad(taps, (0, 1)), jnp.pad(taps[::-1], (1, 0))])
    kernel = kernel[:, None, :, None] if axis == 1 else kernel[:, None, None, :]
    both = jax.lax.conv_general_dilated(x[:, None], kernel, (1, 1), "VALID", precision=jax.lax.Precision.HIGHEST)
    both = jnp.moveaxis(both, 1, axis + 1).reshape(*x.shape[:axis], 2 * n, *x.shape[axis + 1:])
    return jax.lax.slice_in_dim(both, 0, size, axis=axis)


def upsample(weights: Mapping[str, jax.Array], latents: Sequence[jax.Array],
             noise: Sequence[jax.Array] = ()) -> jax.Array:
    """Brings all latents to full size.

    Args:
      weights: by name.
      latents: [rows, columns] each, finest first.
      noise: the same for the finest resolutions, or nothing.

    Returns:
      [latents + noises, height, width]; latents first, finest first.
    """
    up = latents[-1][None]
    noisy = noise[-1][None] if len(noise) == len(latents) else None
    for level in reversed(range(len(latents) - 1)):
        rows, columns = latents[level].shape
        both = up if noisy is None else jnp.concatenate([up, noisy])
        taps = weights["upsampling"][level]
        both = _upsample_axis(_upsample_axis(both, taps, rows, 1), taps, columns, 2)
        count = up.shape[0]
        up = jnp.concatenate([latents[level][None], both[:count]])
        if level < len(noise):
            noisy = noise[level][None] if noisy is None else jnp.concatenate([noise[level][None], both[count:]])
    return up if noisy is None else jnp.concatenate([up, noisy])


def _matmul(a: jax.Array, b: jax.Array) -> jax.Array:
    return jax.lax.dot_general(a, b, (((1,), (0,)), ((), ())), precision=jax.lax.Precision.HIGHEST)


def synthesize(weights: Mapping[str, jax.Array], latents: Sequence[jax.Array],
               noise: Sequence[jax.Array] = ()) -> jax.Array:
    """Makes the image, not yet clipped or rounded.

    Args:
      weights: by name.
      latents: [rows, columns] each, finest first.
      noise: the same for the finest resolutions, or nothing.

    Returns:
      [channels, height, width], about in [0, 1].
    """
    height, width = latents[0].shape
    x = upsample(weights, latents, noise).reshape(-1, height * width)
    hidden = jax.nn.relu(_matmul(weights["pixel_in"], x) + weights["pixel_in_bias"][:, None])
    x = _matmul(weights["pixel_out"], hidden) + _matmul(weights["pixel_skip"], x) + weights["pixel_out_bias"][:, None]
    x = x.reshape(-1, height, width)
    y = jax.nn.relu(convolve(weights["refine_in"], x, False) + weights["refine_in_bias"][:, None, None])
    return x + convolve(weights["refine_out"], y, True) + weights["refine_out_bias"][:, None, None]


def context(latent: jax.Array, parent: jax.Array | None) -> jax.Array:
    """What the distribution of each number of a latent depends on.

    Args:
      latent: [rows, columns].
      parent: the next coarser latent, or None at the coarsest one.

    Returns:
      [inputs, rows * columns]; zero where a neighbor lies outside.
    """
    rows, columns = latent.shape
    top, side = (max(abs(offset[axis]) for offset in CONTEXT) for axis in (0, 1))
    padded = jnp.pad(latent, ((top, 0), (side, side)))
    parts = [padded[top + i:top + i + rows, side + j:side + j + columns] for i, j in CONTEXT]
    if parent is None:
        parts += [jnp.zeros_like(latent)] * len(PARENTS)
    else:
        padded = jnp.pad(parent, 1)
        near = jnp.stack([padded[1 + i:1 + i + parent.shape[0], 1 + j:1 + j + parent.shape[1]] for i, j in PARENTS])
        near = jnp.broadcast_to(near[:, :, None, :, None], (len(PARENTS), near.shape[1], 2, near.shape[2], 2))
        near = near.reshape(len(PARENTS), 2 * parent.shape[0], 2 * parent.shape[1])[:, :rows, :columns]
        parts += list(near)
    return jnp.stack(parts).reshape(-1, rows * columns)


def predict(weights: Mapping[str, jax.Array], inputs: jax.Array, bias: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The entropy network: location and scale of each number.

    Args:
      weights: by name.
      inputs: from `context`.
      bias: of the first layer, [hidden, n] or [hidden, 1]: that of each number's latent.

    Returns:
      Location [n], and the binary logarithm of the Laplace scale [n].
    """
    x = jax.nn.relu(_matmul(weights["entropy_in"], inputs) + bias)
    x = jax.nn.relu(_matmul(weights["entropy_hidden"], x) + weights["entropy_hidden_bias"][:, None])
    out = _matmul(weights["entropy_out"], x) + _matmul(weights["entropy_skip"], inputs)
    out = out + weights["entropy_out_bias"][:, None]
    return out[0], jnp.clip(out[1], MIN_LOG2_SCALE, MAX_LOG2_SCALE)


def laplace_bits(distance: jax.Array, log2_scale: jax.Array) -> jax.Array:
    """Bits of a whole number under a Laplace distribution, integrated over the unit interval around it.

    Args:
      distance: from the distribution's middle, any shape.
      log2_scale: binary logarithm of its scale b, same shape.

    Returns:
      float32 bits, same shape.
    """
    inverse = jnp.exp2(-log2_scale)
    d = jnp.abs(distance)
    half = 0.5 * inverse
    # Outside: log(exp(-d/b) sinh(1/(2b))); inside: log(1 - exp(-1/(2b)) cosh(d/b)).
    outside = -d * inverse + half + jnp.log(-0.5 * jnp.expm1(-2.0 * half))
    near = jnp.minimum(d, 0.5)
    inner = 0.5 * (jnp.exp((near - 0.5) * inverse) + jnp.exp((-near - 0.5) * inverse))
    inside = jnp.log1p(-jnp.minimum(inner, 1.0 - 1e-6))
    return jnp.where(d >= 0.5, outside, inside) * np.float32(-1.0 / np.log(2.0))


def bits(weights: Mapping[str, jax.Array], latents: Sequence[jax.Array]) -> jax.Array:
    """Bits of all latents.

    The finest latent, which has three quarters of all numbers, goes through the network by itself, all others in one: a
    program of two networks compiles faster than one of seven.

    Args:
      weights: by name.
      latents: [rows, columns] each, finest first.

    Returns:
      float32 [latents], bits of each.
    """
    result = []
    for group in (range(1), range(1, len(latents))):
        if not group:
            continue
        inputs, biases, starts = [], [], [0]
        for level in group:
            inputs.append(context(latents[level], latents[level + 1] if level + 1 < len(latents) else None))
            biases.append(jnp.broadcast_to(weights["entropy_in_bias"][level][:, None],
                                           (weights["entropy_in_bias"].shape[1], latents[level].size)))
            starts.append(starts[-1] + latents[level].size)
        location, log2_scale = predict(weights, jnp.concatenate(inputs, 1), jnp.concatenate(biases, 1))
        numbers = jnp.concatenate([latents[level].reshape(-1) for level in group])
        each = laplace_bits(numbers - location, log2_scale)
        result += [each[first:last].sum() for first, last in zip(starts, starts[1:])]
    return jnp.stack(result)
