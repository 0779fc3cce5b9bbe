"""Settings of `rdr train`: what is refused, and the file that sets them."""

import dataclasses

import pytest

from rdr.cli.train_config import PRESETS, Config, read_config_file


@pytest.mark.parametrize(("change", "said"), [
    ({"codec": "jpeg"}, "codec must be one of"), ({"stage": "realism"}, "give --start="), ({"steps": 0}, "steps must"),
    ({"crop": 100}, "crop must be a multiple of 64"), ({"crop": 512}, "at most patch"), ({"clip": 0.0}, "clip must be"),
    ({"lambda_low": float("inf")}, "lambda_low must be"), ({"seed": -1}, "seed must be"),
    ({"precision": "float16"}, "precision must be one of float32, bfloat16"),
])
def test_settings_that_no_training_takes_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        dataclasses.replace(PRESETS["quick"], **change)
    assert PRESETS["quick"].initial == Config().initial == "principal"


def test_a_configuration_file_sets_what_flags_may_override_and_typos_are_named(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"batch": 4, "learning_rate": 1, "strict": true}')
    assert read_config_file(str(path)) == {"batch": 4, "learning_rate": 1, "strict": True}
    for text, match in (('{"bach": 4}', "did you mean 'batch'"),
                        ('{"batch": "4"}', "sets batch to '4', which is no int"),
                        ('{"batch": true}', "which is no int"), ("[1]", "one JSON object"), ("{", "is no JSON")):
        path.write_text(text)
        with pytest.raises(ValueError, match=match):
            read_config_file(str(path))
