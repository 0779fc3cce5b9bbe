"""Every bound known for a source, looked up by the source."""

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
    "DISTORTIONS",
    "KINDS",
    "PERCEPTIONS",
    "SHARED",
    "Bound",
    "Interval",
    "Source",
    "bounds_of",
    "certified",
    "interval",
]
