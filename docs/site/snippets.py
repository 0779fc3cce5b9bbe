"""Examples of pages: Python and shell blocks that are run when the site is built, with what they print and draw."""

import ast
import contextlib
import hashlib
import io
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
from typing import NamedTuple

_BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN_SHELL = "<!-- shell blocks are run -->"


class Output(NamedTuple):
    """What a block did.

    Attributes:
      text: what it printed.
      figures: PNG files of the figures that it drew, with their labels.
    """

    text: str
    figures: tuple[tuple[str, str], ...]


def blocks(text: str) -> list[re.Match[str]]:
    """Finds the blocks of a page that are run.

    Args:
      text: Markdown. Blocks marked `python` are run, those marked `py` are not; `sh` where the page says so.

    Returns:
      Matches: the language and the code.
    """
    shell = RUN_SHELL in text
    return [match for match in _BLOCK.finditer(text) if shell or match.group(1) == "python"]


def _run_python(code: str, scope: dict) -> None:
    """Runs a block; the value of a last line that is an expression is printed, as in a notebook."""
    tree = ast.parse(code)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "<example>", "exec"), scope)
    if last is not None:
        value = eval(compile(ast.Expression(last.value), "<example>", "eval"), scope)
        if value is not None and not type(value).__module__.startswith("matplotlib") and not (
                isinstance(value, list | tuple) and value and type(value[0]).__module__.startswith("matplotlib")):
            print(value)


def _draw(name: str) -> list[tuple[str, str]]:
    import matplotlib.pyplot as plt

    from paper_figures import style

    figures = []
    for number in plt.get_fignums():
        figure = plt.figure(number)
        path = f"{name}-{number}.png"
        photographs = style.fit_pixels(figure, figure.dpi)
        # A tight box, which a style may ask for, has borders within pixels.
        options: dict = {"bbox_inches": figure.bbox_inches, "metadata": {"Description": style.WHOLE_PIXELS}}
        figure.savefig(path, dpi=figure.dpi, **(options if photographs else {}))
        figures.append((path, figure.get_label()))
    plt.close("all")
    return figures


def run_blocks(text: str, folder: pathlib.Path) -> list[Output]:
    """Runs the blocks of a page, in order and in one process, within a folder.

    Args:
      text: Markdown.
      folder: where files go; the working directory meanwhile.

    Returns:
      What each block printed and drew.

    Raises:
      RuntimeError: if a block fails; the message holds it.
    """
    scope: dict = {"__name__": "__main__"}
    outputs = []
    with contextlib.chdir(folder):
        for i, match in enumerate(blocks(text)):
            language, code = match.groups()
            said = io.StringIO()
            try:
                if language == "sh":
                    done = subprocess.run(["bash", "-ec", code], capture_output=True, text=True, check=False)
                    said.write(done.stdout)
                    if done.returncode:
                        raise RuntimeError(done.stderr)
                    figures = []
                else:
                    with contextlib.redirect_stdout(said):
                        _run_python(code, scope)
                    figures = _draw(f"figure-{i}")
            except Exception as error:
                raise RuntimeError(f"{code}\nThis example fails with {type(error).__name__}: {error}") from error
            outputs.append(Output(said.getvalue(), tuple(figures)))
    return outputs


def insert(text: str, outputs: list[Output], prefix: str) -> str:
    """Puts what blocks printed and drew behind them.

    Args:
      text: Markdown.
      outputs: of its blocks.
      prefix: path of the folder with the figures, as the page sees it.

    Returns:
      Markdown for MyST.
    """
    parts, end = [], 0
    for match, output in zip(blocks(text), outputs, strict=True):
        parts.append(text[end:match.end()])
        end = match.end()
        if output.text.strip():
            parts.append(f"\n\n```{{code-block}} text\n:class: output\n\n{output.text.rstrip()}\n```")
        for path, label in output.figures:
            parts.append(f"\n\n![{label}]({prefix}/{path})")
    return "".join([*parts, text[end:]])


def fingerprint(root: pathlib.Path) -> str:
    """Makes a name for the code: results of pages are made again when it changes.

    Args:
      root: of the repository.

    Returns:
      Hexadecimal digits.
    """
    digest = hashlib.sha256()
    for path in (root / "docs" / "site" / "snippets.py", *sorted((root / "rdr").rglob("*.py")),
                 *sorted((root / "theory").rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def run_page(
    page: pathlib.Path, cache: pathlib.Path, root: pathlib.Path, code: str = ""
) -> tuple[list[Output], pathlib.Path]:
    """Runs the blocks of a page in a process of their own, unless that was done before.

    Args:
      page: Markdown file.
      cache: folder of results.
      root: of the repository.
      code: `fingerprint` of the code that results must be made with; empty for any.

    Returns:
      What the blocks did, and the folder that holds their figures.

    Raises:
      RuntimeError: if a block fails.
    """
    folder = cache / hashlib.sha256(page.read_bytes()).hexdigest()[:24]
    record, made_with = folder / "outputs.json", folder / "code"
    if not record.exists() or (code and made_with.read_text() != code):
        folder.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ.get("PATH", "")])
        environment = {
            **os.environ, "PATH": path, "PYTHONPATH": str(root), "MPLBACKEND": "Agg",
            "RDR_COMPILATION_CACHE": str((cache / "programs").resolve()),
            "JAX_COMPILATION_CACHE_DIR": str((cache / "programs").resolve()),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
            "XLA_FLAGS": os.environ.get("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")}
        done = subprocess.run([sys.executable, "-m", "docs.site.snippets", str(page.resolve()), str(folder.resolve())],
                              env=environment, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{page}: {done.stdout[-500:]}{done.stderr[-3000:]}")
        made_with.write_text(code or fingerprint(root))
    return [Output(text, tuple(map(tuple, figures))) for text, figures in json.loads(record.read_text())], folder


def main(page: str, folder: str) -> None:
    """Runs a page and writes what its blocks did.

    Args:
      page: Markdown file.
      folder: where `outputs.json` and the figures go.
    """
    text = pathlib.Path(page).read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        outputs = run_blocks(text, pathlib.Path(scratch))
        for output in outputs:
            for name, _ in output.figures:
                (pathlib.Path(folder) / name).write_bytes((pathlib.Path(scratch) / name).read_bytes())
    spent = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    (pathlib.Path(folder) / "seconds").write_text(f"{spent:.0f}")
    (pathlib.Path(folder) / "outputs.json").write_text(json.dumps(outputs), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
