import numpy as np

from experiments.bounds import solver_convergence


def test_every_method_closes_its_gap_or_says_that_it_stopped(tmp_path):
    config = solver_convergence.PRESETS["smoke"]
    table = solver_convergence.run(config, tmp_path)
    assert (tmp_path / "solver_convergence.csv").exists() and (tmp_path / "run.json").exists()
    gap, tolerance = np.array(table["gap_bits"]), np.array(table["tolerance_bits"])
    newton = np.array(table["method"]) == "interior_point"
    assert (gap >= -1e-13).all() and (gap[newton] <= tolerance[newton]).all()
    stopped = gap > tolerance
    assert (np.array(table["iterations"])[stopped] == config.max_updates).all()
    assert (np.array(table["seconds"]) > 0).all()
