"""Every bound known for a source, looked up by the source.

    from theory.bounds import bounds_of, interval, sources

    interval(bounds_of(sources.laplace()), 0.1)   # what is proved of the least rate at squared error 0.1
"""

from theory._lazy import attach

_CHANNELS = ("CHANNELS", "SimulationBound", "simulation_bounds_of")
_BOUND = ("KINDS", "SHARED", "Bound", "Interval", "certified", "interval")
_LOOKUP = ("DISTORTIONS", "PERCEPTIONS", "bounds_of")

__getattr__, __dir__, __all__ = attach(__name__, {
    **{name: "bound" for name in _BOUND}, **{name: "channels" for name in _CHANNELS},
    **{name: "lookup" for name in _LOOKUP}, "block_bounds_of": "blocks", "dispersion_of": "blocks",
    "remote_bounds_of": "remote", "sequential_bounds_of": "sequential",
    "side_information_bounds_of": "side_information", "wasserstein_bounds_of": "wasserstein",
    "Source": "sources", "densities": "densities", "sources": "sources",
})
