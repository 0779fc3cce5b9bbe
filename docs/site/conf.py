"""Configuration of Sphinx, and what it cannot do by itself: docstrings, names of definitions, uses of references."""

import pathlib
import re
import sys

ROOT = pathlib.Path.cwd()
sys.path.insert(0, str(ROOT))

from docutils import nodes  # noqa: E402
from PIL import Image  # noqa: E402
from pybtex.plugin import register_plugin  # noqa: E402
from pybtex.style.formatting import alpha as alpha_style  # noqa: E402
from pybtex.style.labels import alpha  # noqa: E402

import rdr  # noqa: E402
from docs.site import build, docstrings, reference  # noqa: E402
from paper_figures import style  # noqa: E402

project = "rdr"
author = copyright = "the rdr authors"
version = release = rdr.__version__
root_doc = "docs/index"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "sphinx.ext.mathjax", "sphinxcontrib.bibtex",
              "sphinx-mathjax-offline"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["docs/site/*"]
language = "en"
html_title = "rdr"
html_theme = "furo"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}
pygments_style, pygments_dark_style = "default", "github-dark"
# Where a page says nothing of the language, it shows a formula or a table of numbers.
highlight_language = "text"
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 4
bibtex_bibfiles = ["../../references.bib"]
bibtex_reference_style = "author_year"
bibtex_default_style = "rdr"
# Two hyphens are the beginning of a flag.
smartquotes_action = "qe"
autodoc_typehints = "signature"
autodoc_type_aliases = {"ArrayLike": "jax.typing.ArrayLike"}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
# Annotations name classes without their module: where several modules have one of that name, the nearest is linked.
suppress_warnings = ["ref.python"]

class Labels(alpha.LabelStyle):
    """Labels of the bibliography, such as [AT20]; organizations have their initials."""

    def format_label(self, entry):
        """Makes the label of an entry."""
        label = super().format_label(entry)
        return "".join(word[0] for word in re.findall(r"[A-Z]\w+", label)) + label[-2:] if " " in label else label


class Style(alpha_style.Style):
    """Pybtex's style `alpha` with these labels."""

    default_label_style = "rdr"


register_plugin("pybtex.style.labels", "rdr", Labels)
register_plugin("pybtex.style.formatting", "rdr", Style)

KEYS = build.bibliography_keys()
PAGES = reference.pages()
ALIASES = reference.aliases(PAGES)
USES: dict[str, set[str]] = {}


def read_docstring(app, what, name, obj, options, lines):
    """Turns a docstring into reStructuredText and notes which references it uses."""
    text = "\n".join(lines)
    for key in docstrings.cited("\n".join(text.split("Reference:")[1:]), KEYS):
        USES.setdefault(key, set()).add(name)
    lines[:] = docstrings.to_rst(text, KEYS)


def skip_member(app, what, name, obj, skip, options):
    """Leaves out fields of tuples, which the docstring of the class describes, and what Flax and NumPy add."""
    module = getattr(obj, "__module__", "") or ""
    if type(obj).__name__ == "_tuplegetter" or not (module.startswith(("rdr", "theory")) or isinstance(obj, property)):
        return True
    return None


def resolve_alias(app, env, node, contnode):
    """Finds what is named by the module that defines it, or by a package that exports it, too."""
    if node.get("refdomain") != "py":
        return None
    target = node.get("reftarget", "").removesuffix("()")
    for name in (target, f"{node.get('py:module')}.{target}"):
        if name in ALIASES:
            domain = env.get_domain("py")
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", ALIASES[name], node, contnode)
    return None


def show_pixels(app, doctree):
    """Marks figures of photographs, which are shown pixel by pixel, and what they scroll in where they are too wide."""
    for node in doctree.findall(nodes.image):
        path = pathlib.Path(app.srcdir) / node["uri"]
        if path.suffix == ".png" and path.is_file():
            with Image.open(path) as file:
                if file.info.get("Description") == style.WHOLE_PIXELS:
                    node["classes"].append("pixels")
                    node.parent["classes"].append("scroll")


def add_uses(app, doctree, docname):
    """Adds to each entry of the bibliography who uses it."""
    if docname != "docs/bibliography":
        return
    domain, python = app.env.get_domain("cite"), app.env.get_domain("py")
    key_of = {citation.citation_id: citation.key for citation in domain.citations}
    uses = getattr(app.env, "reference_uses", {})
    for entry in doctree.findall(nodes.citation):
        names = sorted(uses.get(key_of.get(entry["ids"][0], ""), ()))
        paragraph = nodes.paragraph("", "", classes=["uses"])
        for i, name in enumerate(names):
            paragraph += nodes.Text(", " if i else "Used by ")
            found = python.objects.get(name)
            code = nodes.literal(name, name)
            paragraph += nodes.reference(
                "", "", code, internal=True,
                refuri=app.builder.get_relative_uri(docname, found.docname) + "#" + found.node_id) if found else code
        if names:
            entry += paragraph


def keep_uses(app, env):
    """Puts the uses of references where pages that are not read again keep theirs."""
    known = getattr(env, "reference_uses", {})
    for key, names in USES.items():
        known.setdefault(key, set()).update(names)
    env.reference_uses = known


def forward(app, exception):
    """Leads from the first page of the folder to the first page of the site."""
    if exception is None:
        (pathlib.Path(app.outdir) / "index.html").write_text(
            '<!doctype html><meta charset="utf-8"><title>rdr</title>'
            '<meta http-equiv="refresh" content="0; url=docs/index.html"><a href="docs/index.html">rdr</a>\n')


def setup(app):
    """Registers the functions above."""
    app.connect("autodoc-process-docstring", read_docstring)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("missing-reference", resolve_alias)
    app.connect("doctree-read", show_pixels, priority=900)  # when images are known by their paths
    app.connect("env-updated", keep_uses)
    app.connect("doctree-resolved", add_uses)
    app.connect("build-finished", forward)
    return {"parallel_read_safe": False}
