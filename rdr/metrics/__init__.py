"""Metrics of fidelity, realism and rate, each with its protocol and its uncertainty.

Full-reference metrics take two batches of images and return one number per image; `get("ssim")` finds one by name,
`names()` lists them, `register` adds another. Distances between sets take feature vectors, in float64, and return a
value with its standard error; rate tools take curves.
"""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "Display": "contrast_sensitivity",
    "Metric": "full_reference",
    "Protocol": "protocol",
    "bd_metric": "bjontegaard",
    "bd_rate": "bjontegaard",
    "bjontegaard": "bjontegaard",
    "bootstrap": "bootstrap",
    "bootstrap_interval": "bootstrap",
    "contrast_sensitivity": "contrast_sensitivity",
    "convex_hull": "convex_hull",
    "embedding": "embeddings",
    "embeddings": "embeddings",
    "extrapolated_frechet_distance": "frechet",
    "fitted_agreement": "rank_correlation",
    "frechet": "frechet",
    "frechet_distance": "frechet",
    "full_reference": "full_reference",
    "gaussian_frechet": "frechet",
    "get": "registry",
    "image_psnr": "psnr",
    "kendall": "rank_correlation",
    "kernel_distance": "kernel_distance",
    "logistic_fit": "logistic_fit",
    "mad_competition": "maximum_differentiation",
    "maximum_differentiation": "maximum_differentiation",
    "moments": "moments",
    "names": "registry",
    "neighbor_statistics": "prdc",
    "niqe": "niqe",
    "patches": "patches",
    "prdc": "prdc",
    "protocol": "protocol",
    "psnr": "psnr",
    "psnr_of_mean": "psnr",
    "pyramid_sliced": "pyramid_sliced",
    "rank_correlation": "rank_correlation",
    "register": "registry",
    "set_distances": "set_distances",
    "spearman": "rank_correlation",
    "split_patches": "patches",
    "unregister": "registry",
})
