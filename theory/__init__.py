"""Bounds on rate, distortion and realism, as pure functions of numbers.

Importing this package switches JAX to 64-bit: every bound is a float64 number, in bits unless its
name says otherwise. Subpackages are imported when they are used.
"""

import jax

from theory._lazy import attach

# A local `jax.enable_x64` around a call would give float32 gradients outside of it, so the whole
# process is switched; `rdr` states its dtypes and is unaffected.
jax.config.update("jax_enable_x64", True)

__version__ = "0.1.0"

_SUBPACKAGES = (
    "bounds", "channel_simulation", "closed_form", "continuous", "continuous_perception", "discrete", "estimation",
    "finite_blocklength", "gaussian", "numerics", "quantization", "sequential", "wasserstein_distortion",
)

__getattr__, __dir__, __all__ = attach(__name__, {name: name for name in _SUBPACKAGES})
