"""Fixed feature maps that losses and metrics read.

Each module has one call, `features(params, images) -> {
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
    "vgg": "vgg",
    "weights": "weights",
})
