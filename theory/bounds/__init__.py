"""Every bound known for a source, looked up by the source."""

from theory.bounds.channels import CHANNELS, SimulationBound, simulation_bounds_of
from theory.bounds.lookup import (
    DISTORTIONS,
    KINDS,
    PERCEPTIONS,
    SHARED,
    Bound,
    Interval,
    bounds_of,
    certified,
    interval,
)
from theory.bounds.sources import Source
from theory.bounds.wasserstein import wasserstein_bounds_of

__all__ = [
    "CHANNELS",
    "DISTORTIONS",
    "KINDS",
    "PERCEPTIONS",
    "SHARED",
    "Bound",
    "Interval",
    "SimulationBound",
    "Source",
    "bounds_of",
    "certified",
    "interval",
    "simulation_bounds_of",
    "wasserstein_bounds_of",
]
