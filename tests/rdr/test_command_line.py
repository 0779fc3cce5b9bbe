"""The command-line parser: flags from dataclasses, help from their fields, one sentence for what is wrong."""

import configparser
import dataclasses
import json
import pathlib
from collections.abc import Mapping

import pytest

from rdr import command_line
from rdr.command_line import CommandLine, UsageError, option


@dataclasses.dataclass(frozen=True)
class Config:
    steps: int = option(5, "steps of training; more is better", first=True)
    rate: float = option(0.5, "rate in bits, 100 % of it")
    name: str = "a"
    flag: bool = option(False, "whether to wave")
    levels: tuple[float, ...] = (1.0, 2.0)
    metrics: tuple[str, ...] = option(("psnr",), "names", choices=("psnr", "ssim"))

    def __post_init__(self):
        if self.rate < 0:
            raise ValueError(f"rate must be >= 0, got {self.rate}")


@dataclasses.dataclass(frozen=True)
class Extra:
    json: bool = option(False, "print JSON")
    file: str = option("", "values")


PRESETS = {"smoke": Config(steps=1), "quick": Config()}
LINE = CommandLine("program", "An experiment.", PRESETS)


def parse(*words, **changes):
    return command_line.parse(LINE._replace(**changes), ["program", *words])


def test_flags_replace_fields_of_the_preset():
    parsed = parse("--preset=smoke", "--workdir=out", "--rate=2", "--flag", "--levels=3, 4.5", "--name=b")
    assert parsed.config == Config(steps=1, rate=2.0, name="b", flag=True, levels=(3.0, 4.5))
    assert str(parsed.workdir) == "out" and parsed.extra is None and parsed.words == ()
    assert parse("--workdir=out").config == Config()
    assert parse("--workdir", "out", "--rate", "2", "--metrics=").config == Config(rate=2.0, metrics=())


@pytest.mark.parametrize(("word", "value"), [
    ("--flag", True), ("--noflag", False), ("--flag=true", True), ("--flag=False", False), ("--flag=1", True)])
def test_switches_may_be_spelled_in_three_ways(word, value):
    assert parse("--workdir=o", word).config.flag is value


def test_words_and_flags_come_in_any_order():
    parsed = parse("a", "--flag", "b", "--rate=2", "-", "--", "--c", words="IN OUT", workdir="optional")
    assert parsed.words == ("a", "b", "-", "--c") and parsed.config == Config(flag=True, rate=2.0)
    assert parsed.workdir is None


def test_further_flags_and_values_of_a_file():
    parsed = parse("--workdir=o", "--json", "--file=x", "--steps=3", extra=Extra())
    assert parsed.extra == Extra(json=True, file="x") and parsed.config == Config(steps=3)

    def values(extra) -> Mapping:
        return {"steps": 7, "rate": 9.0} if extra.file else {}

    parsed = command_line.parse(LINE._replace(extra=Extra()), ["p", "--workdir=o", "--file=x", "--steps=3"],
                                further_values=values)
    assert parsed.config == Config(steps=3, rate=9.0)


@pytest.mark.parametrize("words, said", [
    (["--workdir=o", "--preset=huge"], "--preset must be one of smoke, quick, got 'huge'"),
    (["--workdir=o", "--stepz=1"], "there is no option --stepz (did you mean --steps?); there are --preset, "),
    (["--workdir=o", "--steps=many"], "--steps must be a whole number, got 'many'"),
    (["--workdir=o", "--levels=1,x"], "--levels must be numbers separated by commas, got '1,x'"),
    (["--workdir=o", "--metrics=psnr,what"], "--metrics must be one of psnr, ssim, got 'what'"),
    (["--workdir=o", "--flag=perhaps"], "--flag must be true or false, got 'perhaps'"),
    (["--workdir=o", "--rate=-1"], "rate must be >= 0, got -1.0"),
    (["--workdir=o", "--steps"], "expected one argument"),
    (["--workdir=o", "words"], "unexpected argument 'words'"),
    ([], "--workdir is missing"),
    (["--workdir="], "--workdir is missing"),
])
def test_wrong_calls_are_one_sentence_and_status_two(words, said, capsys):
    with pytest.raises(UsageError) as refusal:
        parse(*words)
    assert said in str(refusal.value)
    assert command_line.main("An experiment.", PRESETS, lambda config, workdir: None, ["program", *words]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and said in err and err.count("\n") == 1


def test_help_is_grouped_and_says_defaults_of_every_preset(capsys):
    with pytest.raises(SystemExit) as end:
        parse("--help", extra=Extra(), words="IN")
    out = " ".join(capsys.readouterr().out.split())
    assert end.value.code == 0 and "An experiment." in out and "usage: program IN [options]" in out
    assert "steps of training; more is better [1 (smoke), 5 (quick)]" in out
    assert "rate in bits, 100 % of it [0.5]" in out and "names; one of psnr, ssim [psnr]" in out
    assert "whether to wave [off]" in out and "[1,2]" in out
    assert out.index("what one needs first") < out.index("--steps") < out.index("further options") < out.index("--rate")


def test_help_shows_per_cent_values_and_words_as_they_are_and_each_group_once(capsys):
    @dataclasses.dataclass(frozen=True)
    class Paths:
        table: str = option("", "a table", first=True, metavar="FILE")
        task: str = option("", "what is done", choices=("", "abx"))

    @dataclasses.dataclass(frozen=True)
    class Output:
        out: str = option("", "where", first=True)

    line = CommandLine("program", "Intervals of 95 % of images.", {"": Paths()}, Output(), "", "none")
    with pytest.raises(SystemExit):
        command_line.parse(line, ["program", "--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert "Intervals of 95 % of images." in out and "--table FILE a table [none]" in out
    assert "what is done; one of abx [none]" in out and out.count("what one needs first") == 1
    with pytest.raises(UsageError, match="--task must be one of abx, got 'x'"):
        command_line.parse(line, ["program", "--task=x"])
    assert command_line.parse(line, ["program", "--task="]).config.task == ""


def test_a_file_that_cannot_be_opened_is_named_before_the_reason(tmp_path, capsys):
    path = tmp_path / "none.csv"
    assert command_line.run_safely(lambda: path.read_text()) == 1
    assert capsys.readouterr().err == f"error: {path}: No such file or directory\n"


def test_a_workdir_belongs_to_one_configuration(tmp_path):
    assert not command_line.check_workdir(tmp_path / "a" / "b", Config()) and not list(tmp_path.iterdir())
    workdir = command_line.open_workdir(tmp_path / "a" / "b", Config())
    assert json.loads((workdir / "config.json").read_text())["levels"] == [1.0, 2.0]
    command_line.open_workdir(workdir, Config())
    assert command_line.check_workdir(workdir, Config())
    with pytest.raises(ValueError, match=r"holds a run with other settings \(rate, steps\)"):
        command_line.open_workdir(workdir, Config(steps=9, rate=0.1))
    (workdir / "config.json").write_text("{")
    with pytest.raises(ValueError, match="is damaged"):
        command_line.open_workdir(workdir, Config())


def test_a_refused_run_leaves_no_trace_and_a_broken_one_leaves_what_it_wrote(tmp_path, capsys):
    """Fault 20: a refused experiment left config.json, which then refused the corrected command."""
    def run(config, workdir):
        if config.steps == 7:
            (workdir / "points.csv").write_text("1")
        if config.steps > 5:
            raise ValueError("steps must be at most 5")

    def call(steps):
        return command_line.main("", PRESETS, run, ["p", f"--workdir={tmp_path / 'w'}", f"--steps={steps}"])

    assert call(6) == 1 and not list(tmp_path.iterdir())
    (tmp_path / "w").mkdir()
    assert call(6) == 1 and not list((tmp_path / "w").iterdir())
    assert call(5) == 0 and [path.name for path in (tmp_path / "w").iterdir()] == ["config.json"]
    assert call(6) == 1 and "other settings (steps)" in capsys.readouterr().err.splitlines()[-1]
    (tmp_path / "w" / "config.json").unlink()
    assert call(7) == 1 and {path.name for path in (tmp_path / "w").iterdir()} == {"config.json", "points.csv"}


def test_a_workdir_is_held_by_one_process(tmp_path):
    """Fault 33: two processes on one output were not detected."""
    with (command_line.claim_workdir(tmp_path, Config()), pytest.raises(ValueError, match="another process is writing"),
          command_line.claim_workdir(tmp_path, Config())):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_what_killed_processes_were_writing_is_removed(tmp_path):
    """Fault 33: a process that was killed while it wrote left a hidden file in its workdir for ever."""
    for name in (".curves.png.75e9842c156a.partial", "mine.partial"):
        (tmp_path / name).write_bytes(b"half")
    with command_line.claim_workdir(tmp_path, Config()):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "mine.partial"]


def test_an_unwritable_workdir_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="cannot be written"):
        command_line.open_workdir(tmp_path / "file", Config())
    with pytest.raises(ValueError, match="cannot be written"):
        command_line.open_workdir(tmp_path / "file" / "below", Config())


@pytest.mark.parametrize("error, status, said", [
    (ValueError("distortion must be >= 0"), 1, "error: distortion must be >= 0\n"),
    (OSError("disk full"), 1, "error: disk full\n"),
    (UsageError("no such flag"), 2, "error: no such flag\n"),
    (ModuleNotFoundError("x", name="grain"), 1,
     'error: this needs the package grain, which is not installed: pip install "rdr-jax[training]"\n'),
    (KeyboardInterrupt(), 130, "interrupted: the same command resumes from what was saved\n"),
])
def test_refusals_become_sentences(error, status, said, capsys):
    def call():
        raise error

    assert command_line.run_safely(call) == status and capsys.readouterr().err == said


def test_too_little_memory_is_a_sentence(capsys):
    """Fault 33: MemoryError was a traceback."""
    def call():
        raise MemoryError("Unable to allocate 9 TiB")

    assert command_line.run_safely(call) == 1
    assert capsys.readouterr().err == "error: there is not enough memory for this (Unable to allocate 9 TiB)\n"


def test_the_call_may_say_the_status():
    assert command_line.run_safely(lambda: 3) == 3 and command_line.run_safely(lambda: {"value": 1}) == 0


def test_mistakes_in_the_program_are_not_hidden():
    def call():
        raise TypeError("a bug")

    with pytest.raises(TypeError):
        command_line.run_safely(call)


def test_extras_that_errors_name_exist_and_hold_the_package():
    """`tifffile` was in no extra although a sentence told users to install it with one."""
    parser = configparser.ConfigParser()
    parser.read(pathlib.Path(__file__).parents[2] / "setup.cfg", encoding="utf-8")
    for _, distribution, extra in command_line._EXTRAS:
        assert distribution in parser["options.extras_require"][extra], extra
