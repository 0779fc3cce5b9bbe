"""Rates of finite alphabets with side information, at both ends or at the decoder alone, each between two bounds."""

from theory._lazy import make_dir
from theory.discrete.side_information.bracket import WynerZivBracket, wyner_ziv_bracket
from theory.discrete.side_information.conditional import (
    conditional_rate_distortion,
    conditional_rate_distortion_perception,
)
from theory.discrete.side_information.solver import SideInformationRate
from theory.discrete.side_information.wyner_ziv import (
    wyner_ziv_rate_distortion,
    wyner_ziv_rate_distortion_perception,
)

__all__ = [
    "SideInformationRate",
    "WynerZivBracket",
    "conditional_rate_distortion",
    "conditional_rate_distortion_perception",
    "wyner_ziv_bracket",
    "wyner_ziv_rate_distortion",
    "wyner_ziv_rate_distortion_perception",
]
__dir__ = make_dir(__name__, __all__)
