"""Protocols of numbers: what a value was computed of and how."""

from typing import Any, NamedTuple

import jax
import numpy as np

from rdr.features.weights import content_digest


class Protocol(NamedTuple):
    """Everything that a metric's value depends on besides the images.

    Attributes:
      metric: name of the metric.
      input: what the images are turned into before they are compared.
      network: feature network, or None.
      weights_sha256: SHA-256 of all of its parameters as float32 (`parameters_digest`), or None.
      resizing: how images are resized before ("none" unless said).
      patch_size: side of the patches in pixels; None for whole images.
      num_samples: vectors compared on each side, for distances between sets; None for metrics of one image.
      options: all other settings by name.
    """

    metric: str
    input: str = "sRGB, 8 bits, in [0, 1]"
    network: str | None = None
    weights_sha256: str | None = None
    resizing: str = "none"
    patch_size: int | None = None
    num_samples: int | None = None
    options: dict[str, Any] | None = None

    def tag(self) -> dict[str, Any]:
        """The protocol as a dict for JSON."""
        return self._asdict() | {"options": dict(self.options or {})}


def parameters_digest(params: Any) -> str:
    """Computes the SHA-256 of all arrays of a pytree, in its order, as little-endian float32.

    Args:
      params: a pytree of arrays.

    Returns:
      64 hexadecimal digits.
    """
    return content_digest([np.asarray(leaf) for leaf in jax.tree.leaves(params)])
