"""The bands of ColorVideoVDP: contrast on a display, in units of what is just seen."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from rdr.arguments import image_batch
from rdr.vision.cvvdp_model import threshold_bands
from rdr.vision.display import Display, get_display, show
from rdr.vision.pyramid import band_frequencies


def features(params: Any, images: ArrayLike, *, display: str | Display) -> dict[str, jax.Array]:
    """Returns the bands that ColorVideoVDP compares as feature maps.

    The light of the display in opponent channels a (light and dark, red and green, violet and yellow), its Laplacian
    pyramid x_k - up(x_{k+1}), over the luminance that the eye has adapted to there (contrast), times the sensitivity
    at that luminance and the band's frequency, times the channel's weight. A Gabor patch at its threshold has an
    amplitude of about 1. Masking, which takes both images, is left out: windows of Wasserstein distortion pool in its
    place.

    Args:
      params: not used (None); there so that all feature maps are called alike.
      images: [batch, height, width, 3 or 1], coded as the display takes them, at least 2 pixels each way.
      display: a display, or the name of one.

    Returns:
      {"band_0": finest map, .., "base": coarsest map}, [batch, rows, columns, 3] each, sides halved and rounded up.

    Raises:
      ValueError: if there is no such display, or images are no batch of images, too small, or hold values that cannot
        be shown.

    Reference: mantiuk2024colorvideovdp; its contrast times its sensitivity, of one image.
    """
    del params
    display = get_display(display)
    images = image_batch(images, unit_range=display.transfer != "linear")
    planes = jnp.moveaxis(show(images, display._replace(name=""), space="dkl"), -1, -3)
    *bands, base = (jnp.moveaxis(band, -3, -1) for band in threshold_bands(planes, display.pixels_per_degree))
    return {f"band_{k}": band for k, band in enumerate(bands)} | {"base": base}


def frequencies(height: int, width: int, display: str | Display) -> dict[str, float]:
    """Says which spatial frequencies the maps have.

    Args:
      height: of the image, pixels.
      width: of the image, pixels.
      display: a display, or the name of one.

    Returns:
      Map -> cycles per degree of the band's peak.

    Raises:
      ValueError: if there is no such display, or the image is too small.
    """
    *peaks, base = band_frequencies(height, width, get_display(display).pixels_per_degree)
    return {f"band_{k}": float(peak) for k, peak in enumerate(peaks)} | {"base": float(base)}
