"""Studies with people: designs of experiments, their pages and servers, and the analysis of answers."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "design": "design",
    "site": "site",
    "stimuli": "stimuli",
})
