"""Lazy exports of a package: names are listed at once, modules are imported when one of them is used (PEP 562)."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any


def attach(
    package: str, exports: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Makes the three names that a package with lazy exports assigns.

    A package holds

        __getattr__, __dir__, __all__ = attach(__name__, {"lpips": "lpips", "squared_error": "pointwise"})

    and then `package.lpips` is its module of that name, and `package.squared_error` the attribute of its module
    `pointwise`. A name that is a module's stands for the module, since Python itself sets that attribute once anybody
    has imported the module.

    Args:
      package: the package's `__name__`.
      exports: public name -> module below the package, with dots for deeper ones.

    Returns:
      `__getattr__`, `__dir__` and `__all__`.
    """
    def load(name: str) -> Any:
        if name not in exports:
            raise AttributeError(f"module {package!r} has no attribute {name!r}; it has {', '.join(sorted(exports))}")
        module = importlib.import_module(f"{package}.{exports[name]}")
        value = module if name == exports[name] else getattr(module, name)
        setattr(sys.modules[package], name, value)  # so that it is looked up once
        return value

    return load, make_dir(package, exports), sorted(exports)


def make_dir(package: str, exports: Iterable[str]) -> Callable[[], list[str]]:
    """Makes `__dir__` of a package that imports what it exports, since functions have the names of its modules.

    Args:
      package: the package's `__name__`.
      exports: its public names.

    Returns:
      `__dir__`, which lists the public names and not the modules that were imported.
    """

    def names() -> list[str]:
        dunders = (name for name in vars(sys.modules[package]) if name.startswith("__"))
        return sorted({*dunders, *exports})

    return names
