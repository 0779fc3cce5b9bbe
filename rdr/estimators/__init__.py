"""Upper bounds on rates that are trained on samples of a source, and measured on other samples of it."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "Estimate": "estimate",
    "GaussianMixture": "gaussian_mixture",
    "Generator": "neural_generator",
    "LatentModel": "latent_variable",
    "Particles": "wasserstein_descent",
    "codec_bound": "latent_variable",
    "evaluate_generator": "neural_generator",
    "evaluate_latent_model": "latent_variable",
    "evaluate_mixture": "gaussian_mixture",
    "evaluate_particles": "wasserstein_descent",
    "fit_generator": "neural_generator",
    "fit_latent_model": "latent_variable",
    "fit_mixture": "gaussian_mixture",
    "fit_particles": "wasserstein_descent",
    "generator": "neural_generator",
    "importance_bound": "importance",
    "importance_weighted": "neural_generator",
    "mean_estimate": "estimate",
    "mixture": "gaussian_mixture",
    "particles": "wasserstein_descent",
    "perception_of_groups": "perception",
    "realism_particles": "realism",
    "sample_vectors": "samples",
    "universal_decoders": "realism",
    "variational": "latent_variable",
})
