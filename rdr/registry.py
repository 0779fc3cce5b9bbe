"""Registries: objects that are found by name, and a place for those of users."""

import inspect
from collections.abc import Callable, Mapping
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
          ValueError: if the name is taken, empty or no text.
          TypeError: if the builder cannot be called.
        """
        if not isinstance(name, str) or not name or name in self._builders:
            raise ValueError(f"the name of a {self.kind} must be new text, got {name!r}")
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
        if not isinstance(name, str) or name not in self._builders:
            raise ValueError(f"{self.kind} must be one of {', '.join(map(repr, self.names()))}, got {name!r}")
        builder = self._builders[name]
        known = inspect.signature(builder).parameters
        if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in known.values()):
            unknown = [option for option in options if option not in known]
            if unknown:
                takes = f"it takes {', '.join(known)}" if known else "it takes none"
                raise TypeError(f"{self.kind} {name!r} has no option {unknown[0]!r}; {takes}")
        return builder(**options)

    def given(self, value: Any, options: Mapping[str, Any]) -> Any:
        """Returns an object that was given in place of a name.

        Args:
          value: the object.
          options: what was given beside it, which must be nothing.

        Returns:
          The object.

        Raises:
          TypeError: if there are options, which only a builder takes.
        """
        if options:
            raise TypeError(f"a {self.kind} that is given takes no options, got {', '.join(options)}")
        return value
