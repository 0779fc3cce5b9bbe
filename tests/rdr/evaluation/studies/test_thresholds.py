"""Right and wrong answers: their shares, d' and critical levels."""

import numpy as np
import pytest

from rdr.evaluation.studies.answers import read_answers
from rdr.evaluation.studies.psychometric import metamer_sensitivity, percent_correct
from rdr.evaluation.studies.scaling import resample_observers
from rdr.evaluation.studies.study_plots import detection_figure
from rdr.evaluation.studies.thresholds import detect, detection_text, share_rows, threshold_rows
from tests.rdr.evaluation.studies.answer_files import own_row, write_own

LEVELS = (1, 2, 4, 8)


def oddity_rows(*, observers=12, repeats=10, critical=1.5, gain=6.0, seed=0, level="{}"):
    """Trials of 3afc: two like the source and one at a level, or the other way round, on every side."""
    rng, rows = np.random.default_rng(seed), []
    for observer in range(observers):
        for trial in range(repeats * len(LEVELS) * 2):
            number, source = LEVELS[trial % len(LEVELS)], "ab"[trial % 2 ^ (trial // 4) % 2]
            odd = ("left", "middle", "right")[rng.integers(3)]
            place = {"left": "left", "middle": "pivot", "right": "right"}[odd]
            shown = [("reference", "0"), ("m", level.format(number))]
            if rng.random() < 0.5:
                shown.reverse()
            cells = {f"{kind}_{side}": shown[side == place][part] for side in ("left", "pivot", "right")
                     for part, kind in enumerate(("codec", "level"))}
            p = percent_correct(metamer_sensitivity(number, critical, gain), "oddity")
            wrong = [side for side in ("left", "middle", "right") if side != odd]
            response = odd if rng.random() < p else wrong[rng.integers(2)]
            rows.append(own_row(observer=observer, trial=trial, protocol="3afc", source=source, correct=odd,
                                response=response, **cells))
    return rows


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    unsure = own_row(observer=0, trial="x", protocol="3afc", correct="left", response="notsure", codec_left="m",
                     level_left="8", source="a", codec_pivot="reference")
    rows = [*oddity_rows(), unsure]
    return read_answers([write_own(tmp_path_factory.mktemp("odd") / "a.csv", rows)])[0]


def test_planted_metamers_are_found_for_all_sources_and_each(answers):
    found = detect(answers, resample_observers(12, resamples=100, seed=0), lapse=0.0)
    assert [(one.source, one.condition) for one in found] == [("all", "m"), ("a", "m"), ("b", "m")]
    pooled = found[0]
    assert pooled.levels == ("1", "2", "4", "8") and pooled.total.sum() == 12 * 80 + 1
    assert pooled.right.sum() % 1 == pytest.approx(1 / 3)  # 'not sure' is right by chance
    assert pooled.threshold.lower < 1.5 < pooled.threshold.upper
    np.testing.assert_allclose(found[1].total + found[2].total, pooled.total)
    rows = share_rows(found)
    assert len(rows) == 12 and rows[0]["share_lower"] < 1 / 3 + 0.05 and rows[3]["d_prime_lower"] > 1
    truth = metamer_sensitivity(8.0, 1.5, 6.0)
    assert rows[3]["d_prime_lower"] < truth < rows[3]["d_prime_upper"]
    assert len(threshold_rows(found)) == 3 and "visible above the critical level" in detection_text(found)
    (axis,) = detection_figure(found, lapse=0.0).axes
    assert axis.get_title() == "m"


def test_levels_that_are_no_numbers_have_shares_alone(tmp_path):
    rows = oddity_rows(observers=2, repeats=2, level="q{}")
    (answers,) = read_answers([write_own(tmp_path / "a.csv", rows)])
    found = detect(answers, np.zeros((0, 2)))
    assert all(one.threshold is None for one in found) and len(share_rows(found)) == 12
    assert "critical" not in detection_text(found)
    detection_figure(found, lapse=0.0).canvas.draw()


def test_other_answers_are_refused(tmp_path):
    triplets, training = read_answers([write_own(tmp_path / "a.csv", [
        own_row(), own_row(trial=2, protocol="3afc", kind="training")])])
    with pytest.raises(ValueError, match="not right or wrong"):
        detect(triplets, np.zeros((0, 1)))
    with pytest.raises(ValueError, match="no answers to test trials"):
        detect(training, np.zeros((0, 1)))
