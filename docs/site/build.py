"""Building the site: `make docs`.

A copy of the Markdown pages and of what they point to lies in OUT/source as in the repository, so that relative
links work in both; generated pages, and what examples print and draw, are added there. The site is OUT/html.
"""

import argparse
import ast
import concurrent.futures
import os
import pathlib
import re
import resource
import sys

from docs.site import links, snippets

ROOT = pathlib.Path(__file__).parents[2]
# Folders whose Markdown files are pages, and single pages.
PAGES = ("docs", "benchmarks", "paper_figures/data", "rdr/evaluation/published")
SINGLE = ("CONTRIBUTING.md", "CHANGELOG.md")


def page_files(root: pathlib.Path = ROOT) -> list[pathlib.Path]:
    """Lists the Markdown pages of the site.

    Args:
      root: of the repository.

    Returns:
      Paths, sorted.
    """
    return sorted({root / name for name in SINGLE} | {path for top in PAGES for path in (root / top).rglob("*.md")})


def bibliography_keys(root: pathlib.Path = ROOT) -> set[str]:
    """Lists the keys of the bibliography.

    Args:
      root: of the repository.

    Returns:
      The keys.
    """
    return set(re.findall(r"@\w+\{([^,\s]+),", (root / "references.bib").read_text(encoding="utf-8")))


def _write(path: pathlib.Path, data: bytes | str) -> None:
    """Writes a file, unless it is the same already, so that Sphinx reads again only what has changed."""
    data = data.encode() if isinstance(data, str) else data
    if not path.exists() or path.read_bytes() != data:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def stage(source: pathlib.Path, root: pathlib.Path = ROOT) -> set[pathlib.Path]:
    """Copies pages and what they point to.

    Args:
      source: where to.
      root: of the repository.

    Returns:
      The files that were written, relative to both.

    Raises:
      ValueError: if a page points to a file that does not exist, or to one outside of the repository.
    """
    wanted = {path.relative_to(root) for path in page_files(root)}
    wanted |= {pathlib.Path("references.bib")}
    wanted |= {path.relative_to(root) for path in (root / "docs" / "site").rglob("*") if path.is_file()
               and "__pycache__" not in path.parts}
    dead = []
    for page in page_files(root):
        for link in links.targets(page.read_text(encoding="utf-8")):
            target = (page.parent / link).resolve()
            if not target.is_file() or not target.is_relative_to(root.resolve()):
                generated = target.is_relative_to((root / "docs/reference").resolve()) or (
                    target.is_relative_to((root / "docs/commands").resolve()))
                if not generated:
                    dead.append(f"{page.relative_to(root)}: {link}")
            else:
                wanted.add(target.relative_to(root.resolve()))
    if dead:
        raise ValueError("links that lead nowhere (a link must name a file): " + "; ".join(dead))
    wanted |= {path.relative_to(root) for path in (root / "paper_figures" / "figures").glob("*.png")}
    for name in wanted:
        _write(source / name, (root / name).read_bytes())
    return wanted


def complete(source: pathlib.Path, root: pathlib.Path = ROOT) -> None:
    """Puts what no page mentions into the copies: pages into the index, figures into the gallery.

    Args:
      source: with the copies.
      root: of the repository.
    """
    index = source / "docs" / "index.md"
    text = index.read_text(encoding="utf-8")
    others = [path.stem for path in sorted((root / "docs").glob("*.md"))
              if path.stem != "index" and not re.search(rf"^{path.stem}$", text, re.MULTILINE)]
    _write(index, text.replace("\n*\n", "".join(f"\n{name}" for name in others) + "\n"))
    gallery = source / "docs" / "gallery.md"
    text = gallery.read_text(encoding="utf-8")
    modules = {path: path.read_text(encoding="utf-8") for path in sorted((root / "paper_figures").glob("*.py"))}
    further = []
    for figure in sorted((root / "paper_figures" / "figures").glob("*.png")):
        if f"figures/{figure.name})" not in text:
            drawn = next((path for path, code in modules.items() if f'"{figure.stem}"' in code), None)
            summary = (ast.get_docstring(ast.parse(modules[drawn])) or "").split("\n")[0] if drawn else ""
            command = f" Drawn by `python -m paper_figures.{drawn.stem}`." if drawn else ""
            further.append(f"### {figure.stem.replace('_', ' ').capitalize()}\n\n"
                           f"![{summary}](../paper_figures/figures/{figure.name})\n\n{summary}{command}\n")
    _write(gallery, text + ("\n## Further figures\n\n" + "\n".join(further) if further else ""))


def add_outputs(
    source: pathlib.Path, cache: pathlib.Path, jobs: int, *, code: str = "", root: pathlib.Path = ROOT
) -> set[pathlib.Path]:
    """Runs the examples of all pages and puts what they did into the copies.

    Args:
      source: with the copies.
      cache: results of earlier builds.
      jobs: pages at once.
      code: fingerprint of the code that results must be made with; empty for any.
      root: of the repository.

    Returns:
      The figures that were written, relative to `source`.

    Raises:
      RuntimeError: if an example fails.
    """
    pages = [page for page in page_files(root) if snippets.blocks(page.read_text(encoding="utf-8"))]
    written = set()

    def run(page: pathlib.Path) -> tuple[list[snippets.Output], pathlib.Path]:
        result = snippets.run_page(page, cache, root, code)
        spent = (result[1] / "seconds").read_text()
        print(f"  {page.relative_to(root)}: {spent} CPU seconds when it was run", flush=True)
        return result

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for page, (outputs, folder) in zip(pages, pool.map(run, pages)):
            name = page.relative_to(root)
            figures = f"{page.stem}_figures"
            _write(source / name, snippets.insert(page.read_text(encoding="utf-8"), outputs, figures))
            for path, _ in (figure for output in outputs for figure in output.figures):
                _write(source / name.parent / figures / path, (folder / path).read_bytes())
                written.add(name.parent / figures / path)
    return written


def generate(source: pathlib.Path, root: pathlib.Path = ROOT) -> set[pathlib.Path]:
    """Writes the pages that are made from code.

    Args:
      source: where to.
      root: of the repository.

    Returns:
      The files that were written, relative to `source`.
    """
    from docs.site import commands, reference

    texts = reference.write_pages(pathlib.Path("docs/reference"), reference.pages(), bibliography_keys(root))
    texts |= {f"docs/commands/{name}": text for name, text in commands.write_pages().items()}
    for name, text in texts.items():
        _write(source / name, text)
    return {pathlib.Path(name) for name in texts}


def wrong_calls(root: pathlib.Path = ROOT) -> list[str]:
    """Reads the calls of `rdr` in the shell blocks of all pages and of the README, without running them.

    Args:
      root: of the repository.

    Returns:
      What their commands refuse.
    """
    from docs.site import commands

    wrong = []
    for page in (root / "README.md", *page_files(root)):
        for block in re.findall(r"^```(?:sh)?\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            for call in re.findall(r"^(rdr [a-z].*)$", block.replace("\\\n", " "), re.MULTILINE):
                refused = commands.refusal(call.split(" | ")[0])
                wrong += [f"{page.relative_to(root)}: {call}: {refused}"] if refused else []
    return wrong


def missing_names(inventory: pathlib.Path) -> list[str]:
    """Finds public names that the built site does not have, or of which nothing is written.

    Args:
      inventory: the site's `objects.inv`.

    Returns:
      Their full names.
    """
    from sphinx.util.inventory import InventoryFile

    from docs.site import reference

    with inventory.open("rb") as file:
        loaded = InventoryFile.load(file, "", os.path.join)
    objects = getattr(loaded, "data", loaded)  # a dictionary before Sphinx 9.1
    known = {name for kind, entries in objects.items() if kind.startswith("py:") for name in entries}
    pages = reference.pages()
    return sorted([f"{name} ({target})" for name, target in reference.full_names(pages) if target not in known] + [
        f"{page.module}.{name} (no docstring, or no comment above a constant)" for page in pages
        for name, value in page.names.items() if not reference.text_of(name, value, page.module)])


def main(argv: list[str] | None = None) -> int:
    """Builds the site.

    Args:
      argv: flags; default those of the process.

    Returns:
      The exit status: 1 if there is a warning, a dead link, or a public name without documentation.
    """
    parser = argparse.ArgumentParser(description="Builds the documentation site.")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("build/docs"), help="folder of the site")
    parser.add_argument("--jobs", type=int, default=2, help="pages whose examples are run at once")
    parser.add_argument("--examples", choices=("run", "keep", "none"), default="run",
                        help="run those whose page or code has changed; keep results of earlier code; or leave all out")
    args = parser.parse_args(argv)
    from sphinx.cmd.build import build_main

    source, site = args.out / "source", args.out / "html"
    try:
        staged = stage(source)
        if args.examples != "none":
            print("examples:", flush=True)
            code = snippets.fingerprint(ROOT) if args.examples == "run" else ""
            staged |= add_outputs(source, args.out / "examples", args.jobs, code=code)
        complete(source)
    except (ValueError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    staged |= generate(source)
    wrong = wrong_calls()
    for text in wrong:
        print(f"wrong call in {text}", file=sys.stderr)
    for path in source.rglob("*"):  # of earlier builds
        if path.is_file() and path.relative_to(source) not in staged:
            path.unlink()
    status = build_main(["-q", "-W", "--keep-going", "-b", "html", "-c", str(source / "docs" / "site"),
                         "-d", str(args.out / "doctrees"), str(source), str(site)])
    if status:
        return status
    links.mend_anchors(site)
    dead, outside = links.check(site)
    missing = missing_names(site / "objects.inv")
    _write(args.out / "external_links.txt", "\n".join(outside) + "\n")
    for text in dead:
        print(f"dead link: {text}", file=sys.stderr)
    for text in missing:
        print(f"public name without documentation: {text}", file=sys.stderr)
    spent = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"{site / 'index.html'} ({len(outside)} links to other sites: {args.out / 'external_links.txt'}; "
          f"{spent:.0f} CPU seconds)")
    return 1 if dead or missing or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
