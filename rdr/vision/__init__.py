"""Models of seeing: what a display shows and what an eye can tell apart."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "CastleParameters": "castle_csf_parameters",
    "Mechanisms": "castle_csf",
    "castle_csf": "castle_csf",
    "castle_parameters": "castle_csf_parameters",
    "dkl_directions": "castle_csf",
    "mechanism_sensitivities": "castle_csf",
    "on_pu21": "pu21",
    "pu21": "pu21",
    "pu21_decode": "pu21",
    "pu21_encode": "pu21",
})
