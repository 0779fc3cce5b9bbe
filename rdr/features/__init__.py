"""Fixed feature maps that losses and metrics read.

Each module has one call, `features(params, images) -> {name: map}`, on NHWC images in [0, 1], sRGB. The
networks (`vgg`, `alexnet`) need trained weights, which `weights.load_params` reads from an installed package
or a local file; everything else here works without them. `get("vgg16")` is a function of images alone, ready to call,
and `names()` lists those. `register` adds another.
"""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "alexnet": "alexnet",
    "color": "color",
    "efficientnet": "efficientnet",
    "get": "registry",
    "laplacian_pyramid": "laplacian_pyramid",
    "multiscale": "multiscale",
    "names": "registry",
    "register": "registry",
    "steerable_pyramid": "steerable_pyramid",
    "unregister": "registry",
    "vdp": "vdp",
    "vgg": "vgg",
    "weights": "weights",
})
