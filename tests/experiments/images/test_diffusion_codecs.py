"""The experiment: settings, one codec of a small source through its bytes, and a small run of everything."""

import jax
import numpy as np
import pytest

from experiments.images import diffusion_codecs
from experiments.images.diffusion_codecs_cases import CASES, Case
from rdr.codecs.diffusion import network, network_sources
from rdr.data.samples import Samples
from rdr.evaluation import tables


@pytest.fixture(scope="module")
def samples():
    rng = np.random.default_rng(0)
    images = 0.5 + rng.standard_normal((3000, 36)).cumsum(1) * 0.05
    return Samples(images[:2000].astype(np.float32), images[2000:].astype(np.float32), (6, 6, 1), "walks", "walks")


def test_a_codec_s_rows_are_of_real_messages(samples):
    config = diffusion_codecs.Config(vectors=200, messages=2, decode_steps=3)
    source = network_sources.network_source(network.statistics(samples.vectors), None, samples=samples.vectors)
    keep = {}
    weights = network.round_weights(network.init(jax.random.key(0), 36, width=8, blocks=1))
    sources = {"linear": source, "network": network_sources.network_source(source.identity, weights)}
    case = Case("uniform", 0.1, decoders=("mean", "flow", "ancestral"), denoiser="linear")
    rows = diffusion_codecs.measure(config, case, sources, samples, keep)
    x = diffusion_codecs.originals(config, samples)
    assert [row["decoder"] for row in rows] == ["mean", "flow", "ancestral"]
    mean, flow, ancestral = (np.mean(row["errors"]) for row in rows)
    assert mean < flow < ancestral  # the posterior's variance is paid for once, in part, twice
    lam = np.linalg.eigvalsh(np.cov(samples.vectors.T))
    expected = (lam * 0.01 / (lam + 0.01)).sum()
    assert expected < mean < 1.6 * expected
    for row in rows:
        assert len(row["bytes"]) == 2 and max(row["head_bytes"]) < min(row["bytes"]) and len(row["errors"]) == len(x)
    assert rows[0]["frechet"] > rows[1]["frechet"]
    for name, y in keep.items():
        decoder = name.split("/")[1]
        errors = np.square(y - x[: diffusion_codecs.SHOWN]).sum(1)
        np.testing.assert_allclose(errors, next(r for r in rows if r["decoder"] == decoder)["errors"][: len(errors)])


def test_cases_have_names_of_their_own():
    for cases in CASES.values():
        assert len({case.label() for case in cases}) == len(cases)
    assert {case.label() for case in CASES["quick"]} < {case.label() for case in CASES["full"]}


def test_networks_are_found_trained_or_refused(samples, tmp_path):
    config = diffusion_codecs.Config(network="", width=8, blocks=1, steps=3, batch=16)
    made = diffusion_codecs.make_sources(config, samples, tmp_path)
    again = diffusion_codecs.make_sources(
        diffusion_codecs.Config(network=str(tmp_path / "network.npz")), samples, tmp_path)
    for name in ("network", "linear"):
        jax.tree.map(np.testing.assert_array_equal, made[name].identity, again[name].identity)
    assert "network" in made["network"].identity and "network" not in made["linear"].identity
    with pytest.raises(ValueError, match="there is no file"):
        diffusion_codecs.make_sources(diffusion_codecs.Config(network=str(tmp_path / "x")), samples, tmp_path)
    small = samples._replace(vectors=samples.vectors[:, :25], held_out=samples.held_out[:, :25])
    with pytest.raises(ValueError, match="samples must be finite"):
        diffusion_codecs.make_sources(diffusion_codecs.Config(network=str(tmp_path / "network.npz")), small, tmp_path)


@pytest.mark.parametrize(("values", "said"), [
    ({"vectors": 3}, "vectors must be at least 32"), ({"rates": ()}, "rates must be positive"),
    ({"fraction": 13}, "fraction must be from 1 to 12"), ({"seed": -1}, "seed must be in"),
    ({"learning_rate": 0.0}, "learning_rate must be positive"),
    ({"codec_rates": (0.0,)}, "codec_rates must be positive"), ({"codec_hidden": (0,)}, "codec_hidden must be"),
])
def test_bad_settings_are_named(values, said):
    with pytest.raises(ValueError, match=said):
        diffusion_codecs.Config(**values)


def test_more_images_than_there_are_is_refused(samples):
    with pytest.raises(ValueError, match="at most 1000"):
        diffusion_codecs.originals(diffusion_codecs.Config(vectors=600, messages=2), samples)


def test_a_mistake_is_one_sentence(capsys, tmp_path):
    call = ["diffusion_codecs", "--preset=quick", f"--workdir={tmp_path / 'run'}", f"--folder={tmp_path}"]
    assert diffusion_codecs.main(call) == 1
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.stress
def test_a_small_run_writes_points_and_resumes(tmp_path):
    call = ["diffusion_codecs", "--preset=smoke", f"--workdir={tmp_path}"]
    assert diffusion_codecs.main(call) == 0
    _, names, rows = tables.read_rows(tmp_path / "points.csv")
    assert names[: len(tables.POINT_COLUMNS)] == list(tables.POINT_COLUMNS) and len(rows) > 10
    assert diffusion_codecs.main(call) == 0
    for before, after in zip(rows, tables.read_rows(tmp_path / "points.csv")[2], strict=True):
        for a, b in zip(before, after, strict=True):
            assert a == b or float(a) == pytest.approx(float(b), rel=1e-6)  # bounds are kept with ten digits
