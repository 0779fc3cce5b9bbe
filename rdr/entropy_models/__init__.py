"""Entropy models: densities, the probabilities of their bins, and integer tables that a coder can use."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "CausalBlock": "autoregressive",
    "DeepFactorized": "deep_factorized",
    "FourierDensity": "fourier",
    "LatticePrior": "lattice",
    "MixtureDensity": "mixture",
    "TrellisPrior": "trellis",
    "block_tables": "autoregressive",
    "cdf_interval_bits": "deep_factorized",
    "density_tables": "mixture",
    "fourier_interval_bits": "fourier",
    "integer_network": "integer_network",
    "interval_bits": "location_scale",
    "lattice_coder": "lattice_coder",
    "lattice_prior": "lattice",
    "location_scale_tables": "scale_table",
    "mixture_bits": "location_scale",
    "scale_table": "scale_table",
    "trellis_coder": "trellis_coder",
    "trellis_prior": "trellis",
})
