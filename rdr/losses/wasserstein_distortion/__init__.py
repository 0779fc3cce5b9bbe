"""Wasserstein distortion: from fidelity (sigma = 0) to realism (sigma = infinity), per pixel."""

from rdr.losses.wasserstein_distortion.loss import (
    MapStatistics,
    Statistics,
    distance,
    prepare,
    wasserstein_distortion,
)

__all__ = ["MapStatistics", "Statistics", "distance", "prepare", "wasserstein_distortion"]
