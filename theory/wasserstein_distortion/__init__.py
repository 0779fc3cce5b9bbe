"""The rate of Wasserstein distortion: tiles, sliding windows and the fovea.

Functions named `..._bounds` return a certified bracket and `..._rate` a certified lower bound on the rate of any code;
what is true only in a limit is named `asymptotic_...` and is no bound at any finite sigma.
"""

from theory.wasserstein_distortion.fields import (
    FieldPoint,
    gaussian_window_energy,
    gaussian_window_log_power,
    power_law_field_rate,
    power_law_water_filling,
    white_field_rate,
    white_field_water_filling,
)
from theory.wasserstein_distortion.foveation import OctavePoint, bits_per_octave, mellin_gains, octave_water_filling
from theory.wasserstein_distortion.tiles import (
    TileMoments,
    realistic_tile_rate_bounds,
    tile_moments,
    tile_rate_bounds,
    tile_zero_rate_distortion,
)

__all__ = [
    "FieldPoint",
    "OctavePoint",
    "TileMoments",
    "bits_per_octave",
    "gaussian_window_energy",
    "gaussian_window_log_power",
    "mellin_gains",
    "octave_water_filling",
    "power_law_field_rate",
    "power_law_water_filling",
    "realistic_tile_rate_bounds",
    "tile_moments",
    "tile_rate_bounds",
    "tile_zero_rate_distortion",
    "white_field_rate",
    "white_field_water_filling",
]
