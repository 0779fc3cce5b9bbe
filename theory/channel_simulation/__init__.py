"""The price of simulating a noisy channel with shared randomness."""

from theory.channel_simulation.one_shot_bounds import (
    entropy_lower_bound,
    entropy_upper_bound,
    prefix_code_upper_bound,
)

__all__ = ["entropy_lower_bound", "entropy_upper_bound", "prefix_code_upper_bound"]
