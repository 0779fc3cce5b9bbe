"""Records Bjontegaard deltas of the package `bjontegaard`: `bjontegaard.json` beside this file.

Run in an environment of its own:

    pip install bjontegaard==1.3.0 numpy==2.4.6 scipy==1.17.1
    python record_bjontegaard.py
"""

import importlib.metadata
import json
import pathlib

import numpy as np


def curves():
    """Seeded rate-quality curves, of four to seven points, that overlap in part."""
    rng = np.random.default_rng(0)
    found = []
    for points in (4, 4, 5, 6, 7, 7):
        rates = np.cumsum(rng.uniform(0.05, 0.4, points)) + 0.05
        metric = 27.0 + rng.uniform(0.0, 1.5) + rng.uniform(5.0, 7.0) * np.log2(1.0 + rates) + 0.2 * np.arange(points)
        found.append((rates.round(4).tolist(), metric.round(3).tolist()))
    return found


def main():
    """Computes and writes all values."""
    import bjontegaard

    found = curves()
    values = {}
    for method in ("cubic", "pchip", "akima"):
        for i in range(len(found)):
            for j in range(len(found)):
                if i != j:
                    arguments = (*found[i], *found[j], method)
                    options = {"require_matching_points": False, "min_overlap": 0}
                    values[f"{method} {i} {j}"] = [
                        bjontegaard.bd_rate(*arguments, **options),
                        bjontegaard.bd_psnr(*arguments, **options),
                    ]
    versions = {package: importlib.metadata.version(package) for package in ("bjontegaard", "numpy", "scipy")}
    record = {"versions": versions, "curves": found, "bd_rate and bd_psnr": values}
    path = pathlib.Path(__file__).with_name("bjontegaard.json")
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
