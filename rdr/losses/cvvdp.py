"""ColorVideoVDP as a loss: just-objectionable differences that an image has lost on a display."""

from __future__ import annotations

import jax
from jax.typing import ArrayLike

from rdr.arguments import image_pair
from rdr.vision.cvvdp import cvvdp as quality_of
from rdr.vision.cvvdp_model import lost_jod
from rdr.vision.display import Display, get_display


def cvvdp(images: ArrayLike, reference: ArrayLike, *, display: str | Display, inner: bool = False,
          fixation: tuple[float, float] | None = None) -> jax.Array:
    """Computes how much worse images look than their references on a display.

    10 - JOD, or the quantity Q that it is a power of, 10 - JOD = 0.044 Q^0.93 (for Q above 0.1): Q grows as about the
    square of small differences, as a squared error does, and more slowly where they are large. It does not see a factor
    of all light: add a little squared error where nothing else holds brightness.

    Args:
      images: [batch, height, width, 3 or 1], in [0, 1], coded as the display takes them; cd/m^2 for a linear display.
      reference: the same shape.
      display: a display, or the name of one (`rdr.vision.display_names()`).
      inner: whether Q is returned.
      fixation: row and column in pixels of the one point that the eye rests on; see `rdr.vision.cvvdp`.

    Returns:
      [batch], 0 for equal images; float32, or float64 if an argument is.

    Raises:
      ValueError: if there is no such display, shapes differ, the fixation is no point, or values cannot be shown.

    Reference: mantiuk2024colorvideovdp; see `rdr.vision.cvvdp`.
    """
    display = get_display(display)
    images, reference = image_pair(images, reference, unit_range=display.transfer != "linear")
    quality = quality_of(images, reference, display=display, fixation=fixation).inner
    return quality if inner else lost_jod(quality)
