"""Goals of people, a quality or a degree of realism, as lambda, objective and windows."""

from typing import Any

from rdr.codecs.overfitted.objectives import RD_LAMBDAS

QUALITIES = (0.0, 100.0)
USUAL_QUALITY = 50.0  # has the objective's usual lambda
DOUBLING = 10.0  # so much more quality doubles lambda
REALISM_OBJECTIVE = "wd_mse"
REALISM_SIGMA = 8.0  # pixels, at realism 1
REALISM_NOISE_LEVELS = 5
REALISM_LAMBDA_EXPONENT = 0.5


def lambda_of_quality(quality: float, objective: str) -> float:
    """Turns a quality into lambda.

    lambda = usual lambda of the objective x 2^((quality - 50) / 10): for squared error from .0003 over .01 to .32.

    Args:
      quality: from 0, the shortest files, to 100, the longest.
      objective: its name.

    Returns:
      lambda, bits per pixel for one unit of the objective.

    Raises:
      ValueError: if the quality is out of range.
    """
    if not QUALITIES[0] <= quality <= QUALITIES[1]:
        raise ValueError(f"quality must be in [{QUALITIES[0]:g}, {QUALITIES[1]:g}], got {quality}")
    return RD_LAMBDAS.get(objective, 1.0) * 2.0 ** ((quality - USUAL_QUALITY) / DOUBLING)


def options_of_realism(realism: float) -> dict[str, Any]:
    """Turns a degree of realism into options of a fit.

    0 is squared error. Above, Wasserstein distortion plus squared error ("wd_mse") with windows of sigma =
    8 x realism pixels and shared noise on five resolutions; realism 0.5 is what the tables of realism were made with.

    Args:
      realism: from 0 to 1.

    Returns:
      Values of `Options` by name: objective, sigma and noise_levels.

    Raises:
      ValueError: if it is out of range.
    """
    if not 0.0 <= realism <= 1.0:
        raise ValueError(f"realism must be in [0, 1], got {realism}")
    if realism == 0:
        return {"objective": "mse"}
    return {"objective": REALISM_OBJECTIVE, "sigma": REALISM_SIGMA * realism, "noise_levels": REALISM_NOISE_LEVELS}


def lambda_of_realism(realism: float) -> float:
    """How lambda follows sigma, so that files of one quality have about one length.

    Args:
      realism: from 0 to 1.

    Returns:
      What the usual lambda is multiplied by: 1 at 0 and at 0.5, (2 realism)^0.5 elsewhere.

    Raises:
      ValueError: if it is out of range.
    """
    if not 0.0 <= realism <= 1.0:
        raise ValueError(f"realism must be in [0, 1], got {realism}")
    return (2.0 * realism) ** REALISM_LAMBDA_EXPONENT if realism else 1.0
