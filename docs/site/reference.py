"""Pages of the reference: every public name of `rdr` and `theory`, from what packages export."""

import contextlib
import importlib
import inspect
import pathlib
import re
import sys
import types
from collections.abc import Iterator
from typing import Any, NamedTuple

from docs.site.docstrings import inline, to_rst

TOPS = ("theory", "rdr")


class Page(NamedTuple):
    """A package or module that is public.

    Attributes:
      module: its dotted name.
      names: name -> value of the functions, classes and constants that are documented there.
      elsewhere: name -> full name of what is documented on another page.
      modules: dotted names of the public modules within it.
    """

    module: str
    names: dict[str, Any]
    elsewhere: dict[str, str]
    modules: list[str]


def exported(module: types.ModuleType) -> dict[str, Any]:
    """Lists what a module exports.

    Args:
      module: of the library.

    Returns:
      Name -> value: of `__all__`, or, in a module without one, the functions and classes that it defines.
    """
    names = getattr(module, "__all__", None)
    if names is not None:
        return {name: getattr(module, name) for name in sorted(names)}
    return {name: value for name, value in vars(module).items() if not name.startswith("_")
            and (inspect.isclass(value) or callable(value)) and getattr(value, "__module__", "") == module.__name__}


def pages(tops: tuple[str, ...] = TOPS) -> list[Page]:
    """Walks through what is public, packages before what they hold.

    Args:
      tops: names of the packages to begin with.

    Returns:
      The pages. What several export is documented where its name is shortest.
    """
    found: list[Page] = []
    owner: dict[int, str] = {}
    queue, seen = list(tops), set(tops)
    while queue:
        name = queue.pop(0)
        names, elsewhere, modules = {}, {}, []
        for short, value in exported(importlib.import_module(name)).items():
            if isinstance(value, types.ModuleType):
                if value.__name__.startswith(name + ".") and value.__name__ not in seen:
                    modules.append(value.__name__)
                    seen.add(value.__name__)
            elif id(value) in owner and (inspect.isclass(value) or callable(value)):
                elsewhere[short] = owner[id(value)]
            else:
                names[short] = value
                owner[id(value)] = f"{name}.{short}"
        queue += modules
        found.append(Page(name, names, elsewhere, modules))
    return found


def full_names(found: list[Page]) -> Iterator[tuple[str, str]]:
    """Lists every public name.

    Args:
      found: what `pages` returns.

    Yields:
      (the name, the name under which it is documented).
    """
    for page in found:
        yield page.module, page.module
        for name in page.names:
            yield f"{page.module}.{name}", f"{page.module}.{name}"
        for name, other in page.elsewhere.items():
            yield f"{page.module}.{name}", other


def aliases(found: list[Page]) -> dict[str, str]:
    """Says where names are documented that a docstring may use.

    Args:
      found: what `pages` returns.

    Returns:
      Name that is not documented, such as that in the module of the definition -> name that is.
    """
    other = {name: target for name, target in full_names(found) if name != target}
    for page in found:
        for name, value in page.names.items():
            if inspect.isclass(value) or callable(value):
                other.setdefault(f"{value.__module__}.{getattr(value, '__qualname__', name)}", f"{page.module}.{name}")
    return {name: target for name, target in other.items() if name != target}


def comment(name: str, value: Any, package: str) -> str:
    """Finds what stands above the definition of a constant.

    Args:
      name: of the constant.
      value: its value.
      package: that exports it; the definition may be in any module of the same top.

    Returns:
      The comment in one line; empty if there is none.
    """
    top, source = package.split(".")[0], ""
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").split(".")[0] == top and vars(module).get(name) is value:
            with contextlib.suppress(OSError, TypeError):  # a module without a source
                source = inspect.getsource(module)
            found = re.search(rf"((?:^#.*\n)+){name}\b[^=\n]*=", source, re.MULTILINE)
            if found:
                return " ".join(line.lstrip("#").strip() for line in found.group(1).strip().split("\n"))
    return ""


def text_of(name: str, value: Any, package: str) -> str:
    """Gives what is written about a public name where it is defined.

    Args:
      name: without its module.
      value: its value.
      package: that exports it.

    Returns:
      The docstring, or the comment above a constant; empty if there is none.
    """
    if isinstance(value, types.ModuleType) or inspect.isclass(value) or callable(value):
        return inspect.getdoc(value) or ""
    return comment(name, value, package)


def first_line(text: str) -> str:
    """Gives the first sentence of a docstring, or a comment.

    Args:
      text: what `text_of` returns.

    Returns:
      Its summary, as reStructuredText.
    """
    return inline(" ".join(text.split("\n\n")[0].split()))


def _table(rows: list[tuple[str, str]]) -> list[str]:
    lines = [".. list-table::", "   :widths: 40 60", "   :class: names", ""]
    for target, text in rows:
        lines += [f"   * - {target}", f"     - {text}"]
    return [*lines, ""]


def _constant(name: str, value: Any, text: str) -> list[str]:
    shown = repr(value)
    size = f" of {len(value)}" if isinstance(value, dict | tuple) else ""
    body = f"``{shown}``" if len(shown) < 300 else (
        f"A {type(value).__name__}{size}" + (f": {', '.join(map(repr, value))}" if isinstance(value, dict) else ""))
    return [f".. py:data:: {name}", f"   :type: {type(value).__name__}", "", f"   {first_line(text)}", "",
            f"   {body}", ""]


def write_page(page: Page, keys: set[str]) -> str:
    """Writes a page of the reference.

    Args:
      page: what is on it.
      keys: of the bibliography.

    Returns:
      reStructuredText.
    """
    module = importlib.import_module(page.module)
    lines = [page.module, "=" * len(page.module), "", f".. py:module:: {page.module}", "",
             *to_rst((module.__doc__ or "").strip(), keys), ""]
    if page.modules:
        lines += [".. toctree::", "   :hidden:", "", *(f"   {name}" for name in page.modules), "",
                  *_table([(f":py:mod:`{name.rpartition('.')[2]} <{name}>`",
                            first_line(importlib.import_module(name).__doc__ or "")) for name in page.modules])]
    texts = {name: text_of(name, value, page.module) for name, value in page.names.items()}
    rows = [(f":py:obj:`{name} <{page.module}.{name}>`", first_line(text)) for name, text in texts.items()]
    rows += [(f":py:obj:`{name} <{target}>`", f"Documented as :py:obj:`{target}`.")
             for name, target in page.elsewhere.items()]
    lines += _table(rows) if rows else []
    for name, value in page.names.items():
        if inspect.isclass(value):
            lines += [f".. autoclass:: {page.module}.{name}", "   :members:", ""]
        elif callable(value):
            lines += [f".. autofunction:: {page.module}.{name}", ""]
        else:
            lines += _constant(name, value, texts[name])
    return "\n".join(lines) + "\n"


def write_pages(folder: pathlib.Path, found: list[Page], keys: set[str]) -> dict[str, str]:
    """Writes the reference.

    Args:
      folder: where to.
      found: what `pages` returns.
      keys: of the bibliography.

    Returns:
      File name -> text, of all pages.
    """
    texts = {f"{page.module}.rst": write_page(page, keys) for page in found}
    return {(folder / name).as_posix(): text for name, text in texts.items()}
