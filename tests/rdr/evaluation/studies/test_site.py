"""The static site: what is in it, what cannot get into it, whole or not at all."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from rdr.evaluation.studies import design, site, stimuli
from rdr.evaluation.studies.design import Condition
from tests.rdr.evaluation.studies.conftest import CONDITIONS, SOURCES


def pixels(path):
    return np.asarray(Image.open(path))


def test_what_is_written_can_be_read(make_site, tmp_path):
    written, _ = make_site(tmp_path / "site", title="A & B", not_sure=True, crop=(12, 8))
    study = site.read_site(tmp_path / "site")
    assert written.images == len(study.images) == len(SOURCES) * (len(CONDITIONS) + 1)
    assert study.sources == list(SOURCES) and study.conditions == [*CONDITIONS, Condition("catch", 1.0)]
    assert study.settings == site.Settings(observers=3, title="A & B", not_sure=True, crop=(12, 8))
    comparisons = design.list_comparisons(CONDITIONS, 2, "triplet")
    assert written.comparisons == len(comparisons) == 12
    assert study.trials == design.schedule(study.plan, comparisons, 3)
    assert {len(one) for one in study.trials} == {written.trials} == {7}


def test_images_have_neutral_names_and_their_pixels(make_site, tmp_path):
    _, images = make_site(tmp_path / "site", amplification=2.0, crop=(12, 8))
    study = site.read_site(tmp_path / "site")
    names = [image["file"] for image in study.images]
    assert sorted(names) == [f"images/{i:05d}.png" for i in range(1, 11)] and names != sorted(names)
    originals = {image.source: pixels(image.path) for image in images if image.condition == 0}
    for image in images:
        expected = stimuli.amplify(originals[image.source], pixels(image.path), 2.0 if image.condition else 1.0)[0]
        found = pixels(tmp_path / "site" / study.images[image.source * 5 + image.condition]["file"])
        np.testing.assert_array_equal(found, stimuli.crop_center(expected, 12, 8))
    catch = pixels(tmp_path / "site" / study.images[4]["file"])
    np.testing.assert_array_equal(catch, stimuli.crop_center(stimuli.distort_heavily(originals[0]), 12, 8))
    for path in (tmp_path / "site").rglob("*"):  # nothing is left of the names that images had
        assert not re.search(r"(^|\D)\d_\d", path.name)


def test_markup_cannot_get_into_pages(make_site, tmp_path):
    make_site(tmp_path / "site", title="</title><script>alert(1)</script>")
    page, data = ((tmp_path / "site" / name).read_text() for name in (site.PAGE, site.DATA))
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert data.isascii() and not set("<>&") & set(data)
    assert json.loads(data.removeprefix("window.STUDY = ").rstrip(";\n"))["sources"] == list(SOURCES)
    scripts = re.findall(r'<script src="([a-z]+\.js)"></script>', page)
    assert scripts == ["data.js", "server.js", "answers.js", "screen.js", "stimuli.js", "study.js"]
    for name in (*scripts, *site.ASSETS):
        text = (tmp_path / "site" / name).read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?://", text)


def test_a_study_is_named_after_its_content(make_site, tmp_path):
    for name, seed, title in (("a", 0, "x"), ("b", 0, "x"), ("c", 1, "x"), ("d", 0, "y")):
        make_site(tmp_path / name, seed=seed, title=title)
    ids = [site.read_site(tmp_path / name).id for name in "abcd"]
    assert ids[0] == ids[1] and len(set(ids)) == 3
    for path in (tmp_path / "a").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "b" / path.relative_to(tmp_path / "a")).read_bytes()


def test_rows_have_the_columns_of_answers(make_site, tmp_path):
    make_site(tmp_path / "site", protocol="2afc", pivot=False)
    study = site.read_site(tmp_path / "site")
    row = study.row(design.Trial("catch", 1, 4, design.NOTHING, 0, "right"))
    assert row == {"protocol": "2afc", "kind": "catch", "source": SOURCES[1], "correct": "right", "codec_left": "catch",
                   "level_left": 1.0, "codec_pivot": "", "level_pivot": "", "codec_right": "reference",
                   "level_right": 0.0}


def test_what_is_refused_leaves_nothing(make_site, tmp_path):
    (tmp_path / "site").mkdir()
    with pytest.raises(ValueError, match="exists already"):
        make_site(tmp_path / "site")
    with pytest.raises(ValueError, match="cannot be cropped"):
        make_site(tmp_path / "new", crop=(17, 8))  # the first source is smaller
    with pytest.raises(ValueError, match="at most as many catch trials"):
        make_site(tmp_path / "new", catch=9)
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_images_must_be_complete_and_of_one_size(make_site, tmp_path):
    _, images = make_site(tmp_path / "site")
    plan, settings = site.read_site(tmp_path / "site").plan, site.Settings()

    def write(images):
        site.write_site(tmp_path / "new", SOURCES, CONDITIONS, images, plan, settings, read=pixels)

    with pytest.raises(ValueError, match="must be one image for each"):
        write(images[:-1])
    other = images[-1]._replace(path=images[0].path)
    with pytest.raises(ValueError, match=r"has 16 x 12 pixels .*, but its source =two,</script> has 17 x 12"):
        write([*images[:-1], other])
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_damaged_sites_are_refused(make_site, tmp_path):
    with pytest.raises(ValueError, match="is no study"):
        site.read_site(tmp_path)
    make_site(tmp_path / "site")
    text = (tmp_path / "site" / "data.js").read_text()
    for damaged in (text[:200], text.replace('"plan"', '"plane"'), text.replace('"test"', '"tests"')):
        (tmp_path / "site" / "data.js").write_text(damaged)
        with pytest.raises(ValueError, match="is damaged"):
            site.read_site(tmp_path / "site")


@pytest.mark.parametrize(("conditions", "sentence"), [
    ([Condition("a", 1.0), Condition("a", 1.0)], "two folders are codec a at level 1"),
    ([Condition("reference", 1.0)], "cannot be called 'reference'"), ([Condition("catch", 1.0)], "cannot be called"),
    ([Condition("", 1.0)], "cannot be called ''"),
])
def test_codecs_must_be_told_apart(conditions, sentence):
    with pytest.raises(ValueError, match=sentence):
        site.check_conditions(conditions)
