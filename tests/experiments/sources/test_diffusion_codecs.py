import json

import numpy as np
import pytest

from experiments.sources import diffusion_codecs as module
from experiments.sources.diffusion_codecs import Case
from paper_figures.tables import read_table

CASES = (Case("gaussian_vector", "uniform", 0.3, 1, ("flow", "ancestral")),
         Case("circle", "codebook-2", 0.05, 3, ("chosen",)))


def test_a_small_run_writes_what_was_measured_and_resumes(tmp_path, monkeypatch):
    monkeypatch.setitem(module._CASES, "smoke", CASES)
    config = module.Config(cases="smoke", vectors=512, decode_steps=4)
    module.run(config, tmp_path)
    header, table = read_table(tmp_path / "points.csv")
    assert header["experiment"] == "diffusion_codecs" and len(table["codec"]) == 3
    assert list(table["codec"]) == ["UQDM-F uniform", "UQDM-A uniform", "DDCM codebook-2"]
    # One message for both decoders. Beyond its head it is what theory says of uniform noise, and each of 3 groups of
    # components ends in two words of the coder and 2 to 4 lengths.
    assert table["rate_bits"][0] == table["rate_bits"][1] and table["message_bytes"][0] == table["message_bytes"][1]
    beyond = table["rate_bits"][0] - table["header_bits"][0] - table["least_bits"][0]
    assert -4 * table["rate_se"][0] < beyond < 3 * 12 * 8 / 512 + 4 * table["rate_se"][0]
    np.testing.assert_allclose(table["rate_bits"][2] - table["header_bits"][2], 6.0)
    errors = table["distortion"][:2] - table["predicted_distortion"][:2]
    assert (np.abs(errors) < 5 * table["distortion_se"][:2]).all()
    np.testing.assert_allclose(table["gap_bits"], table["rate_bits"] - table["bound_upper_bits"], atol=1e-8)
    assert (table["gap_bits"] > 0).all() and (table["gap_se"] > 0).all()
    assert (table["perception"] < 0.1).all() and (table["bound_lower_bits"] <= table["bound_upper_bits"]).all()
    # What was measured is taken as it is, and a codec that beats the bound fails the run.
    path = tmp_path / "cases" / f"{CASES[0].label()}.json"
    results = json.loads(path.read_text())
    for result in results:
        result["bytes"] = [size // 4 for size in result["bytes"]]
    path.write_text(json.dumps(results))
    with pytest.raises(ValueError, match=r"rows \[0, 1\] .* lie below their bound"):
        module.run(config, tmp_path)


def test_realism_tells_wrong_distributions():
    source = module.make_source("gaussian_vector")
    rng = np.random.default_rng(0)
    y = source.sample(rng, 8000)
    right = module.realism(source, y, np.random.default_rng(1))
    assert right.least_p > 1e-3 and right.w2_squared < 3 * right.null
    wide = module.realism(source, 1.1 * y, np.random.default_rng(1))
    # W2^2 of N(0, S) and N(0, 1.21 S) is .01 tr S = .0525, of which projections show no more.
    assert wide.least_p < 1e-3 and 0.02 < wide.w2_squared < 0.0525 * 1.3


def test_predictions_are_those_of_theory():
    case = Case("gaussian_vector", "uniform", 0.2, 2)
    times = (1.0, 0.5, 0.2)
    found = module.predict(case, "ancestral", times)
    np.testing.assert_allclose(found["information_bits"] * np.log(2), 2.567899219, rtol=1e-9)
    np.testing.assert_allclose(found["predicted_distortion"], 1.120588235, rtol=1e-9)
    np.testing.assert_allclose(module.predict(case, "flow", times)["predicted_distortion"], 0.596452226, rtol=1e-9)
    assert found["least_bits"] > found["information_bits"] + 3 * 0.2
    assert np.isnan(module.predict(Case("circle", "layered", 0.2), "flow", times)["least_bits"])


def test_exactness_is_claimed_where_it_holds():
    assert module.is_exact(Case("gaussian_vector", "E8", 0.2), "flow")
    assert module.is_exact(Case("mixture", "layered", 0.2), "ancestral")
    for case, decoder in ((Case("mixture", "layered", 0.2), "flow"), (Case("gaussian_vector", "uniform", 0.2), "flow"),
                          (Case("gaussian_vector", "layered", 0.2), "mean"),
                          (Case("circle", "codebook-2", 0.2), "chosen"), (Case("banana", "layered", 0.2), "ancestral")):
        assert not module.is_exact(case, decoder)


@pytest.mark.parametrize("wrong", [{"cases": "none"}, {"vectors": 3}, {"decode_steps": 0}, {"seed": -1}])
def test_settings_are_checked(wrong):
    with pytest.raises(ValueError, match="must be"):
        module.Config(**wrong)
