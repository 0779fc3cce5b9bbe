"""What `theory` and its subpackages list, and what importing it costs."""

import importlib
import pathlib
import re
import subprocess
import sys

import pytest

import theory

ROOT = pathlib.Path(theory.__file__).parent
# Shared by solvers, nothing for users; its modules are imported by their names.
INTERNAL = "theory.discrete.common"
PACKAGES = sorted(".".join(path.parent.relative_to(ROOT.parent).parts) for path in ROOT.rglob("__init__.py"))


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_list_what_they_have(name):
    package = importlib.import_module(name)
    assert list(package.__all__) == sorted(package.__all__) and bool(package.__all__) == (name != INTERNAL)
    assert set(package.__all__) == {shown for shown in dir(package) if not shown.startswith("_")}
    for export in package.__all__:
        value = getattr(package, export)
        assert not callable(value) or value.__doc__, export


def test_functions_win_over_modules_of_their_name():
    from theory import continuous, discrete

    assert callable(continuous.rate_distortion) and callable(continuous.perfect_realism)
    assert callable(discrete.limited_common_randomness) and callable(discrete.estimation_bound)


def test_unknown_names_are_refused_with_those_that_are_known():
    with pytest.raises(AttributeError, match="no attribute 'absent'; it has bounds, channel_simulation"):
        theory.absent  # noqa: B018


def test_importing_theory_imports_no_subpackage_and_switches_to_64_bits():
    script = ("import sys, jax; before = set(sys.modules); import theory; "
              "print(sorted(n for n in set(sys.modules) - before), jax.config.jax_enable_x64)")
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True,
                           cwd=ROOT.parent).stdout
    assert shown.strip() == "['theory', 'theory._lazy'] True"


def test_both_packages_have_one_version():
    text = (ROOT.parent / "rdr" / "__init__.py").read_text()
    assert re.search(r'__version__ = "(.*)"', text)[1] == theory.__version__
