"""The command `rdr`: one module for each of its commands, which `main` finds; nothing imports this package."""

__all__: list[str] = []
