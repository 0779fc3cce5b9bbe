"""Wasserstein distortion: from fidelity (sigma = 0) to realism (sigma = infinity), per pixel."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "MapStatistics": "loss",
    "Statistics": "loss",
    "distance": "loss",
    "prepare": "loss",
    "sigma": "sigma",
    "wasserstein_distortion": "loss",
})
