"""Exact channel simulation: what it costs to let a decoder draw a sample of a channel."""

from theory._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "SCHEMES": "one_shot_bounds",
    "block_constant": "diffusion_steps",
    "channel_simulation_divergence": "divergence",
    "entropy_lower_bound": "one_shot_bounds",
    "entropy_upper_bound": "one_shot_bounds",
    "functional_information": "divergence",
    "gaussian_functional_information": "gaussian",
    "gaussian_noise": "layered_dither",
    "greedy_rejection_upper_bound": "one_shot_bounds",
    "high_rate_excess": "gaussian",
    "laplace_functional_information": "layered_dither",
    "laplace_noise": "layered_dither",
    "layered_dither_rate": "layered_dither",
    "low_rate_constant": "gaussian",
    "prefix_code_upper_bound": "one_shot_bounds",
    "rejection_sampled_lattice_excess": "gaussian",
    "ring_toss_upper_bound": "one_shot_bounds",
    "student_t_noise": "layered_dither",
    "uniform_functional_information": "layered_dither",
    "uniform_noise": "layered_dither",
    "uniform_noise_constant": "diffusion_steps",
    "uniform_noise_rate": "diffusion_steps",
})
