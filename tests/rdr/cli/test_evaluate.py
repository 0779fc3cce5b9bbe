"""The evaluation command: its numbers by hand, its protocol, resuming after an interruption, refusals."""

import dataclasses
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from skimage import metrics as peer

from paper_figures.tables import read_table
from rdr.cli import evaluate
from rdr.cli.evaluate import Config
from rdr.evaluation import metric_suite
from rdr.metrics.bootstrap import bootstrap_interval
from rdr.metrics.contrast_sensitivity import Display, contrast_sensitivity_error
from rdr.metrics.full_reference import FULL_REFERENCE
from rdr.vision.cvvdp import cvvdp
from tests.rdr.data.test_image_decoders import png
from tests.rdr.data.test_image_pairs import write_light

COMMON = {"metrics": ("psnr", "ssim", "csf", "fd_steerable", "kd_steerable", "prdc_steerable"), "patch_size": 16}
SIZES = {"a": (40, 48), "b": (40, 48), "c": (48, 40), "d": (40, 48)}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Four images of two sizes, and their JPEGs."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for name in ("ref", "cand"):
        (folder / name).mkdir()
    for name, (height, width) in SIZES.items():
        y, x = np.mgrid[:height, :width] / 8
        waves = [np.sin(x * f + y * g) for f, g in rng.normal(size=(3, 2))]
        pixels = np.uint8(np.clip(128 + 60 * np.stack(waves, -1) + 12 * rng.normal(size=(height, width, 3)), 0, 255))
        Image.fromarray(pixels).save(folder / "ref" / f"{name}.png")
        Image.fromarray(pixels).save(folder / "cand" / f"{name}.jpg", quality=30)
    return folder


@pytest.fixture(scope="module")
def finished(images, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("evaluation")
    config = Config(reference=str(images / "ref"), candidate=str(images / "cand"), **COMMON)
    return config, workdir, evaluate.run(config, workdir)


def pixels(images, name):
    return (np.asarray(Image.open(images / side).convert("RGB")) / 255 for side in (f"ref/{name}.png",
                                                                                    f"cand/{name}.jpg"))


def test_values_per_image_are_those_of_scikit_image(finished, images):
    _, workdir, _ = finished
    _, table = read_table(workdir / "images.csv")
    assert table["image"].tolist() == list("abcd") and table["height"].tolist() == [40, 40, 48, 40]
    for i, name in enumerate(table["image"]):
        x, y = pixels(images, name)
        np.testing.assert_allclose(table["psnr"][i], peer.peak_signal_noise_ratio(x, y, data_range=1), rtol=1e-5)
        expected = peer.structural_similarity(
            x, y, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, channel_axis=2
        )
        np.testing.assert_allclose(table["ssim"][i], expected, rtol=1e-5)
        size = (images / "cand" / f"{name}.jpg").stat().st_size
        np.testing.assert_allclose(table["rate_bpp"][i], 8 * size / (40 * 48), rtol=1e-9)


def test_aggregates_are_averages_with_intervals(finished):
    _, workdir, table = finished
    _, rows = read_table(workdir / "images.csv")
    np.testing.assert_allclose(table["psnr"]["value"], rows["psnr"].mean(), rtol=1e-8)
    expected = bootstrap_interval(lambda i: rows["psnr"][i].mean(), 4, seed=0)
    np.testing.assert_allclose([table["psnr"]["low"], table["psnr"]["high"]], expected[1:3], rtol=1e-6)
    np.testing.assert_allclose(table["psnr_of_mean_mse"]["value"], -10 * np.log10(rows["mse"].mean()), rtol=1e-8)
    np.testing.assert_allclose(table["rate_bpp"]["value"], rows["rate_bpp"].mean(), rtol=1e-8)
    assert table["kd_steerable"]["standard_error"] > 0 and 0 <= table["coverage_steerable"]["value"] <= 1
    _, aggregates = read_table(workdir / "results.csv")
    assert aggregates["metric"].tolist() == list(table)


def test_every_result_carries_its_protocol(finished):
    _, workdir, table = finished
    document = json.loads((workdir / "results.json").read_text())
    assert document["images"] == 4 and set(document["metrics"]) == set(table)
    for name, entry in document["metrics"].items():
        assert entry["protocol"]["metric"] and isinstance(entry["higher_is_better"], bool), name
    # A grid of 2 x 3 patches and 1 x 2 between them: 8 per image of 40 x 48.
    protocol = document["metrics"]["fd_steerable"]["protocol"]
    assert protocol["patch_size"] == 16 and protocol["num_samples"] == 32 and protocol["options"]["images"] == 4
    assert protocol["options"]["extrapolation"].startswith("none")
    assert [note.split(":")[0] for note in document["notes"]] == [
        "fd_steerable is not corrected for the number of samples, which makes it too large"
    ]
    header, _ = read_table(workdir / "results.csv")
    assert json.loads(header["protocol psnr"])["metric"] == "psnr"
    assert (workdir / "contact_sheet.png").stat().st_size > 10_000
    assert json.loads((workdir / "run.json").read_text())["command"].startswith("python -m rdr evaluate --")


def test_an_interrupted_run_goes_on_and_ends_the_same(finished, images, tmp_path, monkeypatch):
    config, workdir, table = finished
    compare, calls = metric_suite.MetricSuite.compare, []

    def stop_after_two(self, *arguments, **options):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return compare(self, *arguments, **options)

    monkeypatch.setattr(metric_suite.MetricSuite, "compare", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        evaluate.run(config, tmp_path)
    with open(tmp_path / "images.jsonl", "a") as stream:
        stream.write('{"name": "d", "val')  # cut short, as by a full disk
    monkeypatch.undo()
    counted = []
    monkeypatch.setattr(metric_suite.MetricSuite, "compare",
                        lambda self, *a, **options: counted.append(1) or compare(self, *a, **options))
    assert evaluate.run(config, tmp_path) == table
    assert len(counted) == 2
    for name in ("images.csv", "results.csv", "results.json"):
        assert (tmp_path / name).read_bytes() == (workdir / name).read_bytes()


def test_changed_files_are_computed_again(images, tmp_path):
    for side, suffix in (("ref", "png"), ("cand", "png")):
        (tmp_path / side).mkdir()
        for name in "abd":
            Image.open(images / "ref" / f"{name}.png").save(tmp_path / side / f"{name}.{suffix}")
    config = Config(reference=str(tmp_path / "ref"), candidate=str(tmp_path / "cand"), metrics=("psnr",))
    table = evaluate.run(config, tmp_path / "out")
    # Equal images: infinite, written so that JSON can be read by anyone.
    assert table["psnr"]["value"] == "inf" and "rate_bpp" not in table
    assert "Infinity" not in (tmp_path / "out" / "results.json").read_text()
    changed = np.array(Image.open(tmp_path / "cand" / "a.png"))
    changed[0, 0, 0] ^= 64
    Image.fromarray(changed).save(tmp_path / "cand" / "a.png")
    expected = (64 / 255) ** 2 / (40 * 48 * 3) / 3
    np.testing.assert_allclose(evaluate.run(config, tmp_path / "out")["mse"]["value"], expected, rtol=1e-5)


def test_batches_of_several_images_give_the_same(finished, images, tmp_path):
    config, _, table = finished
    again = evaluate.run(dataclasses.replace(config, batch_size=2, metrics=("psnr", "ssim")), tmp_path)
    for name in ("psnr", "ssim"):
        np.testing.assert_allclose(again[name]["value"], table[name]["value"], rtol=1e-6)


def test_names_that_are_no_text_are_written_all_the_same(images, tmp_path, capsys):
    """Fault 17: with file names that are not UTF-8 all metrics were computed, and then nothing was written."""
    name = os.fsdecode(b"caf\xe9")
    for side, suffix in (("ref", "png"), ("cand", "jpg")):
        (tmp_path / side).mkdir()
        shutil.copy(images / side / f"a.{suffix}", tmp_path / side / f"{name}.{suffix}")
    words = [f"--reference={tmp_path}/ref", f"--candidate={tmp_path}/cand", f"--workdir={tmp_path}/out"]
    words.append("--metrics=mse")
    for _ in range(2):
        assert evaluate.main(["rdr evaluate", *words]) == 0
    assert b"caf\xe9,40,48" in (tmp_path / "out" / "images.csv").read_bytes()
    assert (tmp_path / "out" / "contact_sheet.png").exists()


def test_a_second_call_shows_what_is_there(images, tmp_path, capsys, monkeypatch):
    """Fault 20: a repeated command computed everything again."""
    for side in ("ref", "cand"):
        shutil.copytree(images / side, tmp_path / side)
    words = [f"--reference={tmp_path}/ref", f"--candidate={tmp_path}/cand", f"--workdir={tmp_path}/out"]
    words.append("--metrics=psnr")
    assert evaluate.main(["rdr evaluate", *words]) == 0
    first = capsys.readouterr().out
    monkeypatch.setattr(evaluate, "compute", lambda *_: 1 / 0)
    assert evaluate.main(["rdr evaluate", *words]) == 0 and capsys.readouterr().out == first
    assert evaluate.main(["rdr evaluate", *words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["images"] == 4 and said["metrics"]["psnr"]["value"] == said["psnr_db"]
    assert said["bytes"] == sum(path.stat().st_size for path in (tmp_path / "cand").iterdir())
    shutil.copy(images / "cand" / "a.jpg", tmp_path / "cand" / "b.jpg")
    with pytest.raises(ZeroDivisionError):
        evaluate.main(["rdr evaluate", *words])


def test_the_command_line_says_what_is_wrong_in_one_sentence(images, tmp_path, capsys):
    def said(*words, status=1):
        assert evaluate.main(["rdr evaluate", *words]) == status
        message = capsys.readouterr().err
        assert message.count("\n") == 1 and message.startswith("error: ")
        return message

    reference, candidate = f"--reference={images}/ref", f"--candidate={images}/cand"
    workdir = f"--workdir={tmp_path}/out"
    assert "--workdir is missing" in said(reference, candidate, status=2)
    assert "--reference: there is no folder ''" in said(candidate, workdir)
    assert "holds nothing, but no image" in said(f"--reference={images}", candidate, workdir)
    assert "unexpected argument 'x'" in said(reference, "x", candidate, workdir, status=2)
    for wrong, message in (("--batch_size=0", "--batch_size must be at least 1, got 0"),
                           ("--max_samples=9", "--max_samples must be at least 10, got 9"),
                           ("--metrics=psnr,vmaf", "natural, all or fast, got 'vmaf'"),
                           ("--transfer=hlg", "--transfer must be one of srgb, pq, got 'hlg'"),
                           ("--display=tv", "--display must be one of standard_4k"),
                           ("--white_luminance=0", "--white_luminance must be positive and finite, got 0"),
                           ("--negative=keep", "--negative must be one of clip, refuse")):
        assert message in said(reference, candidate, workdir, wrong, status=2)
    for wrong, message in (("--pixels_per_degree=0", "pixels_per_degree must be positive"),
                           ("--transfer=pq", "csf on --transfer=pq takes pq values as files hold them"),
                           ("--black_luminance=200", "black_luminance must be positive and below")):
        assert message in said(reference, candidate, workdir, "--metrics=csf", wrong)
    assert not (tmp_path / "out").exists()
    assert "there is no option --preset" in said("--preset=quick", workdir, status=2)
    with pytest.raises(SystemExit):
        evaluate.main(["rdr evaluate", "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "--candidate" in shown and all(f" {name}" in shown for name in FULL_REFERENCE)


def test_pq_is_read_with_sixteen_bits(tmp_path):
    """Fault 26: files of 16 bits were refused, so that --transfer=pq had 8 bits only."""
    rng = np.random.default_rng(0)
    pixels = {"ref": rng.integers(0, 65536, (24, 20, 3), np.uint16)}
    pixels["cand"] = np.clip(pixels["ref"].astype(int) + rng.integers(-9, 10, (24, 20, 3)), 0, 65535).astype(np.uint16)
    for side, values in pixels.items():
        (tmp_path / side).mkdir()
        hdr = [(b"cICP", bytes((9, 16, 0, 1)))]
        (tmp_path / side / "a.png").write_bytes(png(values, 16, 2, chunks=hdr))
    config = Config(reference=str(tmp_path / "ref"), candidate=str(tmp_path / "cand"), metrics=("csf", "psnr"),
                    transfer="pq", peak_luminance=1000.0, black_luminance=0.005)
    with pytest.raises(ValueError, match=r"high dynamic range \(PQ\)"):
        evaluate.run(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    table = evaluate.run(dataclasses.replace(config, color="keep"), tmp_path / "out")
    x, y = (pixels[side][None] / 65535 for side in ("cand", "ref"))  # float64; the command's luminances have 7 digits
    display = Display(peak_luminance=1000.0, black_luminance=0.005, transfer="pq")
    np.testing.assert_allclose(table["csf"]["value"], contrast_sensitivity_error(x, y, display=display)[0], rtol=2e-3)
    # Rounded to 8 bits these images would be almost equal.
    assert 70 < table["psnr"]["value"] < 90


@pytest.mark.stress
def test_cvvdp_is_seen_on_the_display_that_is_named(tmp_path):
    rng = np.random.default_rng(0)
    pixels = {"ref": rng.integers(0, 256, (16, 20, 3), np.uint8), "cand": rng.integers(0, 256, (16, 20, 3), np.uint8)}
    for side, values in pixels.items():
        (tmp_path / side).mkdir()
        (tmp_path / side / "a.png").write_bytes(png(values, 8, 2))
    config = Config(reference=str(tmp_path / "ref"), candidate=str(tmp_path / "cand"), metrics=("cvvdp",),
                    display="standard_phone")
    table = evaluate.run(config, tmp_path / "out")
    assert table["cvvdp"]["protocol"]["options"]["name"] == "standard_phone"
    header, row = (tmp_path / "out/images.csv").read_text(encoding="utf-8").splitlines()[-2:]
    jod = cvvdp(pixels["cand"][None], pixels["ref"][None], display="standard_phone").jod[0]
    assert header.endswith(",cvvdp") and float(row.split(",")[-1]) == pytest.approx(float(jod), abs=1e-5)


def test_linear_light_is_seen_on_a_display_that_takes_it(tmp_path, capsys):
    """Oracle: the library, of cd/m^2."""
    rng = np.random.default_rng(0)
    light = rng.uniform(0.05, 6.0, (4, 5, 3)).astype(np.float32)
    noisy = light * rng.uniform(0.8, 1.2, light.shape).astype(np.float32)
    write_light(tmp_path / "ref/a.exr", light)
    write_light(tmp_path / "cand/a.exr", noisy, white=50.0)
    config = Config(reference=str(tmp_path / "ref"), candidate=str(tmp_path / "cand"), metrics=("all",),
                    display="standard_hdr_linear", white_luminance=50.0)
    table = evaluate.run(config, tmp_path / "out")
    assert list(table) == ["csf", "csf_castle", "cvvdp"] and (tmp_path / "out/contact_sheet.png").exists()
    assert "left out: ssim takes coded values in [0, 1]" in capsys.readouterr().err
    images, reference = 50 * noisy[None], 50 * light[None]
    jod = cvvdp(images, reference, display="standard_hdr_linear").jod[0]
    assert table["cvvdp"]["value"] == pytest.approx(float(jod), abs=1e-5) and jod < 9.9
    for name, model in (("csf", "barten"), ("csf_castle", "castle")):
        value = contrast_sensitivity_error(images, reference, display="standard_hdr_linear", model=model)[0]
        assert table[name]["value"] == pytest.approx(float(value), rel=1e-5)
    noisy[1, 2, 0] = -1.0
    write_light(tmp_path / "cand/a.exr", noisy, white=50.0)
    with pytest.raises(ValueError, match="1 of its values are negative, down to -1, .*clip them"):
        evaluate.run(config, tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    noisy[1, 2, 0] = np.nan
    write_light(tmp_path / "cand/a.exr", noisy, white=50.0)
    with pytest.raises(ValueError, match="infinite or not numbers"):
        evaluate.run(dataclasses.replace(config, negative="clip"), tmp_path / "clipped")
