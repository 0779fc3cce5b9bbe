"""The look-up of what an encoder needs that sees its source through noise."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from theory.bounds.bound import Bound, plain
from theory.bounds.lookup import DISTORTIONS, PERCEPTIONS
from theory.bounds.sources import Source
from theory.gaussian import remote, vector
from theory.numerics.checks import check_choice, check_domain

KNOWN = (
    ("gaussian", "squared_error", "none"), ("gaussian", "squared_error", "w2sq"), ("gaussian", "squared_error", "kl"),
    ("gaussian_vector", "squared_error", "none"),
)


def remote_bounds_of(
    source: Source, *, noise_variance: ArrayLike, distortion: str = "squared_error", perception: str = "none"
) -> tuple[Bound, ...]:
    """Looks up the least rate of an encoder that sees the source with independent Gaussian noise on it.

    Distortion and perception are those of the source, not of what is seen: no rate gives less than the error of the
    best estimate.

    Args:
      source: one of `theory.bounds.sources`; known are "gaussian" and, without a perception measure, "gaussian_vector".
      noise_variance: >= 0; of a vector one number, or one for each component, [n].
      distortion: "squared_error", summed over components.
      perception: "none", "w2sq" (W2 squared) or "kl" (KL(reconstruction || source), bits), with unlimited common
        randomness.

    Returns:
      The bounds, exact ones first; inf at distortions that no rate reaches.

    Raises:
      ValueError: if a word is unknown, nothing is known of this combination, or the noise variance does not fit.

    Reference: docs/derivations/remote_sources.md.
    """
    if not isinstance(source, Source):
        raise ValueError(f"source must be made by one of theory.bounds.sources, got {source!r}")
    check_choice("distortion", distortion, DISTORTIONS)
    check_choice("perception", perception, PERCEPTIONS)
    if (source.name, distortion, perception) not in KNOWN:
        raise ValueError(f"nothing is known of source {source.name!r} seen through noise with distortion "
                         f"{distortion!r} and perception {perception!r}; known are (source, distortion, perception): "
                         + ", ".join(str(known) for known in KNOWN))
    check_domain("noise_variance", noise_variance, minimum=0.0, finite=True)
    noise = np.asarray(noise_variance, np.float64)
    if noise.ndim and (source.name == "gaussian" or noise.shape != (source.dimension,)):
        raise ValueError(f"noise_variance must be one number, or one for each component of a vector, got shape "
                         f"{noise.shape} for {source.dimension} components")
    if source.name == "gaussian_vector":
        variances = source.parameters["eigenvalues"]
        explained = variances / (variances + noise)
        least = float(np.sum(noise * explained))

        def estimated(d):
            check_domain("distortion", d, minimum=0.0)
            return vector.rate_distortion(jnp.maximum(jnp.asarray(d) - least, 0.0), explained * variances)

        return (Bound("reverse water-filling of the estimate", "exact", plain(estimated),
                      f"noise leaves an error of {least:g}", "docs/derivations/remote_sources.md"),)
    variance = source.parameters["variance"]
    least = variance * float(noise) / (variance + float(noise))
    where = f"noise leaves an error of {least:g}"
    if perception == "none":
        return (Bound("rate-distortion function of a source seen through noise", "exact",
                      plain(remote.remote_rate_distortion, variance, noise), where,
                      "theory.gaussian.remote.remote_rate_distortion"),)
    return (Bound("rate-distortion-perception function of a source seen through noise", "exact",
                  lambda d, p: remote.remote_rate_distortion_perception(d, p, variance, noise, divergence=perception),
                  f"{where}; unlimited common randomness; exact with nothing shared, too, if realism is asked of "
                  "single samples only", "theory.gaussian.remote.remote_rate_distortion_perception"),)
