"""Flags of a dataclass: text to values, and what is refused."""

import argparse
import dataclasses

import pytest

from rdr import _flags


@pytest.mark.parametrize(("kind", "text", "value"), [
    (int, "3", 3), (float, "1e-3", 1e-3), (float, "inf", float("inf")), (str, "a b", "a b"),
    (tuple[int, ...], "1, 2,", (1, 2)), (tuple[str, ...], "", ()),
])
def test_text_becomes_a_value(kind, text, value):
    assert _flags.converter_of("x", kind)(text) == value


@pytest.mark.parametrize(("kind", "text", "said"), [
    (int, "1.5", "--x must be a whole number, got '1.5'"), (float, "", "--x must be a number"),
    (tuple[int, ...], "1,a", "--x must be whole numbers separated by commas, got '1,a'"),
])
def test_text_that_is_no_value_is_refused(kind, text, said):
    with pytest.raises(_flags.UsageError, match=said):
        _flags.converter_of("x", kind)(text)


def test_fields_become_flags_with_their_converters():
    @dataclasses.dataclass
    class Config:
        flag: bool = False
        size: int = 3

    parser = argparse.ArgumentParser()
    converters = _flags.add_fields(parser, {"": Config()}, "options")
    assert list(converters) == ["flag", "size"] and converters["size"]("4") == 4
    assert parser.parse_args(["--noflag", "--size=4"]).flag is False
    assert _flags.spell_switches(["--flag=no", "--size=1", "--", "x"], ["flag"]) == ["--noflag", "--size=1", "--", "x"]
    with pytest.raises(_flags.UsageError, match=r"no option --sise \(did you mean --size\?\); there are --flag, "):
        _flags.refuse("--sise=3", ["flag", "size"])
