"""The command `rdr`: its commands, help, version, and what it refuses."""

import ast
import pathlib
import subprocess
import sys

import pytest

import rdr as package
from rdr.cli import main

CLI = pathlib.Path(main.__file__).parent


def test_help_lists_all_commands_and_each_is_a_module_with_main(rdr, capsys):
    assert rdr("--help") == 0
    shown = capsys.readouterr().out
    for name in main.COMMANDS:
        assert f"  {name}" in shown
        tree = ast.parse((CLI / f"{name}.py").read_text(encoding="utf-8"))
        assert "main" in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


@pytest.mark.parametrize("name", ["encode", "decode", "info", "evaluate", "compare", "correlate", "export", "view",
                                  "train", "bound"])
def test_each_command_explains_itself(name, rdr, capsys):
    with pytest.raises(SystemExit) as end:
        rdr(name, "--help")
    shown = capsys.readouterr().out
    assert end.value.code == 0 and f"usage: rdr {name}" in shown and "--help" in shown
    lines = [line for line in shown.splitlines() if line.startswith("  --")]
    assert lines and all(len(line) <= 120 for line in shown.splitlines())


def test_unknown_words_get_the_list_and_status_two(rdr, capsys):
    assert rdr("encod") == 2
    assert capsys.readouterr().err == ("error: there is no command 'encod' (did you mean encode?); there are "
                                       f"{', '.join(main.COMMANDS)}\n")
    assert rdr() == 2 and "usage: rdr COMMAND" in capsys.readouterr().err
    assert rdr("--version") == 0 and capsys.readouterr().out == f"rdr {package.__version__}\n"


def test_the_module_is_the_same_command_and_asking_for_help_imports_no_jax(tmp_path):
    script = "import sys, runpy; sys.argv = ['rdr', '--help']\ntry: runpy.run_module('rdr', run_name='__main__')\n" \
             "except SystemExit as end: print(end.code, 'jax' in sys.modules)"
    root = pathlib.Path(package.__file__).parents[1]
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path,
                           env={"PYTHONPATH": str(root), "PATH": ""}).stdout
    assert "usage: rdr COMMAND" in shown and shown.endswith("0 False\n")
