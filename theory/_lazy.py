"""Lazy exports of a package: its names are known at once, its modules are imported when one of them is asked for."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def attach(
    package: str, exports: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Makes `__getattr__`, `__dir__` and `__all__` of a package (PEP 562).

    Args:
      package: the package's `__name__`.
      exports: name -> module below the package that defines it; a name that equals its module's stands for the module.

    Returns:
      The three, in this order; `__all__` is sorted.
    """

    def get_attribute(name: str) -> Any:
        if name not in exports:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(sorted(exports))}")
        value = importlib.import_module(f"{package}.{exports[name]}")
        if name != exports[name]:
            value = getattr(value, name)
        setattr(sys.modules[package], name, value)
        return value

    return get_attribute, make_dir(package, exports), sorted(exports)


def make_dir(package: str, exports: Iterable[str]) -> Callable[[], list[str]]:
    """Makes `__dir__` of a package that imports what it exports, since functions have the names of its modules.

    Args:
      package: the package's `__name__`.
      exports: its public names.

    Returns:
      `__dir__`, which lists the public names and not the modules that were imported.
    """

    def list_attributes() -> list[str]:
        special = {name for name in vars(sys.modules[package]) if name.startswith("__")}
        return sorted({*special, *exports})

    return list_attributes
