"""Registries: objects that are found by name, and a place for those of users."""

from collections.abc import Callable
from typing import Any


class Registry:
    """Builders by name.

    Attributes:
      kind: what is registered, as messages call it.
    """

    def __init__(self, kind: str, builders: dict[str, Callable[..., Any]] | None = None):
        """Makes a registry.

        Args:
          kind: what is registered, as messages call it.
          builders: name -> function of options that builds the object.
        """
        self.kind = kind
        self._builders = dict(builders or {})

    def names(self) -> tuple[str, ...]:
        """Lists what there is.

        Returns:
          The names, sorted.
        """
        return tuple(sorted(self._builders))

    def register(self, name: str, builder: Callable[..., Any]) -> None:
        """Adds an object.

        Args:
          name: a new one.
          builder: function of keyword options that builds the object.

        Raises:
          ValueError: if the name is taken or empty.
          TypeError: if the builder cannot be called.
        """
        if not name or name in self._builders:
            raise ValueError(f"the name of a {self.kind} must be new, got {name!r}")
        if not callable(builder):
            raise TypeError(f"the builder of {self.kind} {name!r} must be callable, got {type(builder).__name__}")
        self._builders[name] = builder

    def unregister(self, name: str) -> None:
        """Removes an object.

        Args:
          name: of the object; nothing happens if there is none.
        """
        self._builders.pop(name, None)

    def build(self, name: str, **options: Any) -> Any:
        """Builds an object.

        Args:
          name: one of `names()`.
          **options: of its builder.

        Returns:
          The object.

        Raises:
          ValueError: if there is none of this name.
          TypeError: if its builder does not take an option.
        """
        if name not in self._builders:
            raise ValueError(f"{self.kind} must be one of {', '.join(map(repr, self.names()))}, got {name!r}")
        return self._builders[name](**options)
