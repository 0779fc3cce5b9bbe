"""Docstrings as reStructuredText: plain text with backticks, formulas that are indented, and sections."""

import ast
import re
import textwrap
from collections.abc import Callable, Collection

_SECTION = re.compile(r"^(Args|Returns|Yields|Raises|Attributes|Reference):(.*)$")
_BULLET = re.compile(r"^([*-]|\d+\.) +")
_NAME = re.compile(r"^[A-Za-z_][\w.]*(\(\))?$")


def escape(text: str) -> str:
    """Escapes what reStructuredText would take for markup.

    Args:
      text: plain text without code.

    Returns:
      The text.
    """
    return re.sub(r"_(?=\W|$)", r"\\_", re.sub(r"([\\*|`])", r"\\\1", text))


def inline(text: str, cite: Callable[[str], str] = escape) -> str:
    """Turns a paragraph of a docstring into reStructuredText.

    Args:
      text: with `code` in backticks.
      cite: what becomes of the text outside of backticks.

    Returns:
      The text; names are references to what they name, where that is documented.
    """
    parts = re.split(r"(`+[^`]+`+)", text)
    for i, part in enumerate(parts):
        if i % 2:
            code = part.strip("`")
            parts[i] = f":py:obj:`{code}`" if _NAME.match(code) else f"``{code}``"
            before, after = parts[i - 1][-1:], parts[i + 1][:1] if i + 1 < len(parts) else ""
            # Markup must stand between spaces or punctuation.
            parts[i] = ("\\ " if before.isalnum() else "") + parts[i] + ("\\ " if after.isalnum() else "")
        else:
            parts[i] = cite(part)
    return "".join(parts)


def cited(text: str, keys: Collection[str]) -> list[str]:
    """Finds keys of the bibliography.

    Args:
      text: of a reference.
      keys: of the bibliography.

    Returns:
      Those that occur as words, in order.
    """
    return [word for word in re.findall(r"(?<![\w.])\w+(?![\w])", text) if word in keys]


def _cite(text: str, keys: Collection[str]) -> str:
    text = re.sub(r"[\[(](\w+)[\])]", lambda m: m.group(1) if m.group(1) in keys else m.group(0), text)
    words = re.split(r"(?<![\w.])(\w+)(?!\w)", text)
    return "".join(f":cite:t:`{word}`" if word in keys else escape(word) for word in words)


def _literal(lines: list[str]) -> list[str]:
    code = textwrap.dedent("\n".join(lines)).strip("\n")
    try:
        ast.parse(code)
        language = "python" if re.search(r"import |\w\(|=", code) else "text"
    except SyntaxError:
        language = "text"
    return ["", f".. code-block:: {language}", "", *textwrap.indent(code, "   ").split("\n"), ""]


def _flow(lines: list[str], cite: Callable[[str], str]) -> list[str]:
    """Paragraphs, bullets, and indented blocks, which are formulas or code."""
    out: list[str] = []
    block: list[str] = []
    kind = ""

    def close() -> None:
        nonlocal block, kind
        if kind == "literal":
            out.extend(_literal(block))
        elif kind == "bullet":
            first, *rest = block
            mark = _BULLET.match(first.strip()).group(0)
            text = inline(" ".join([first.strip()[len(mark):], *(line.strip() for line in rest)]), cite)
            out.extend([f"* {text}", ""])
        elif kind:
            out.extend([*inline("\n".join(block), cite).split("\n"), ""])
        block, kind = [], ""

    for line in lines:
        bullet, indented = _BULLET.match(line.strip()), line.startswith("  ")
        if not line.strip():
            if kind == "literal":
                block.append("")
            else:
                close()
        elif bullet and kind != "literal":
            close()
            block, kind = [line], "bullet"
        elif indented and kind != "bullet":
            if kind != "literal":
                close()
            block.append(line)
            kind = "literal"
        else:
            if kind == "literal" or (kind == "bullet" and not indented):
                close()
            block.append(line)
            kind = kind or "text"
    close()
    return out


def _entries(lines: list[str]) -> list[list[str]]:
    """Entries of a section, each with its lines; continuations are indented further."""
    lines = textwrap.dedent("\n".join(lines)).strip("\n").split("\n")
    entries: list[list[str]] = []
    for line in lines:
        if line.strip() and not line.startswith(" "):
            entries.append([line])
        elif entries:
            entries[-1].append(line)
    return entries


def _described(lines: list[str], cite: Callable[[str], str]) -> tuple[str, list[str]]:
    """The first paragraph, and what follows it, indented."""
    first, *rest = lines
    flow = _flow([first, *textwrap.dedent("\n".join(rest)).split("\n")], cite)
    text, tail = [], iter(flow)
    for line in tail:
        if not line:
            break
        text.append(line)
    return " ".join(text), textwrap.indent("\n".join(tail), "   ").split("\n")


def _section(name: str, lines: list[str], keys: Collection[str]) -> list[str]:
    if name == "Reference":
        text = " ".join(line.strip() for line in lines if line.strip())
        return [f"**Reference:** {inline(text, lambda part: _cite(part, keys))}", ""]
    if name in ("Returns", "Yields"):
        text, tail = _described(textwrap.dedent("\n".join(lines)).strip("\n").split("\n"), escape)
        return [f":{name.lower()}: {text}", *tail, ""]
    field = {"Args": "param", "Raises": "raises", "Attributes": "ivar"}[name]
    out: list[str] = []
    for entry in _entries(lines):
        head, colon, text = entry[0].partition(": ")
        if not colon:
            head, text = entry[0].rstrip(":"), ""
        rest = [text, *entry[1:]] if text else [line.strip() for line in entry[1:]]
        text, tail = _described(rest or [""], escape)
        # Several names in one field would be read as a type and a name.
        for one in (head.split(", ") if field != "raises" else [head]):
            out += [f":{field} {one.strip('`').lstrip('*')}: {text}", *tail]
    return [*out, ""]


def to_rst(text: str, keys: Collection[str] = ()) -> list[str]:
    """Turns a docstring into reStructuredText.

    Args:
      text: the docstring, without common indentation.
      keys: of the bibliography.

    Returns:
      Lines.
    """
    lines, out, body = text.split("\n"), [], []
    i = 0
    while i < len(lines):
        match = _SECTION.match(lines[i])
        if not match:
            body.append(lines[i])
            i += 1
            continue
        out += _flow(body, escape)
        body, name, content = [], match.group(1), [match.group(2).strip()]
        i += 1
        inline_text = bool(content[0])
        while i < len(lines) and not _SECTION.match(lines[i]) and (
                bool(lines[i].strip()) if inline_text else not lines[i].strip() or lines[i].startswith(" ")):
            content.append(lines[i])
            i += 1
        fields = _section(name, content if inline_text else content[1:], keys)
        out += ["", *fields] if fields else []
    return out + _flow(body, escape)
