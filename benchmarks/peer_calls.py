"""What benchmarks.peers times in other projects' environments, and the loop in which both sides are called by turns.

    python benchmarks/peer_calls.py CASE THREADS

prints a line of JSON when it is ready, with version and value, and one for each line that it reads: CPU and wall
seconds of a call. It imports nothing of this project.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import time

import numpy as np

LEAST_SECONDS = 0.3  # of a turn, by as many calls as it takes


def serve(call, version):
    """Makes a call whenever a line is read; `call` returns a number, or None where there is nothing to compare."""
    value = call()
    print(json.dumps({"version": version, "value": None if value is None else float(value)}), flush=True)
    for _ in sys.stdin:
        count, wall, cpu = 0, time.perf_counter(), time.process_time()
        while count == 0 or time.process_time() - cpu < LEAST_SECONDS:
            call()
            count += 1
        spent = [(time.process_time() - cpu) / count, (time.perf_counter() - wall) / count]
        print(json.dumps(spent), flush=True)


def image_pair(side=256, batch=4):
    """Noise and more noise, float32 [batch, side, side, 3] each."""
    rng = np.random.default_rng(0)
    x = rng.random((batch, side, side, 3), np.float32)
    return x, np.clip(x + 0.1 * rng.standard_normal(x.shape), 0, 1).astype(np.float32)


def point_clouds(count=400, dimension=2):
    """Two samples of points, float32."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal((count, dimension)).astype(np.float32),
            (rng.standard_normal((count, dimension)) + 1).astype(np.float32))


def gaussian_features():
    """Means and covariances of two samples of 3,000 vectors of 512 numbers, float64."""
    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((512, 512)) / 512**0.5
    samples = [rng.standard_normal((3000, 512)) @ mixing, 1.1 * rng.standard_normal((3000, 512)) @ mixing + 0.1]
    return [(x.mean(0), np.cov(x, rowvar=False)) for x in samples]


def gaussian_symbols(count=64, largest=4.0, symbols=10**6):
    """Integers of Gaussians of several scales: symbols, which scale each has, the scales, and how far they reach."""
    rng = np.random.default_rng(0)
    reach, sigma = int(8 * largest) + 2, np.geomspace(0.11, largest, count)
    ids = rng.integers(0, count, symbols)
    x = np.clip(np.round(rng.standard_normal(symbols) * sigma[ids]), -reach, reach).astype(np.int32)
    return x, ids, sigma, reach


def source(letters):
    """A pmf and a matrix of distances."""
    rng = np.random.default_rng(1)
    return rng.dirichlet(np.ones(letters)), rng.random((letters, letters))


def _version(*packages):
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)


def _torch_gradient(function, package, **options):
    """Value and gradient of a loss of two images."""
    import torch

    x, y = (torch.from_numpy(image.transpose(0, 3, 1, 2).copy()) for image in image_pair(**options))

    def call():
        z = x.clone().requires_grad_()
        value = function(z, y)
        value.backward()
        return value.detach().item()

    return call, _version(package, "torch")


def _pytorch_msssim(name):
    import pytorch_msssim

    return _torch_gradient(lambda x, y: getattr(pytorch_msssim, name)(x, y, data_range=1.0), "pytorch-msssim")


def _piq(name):
    import piq

    options = {"downsample": False} if name == "ssim" else {}
    return _torch_gradient(lambda x, y: getattr(piq, name)(x, y, data_range=1.0, **options), "piq")


def _lpips():
    import lpips

    network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)  # weights are no matter of speed
    call, version = _torch_gradient(lambda x, y: network(x, y, normalize=True).mean(), "lpips")
    return (lambda: call() and None), version


def _torch_fidelity():
    from torch_fidelity.metric_fid import fid_statistics_to_metric

    first, second = ({"mu": mean, "sigma": covariance} for mean, covariance in gaussian_features())
    return (lambda: fid_statistics_to_metric(first, second, False)["frechet_inception_distance"],
            _version("torch-fidelity"))


def _ott():
    import jax
    from ott.geometry import pointcloud
    from ott.solvers import linear

    solve = jax.jit(lambda x, y: linear.solve(pointcloud.PointCloud(x, y, epsilon=0.1), threshold=1e-4).ent_reg_cost)
    x, y = point_clouds()
    # Its entropy is relative to counting points, ours to the product of the weights.
    return (lambda: float(solve(x, y)) + 0.1 * np.log(x.shape[0] * y.shape[0])), _version("ott-jax", "jax")


def _pot_sinkhorn():
    import ot

    x, y = point_clouds()
    weights, costs = np.full(400, 1 / 400), ot.dist(x, y)

    def call():
        ot.sinkhorn2(weights, weights, costs, 0.1, method="sinkhorn_log", stopThr=1e-4, numItermax=5000)

    return call, _version("POT")


def _pot_sliced():
    import ot

    x, y = point_clouds(4000, 64)
    return (lambda: ot.sliced_wasserstein_distance(x, y, n_projections=64, seed=0) and None), _version("POT")


def _constriction(what):
    import constriction

    x, ids, sigma, reach = gaussian_symbols()
    family = constriction.stream.model.QuantizedGaussian(-reach, reach)
    means, scales = np.zeros(x.size), sigma[ids]

    def encode():
        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(x, family, means, scales)
        return coder.get_compressed()

    words = encode()
    calls = {"encode": lambda: 4 * encode().size,
             "decode": lambda: constriction.stream.stack.AnsCoder(words).decode(family, means, scales).sum()}
    return calls[what], _version("constriction")


def _dit():
    import warnings

    warnings.filterwarnings("ignore")
    from dit.rate_distortion.blahut_arimoto import _blahut_arimoto

    pmf, matrix = source(64)
    start = np.full(matrix.shape, 1 / 64)

    def call():
        (rate, distortion), _ = _blahut_arimoto(pmf, 8.0, start, lambda *_: matrix)
        return rate + 8.0 / np.log(2) * distortion

    return call, _version("dit")


def _clarabel(perception=None):
    import cvxpy

    pmf, matrix = source(16)
    joint, output = cvxpy.Variable((16, 16), nonneg=True), cvxpy.Variable((1, 16))
    rules = [cvxpy.sum(joint, 1) == pmf, cvxpy.sum(joint, 0) == output[0],
             cvxpy.sum(cvxpy.multiply(joint, matrix)) <= 0.2]
    if perception is not None:
        rules.append(cvxpy.norm1(output[0] - pmf) <= 2 * perception)
    information = cvxpy.sum(cvxpy.rel_entr(joint, pmf[:, None] @ output)) / np.log(2)
    problem = cvxpy.Problem(cvxpy.Minimize(information), rules)
    return (lambda: problem.solve(solver="CLARABEL")), _version("cvxpy", "clarabel")


def _compressai(case):
    import peer_training

    return peer_training.make_call(case), _version("compressai", "torch")


def _cool_chic():
    folder = os.environ["COOLCHIC"]
    sys.path.insert(0, folder)
    import torch
    from coolchic.component.core.coolchic import CoolChicEncoder, CoolChicEncoderParameter

    net = CoolChicEncoder(CoolChicEncoderParameter(
        layers_synthesis=["48-1-linear-relu", "3-1-linear-none", "3-3-residual-relu", "3-3-residual-none"],
        linear_stabiliser_synth=True, ups_k_size=8, ups_preconcat_k_size=7, ifce_resolution=(0, 2),
        output_feature_ifce=6, spatial_context_arm=14, linear_stabiliser_arm=True, n_hidden_layers_arm=2,
        latent_resolution=(0, 6), hyperlatent_resolution=None, flag_common_randomness=False, img_size=(256, 256),
        final_upsampling_type="bilinear"))
    image = torch.from_numpy(image_pair(batch=1)[0].transpose(0, 3, 1, 2).copy())
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)

    def call():
        optimizer.zero_grad()
        out = net()
        (torch.mean((out["raw_out"] - image) ** 2) + 1e-3 * out["rate"].sum() / image[0, 0].numel()).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 0.1)
        optimizer.step()

    head = pathlib.Path(folder, ".git", "HEAD")
    return call, f"Cool-Chic ({head.read_text().strip()[:7] if head.is_file() else 'a copy'}), {_version('torch')}"


CASES = {
    "pytorch-msssim ssim": lambda: _pytorch_msssim("ssim"),
    "pytorch-msssim ms_ssim": lambda: _pytorch_msssim("ms_ssim"),
    "piq ssim": lambda: _piq("ssim"), "piq ms_ssim": lambda: _piq("multi_scale_ssim"), "lpips": _lpips,
    "torch-fidelity": _torch_fidelity, "ott": _ott, "POT sinkhorn": _pot_sinkhorn, "POT sliced": _pot_sliced,
    "constriction encode": lambda: _constriction("encode"), "constriction decode": lambda: _constriction("decode"),
    "dit": _dit, "clarabel": _clarabel, "clarabel tv": lambda: _clarabel(0.1), "Cool-Chic": _cool_chic,
} | {f"compressai {case}": lambda case=case: _compressai(case) for case in (
    "factorized:8", "hyperprior:8", "hyperprior:1", "hyperprior:compress", "hyperprior:decompress")}  # fmt: skip


def main():
    """Serves the case of the command line."""
    case, threads = sys.argv[1], int(sys.argv[2])
    if "torch" in sys.executable:
        import torch

        torch.set_num_threads(threads)
    serve(*CASES[case]())


if __name__ == "__main__":
    main()
