import dataclasses
import json

import pytest

from rdr import command_line


@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = 5
    rate: float = 0.5
    name: str = "a"
    flag: bool = False
    levels: tuple[float, ...] = (1.0, 2.0)


PRESETS = {"smoke": Config(steps=1), "quick": Config()}


def parse(*words):
    return command_line.parse("An experiment.", PRESETS, ["program", *words])


def test_flags_replace_fields_of_the_preset():
    config, workdir = parse("--preset=smoke", "--workdir=out", "--rate=2", "--flag", "--levels=3,4.5", "--name=b")
    assert config == Config(steps=1, rate=2.0, name="b", flag=True, levels=(3.0, 4.5)) and str(workdir) == "out"
    assert parse("--workdir=out")[0] == Config()


@pytest.mark.parametrize("words, said", [
    (["--workdir=o", "--preset=huge"], "preset"),
    (["--workdir=o", "--typo=1"], "typo"),
    (["--workdir=o", "--steps=many"], "steps"),
    (["--workdir=o", "--levels=1,x"], "--levels must be float values separated by commas, got '1,x'"),
    (["--workdir=o", "words"], "unexpected argument 'words'"),
    ([], "--workdir is missing"),
    (["--workdir="], "--workdir is missing"),
])
def test_mistakes_are_one_sentence_and_an_exit_status(words, said, capsys):
    with pytest.raises(ValueError, match=said):
        parse(*words)
    assert command_line.main("An experiment.", PRESETS, lambda config, workdir: None, ["program", *words]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: ") and said in err and err.count("\n") == 1


def test_help_lists_the_flags(capsys):
    with pytest.raises(SystemExit):
        parse("--help")
    out = capsys.readouterr().out
    assert "An experiment." in out and "--levels" in out and "--preset" in out


def test_a_workdir_belongs_to_one_configuration(tmp_path):
    workdir = command_line.open_workdir(tmp_path / "a" / "b", Config())
    assert json.loads((workdir / "config.json").read_text())["levels"] == [1.0, 2.0]
    command_line.open_workdir(workdir, Config())
    with pytest.raises(ValueError, match=r"holds a run with other settings \(rate, steps\)"):
        command_line.open_workdir(workdir, Config(steps=9, rate=0.1))
    (workdir / "config.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        command_line.open_workdir(workdir, Config())


def test_an_unwritable_workdir_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot be written"):
        command_line.open_workdir(tmp_path / "file", Config())
    with pytest.raises(ValueError, match="cannot be written"):
        command_line.open_workdir(tmp_path / "file" / "below", Config())


@pytest.mark.parametrize("error, status, said", [
    (ValueError("distortion must be >= 0"), 1, "error: distortion must be >= 0\n"),
    (OSError("disk full"), 1, "error: disk full\n"),
    (KeyboardInterrupt(), 130, "interrupted: the same command resumes from what was saved\n"),
])
def test_refusals_become_sentences(error, status, said, capsys):
    def call():
        raise error

    assert command_line.run_safely(call) == status and capsys.readouterr().err == said


def test_mistakes_in_the_program_are_not_hidden():
    def call():
        raise TypeError("a bug")

    with pytest.raises(TypeError):
        command_line.run_safely(call)
