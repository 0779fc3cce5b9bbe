"""`rdr study make`: folders to a site; answers of its pages are told by node where there is one."""

import json
import pathlib
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from rdr.cli import study_make
from rdr.codecs import overfitted
from rdr.evaluation.studies import site
from rdr.evaluation.studies.answer_layouts import COLUMNS
from rdr.evaluation.studies.design import Condition

MESSAGES = pathlib.Path(__file__).parents[1] / "codecs" / "overfitted" / "data"


@pytest.fixture
def folders(tmp_path):
    """Originals and three codecs, the images of the last one in other formats."""
    rng = np.random.default_rng(1)
    for name, suffix in (("originals", ".png"), ("jpeg@1", ".jpg"), ("jpeg@2.5", ".jpg"), ("ours", ".bmp")):
        (tmp_path / name).mkdir()
        for source in ("x", "y"):
            image = Image.fromarray(rng.integers(0, 256, (10, 14), np.uint8))
            image.save((tmp_path / name / source).with_suffix(suffix))
    return tmp_path


def words(folders, **options):
    flags = {"reference": folders / "originals", "out": folders / "site", "protocol": "2afc", **options}
    return [*(folders / name for name in ("jpeg@1", "jpeg@2.5", "ours")), *(f"--{k}={v}" for k, v in flags.items())]


@pytest.mark.parametrize("protocol", ["2afc", "3afc", "triplet", "flicker", "foveated"])
def test_a_site_is_made_of_folders(protocol, folders, rdr, capsys):
    assert rdr("study", "make", *words(folders, protocol=protocol, observers=4), "--json") == 0
    said = json.loads(capsys.readouterr().out)
    study = site.read_site(folders / "site")
    number = 6 if protocol in ("3afc", "foveated") else 12
    assert (said["images"], said["comparisons"], said["trials"]) == (10, number, number + round(number / 10) + 3)
    assert study.sources == ["x", "y"] and study.conditions == [
        Condition("reference", 0.0), Condition("jpeg", 1.0), Condition("jpeg", 2.5), Condition("ours", 1.0),
        Condition("catch", 1.0)]
    boost = 2 if protocol == "flicker" else 1
    assert (study.settings.magnification, study.settings.amplification) == (boost, boost)
    assert study.settings.not_sure == (protocol in ("triplet", "flicker"))
    assert len(study.trials) == 4 and all(len(one) == said["trials"] for one in study.trials)
    shown = np.asarray(Image.open(folders / "site" / study.images[3]["file"]))  # ours, of x
    expected = np.asarray(Image.open(folders / "ours" / "x.bmp"))
    if protocol != "flicker":
        np.testing.assert_array_equal(shown, np.repeat(expected[:, :, None], 3, 2))


def test_what_is_asked_for_is_in_the_site(folders, rdr, capsys):
    flags = words(folders, question="better", notsure="yes", trials=7, catch=0, training=0, design="random",
                  compare="codec", title="Ü <b>", collect="https://lab.example/answers", crop="8,6", observers=2)
    assert rdr("study", "make", *flags) == 0
    assert "2 observers" in capsys.readouterr().out
    study = site.read_site(folders / "site")
    assert not study.plan.pivot and study.settings.not_sure and study.settings.title == "Ü <b>"
    assert study.settings.collect == "https://lab.example/answers" and study.images[0]["width"] == 8
    assert {trial.kind for one in study.trials for trial in one} == {"test"} and len(study.trials[0]) == 7
    assert all({t.left, t.right} != {1, 3} and {t.left, t.right} != {2, 3} for one in study.trials for t in one)


def test_notes_say_what_will_not_be_seen(rdr, tmp_path, capsys):
    for name in ("originals", "a"):
        (tmp_path / name).mkdir()
        image = np.zeros((8, 1000, 3), np.uint8)
        image[:, :100] = 255 if name == "a" else 20  # clipped if doubled
        Image.fromarray(image).save(tmp_path / name / "x.png")
    words = [tmp_path / "a", f"--reference={tmp_path / 'originals'}", "--protocol=flicker"]
    assert rdr("study", "make", *words, f"--out={tmp_path / 'one'}") == 0
    said = capsys.readouterr().out
    assert "2 images of 2000 x 16 pixels" in said and "clips up to 10.0%" in said
    assert rdr("study", "make", *words, f"--out={tmp_path / 'two'}", "--crop=300,8") == 0
    assert "images of" not in capsys.readouterr().out.split("note: ", 1)[1]


def test_active_studies_have_no_schedule(folders, rdr, capsys):
    assert rdr("study", "make", *words(folders, design="active")) == 0
    assert "`rdr study serve` chooses" in capsys.readouterr().out
    assert site.read_site(folders / "site").trials == []


def test_messages_are_decoded(rdr, tmp_path):
    message = (MESSAGES / "color.rdr").read_bytes()
    decoded = overfitted.decode(message)
    for name in ("originals", "ours@1"):
        (tmp_path / name).mkdir()
    Image.fromarray(255 - decoded).save(tmp_path / "originals" / "a.png")
    (tmp_path / "ours@1" / "a.rdr").write_bytes(message)
    assert rdr("study", "make", tmp_path / "ours@1", f"--reference={tmp_path / 'originals'}",
               f"--out={tmp_path / 'site'}") == 0
    shown = tmp_path / "site" / site.read_site(tmp_path / "site").images[1]["file"]
    np.testing.assert_array_equal(np.asarray(Image.open(shown)), decoded)
    (tmp_path / "ours@1" / "a.rdr").write_bytes(message[:-1])
    assert rdr("study", "make", tmp_path / "ours@1", f"--reference={tmp_path / 'originals'}",
               f"--out={tmp_path / 'other'}") == 1
    assert not (tmp_path / "other").exists()


def test_levels_are_read_off_names(tmp_path):
    assert study_make.codec_of(tmp_path / "a@b@0.5") == Condition("a@b", 0.5)
    assert study_make.codec_of(tmp_path / "jpeg") == Condition("jpeg", 1.0)
    for name, sentence in (("a@b", "must be a number"), ("a@0", "must be positive"), ("a@-1", "must be positive"),
                           ("a@inf", "must be positive"), ("a@nan", "must be positive"), ("a@", "must be a number")):
        with pytest.raises(ValueError, match=sentence):
            study_make.codec_of(tmp_path / name)


@pytest.mark.parametrize(("options", "status", "sentence"), [
    ({"protocol": "acr"}, 2, "--protocol must be one of"),
    ({"reference": ""}, 2, "--reference is missing"), ({"out": ""}, 2, "--out is missing"),
    ({"question": "better", "protocol": "triplet"}, 2, "is of --protocol=2afc only"),
    ({"notsure": "yes", "protocol": "3afc"}, 2, "right or wrong"), ({"catch": 2}, 2, "--catch must be in [0, 1]"),
    ({"amplification": 0.5}, 2, "--amplification must be 1 or more"), ({"crop": "8"}, 2, "a width and a height"),
    ({"collect": "javascript:alert(1)"}, 2, "must be an address"),
    ({"magnification": 17}, 2, "--magnification must be 16 at most"),
    ({"observers": 0}, 2, "--observers must be positive"),
    ({"design": "active", "protocol": "3afc"}, 2, "conditions are not compared"),
    ({"design": "active", "collect": "http://a/b"}, 2, "leave out --collect"),
    ({"flicker": "nan"}, 2, "--flicker must be positive"), ({"crop": "80,6"}, 1, "cannot be cropped"),
    ({"reference": "nowhere"}, 1, "there is no folder"),
])
def test_refusals_write_nothing(options, status, sentence, folders, rdr, capsys):
    before = sorted(folders.rglob("*"))
    assert rdr("study", "make", *words(folders, **options)) == status
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1 and sorted(folders.rglob("*")) == before


def test_a_failure_leaves_no_folder_above_the_site(folders, rdr, capsys):
    (folders / "kept").mkdir()
    before = sorted(folders.rglob("*"))
    assert rdr("study", "make", *words(folders, out=folders / "kept" / "a" / "b" / "site", crop="80,6")) == 1
    assert "cannot be cropped" in capsys.readouterr().err and sorted(folders.rglob("*")) == before


def test_folders_must_match(folders, rdr, capsys):
    def refuse(sentence, *flags):
        assert rdr("study", "make", *flags) in (1, 2)
        error = capsys.readouterr().err
        assert sentence in error and not (folders / "site").exists()

    refuse("say which folders", f"--reference={folders / 'originals'}", f"--out={folders / 'site'}")
    refuse("two folders are codec ours", folders / "ours", *words(folders))
    for name in ("a\nb", " a", "a\u2028b"):  # which a table of answers would not give back
        (folders / name).mkdir()
        refuse("invisible signs", folders / name, *words(folders))
    (folders / "originals" / "x\ty.png").write_bytes(b"")
    refuse("invisible signs", *words(folders))
    (folders / "originals" / "x\ty.png").unlink()
    (folders / "ours" / "x.png").write_bytes(b"")
    refuse("have one name", *words(folders))
    (folders / "ours" / "x.png").rename(folders / "ours" / "z.png")
    refuse("there is an image z in", *words(folders))
    (folders / "ours" / "z.png").unlink()
    (folders / "ours" / "x.bmp").unlink()
    refuse("but none in", *words(folders))
    (folders / "ours" / "y.bmp").unlink()
    refuse("but no image (.png", *words(folders))


NODE = shutil.which("node")
SCRIPT = """
const parts = require(process.argv[1]);
const answers = new parts.Answers(new parts.Memory(), "s");
const same = { session: "x", source: 'a,"b"\\n', codec_left: null, level_left: 0 };
const row = (trial, more = {}) => ({ ...same, trial, ...more });
(async () => {
  for (const trial of [10, 2, 1, 3]) answers.add(row(trial));
  answers.add(row(2, { response: "changed" }));                       // the first answer counts
  const replies = [0, 500, 400, 400, 200, 400, 200, 200];              // 0: no connection
  const posted = [], pauses = [];
  const post = async (url, options) => {
    const trials = JSON.parse(options.body).answers.map((answer) => answer.trial), status = replies.shift();
    posted.push([status, ...trials]);
    if (status === 0) throw new Error("no connection");
    return { ok: status === 200, status };
  };
  const wait = (call, ms) => { pauses.push([ms, call]); };
  const outbox = new parts.Outbox(answers, "u", { post, wait, slot: () => 5 });
  await outbox.send();
  await pauses[0][1]();
  await pauses[1][1]();
  await outbox.send();
  console.log(JSON.stringify({
    posted, pauses: pauses.map(([ms]) => ms), sent: answers.count("sent"), refused: answers.count("refused"),
    csv: parts.toCsv(answers.rows()), columns: parts.COLUMNS, kept: answers.rows().length,
  }));
})();
"""


@pytest.mark.skipif(NODE is None, reason="node is not installed")
def test_answers_are_kept_written_and_posted_until_they_arrive(tmp_path):
    """Nothing is given up while a server is away; of several answers that are refused only the wrong ones are."""
    path = tmp_path / "answers.js"
    path.write_text(site.read_asset("answers.js"))
    found = subprocess.run([NODE, "-e", SCRIPT, str(path)], capture_output=True, text=True, check=True, timeout=60)
    said = json.loads(found.stdout)
    assert said["posted"] == [[0, 1, 2, 3, 10], [500, 1, 2, 3, 10], [400, 1, 2, 3, 10], [400, 1], [200, 2], [400, 3],
                              [200, 10]]
    assert said["pauses"] == [1000, 2000] and (said["sent"], said["refused"], said["kept"]) == (2, 2, 4)
    assert tuple(said["columns"]) == COLUMNS
    header, *lines = said["csv"].split('"a,""b""\n"')
    assert len(lines) == 4 and header.splitlines()[0] == ",".join(said["columns"])
    assert [line.split("\n")[0] for line in lines] == [",,0" + "," * 9] * 4  # nothing of the changed answer
