"""What `rdr study analyze` makes of one study."""

import pytest

from rdr.cli import study_results
from rdr.cli.study_analyze import Config
from rdr.evaluation.studies.answers import read_answers
from tests.rdr.evaluation.studies.answer_files import aic3_rows, write_aic3


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    rows = aic3_rows([0.0, 1.0, 2.0], observers=8, seed=2, repeats=4, guessers=range(8))
    return read_answers([write_aic3(tmp_path_factory.mktemp("a") / "all guess.csv", rows)])[0]


def test_a_study_of_guessers_alone_is_refused_with_reject(answers):
    config = Config(resamples=5, catch=1.0)
    result = study_results.analyze(answers, config)
    assert len(result.observers) == 8 and all(one.reasons for one in result.observers) and not result.rejected
    assert "8 observers named" in study_results.describe(result)
    with pytest.raises(ValueError, match="no observer that --reject leaves"):
        study_results.analyze(answers, Config(resamples=5, catch=1.0, reject=True))


def test_files_and_document_hold_the_same(answers):
    results = [study_results.analyze(answers, Config(resamples=5))] * 2
    document, written = study_results.prepare(results)
    assert len(document["scales"]) == written["scales.csv"].count("\n") - 1
    assert document["studies"][0]["study"] == "all guess" and "scales_all_guess_triplet.png" in written
    assert sum(name.endswith(".png") for name in written) == 2  # one each, though their names are the same
    long = [result._replace(answers=answers._replace(study=name * 300)) for result, name in zip(results, "ab")]
    assert max(map(len, study_results.prepare(long)[1])) < 120
