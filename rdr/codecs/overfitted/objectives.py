"""Objectives: distortions that a fit may minimize beside the rate."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr.features import alexnet, steerable_pyramid, vdp, vgg, weights
from rdr.features.multiscale import multiscale
from rdr.gradients import lower_bound
from rdr.losses import lpips, ssim, wasserstein_distortion
from rdr.losses.wasserstein_distortion.acuity import sigma_from_acuity
from rdr.losses.wasserstein_distortion.sigma import (
    DEGREES,
    in_pixels,
    intrinsic_sigma,
    sigma_from_eccentricity,
    sigma_from_saliency,
)
from rdr.vision import cvvdp_model
from rdr.vision.display import Display, get_display, show
from rdr.vision.foveation import as_point, band_gains
from rdr.vision.pyramid import band_frequencies

OBJECTIVES = ("mse", "ms_ssim", "wd", "wd_mse", "lpips", "jod")
FEATURES = ("pixels", "steerable", "alexnet", "vgg16", "vdp")
SCALES = {"alexnet": 1}  # its first maps see far, and more maps take long to compile; others have three resolutions
TYPICAL_BITS_PER_PIXEL = 0.2
# Bits per pixel for one unit of distortion, for about half a bit per pixel on photographs.
RD_LAMBDAS = {"mse": 0.01, "ms_ssim": 50.0, "wd": 1.0, "wd_mse": 1.0, "lpips": 3.0, "jod": 0.02}
# [batch, height, width, channels] in [0, 1] -> name -> [batch, rows, columns, channels]
FeatureMaps = Callable[[jax.Array], dict[str, jax.Array]]
PIXELS_PER_DEGREE = 40.0
FOVEATED = ("eccentricity", "acuity")  # sigma by the distance from a fixated point
SQUARED_ERROR_WEIGHT = 10.0  # in "wd_mse", of values in [0, 1]
SQUARED_ERROR_WEIGHT_OF_JOD = 0.2  # of squared 8-bit levels; with .05 hues of short files drift
# Of bands in units of what is just seen, for the usual lambda: crops of Kodak after JPEG at .64 bits per pixel have a
# Wasserstein distortion (sigma = 4) of .173 then, and of .174 on AlexNet.
VDP_SCALE = 1 / 16


class Objective(NamedTuple):
    """A distortion, in two parts.

    Attributes:
      name: of `OBJECTIVES`.
      params: of networks; handed to both functions, so that compiled programs do not hold them.
      prepare: `prepare(params, image [1, height, width, channels], sigma) -> target`, what the distance needs of the
        original.
      distance: `distance(params, target, image [1, height, width, channels]) -> [1]`.
      needs_sigma: whether `prepare` reads sigma.
    """

    name: str
    params: Any
    prepare: Callable[[Any, jax.Array, Any], Any]
    distance: Callable[[Any, Any, jax.Array], jax.Array]
    needs_sigma: bool = False


def feature_maps(
    name: str | FeatureMaps, scales: int, display: str | Display | None = None
) -> tuple[Any, Callable[[Any, jax.Array], dict[str, jax.Array]]]:
    """Builds the feature maps that Wasserstein distortion compares.

    Args:
      name: "pixels", "steerable" (pixels and a steerable pyramid), "alexnet" or "vgg16" (pixels and the network's), or
        "vdp" (ColorVideoVDP's bands on a display, `rdr.features.vdp`, over 16); or a function from images [batch,
        height, width, channels] in [0, 1] to named maps.
      scales: number of resolutions, except of pyramids and of a function.
      display: of "vdp", a display or the name of one.

    Returns:
      A network's parameters, or None, and a function from these and images [batch, height, width, channels] to named
      maps.

    Raises:
      ValueError: if there are no such features, or no such display for "vdp".
      FileNotFoundError: if a network's weights are not installed.
    """
    if callable(name):
        return None, lambda _, images: name(images)
    if name not in FEATURES:
        raise ValueError(f"features must be one of {', '.join(map(repr, FEATURES))}, got {name!r}")

    if name == "vdp":
        screen = _coded_display(display)
        return None, lambda _, images: {key: np.float32(VDP_SCALE) * band for key, band in vdp.features(
            None, _within_range(images), display=screen).items()}

    def normalized(images):
        return (images - 0.449) / 0.226

    if name == "pixels":
        return None, lambda _, images: multiscale(lambda x: {"pixels": normalized(x)}, images, num_scales=scales)
    if name == "steerable":

        def pyramid(_, images):
            bands = steerable_pyramid.features(None, normalized(images), parts=("real", "magnitude"))
            return {"pixels": normalized(images), **bands}

        return None, pyramid
    call, taps = {"alexnet": (alexnet.features, ("relu1", "relu2")),
                  "vgg16": (vgg.features, vgg.LAST_OF_EACH_BLOCK)}[name]

    def network(params, images):
        images = jnp.repeat(images, 3, -1) if images.shape[-1] == 1 else images
        maps = multiscale(lambda x: call(params, x, taps=taps, pooling="average", reverse_only=True), images,
                          num_scales=scales)
        return {"pixels": normalized(images), **maps}

    return weights.load_params(name), network


@functools.lru_cache(maxsize=16)
def objective(name: str, *, features: str | FeatureMaps = "alexnet", scales: int | None = None,
              squared_error_weight: float = SQUARED_ERROR_WEIGHT, display: str | Display | None = None,
              fixation: tuple[float, float] | None = None) -> Objective:
    """Looks up an objective.

    * "mse": squared error in squared 8-bit levels, averaged over pixels and channels.
    * "ms_ssim": 1 - MS-SSIM.
    * "wd": Wasserstein distortion between feature maps.
    * "wd_mse": that plus `squared_error_weight` times the squared error of values in [0, 1].
    * "lpips": LPIPS v0.1 with AlexNet; gray images as gray RGB.
    * "jod": ColorVideoVDP's inner quality Q on a display, of which 10 - JOD = 0.044 Q^0.93, plus 0.2 times "mse". Q
      grows as about the square of small differences, so that it trades against the rate as a squared error does; it
      does not see a factor of all light, and hardly the hue of large areas, which squared error holds.

    Args:
      name: of `OBJECTIVES`.
      features: of "wd", see `feature_maps`.
      scales: of "wd", number of resolutions; default 1 for "alexnet" and 3 for others; a function has its own.
      squared_error_weight: of "wd_mse".
      display: of "jod" and of the features "vdp", a display or the name of one; its transfer function is that of the
        images.
      fixation: of "jod", row and column in pixels of the one point that the eye rests on; None: it goes everywhere.

    Returns:
      The objective; the same object for the same arguments.

    Raises:
      ValueError: if there is no such objective, no such display for what needs one, or no such point for "jod".
      FileNotFoundError: if weights are not installed.
    """
    if name == "mse":
        return Objective(name, None, lambda _, image, sigma: image,
                         lambda _, target, image: jnp.square(target - image).mean((1, 2, 3)) * np.float32(255.0**2))
    if name == "ms_ssim":
        return Objective(name, None, lambda _, image, sigma: image,
                         lambda _, target, image: ssim.ms_ssim_loss(image, target))
    if name == "lpips":
        def color(image):
            return jnp.repeat(image, 3, -1) if image.shape[-1] == 1 else image

        return Objective(name, lpips.load_params("alexnet"), lambda _, image, sigma: image,
                         lambda params, target, image: lpips.lpips(params, color(image), color(target)))
    if name == "jod":
        return _jod(_coded_display(display), as_point(fixation))
    if name not in OBJECTIVES:
        raise ValueError(f"objective must be one of {', '.join(map(repr, OBJECTIVES))}, got {name!r}")
    params, maps = feature_maps(features, scales or (3 if callable(features) else SCALES.get(features, 3)), display)
    error = squared_error_weight if name == "wd_mse" else 0.0

    def prepare(params, image, sigma):
        return image, wasserstein_distortion.prepare(maps(params, image), sigma, image_shape=image.shape[1:3])

    def distance(params, target, image):
        image_itself, statistics = target
        value = wasserstein_distortion.distance(statistics, maps(params, image))
        return value + error * jnp.square(image_itself - image).mean((1, 2, 3)) if error else value

    return Objective(name, params, prepare, distance, needs_sigma=True)


def _coded_display(display: str | Display | None) -> Display:
    display = get_display(display or "")
    if display.transfer == "linear":
        raise ValueError(f"display {display.name!r} takes cd/m^2, and fitted images are coded in [0, 1]: take one of "
                         "another transfer function (linear light is fitted as PQ)")
    return display


def _within_range(image: jax.Array) -> jax.Array:
    """Values in [0, 1], whose gradients bring those beyond back."""
    return -lower_bound(-lower_bound(image, jnp.float32(0.0)), jnp.float32(-1.0))


def _jod(display: Display, fixation: tuple[float, float] | None) -> Objective:
    """ColorVideoVDP's inner quality; gradients bring values beyond [0, 1] back."""
    def planes(image):
        return jnp.moveaxis(show(image, display, space="dkl"), -1, -3)

    def distance(weight, target, image):
        reference, light = target
        image = _within_range(image)
        gains = None if fixation is None else band_gains(*image.shape[1:3], display.pixels_per_degree, fixation)
        bands = cvvdp_model.pool_bands(planes(image), light, display.pixels_per_degree, gains)
        error = jnp.square(reference - image).mean((1, 2, 3)) * np.float32(255.0**2)
        return cvvdp_model.inner_quality(bands, is_video=False) + weight * error

    def prepare(_, image, sigma):
        _, height, width, _ = image.shape
        band_frequencies(height, width, display.pixels_per_degree)  # refuses what is too small before a fit begins
        return image, planes(image)

    return Objective("jod", np.float32(SQUARED_ERROR_WEIGHT_OF_JOD), prepare, distance)


@functools.lru_cache(maxsize=16)
def objective_from_loss(loss: Callable[[jax.Array, jax.Array], jax.Array]) -> Objective:
    """Makes an objective of any loss of images.

    Args:
      loss: `loss(images, reference) -> [batch]`, both float32 [batch, height, width, channels] in about [0, 1];
        differentiable in the first.

    Returns:
      The objective; the same object for the same loss.
    """
    return Objective(getattr(loss, "__name__", type(loss).__name__), None, lambda _, image, sigma: image,
                     lambda _, target, image: loss(image, target))


def sigma_map(sigma: float | str | ArrayLike, image: jax.Array, *, saliency: ArrayLike | None = None,
              fixation: tuple[float, float] | None = None, pixels_per_degree: float = PIXELS_PER_DEGREE) -> Any:
    """Where Wasserstein distortion asks for fidelity, and where for realism.

    Args:
      sigma: window width in pixels (0 is fidelity, inf the image's statistics only), the same everywhere or a map
        [height, width]; degrees of visual angle as text, "0.1deg"; or "eccentricity" (it grows with the distance from
        a fixated point), "acuity" (what the eye cannot resolve there anyway), "saliency" (it falls with a map), or
        "intrinsic" (as wide as the local texture needs).
      image: [1, height, width, channels] in [0, 1].
      saliency: non-negative [height, width], for "saliency".
      fixation: row and column of the fixated point, for "eccentricity" and "acuity"; default the middle.
      pixels_per_degree: pixels per degree of visual angle, for these and for degrees.

    Returns:
      A number, or float32 [height, width] or [1, height, width].

    Raises:
      ValueError: if sigma is neither, or a map is missing.
    """
    _, height, width, _ = image.shape
    if not isinstance(sigma, str):
        if np.shape(sigma) not in ((), (height, width)):
            raise ValueError(f"sigma must be a number or a map of {height} x {width} pixels, got {np.shape(sigma)}")
        if not np.min(sigma) >= 0:
            raise ValueError(f"sigma must be >= 0, got {np.min(sigma)}")
        return jnp.asarray(sigma, jnp.float32) if np.ndim(sigma) else float(np.asarray(sigma))
    if sigma in FOVEATED:
        middle = ((height - 1) / 2, (width - 1) / 2)
        call = sigma_from_eccentricity if sigma == "eccentricity" else sigma_from_acuity
        return call((height, width), fixation or middle, pixels_per_degree=pixels_per_degree)
    if sigma.endswith(DEGREES):
        return in_pixels(sigma, pixels_per_degree=pixels_per_degree)
    if sigma == "intrinsic":
        # Infinite windows, where statistics change up to the whole image, are held to an eighth of its longer side.
        return jnp.minimum(intrinsic_sigma(image.mean(-1, keepdims=True)), max(height, width) / 8)
    if sigma == "saliency":
        if saliency is None or np.shape(saliency) != (height, width):
            got = "none" if saliency is None else f"shape {np.shape(saliency)}"
            raise ValueError(f"saliency must be a map of {height} x {width} pixels, got {got}")
        return sigma_from_saliency(jnp.asarray(saliency, jnp.float32)[None], minimum=0.1)
    raise ValueError("sigma must be a number, of degrees as in '0.1deg', 'eccentricity', 'acuity', 'saliency' or "
                     f"'intrinsic', got {sigma!r}")


def is_of_angle(sigma: Any) -> bool:
    """Tells whether windows depend on how large a pixel is seen.

    Args:
      sigma: see `sigma_map`.

    Returns:
      Whether it is "eccentricity", "acuity" or in degrees.
    """
    return isinstance(sigma, str) and (sigma in FOVEATED or sigma.endswith(DEGREES))
