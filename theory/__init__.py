"""Bounds on rate, distortion and realism, as pure functions of numbers.

Importing this package switches JAX to 64-bit: every bound is a float64 number, in bits unless its
name says otherwise.
"""

import jax

# A local `jax.enable_x64` around a call would give float32 gradients outside of it, so the whole
# process is switched; `rdr` states its dtypes and is unaffected.
jax.config.update("jax_enable_x64", True)
