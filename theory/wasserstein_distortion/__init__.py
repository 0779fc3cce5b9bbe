"""The rate of Wasserstein distortion: tiles, sliding windows and the fovea.

Functions named `..._bounds` return a certified bracket and `..._rate` a certified lower bound on the rate of any code;
what is true only in a limit is named `asymptotic_...` and is no bound at any finite sigma.
"""

from theory.wasserstein_distortion.converse import (
    converse_rate,
    feature_matrix,
    mean_matrix,
    pooled_eigenvalues,
)
from theory.wasserstein_distortion.fields import (
    FieldPoint,
    gaussian_window_energy,
    gaussian_window_log_power,
    power_law_field_rate,
    power_law_water_filling,
    white_field_rate,
    white_field_water_filling,
)
from theory.wasserstein_distortion.foveation import (
    OctavePoint,
    bits_per_octave,
    mellin_gains,
    octave_water_filling,
)
from theory.wasserstein_distortion.local_foveation import (
    asymptotic_bits_per_octave,
    asymptotic_flat_fovea_bits,
    asymptotic_foveated_bits,
    asymptotic_map_point,
    asymptotic_power_law_bits_per_octave,
    asymptotic_power_law_foveated_bits,
)
from theory.wasserstein_distortion.order_statistics import (
    exact_tile_rate_bounds,
    order_statistic_covariance,
    order_statistic_means,
    order_statistic_zero_rate_distortion,
    unordered_rate_saving,
)
from theory.wasserstein_distortion.pyramid import (
    PyramidLevel,
    axis_windows,
    gaussian_windows,
    pyramid_eigenvalues,
    pyramid_field_rate,
    pyramid_field_water_filling,
    pyramid_levels,
    pyramid_mean_matrix,
)
from theory.wasserstein_distortion.tiles import (
    TileMoments,
    realistic_tile_rate_bounds,
    sliding_box_rate,
    tile_moments,
    tile_rate_bounds,
    tile_zero_rate_distortion,
)
from theory.wasserstein_distortion.two_field import (
    asymptotic_field_rate,
    asymptotic_white_field_rate,
    asymptotic_white_field_water_filling,
    second_order_spectrum,
)
from theory.wasserstein_distortion.zero_rate import (
    LocalMoments,
    local_moments,
    pyramid_zero_rate_distortion,
    zero_rate_distortion,
)

__all__ = [
    "FieldPoint",
    "LocalMoments",
    "OctavePoint",
    "PyramidLevel",
    "TileMoments",
    "asymptotic_bits_per_octave",
    "asymptotic_field_rate",
    "asymptotic_flat_fovea_bits",
    "asymptotic_foveated_bits",
    "asymptotic_map_point",
    "asymptotic_power_law_bits_per_octave",
    "asymptotic_power_law_foveated_bits",
    "asymptotic_white_field_rate",
    "asymptotic_white_field_water_filling",
    "axis_windows",
    "bits_per_octave",
    "converse_rate",
    "exact_tile_rate_bounds",
    "feature_matrix",
    "gaussian_window_energy",
    "gaussian_window_log_power",
    "gaussian_windows",
    "local_moments",
    "mean_matrix",
    "mellin_gains",
    "octave_water_filling",
    "order_statistic_covariance",
    "order_statistic_means",
    "order_statistic_zero_rate_distortion",
    "pooled_eigenvalues",
    "power_law_field_rate",
    "power_law_water_filling",
    "pyramid_eigenvalues",
    "pyramid_field_rate",
    "pyramid_field_water_filling",
    "pyramid_levels",
    "pyramid_mean_matrix",
    "pyramid_zero_rate_distortion",
    "realistic_tile_rate_bounds",
    "second_order_spectrum",
    "sliding_box_rate",
    "tile_moments",
    "tile_rate_bounds",
    "tile_zero_rate_distortion",
    "unordered_rate_saving",
    "white_field_rate",
    "white_field_water_filling",
    "zero_rate_distortion",
]
