"""Losses: pure functions that take `[batch, ...]` and return `[batch]`, or compare two sets of samples.

`rdr.losses.lpips`, `rdr.losses.ssim` and so on are modules; `get("lpips")` is a function of images and reference, ready
to call, and `names()` lists those. `register` adds another.
"""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "absolute_error": "pointwise",
    "charbonnier": "pointwise",
    "ciede2000": "color_difference",
    "color_difference": "color_difference",
    "cvvdp": "cvvdp",
    "dists": "dists",
    "eigendistortions": "eigendistortions",
    "energy_distance": "mmd",
    "entropic_transport": "sinkhorn",
    "get": "registry",
    "lpips": "lpips",
    "mmd": "mmd",
    "mmd_squared": "mmd",
    "ms_ssim": "ssim",
    "ms_ssim_loss": "ssim",
    "names": "registry",
    "nlpd": "nlpd",
    "pointwise": "pointwise",
    "register": "registry",
    "sinkhorn": "sinkhorn",
    "sinkhorn_divergence": "sinkhorn",
    "sliced_w2_squared": "sliced_wasserstein",
    "sliced_wasserstein": "sliced_wasserstein",
    "sorted_w2_squared": "wasserstein_1d",
    "squared_error": "pointwise",
    "ssim": "ssim",
    "ssim_loss": "ssim",
    "texture_distance": "texture_statistics",
    "texture_statistics": "texture_statistics",
    "unregister": "registry",
    "wasserstein_1d": "wasserstein_1d",
    "wasserstein_distortion": "wasserstein_distortion",
})
