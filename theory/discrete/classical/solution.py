"""Result of the solver of R(D)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from theory.discrete.common import tilting


class RateDistortion(NamedTuple):
    """A point of a rate-distortion function and its certificate.

    With s = `slope`, nu = `multiplier` and D the distortion (the one asked for, if one was), `rate_lower` is
    sum_x p nu - s D - max_y log2 sum_x p(x) 2^(nu(x) - s d(x, y)), or 0 if that is less: it can be checked without
    trusting the solver. It is rounded outwards. At slope inf only pairs at the minimum of their row are left, and s d
    counts as 0 there; at slope 0 so do s D and s d, also where D or d is infinite.

    Attributes:
      rate: I(X; Y) of `channel`, bits; scalar.
      rate_lower: no channel with mean distortion at most `distortion` has a smaller rate, bits; scalar.
        `rate - rate_lower` is the certified gap, up to the rounding of the two sums (about 1e-14).
      distortion: E[d(X, Y)] of `channel`; at most the distortion asked for (up to 8 units of rounding where that is
        the smallest reachable one); scalar.
      slope: -dR/dD, bits per unit of distortion; scalar (inf at the smallest reachable distortion).
      channel: W(y|x), [n, m].
      output_pmf: distribution of Y, [m].
      multiplier: nu(x), bits, [n].
      iterations: Newton steps or updates made; scalar integer.
      converged: whether the certified gap is at most the tolerance; scalar bool.
      pmf: of the source, normalized, [n].
      noise_dispersion: of remote sources, what the noise of the observation adds to `dispersion`, bits squared; scalar.
    """

    rate: jax.Array
    rate_lower: jax.Array
    distortion: jax.Array
    slope: jax.Array
    channel: jax.Array
    output_pmf: jax.Array
    multiplier: jax.Array
    iterations: jax.Array
    converged: jax.Array
    pmf: jax.Array
    noise_dispersion: jax.Array | float = 0.0

    @property
    def gap(self) -> jax.Array:
        """`rate - rate_lower`, bits: how far from the optimum the channel is at most."""
        return self.rate - self.rate_lower

    @property
    def certified(self) -> jax.Array:
        """Whether the channel was verified, whatever its gap: both bounds hold."""
        return jnp.isfinite(self.rate)

    @property
    def tilted_information(self) -> jax.Array:
        """d-tilted information of the source's letters, bits, [n]: nu less a constant, so that its mean is `rate`.

        Off by at most about sqrt(2 gap / ln 2) in root mean square; letters of probability 0 have values, too.
        """
        return tilting.tilted_information(self.pmf, self.multiplier, self.rate)

    @property
    def dispersion(self) -> jax.Array:
        """Variance of `tilted_information`, and of the noise of a remote source, bits squared.

        Blocks of n letters need about R + sqrt(V / n) Q^-1(eps). Where R(D) has a kink at D, which a single slope does
        not show, V belongs to one side of it.
        """
        return tilting.dispersion(self.pmf, self.multiplier, self.rate) + self.noise_dispersion
