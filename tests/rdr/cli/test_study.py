"""The command `rdr study`: its subcommands and what it refuses."""

import pytest

from rdr.cli import study


def test_help_lists_the_subcommands(rdr, capsys):
    assert rdr("study", "--help") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: rdr study") and all(f"  {name}" in shown for name in ("make", "serve", "analyze"))
    assert rdr("study") == 2 and "usage: rdr study" in capsys.readouterr().err


def test_unknown_words_get_the_list(rdr, capsys):
    assert rdr("study", "analyse") == 2
    assert capsys.readouterr().err == ("error: there is no command 'rdr study analyse' (did you mean analyze?); there "
                                       "are make, serve, analyze\n")


@pytest.mark.parametrize("name", study.SUBCOMMANDS)
def test_each_subcommand_explains_itself(name, rdr, capsys):
    with pytest.raises(SystemExit) as end:
        rdr("study", name, "--help")
    shown = capsys.readouterr().out
    assert end.value.code == 0 and f"usage: rdr study {name}" in shown
    assert all(len(line) <= 120 for line in shown.splitlines())
