"""CompressAI's side of benchmarks.training; runs in an environment of its own and prints one JSON line for each case.

    python peer_training.py CASE..

A case is factorized:BATCH or hyperprior:BATCH (a training step), or factorized:code or hyperprior:code.
"""

import json
import sys
import time


def best(function, repetitions):
    """Shortest wall and CPU seconds of a call."""
    found = []
    for _ in range(repetitions):
        wall, cpu = time.perf_counter(), time.process_time()
        function()
        found.append((time.perf_counter() - wall, time.process_time() - cpu))
    return [min(values) for values in zip(*found)]


def make_call(case):
    """What a case is: a step (of a batch), compressing or decompressing; untrained, N = 128, M = 192."""
    import torch
    from compressai import models

    name, what = case.split(":")
    net = {"factorized": models.FactorizedPrior, "hyperprior": models.ScaleHyperprior}[name](128, 192)
    if what in ("compress", "decompress"):
        net.update()
        net.eval()
        x = torch.rand(1, 3, 512, 768)
        with torch.no_grad():
            out = net.compress(x)
        calls = {"compress": lambda: net.compress(x),
                 "decompress": lambda: net.decompress(out["strings"], out["shape"])}

        def code():
            with torch.no_grad():
                calls[what]()

        return code
    x = torch.rand(int(what), 3, 256, 256)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)

    def step():
        optimizer.zero_grad()
        out = net(x)
        bits = sum(-torch.log2(value).sum() for value in out["likelihoods"].values()) / (x.shape[0] * 65536)
        loss = bits + 0.01 * 65025.0 * torch.mean((out["x_hat"] - x) ** 2)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()

    return step


def main():
    """Times the cases named on the command line."""
    if len(sys.argv) == 1:
        print("nothing to time: benchmarks.training --peer=PYTHON calls this")
        return
    for case in sys.argv[1:]:
        name, what = case.split(":")
        record = {"case": case}
        for key in ("compress", "decompress") if what == "code" else ("step",):
            call = make_call(f"{name}:{key}" if what == "code" else case)
            call()
            record[key] = best(call, 3)
        print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
