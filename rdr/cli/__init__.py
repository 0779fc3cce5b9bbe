"""The command `rdr`: one module for each of its commands, which `main` finds; nothing imports this package."""

from rdr._lazy import make_dir

__all__: list[str] = []
__dir__ = make_dir(__name__, __all__)
