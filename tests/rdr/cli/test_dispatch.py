"""Tables of commands."""

import importlib
import os
import signal

import pytest

from rdr.cli import dispatch, info
from rdr.command_line import UsageError

COMMANDS = {"one": "the first", "three": "the third"}


def test_each_command_has_a_line_and_summaries_stand_below_each_other():
    assert dispatch.list_commands(COMMANDS) == ["  one    the first", "  three  the third"]


def test_what_there_is_not_is_refused_with_what_there_is():
    dispatch.check_command("three", COMMANDS)
    said = r"^there is no command 'thre' \(did you mean three\?\); there are one, three$"
    with pytest.raises(UsageError, match=said):
        dispatch.check_command("thre", COMMANDS)
    with pytest.raises(UsageError, match="^there is no command 'rdr a x'; there are one, three$"):
        dispatch.check_command("x", COMMANDS, group="rdr a")


def test_a_command_is_its_modules_main():
    assert dispatch.load_command("info") is info.main


def test_ctrl_c_waits_until_a_command_is_imported(monkeypatch):
    """Amid the import of JAX it was a segmentation fault."""
    imported = []

    def slow(name):
        os.kill(os.getpid(), signal.SIGINT)
        imported.append(name)
        return info

    monkeypatch.setattr(importlib, "import_module", slow)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # background shells ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            dispatch.load_command("info")
    finally:
        signal.signal(signal.SIGINT, before)
    assert imported == ["rdr.cli.info"]
