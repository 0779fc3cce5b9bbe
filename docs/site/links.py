"""Links: files that pages point to, and those of the built site that lead nowhere."""

import html.parser
import pathlib
import re
import urllib.parse

_LINK = re.compile(r"\]\(<?([^)>#\s]+)[^)]*\)")


def targets(text: str) -> list[str]:
    """Finds the relative links of a page.

    Args:
      text: Markdown.

    Returns:
      Paths as they stand there, without anchors.
    """
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return [link for link in _LINK.findall(re.sub(r"`[^`\n]*`", "", text)) if "://" not in link]


class _Anchors(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids.update(filter(None, (values.get("id"), values.get("name") if tag == "a" else None)))
        link = values.get("href" if tag in ("a", "link") else "src")
        if link:
            self.links.append(link)


def mend_anchors(folder: pathlib.Path) -> None:
    """Mends the links from pages of source code: of a module that two pages document, Sphinx knows the name of one.

    Args:
      folder: with the HTML files.
    """
    ids: dict[pathlib.Path, set[str]] = {}

    def mended(page: pathlib.Path, match: re.Match[str]) -> str:
        path, anchor = match.groups()
        target = (page.parent / path).resolve()
        if target not in ids:
            parser = _Anchors()
            if target.is_file():
                parser.feed(target.read_text(encoding="utf-8"))
            ids[target] = parser.ids
        parts = anchor.split(".")
        names = [f"{target.stem}.{'.'.join(parts[i:])}" for i in range(1, len(parts))]
        name = anchor if anchor in ids[target] else next((name for name in names if name in ids[target]), anchor)
        return f'href="{path}#{name}"'

    for page in (folder / "_modules").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        page.write_text(re.sub(r'href="([^"#:]+/reference/[^"#]+)#([^"]+)"', lambda m, p=page: mended(p, m), text),
                        encoding="utf-8")


def check(folder: pathlib.Path) -> tuple[list[str], list[str]]:
    """Follows every link of a built site.

    Args:
      folder: with the HTML files.

    Returns:
      (dead links within the site, addresses outside of it), sorted.
    """
    parsed = {}
    for path in folder.rglob("*.html"):
        parser = _Anchors()
        parser.feed(path.read_text(encoding="utf-8"))
        parsed[path.resolve()] = parser
    dead, outside = set(), set()
    for path, parser in parsed.items():
        for link in parser.links:
            parts = urllib.parse.urlsplit(link)
            if parts.scheme or parts.netloc:
                outside.add(link)
                continue
            target = (path.parent / urllib.parse.unquote(parts.path)).resolve() if parts.path else path
            anchor = urllib.parse.unquote(parts.fragment)
            known = parsed.get(target)
            if not target.exists() or (anchor and known is not None and anchor not in known.ids):
                dead.add(f"{path.relative_to(folder.resolve())}: {link}")
    return sorted(dead), sorted(outside)
