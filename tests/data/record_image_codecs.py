"""Records what CompressAI makes of seeded weights and an image; the test makes the same weights without PyTorch.

    python -m venv peers && peers/bin/pip install torch==2.13.0
    peers/bin/pip install --no-deps compressai==1.2.8 && peers/bin/pip install einops pybind11 scipy pandas requests ...
    peers/bin/python tests/data/record_image_codecs.py > tests/data/image_codecs.json

CompressAI's FactorizedPrior, ScaleHyperprior and MeanScaleHyperprior in evaluation mode, N = 8, M = 12, medians 0.
CompressAI imports torchvision, of which these models use nothing; where its build did not match PyTorch's, an empty
module stood in for it.
"""

import json
import sys

import numpy as np

CHANNELS, LATENTS, SIDE = 8, 12, 128
MODELS = ("bmshj2018-factorized", "bmshj2018-hyperprior", "mbt2018-mean")


def image():
    """[1, 128, 128, 3] float32 in [0, 1]: waves and noise."""
    rng = np.random.default_rng(11)
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    waves = np.stack([0.5 + 0.3 * np.sin(9.0 * rows + 5.0 * columns * k) for k in (1, 2, 3)], axis=-1)
    return np.clip(waves + 0.1 * rng.standard_normal(waves.shape), 0.0, 1.0).astype(np.float32)[None]


def weights(name):
    """Parameters by our names, float32, all of them away from their initial values."""
    rng = np.random.default_rng(MODELS.index(name) + 21)
    n, m = CHANNELS, LATENTS

    def convolution(size, fan_in, fan_out, gain=1.0):
        scale = gain / np.sqrt(size * size * fan_in)
        return {"kernel": (scale * rng.standard_normal((size, size, fan_in, fan_out))).astype(np.float32),
                "bias": (0.1 * rng.standard_normal(fan_out)).astype(np.float32)}

    def gdn(channels):
        return {"root_beta": (1.0 + 0.2 * rng.random(channels)).astype(np.float32),
                "root_gamma": (0.3 * np.eye(channels) + 0.1 * rng.random((channels, channels))).astype(np.float32)}

    def prior(channels):
        widths, parts = (1, 3, 3, 3, 3, 1), {}
        for k, (fan_in, fan_out) in enumerate(zip(widths[:-1], widths[1:])):
            parts[f"matrix_{k}"] = rng.normal(-1.2, 0.3, (channels, fan_out, fan_in)).astype(np.float32)
            parts[f"bias_{k}"] = rng.uniform(-0.5, 0.5, (channels, fan_out)).astype(np.float32)
            if k < 4:
                parts[f"factor_{k}"] = (0.3 * rng.standard_normal((channels, fan_out))).astype(np.float32)
        return parts

    analysis = {f"GDN_{i}": gdn(n) for i in range(3)}
    synthesis = {f"GDN_{i}": gdn(n) for i in range(3)}
    for i, (fan_in, fan_out) in enumerate(((3, n), (n, n), (n, n), (n, m))):
        analysis[f"Convolution_{i}"] = convolution(5, fan_in, fan_out, gain=2.0)
    for i, (fan_in, fan_out) in enumerate(((m, n), (n, n), (n, n), (n, 3))):
        synthesis[f"Convolution_{i}"] = convolution(5, fan_in, fan_out)
    model = {"prior": prior(m if name == MODELS[0] else n)}
    if name != MODELS[0]:
        wide = (m, m * 3 // 2, 2 * m) if name == MODELS[2] else (n, n, m)
        model["analysis"] = {"Convolution_0": convolution(3, m, n, gain=2.0),
                             "Convolution_1": convolution(5, n, n, gain=2.0),
                             "Convolution_2": convolution(5, n, n, gain=2.0)}
        model["synthesis"] = {"Convolution_0": convolution(5, n, wide[0], gain=2.0),
                              "Convolution_1": convolution(5, wide[0], wide[1], gain=2.0),
                              "Convolution_2": convolution(3, wide[1], wide[2])}
        model["synthesis"]["Convolution_2"]["bias"][:m] += 8.0  # scales
    return {"analysis": analysis, "synthesis": synthesis, "model": model}


def load(net, params):
    """Puts our parameters into a CompressAI model, by its own names."""
    import torch

    state = net.state_dict()

    def put(key, value):
        assert tuple(state[key].shape) == value.shape, (key, state[key].shape, value.shape)
        state[key] = torch.from_numpy(np.ascontiguousarray(value))

    def convolutions(prefix, places, tree, transposed):
        for i, place in enumerate(places):
            layer = tree[f"Convolution_{i}"]
            order = (2, 3, 0, 1) if i in transposed else (3, 2, 0, 1)
            put(f"{prefix}.{place}.weight", layer["kernel"].transpose(order))
            put(f"{prefix}.{place}.bias", layer["bias"])

    for prefix, tree, transposed in (("g_a", params["analysis"], ()), ("g_s", params["synthesis"], (0, 1, 2, 3))):
        convolutions(prefix, (0, 2, 4, 6), tree, transposed)
        for i, place in enumerate((1, 3, 5)):
            put(f"{prefix}.{place}.beta", tree[f"GDN_{i}"]["root_beta"])
            put(f"{prefix}.{place}.gamma", tree[f"GDN_{i}"]["root_gamma"])
    model = params["model"]
    if "analysis" in model:
        convolutions("h_a", (0, 2, 4), model["analysis"], ())
        convolutions("h_s", (0, 2, 4), model["synthesis"], (0, 1))
    for name, value in model["prior"].items():
        kind, k = name.split("_")
        put(next(key for key in state if key.startswith("entropy_bottleneck.") and key.replace("matrices", "matrix")
                 .replace("biases", "bias").replace("factors", "factor").replace(".", "").replace("_", "")
                 == f"entropybottleneck{kind}{k}"), value if kind == "matrix" else value[..., None])
    state["entropy_bottleneck.quantiles"][:] = 0.0
    net.load_state_dict(state)


def main():
    import compressai
    import torch
    from compressai import models

    classes = dict(zip(MODELS, (models.FactorizedPrior, models.ScaleHyperprior, models.MeanScaleHyperprior)))
    values = {}
    for name in MODELS:
        net = classes[name](CHANNELS, LATENTS).eval()
        load(net, weights(name))
        full = classes[name](128, 192)
        trained = {key: value.numel() for key, value in full.named_parameters() if not key.endswith("quantiles")}
        with torch.no_grad():
            x = torch.from_numpy(image().transpose(0, 3, 1, 2).copy())
            y = net.g_a(x)
            out = net(x)
        # Below 1e-9 CompressAI's likelihoods are cut off.
        least = {key: float(value.min()) for key, value in out["likelihoods"].items()}
        assert min(least.values()) > 2e-9, (name, least)
        bits = {key: float(-torch.log2(value).sum()) for key, value in out["likelihoods"].items()}
        values[name] = {
            "parameters_128_192": sum(trained.values()), "bits": sum(bits.values()),
            "latents": y[0, :, 3, 5].tolist(), "reconstruction": out["x_hat"][0, :, 40:44, 77].T.tolist(),
            "reconstruction_mean": float(out["x_hat"].mean()),
        }
    about = {"compressai": compressai.__version__, "torch": torch.__version__, "channels": CHANNELS, "latents": LATENTS}
    json.dump({"about": about, "values": values}, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
