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
]
