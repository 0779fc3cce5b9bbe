"""Certified rate-distortion(-perception) functions of finite alphabets: every answer has two sides."""

from theory._lazy import make_dir
from theory.discrete.classical import RateDistortion, rate_distortion
from theory.discrete.curves import (
    DistortionRate,
    distortion_rate,
    rate_distortion_curve,
    rate_distortion_perception_surface,
)
from theory.discrete.fixed_encoder import BestDecoder, best_decoder
from theory.discrete.limited_common_randomness import (
    LimitedCommonRandomness,
    estimation_bound,
    limited_common_randomness,
)
from theory.discrete.perception import rate_distortion_perception
from theory.discrete.perception.divergences import Divergence
from theory.discrete.perception.power_divergence import (
    PowerDivergence,
    alpha_divergence,
    power_from_renyi,
    renyi_from_power,
)
from theory.discrete.perception.solver import RateDistortionPerception
from theory.discrete.remote import (
    DenoisingGain,
    denoising_gain,
    reduced_distortion,
    remote_rate_distortion,
    remote_rate_distortion_perception,
)
from theory.discrete.side_information import (
    SideInformationRate,
    WynerZivBracket,
    conditional_rate_distortion,
    conditional_rate_distortion_perception,
    wyner_ziv_bracket,
    wyner_ziv_rate_distortion,
    wyner_ziv_rate_distortion_perception,
)
from theory.discrete.successive_refinement import Refinability, RefinementPoint, refinability, refinement_point
from theory.discrete.universality import UniversalRate, universal_rate

__all__ = [
    "BestDecoder",
    "DenoisingGain",
    "DistortionRate",
    "Divergence",
    "LimitedCommonRandomness",
    "PowerDivergence",
    "RateDistortion",
    "RateDistortionPerception",
    "Refinability",
    "RefinementPoint",
    "SideInformationRate",
    "UniversalRate",
    "WynerZivBracket",
    "alpha_divergence",
    "best_decoder",
    "conditional_rate_distortion",
    "conditional_rate_distortion_perception",
    "denoising_gain",
    "distortion_rate",
    "estimation_bound",
    "limited_common_randomness",
    "power_from_renyi",
    "rate_distortion",
    "rate_distortion_curve",
    "rate_distortion_perception",
    "rate_distortion_perception_surface",
    "reduced_distortion",
    "refinability",
    "refinement_point",
    "remote_rate_distortion",
    "remote_rate_distortion_perception",
    "renyi_from_power",
    "universal_rate",
    "wyner_ziv_bracket",
    "wyner_ziv_rate_distortion",
    "wyner_ziv_rate_distortion_perception",
]
__dir__ = make_dir(__name__, __all__)
