"""Lazy exports: what is listed, what is imported when."""

import importlib
import pathlib
import subprocess
import sys

import pytest

import rdr

ROOT = pathlib.Path(rdr.__file__).parent
COMMANDS = "rdr.cli"  # nothing imports it


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with a module `lpips` (which holds a function of that name) and a module `pointwise`."""
    folder = tmp_path / "lazy_example"
    (folder / "deep").mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "from rdr._lazy import attach\n"
        "__getattr__, __dir__, __all__ = attach(__name__, "
        "{'squared_error': 'pointwise', 'lpips': 'lpips', 'inner': 'deep.module'})\n")
    (folder / "pointwise.py").write_text("def squared_error(): return 2\n")
    (folder / "lpips.py").write_text("def lpips(): return 3\n")
    (folder / "deep" / "__init__.py").write_text("")
    (folder / "deep" / "module.py").write_text("inner = 4\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "lazy_example"
    for name in [name for name in sys.modules if name.split(".")[0] == "lazy_example"]:
        del sys.modules[name]


def test_names_are_listed_before_and_imported_when_used(package):
    import lazy_example

    assert lazy_example.__all__ == ["inner", "lpips", "squared_error"]
    assert set(lazy_example.__all__) <= set(dir(lazy_example)) and "__name__" in dir(lazy_example)
    assert "lazy_example.pointwise" not in sys.modules
    assert lazy_example.squared_error() == 2 and lazy_example.inner == 4
    assert lazy_example.squared_error is vars(lazy_example)["squared_error"]


def test_a_modules_name_stands_for_the_module_in_either_order_of_imports(package):
    import lazy_example

    assert lazy_example.lpips.lpips() == 3
    from lazy_example.lpips import lpips  # sets the attribute, as Python does

    assert lpips() == 3 and lazy_example.lpips.lpips is lpips


def test_unknown_names_are_refused_as_python_refuses_them(package):
    import lazy_example

    with pytest.raises(AttributeError, match="module 'lazy_example' has no attribute 'absent'"):
        lazy_example.absent  # noqa: B018
    with pytest.raises(ImportError):
        from lazy_example import absent  # noqa: F401


def test_all_exports_of_rdr_exist():
    assert rdr.__all__ == sorted(rdr.__all__)
    for name in rdr.__all__:
        assert getattr(rdr, name).__name__ == f"rdr.{name}"


PACKAGES = sorted(".".join(path.parent.relative_to(ROOT.parent).parts) for path in ROOT.rglob("__init__.py"))
NEED_EXTRAS = {"rdr.data": {"loader", "patches", "tfds_source"}}


@pytest.mark.parametrize("name", PACKAGES)
def test_packages_list_what_they_have(name):
    package = importlib.import_module(name)
    assert list(package.__all__) == sorted(package.__all__) and bool(package.__all__) == (name != COMMANDS)
    assert set(package.__all__) == {shown for shown in dir(package) if not shown.startswith("_")}
    for export in set(package.__all__) - NEED_EXTRAS.get(name, set()):
        value = getattr(package, export)
        assert not callable(value) or value.__doc__, export
    parts = {part.rsplit(".", 1)[1] for part in PACKAGES if part.rpartition(".")[0] == name and part != COMMANDS}
    assert parts <= set(package.__all__)


def test_importing_rdr_imports_none_of_the_heavy_libraries():
    script = ("import sys; before = set(sys.modules); import rdr; new = set(sys.modules) - before; "
              "print(sorted({n.split('.')[0] for n in new} & {'jax', 'numpy', 'flax', 'optax', 'matplotlib', 'PIL', "
              "'scipy', 'absl'}), len(new))")
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert shown[0] == "[]" and int(shown[1]) < 20
