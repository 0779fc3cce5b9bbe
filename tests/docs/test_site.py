"""What the site is made of: pages that point somewhere, a gallery of all figures, a bibliography that can be read."""

import collections
import pathlib
import re
import sys
import types

import pytest

from docs.site import build, links, reference

ROOT = pathlib.Path(__file__).parents[2]


def test_links_of_pages_lead_to_files(tmp_path):
    staged = build.stage(tmp_path)  # refuses a link that leads nowhere
    assert {pathlib.Path("docs/index.md"), pathlib.Path("paper_figures/figures/laplace.png")} <= staged
    assert (tmp_path / "docs" / "metrics.md").read_bytes() == (ROOT / "docs" / "metrics.md").read_bytes()


def test_a_link_that_leads_nowhere_is_named(tmp_path):
    for name in ("CONTRIBUTING.md", "CHANGELOG.md", "references.bib"):
        (tmp_path / name).touch()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("[here](b.md) and `[not](here.md)` and [there](https://example.org)")
    with pytest.raises(ValueError, match=r"docs/a\.md: b\.md$"):
        build.stage(tmp_path / "out", tmp_path)


def test_dead_links_and_anchors_of_the_site_are_found(tmp_path):
    (tmp_path / "a.html").write_text('<a id="x" href="b.html#y">1</a><a href="#x">2</a><img src="c.png">')
    (tmp_path / "b.html").write_text('<a href="a.html#x">1</a><a href="https://example.org">2</a>')
    assert links.check(tmp_path) == (["a.html: b.html#y", "a.html: c.png"], ["https://example.org"])


def test_links_from_source_code_find_the_name_of_the_page(tmp_path):
    for folder in ("_modules", "reference"):
        (tmp_path / folder).mkdir()
    (tmp_path / "reference" / "a.b.html").write_text('<dt id="a.b.f">')
    (tmp_path / "_modules" / "b.html").write_text('<a href="../reference/a.b.html#a.f">')
    assert links.check(tmp_path)[0] == ["_modules/b.html: ../reference/a.b.html#a.f"]
    links.mend_anchors(tmp_path)
    assert links.check(tmp_path)[0] == []


def test_every_committed_figure_is_in_the_gallery_and_every_page_in_the_index(tmp_path):
    build.stage(tmp_path)
    written = (tmp_path / "docs" / "gallery.md").read_text(encoding="utf-8")
    (tmp_path / "docs" / "gallery.md").write_text(written.replace("laplace.png", "x.png"))
    build.complete(tmp_path)
    text = (tmp_path / "docs" / "gallery.md").read_text(encoding="utf-8")
    assert "## Further figures" in text and "Drawn by `python -m paper_figures.laplace`." in text.split("## Further")[1]
    shown = set(re.findall(r"figures/(\w+)\.png\)", text)) - {"x"}
    assert shown == {path.stem for path in (ROOT / "paper_figures" / "figures").glob("*.png")}
    listed = (tmp_path / "docs" / "index.md").read_text(encoding="utf-8").split("\n")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.stem == "index" or listed.count(page.stem) == 1, page


def test_every_committed_figure_has_words_a_command_and_a_cost():
    sections = re.split(r"^##+ ", (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    for figure in (ROOT / "paper_figures" / "figures").glob("*.png"):
        found = [section for section in sections if f"figures/{figure.name})" in section]
        assert len(found) == 1, figure
        for part in ("Take from it", "Run: `python -m ", "Drawn by `python -m paper_figures.", " Cost: "):
            assert part in found[0], f"{figure}: the gallery does not say {part!r}"


def test_the_bibliography_can_be_read():
    text = (ROOT / "references.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{([^,\s]+),$", text, re.MULTILINE)
    assert [key for key, count in collections.Counter(keys).items() if count > 1] == []
    entries = re.split(r"^(?=@)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(keys)
    for entry in entries:  # merged line by line, an entry can lose its end or get another's fields
        assert entry.count("{") == entry.count("}") and entry.rstrip().endswith("}"), entry
        fields = re.findall(r"(?:^|, )\s*(\w+) = [{\"]", entry, re.MULTILINE)
        assert len(fields) == len(set(fields)), entry


def test_a_page_of_the_reference_has_every_name(monkeypatch):
    def double(x):
        """Doubles x."""
        return 2 * x

    package = types.ModuleType("package", "A package.\n\nReference: shannon1959coding.")
    module = types.ModuleType("package.inner", "A module.")
    double.__module__, double.__qualname__ = "package.inner", "double"
    module.double, module._hidden = double, 1
    package.__all__, package.inner, package.double, package.LIMIT = ["LIMIT", "double", "inner"], module, double, 3
    monkeypatch.setitem(sys.modules, "package", package)
    monkeypatch.setitem(sys.modules, "package.inner", module)
    outer, inner = reference.pages(("package",))
    assert set(outer.names) == {"LIMIT", "double"} and inner.elsewhere == {"double": "package.double"}
    assert dict(reference.full_names([outer, inner]))["package.inner.double"] == "package.double"
    assert reference.aliases([outer, inner]) == {"package.inner.double": "package.double"}
    text = reference.write_page(outer, {"shannon1959coding"})
    assert reference.text_of("LIMIT", 3, "package") == ""
    assert reference.text_of("double", double, "package") == "Doubles x."
    for part in (".. autofunction:: package.double", ".. py:data:: LIMIT", "   package.inner", "Doubles x.",
                 ":cite:t:`shannon1959coding`"):
        assert part in text


def test_what_is_said_of_a_constant_is_the_comment_above_it(tmp_path, monkeypatch):
    from theory.bounds import KINDS

    found = {page.module: page for page in reference.pages(("theory",))}["theory.bounds"]
    assert reference.text_of("KINDS", KINDS, "theory.bounds").startswith("What a bound may be quoted as")
    text = reference.write_page(found, set())
    assert "   What a bound may be quoted as" in text and "``('exact', 'lower', 'upper', 'asymptotic')``" in text


def test_a_name_without_words_or_without_a_place_on_the_site_is_named(tmp_path, monkeypatch):
    inventory = pytest.importorskip("sphinx.util.inventory", reason="`make docs` installs Sphinx")

    said = types.ModuleType("said", "A module.")

    def documented():
        """Says what it does."""

    def silent():
        pass

    def absent():
        """Is on no page."""

    said.documented, said.silent, said.absent = documented, silent, absent
    said.__all__ = ["documented", "silent", "absent"]
    monkeypatch.setitem(sys.modules, "said", said)
    monkeypatch.setattr(reference, "pages", lambda pages=reference.pages: pages(("said",)))
    objects = {"py:module": {"said": ()}, "py:function": {"said.documented": (), "said.silent": ()}}
    monkeypatch.setattr(inventory.InventoryFile, "load", lambda *args: objects)
    (tmp_path / "objects.inv").touch()
    assert build.missing_names(tmp_path / "objects.inv") == [
        "said.absent (said.absent)", "said.silent (no docstring, or no comment above a constant)"]
