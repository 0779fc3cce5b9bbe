"""Exact channel simulation: what it costs to let a decoder draw a sample of a channel."""

from theory.channel_simulation.divergence import channel_simulation_divergence, functional_information
from theory.channel_simulation.gaussian import (
    gaussian_functional_information,
    high_rate_excess,
    low_rate_constant,
    rejection_sampled_lattice_excess,
)
from theory.channel_simulation.layered_dither import (
    gaussian_noise,
    laplace_functional_information,
    laplace_noise,
    layered_dither_rate,
    student_t_noise,
    uniform_functional_information,
    uniform_noise,
)
from theory.channel_simulation.one_shot_bounds import (
    SCHEMES,
    entropy_lower_bound,
    entropy_upper_bound,
    greedy_rejection_upper_bound,
    prefix_code_upper_bound,
    ring_toss_upper_bound,
)

__all__ = [
    "SCHEMES",
    "channel_simulation_divergence",
    "entropy_lower_bound",
    "entropy_upper_bound",
    "functional_information",
    "gaussian_functional_information",
    "gaussian_noise",
    "greedy_rejection_upper_bound",
    "high_rate_excess",
    "laplace_functional_information",
    "laplace_noise",
    "layered_dither_rate",
    "low_rate_constant",
    "prefix_code_upper_bound",
    "rejection_sampled_lattice_excess",
    "ring_toss_upper_bound",
    "student_t_noise",
    "uniform_functional_information",
    "uniform_noise",
]
