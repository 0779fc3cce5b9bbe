"""Experiments with images: codecs on photographs and textures, metrics, metamers; each module is a command."""

__all__ = [
    "bitstream_cache",
    "distortions",
    "eigendistortions",
    "foveated_glance",
    "image_realism",
    "image_realism_figures",
    "perceptual_ranking",
    "perceptual_scoring",
    "pretrained_init",
    "rd_sweep",
    "restoration",
    "restoration_gaussian",
    "restoration_measures",
    "restoration_photographs",
    "restoration_training",
    "texture_compression",
    "texture_metamers",
    "wasserstein_rate_textures",
]
