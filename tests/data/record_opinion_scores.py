"""Records what the package `sureal` 0.9.0 makes of ratings: `python tests/data/record_opinion_scores.py`.

It needs sureal and pandas, which nothing else here does. Ratings are random, on a scale from 1 to 5 by halves, of
twelve observers: one rates without looking, two ratings are missing.
"""

import contextlib
import io
import json
import pathlib
import types

import numpy as np
from sureal.dataset_reader import RawDatasetReader
from sureal.subjective_model import MosModel, SubjectMLEModelProjectionSolver2, SubjrejMosModel


def main():
    rng, observers, images = np.random.default_rng(7), 12, 20
    quality, bias = np.linspace(1.3, 4.7, images), rng.normal(0, 0.3, observers)
    spread = rng.uniform(0.3, 0.8, observers)
    noise = rng.standard_normal((observers, images))
    scores = np.clip(np.rint(2 * (quality + bias[:, None] + spread[:, None] * noise)) / 2, 1, 5)
    scores[3] = np.where(np.arange(images) % 2, 1.0, 5.0)
    scores[5, 2] = scores[9, 11] = np.nan
    dataset = types.SimpleNamespace(
        ref_videos=[{"content_id": 0, "content_name": "c", "path": "r"}],
        dis_videos=[{"content_id": 0, "asset_id": j, "path": str(j), "os": {
            f"{i:02d}": float(scores[i, j]) for i in range(observers) if np.isfinite(scores[i, j])}}
            for j in range(images)])
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(invalid="ignore"):
        reader = RawDatasetReader(dataset)
        plain, rejecting = MosModel(reader).run_modeling(), SubjrejMosModel(reader).run_modeling()
        model = SubjectMLEModelProjectionSolver2(reader).run_modeling(force_subjbias_zeromean=True)
    record = {
        "scores": [[None if np.isnan(x) else x for x in row] for row in scores.tolist()],
        "mos": plain["quality_scores"], "bt500": rejecting["quality_scores"],
        "rejected": rejecting["observer_rejected"], "p910": model["quality_scores"], "bias": model["observer_bias"],
        "inconsistency": model["observer_inconsistency"],
    }  # fmt: skip
    path = pathlib.Path(__file__).with_name("opinion_scores.json")
    path.write_text(json.dumps(record, default=lambda x: x.item()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
