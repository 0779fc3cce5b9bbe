"""Models of seeing: displays, absolute luminance and color, and metrics in units of just-objectionable differences.

Images become light by a `Display`: `get_display("standard_4k")` finds one, `display_names()` lists them, `show`
computes what it shows.
"""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "CastleParameters": "castle_csf_parameters",
    "Display": "display",
    "Mechanisms": "castle_csf",
    "castle_csf": "castle_csf",
    "castle_parameters": "castle_csf_parameters",
    "colorspace": "colorspace",
    "cvvdp": "cvvdp",
    "cvvdp_map": "cvvdp",
    "cvvdp_video": "cvvdp",
    "cvvdp_video_map": "cvvdp",
    "display": "display",
    "display_names": "display",
    "dkl_directions": "castle_csf",
    "get_display": "display",
    "make_display": "display",
    "mechanism_contrasts": "castle_csf",
    "mechanism_sensitivities": "castle_csf",
    "on_pu21": "pu21",
    "pu21": "pu21",
    "pu21_decode": "pu21",
    "pu21_encode": "pu21",
    "show": "display",
    "transfer": "transfer",
})
