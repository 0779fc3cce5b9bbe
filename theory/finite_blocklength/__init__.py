"""Finite blocks: dispersion, normal approximation, exact converse and achievability bounds, realism in one shot."""

from theory._lazy import attach

_EXPORTS = {
    "BlockRates": "counting",
    "RealismRates": "realism",
    "bernoulli_bounds": "hamming",
    "bernoulli_dispersion": "dispersion",
    "bernoulli_tilted_information": "dispersion",
    "discrete_realism_rates": "realism",
    "erased_coin_bounds": "erased_coin",
    "erased_coin_dispersion": "dispersion",
    "erased_coin_rate_distortion": "dispersion",
    "erased_coin_tilted_information": "dispersion",
    "gaussian_bounds": "gaussian",
    "gaussian_dispersion": "dispersion",
    "gaussian_realism_rates": "realism",
    "gaussian_tilted_information": "dispersion",
    "gaussian_vector_dispersion": "dispersion",
    "normal_approximation": "dispersion",
    "simulation_rates": "realism",
    "uniform_bounds": "hamming",
    "uniform_dispersion": "dispersion",
}

__getattr__, __dir__, __all__ = attach(__name__, _EXPORTS)
