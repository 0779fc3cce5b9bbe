import dataclasses

import numpy as np
import pytest

from experiments.images import wasserstein_rate_textures as experiment
from experiments.sources import wasserstein_rate_images as images
from paper_figures.tables import read_table
from rdr import command_line
from rdr.evaluation import tables
from rdr.losses.wasserstein_distortion import pooling

TINY = dataclasses.replace(experiment.PRESETS["smoke"], steps=2)


def test_products_of_eigenvalues_are_those_of_the_whole_matrix():
    for level in (1, 2):
        whole = images.windows("white", (16, 16), pooling.pooling_std(level)).variances
        found = np.sort(experiment.converse_eigenvalues(0.0, 16, level))[::-1]
        np.testing.assert_allclose(found, whole, atol=1e-12)


def test_correlation_enters_as_a_covariance():
    found = experiment.converse_eigenvalues(0.9, 12, 2)
    where = images.windows("white", (12, 12), pooling.pooling_std(2))
    covariance = np.kron(experiment.line(0.9, 12), experiment.line(0.9, 12))
    # The trace is the variance of the pooled means.
    assert found.sum() == pytest.approx(
        (where.weights * np.einsum("ci,ij,cj->c", where.windows, covariance, where.windows)).sum(), rel=1e-9)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished")
    experiment.run(TINY, command_line.open_workdir(workdir, TINY))
    return workdir


@pytest.mark.stress
def test_rows_are_consistent(finished):
    _, table = read_table(finished / "points.csv")
    assert list(table["loss"]) == ["proxy", "exact"] and tables.violations(table) == []
    assert table["distortion"][1] > table["distortion"][0] * 0.999
    np.testing.assert_allclose(table["rate_bits"], 8 * table["message_bytes"] / 32**2)
    assert (table["latent_bits"] < table["rate_bits"]).all()


@pytest.mark.parametrize("change, said", [({"correlations": (1.0,)}, "--correlations"), ({"textures": 1}, "--textures"),
                                          ({"level": 9}, "--level")])
def test_settings_that_make_no_sense_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(TINY, **change)
