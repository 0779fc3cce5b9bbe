import numpy as np

from experiments.bounds import video_realism as experiment
from paper_figures.tables import DATA, read_table


def test_the_smoke_run_writes_the_start_of_the_committed_table(tmp_path):
    assert experiment.main(["x", "--preset=smoke", f"--workdir={tmp_path}"]) == 0
    _, frames = read_table(tmp_path / "frames.csv")
    _, committed = read_table(DATA / "video_realism.csv")
    assert list(frames) == list(committed) and (tmp_path / "second.csv").exists()
    for name, values in frames.items():
        np.testing.assert_allclose(values[:4], committed[name][:4], rtol=1e-9)
