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


def main():
    """Times the cases named on the command line."""
    if len(sys.argv) == 1:
        print("nothing to time: benchmarks.training --peer=PYTHON calls this")
        return
    import torch
    from compressai import models

    for case in sys.argv[1:]:
        name, what = case.split(":")
        net = {"factorized": models.FactorizedPrior, "hyperprior": models.ScaleHyperprior}[name](128, 192)
        record = {"case": case}
        if what == "code":
            net.update()
            net.eval()
            x = torch.rand(1, 3, 512, 768)
            with torch.no_grad():
                record["compress"] = best(lambda: net.compress(x), 3)  # noqa: B023
                out = net.compress(x)
                record["decompress"] = best(lambda: net.decompress(out["strings"], out["shape"]), 3)  # noqa: B023
        else:
            x = torch.rand(int(what), 3, 256, 256)
            optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)

            def step():
                optimizer.zero_grad()  # noqa: B023
                out = net(x)  # noqa: B023
                bits = sum(-torch.log2(value).sum() for value in out["likelihoods"].values()) / (x.shape[0] * 65536)  # noqa: B023
                loss = bits + 0.01 * 65025.0 * torch.mean((out["x_hat"] - x) ** 2)  # noqa: B023
                loss.backward()
                torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)  # noqa: B023
                optimizer.step()  # noqa: B023

            step()
            record["step"] = best(step, 3)
        print(json.dumps(record), flush=True)


if __name__ == "__main__":
    main()
