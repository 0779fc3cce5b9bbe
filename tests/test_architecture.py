"""The package layout, read from the source: what docs/design.md says, nothing is imported that is checked here."""

import ast
import functools
import graphlib
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
FLOORS = {  # top -> tops that it may import
    "theory": {"theory"},
    "rdr": {"rdr"},
    "experiments": {"experiments", "rdr", "theory"},
    "paper_figures": {"paper_figures", "theory", "rdr"},
}
FIGURES_MAY_IMPORT = {"rdr.command_line", "rdr.files"}  # of rdr, since a figure is a function of a table
COMMANDS = "rdr/cli"  # alone in rdr/ may import theory, inside of the command that needs it; nothing imports it
ENTRY_POINT = "rdr/__main__.py"
MAX_FUNCTION_LINES = 80
MAX_FILE_LINES = 400


@functools.cache
def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


@functools.cache
def text_of(path, tree):
    """The source of a file, or of a sketch of one."""
    file = ROOT / path
    return file.read_text(encoding="utf-8") if file.exists() else ast.unparse(tree)


@functools.cache
def sources(*tops):
    """Relative path -> tree, of all Python files in these folders."""
    return {path.relative_to(ROOT).as_posix(): parsed(path)
            for top in tops for path in sorted((ROOT / top).rglob("*.py"))}


_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # fields of statements that hold statements


@functools.cache
def statements(tree):
    """(statement, whether inside of a function) of the module and all statements in it: what takes a walk of all nodes
    ten times as long."""
    found, left = [], [(tree, False)]
    while left:
        node, inside = left.pop()
        found.append((node, inside))
        inside = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        left += [(child, inside) for block in _BLOCKS for child in getattr(node, block, ())]
    return tuple(found)


@functools.cache
def imports(tree):
    """(line, dotted name, whether inside of a function) of every import, `from a import b` as a.b."""
    return tuple(_imports(tree))


def _imports(tree):
    for node, inside in statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, inside
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}", inside


@functools.cache
def module_of(name):
    """The file that a dotted name is in, or none if it is not ours."""
    parts = name.split(".")
    while parts:
        path = ROOT.joinpath(*parts)
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.is_file():
                return file.relative_to(ROOT).as_posix()
        parts.pop()
    return None


@functools.cache
def functions(tree):
    return [node for node, _ in statements(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def public(tree):
    """Public functions and classes of a module, and public methods of its public classes, with their names."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                        yield f"{node.name}.{method.name}", method


# Each rule is a function of {path: tree} that returns what is wrong, so that it can be shown to fail on a sketch.


def floor_faults(trees):
    """Imports that point upwards or sideways."""
    faults = []
    for path, tree in trees.items():
        top = path.split("/")[0]
        faults += [f"{path}:{node.lineno}: imports name their module from the top" for node, _ in statements(tree)
                   if isinstance(node, ast.ImportFrom) and node.level]
        for line, name, inside in imports(tree):
            target = name.split(".")[0]
            if target not in FLOORS:
                continue
            command = path.startswith(COMMANDS + "/") and target == "theory" and inside
            if target not in FLOORS[top] and not command:
                faults.append(f"{path}:{line}: {top}/ may not import {name}")
            if top == "paper_figures" and target == "rdr" and not any(
                    (name + ".").startswith(allowed + ".") for allowed in FIGURES_MAY_IMPORT):
                faults.append(f"{path}:{line}: of rdr a figure may import {sorted(FIGURES_MAY_IMPORT)}, not {name}")
            if name.startswith("rdr.cli") and not path.startswith(COMMANDS + "/") and path != ENTRY_POINT:
                faults.append(f"{path}:{line}: nothing imports the commands, but here is {name}")
    return faults


def folder_cycles(trees):
    """Circles between folders, and between the folders of a top with all that is in them.

    A package's __init__ may name what its own subfolders hold.
    """
    return _cycle(trees, lambda folder: folder) or _cycle(trees, lambda folder: "/".join(folder.split("/")[:2]))


def _cycle(trees, part_of):
    graph = {}
    for path, tree in trees.items():
        folder = path.rsplit("/", 1)[0]
        for _, name, _ in imports(tree):
            target = module_of(name)
            if target is None:
                continue
            other = target.rsplit("/", 1)[0]
            own_part = path.endswith("__init__.py") and other.startswith(folder + "/")
            if part_of(other) != part_of(folder) and not own_part and path != ENTRY_POINT:
                graph.setdefault(part_of(folder), set()).add(part_of(other))
    try:
        tuple(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


def size_faults(trees):
    """Files and functions that are too long; a function whose body is one literal is a table of data."""
    faults = []
    for path, tree in trees.items():
        lines = len(text_of(path, tree).splitlines())
        if lines > MAX_FILE_LINES:
            faults.append(f"{path}: {lines} lines, at most {MAX_FILE_LINES}")
        for node in functions(tree):
            length = node.end_lineno - node.lineno + 1
            doc = node.body[0] if ast.get_docstring(node) else None
            if doc is not None:
                length -= doc.end_lineno - doc.lineno + 1
            if length > MAX_FUNCTION_LINES:
                faults.append(f"{path}:{node.lineno}: {node.name} has {length} lines, at most {MAX_FUNCTION_LINES}")
    return faults


def _parameters(node):
    args = node.args
    names = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
    names += [a.arg for a in (args.vararg, args.kwarg) if a is not None]
    return [name for name in names if name not in ("self", "cls")]


def _raises(node):
    inner = {id(n) for f in functions(node) if f is not node for n in ast.walk(f)}
    return any(isinstance(n, ast.Raise) and n.exc is not None and id(n) not in inner for n in ast.walk(node))


def docstring_faults(trees):
    """Public names without a docstring, or whose docstring leaves out Args, Returns or Raises."""
    faults = []
    for path, tree in trees.items():
        if not ast.get_docstring(tree):
            faults.append(f"{path}: the module has no docstring")
        for name, node in public(tree):
            text, where = ast.get_docstring(node), f"{path}:{node.lineno}: {name}"
            if not text:
                faults.append(f"{where} has no docstring")
            elif isinstance(node, ast.FunctionDef) and "." not in name:
                args = text.split("Args:", 1)[1] if "Args:" in text else ""
                missing = [p for p in _parameters(node) if not re.search(rf"\b{re.escape(p)}\b[^\n]*:", args)]
                if missing:
                    faults.append(f"{where}: Args leaves out {', '.join(missing)}")
                nothing = isinstance(node.returns, ast.Constant) and node.returns.value is None
                if not nothing and not re.search(r"^(Returns|Yields):", text, re.M):
                    faults.append(f"{where}: no Returns")
                if _raises(node) and not re.search(r"^Raises:", text, re.M):
                    faults.append(f"{where}: no Raises")
    return faults


def first_line_faults(trees):
    """Modules whose first line is a question's and no noun phrase."""
    return [f"{path}: a noun phrase, not: {line}" for path, tree in trees.items()
            for line in (ast.get_docstring(tree) or "").splitlines()[:1]
            if re.match(r"(What|Who|Whose|How|Where|When|Why|Which)\b", line)]


# Words that the field does not use, or not in this sense; and British spellings.
_WORDS = re.compile(
    r"\b(?:see there|pictures?|shipped|\w*behaviour\w*|\w*colour\w*|greyscale|centre[ds]?|neighbours?|neighbouring|"
    r"(?:normal|quant|optim|minim|maxim|initial|general|regular|organ|recogn|discret|visual|character|random|local)is"
    r"(?:e|es|ed|ing|ation)|(?:mod|lab|trav|canc)ell(?:ed|ing))\b")


def word_faults(trees):
    """Docstrings and identifiers of public names with words of another dialect."""
    faults = []
    for path, tree in trees.items():
        for node, _ in statements(tree):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
                text = f"{getattr(node, 'name', '')} {ast.get_docstring(node) or ''}"
                text = re.sub(r"`[^`]*`", "", text)  # names of files and options
                faults += [f"{path}:{getattr(node, 'lineno', 1)}: {word!r}" for word in _WORDS.findall(text)]
    return faults


def export_faults(trees):
    """Packages without `__all__` or `__dir__`, or that name something twice."""
    faults = []
    for path, tree in trees.items():
        if not path.endswith("__init__.py"):
            continue
        names = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)
                 for target in ast.walk(node) if isinstance(target, ast.Name) and target.id == "__all__"]
        listing = {target.id for node in tree.body if isinstance(node, ast.Assign)
                   for target in ast.walk(node) if isinstance(target, ast.Name)}
        if not names:
            faults.append(f"{path}: no __all__")
        elif "__dir__" not in listing:
            faults.append(f"{path}: no __dir__, so that it lists the modules that happen to be imported")
        elif isinstance(names[0].value, ast.List | ast.Tuple):
            listed = [e.value for e in names[0].value.elts if isinstance(e, ast.Constant)]
            if len(set(listed)) != len(listed):
                faults.append(f"{path}: __all__ names something twice")
    return faults


def reference_faults(trees, keys, prints):
    """Citations without a key of references.bib or a function that has one, and arXiv numbers that are not in it."""
    faults = []
    for path, tree in trees.items():
        for node, _ in statements(tree):
            if not isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
                continue
            text = ast.get_docstring(node) or ""
            for number in re.findall(r"(?<![\d.])(\d{4}\.\d{4,5})(?!\d)", text):
                if number not in prints:
                    faults.append(f"{path}: arXiv {number} is not in references.bib")
            for part in text.split("Reference:")[1:]:
                cited = part.split("\n\n")[0]
                elsewhere = re.search(r"`[\w.]+`|docs/derivations", cited)
                if not elsewhere and not any(re.search(rf"(?<!\w){re.escape(key)}(?!\w)", cited) for key in keys):
                    faults.append(f"{path}:{getattr(node, 'lineno', 1)}: no key of references.bib in: "
                                  f"{' '.join(cited.split())[:70]}")
    return faults


def annotation_faults(trees):
    """Modules whose annotations `help` would write out as long unions."""
    return [path for path, tree in trees.items() if "ArrayLike" in text_of(path, tree)
            and not any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)]


def twin_faults(trees):
    """Modules without a test of their own name."""
    return [f"{path}: no {twin.as_posix()}" for path in trees if not path.rsplit("/", 1)[1].startswith("_")
            for twin in [pathlib.Path("tests", *path.split("/")[:-1], f"test_{path.rsplit('/', 1)[1]}")]
            if not (ROOT / twin).is_file()]


def bibliography():
    text = (ROOT / "references.bib").read_text(encoding="utf-8")
    return set(re.findall(r"@\w+\{([^,\s]+),", text)), set(re.findall(r"\d{4}\.\d{4,5}", text))


LIBRARY = ("rdr", "theory")
ALL = ("rdr", "theory", "experiments", "paper_figures")


def test_imports_point_downwards():
    assert floor_faults(sources(*ALL)) == []


@pytest.mark.parametrize("top", ALL)
def test_no_circle_between_folders(top):
    assert folder_cycles(sources(top)) == []


def test_files_and_functions_are_short():
    assert size_faults(sources(*ALL, "benchmarks", "tests")) == []


def test_public_names_are_documented():
    assert docstring_faults(sources(*LIBRARY)) == []


def test_annotations_are_shown_as_written():
    assert annotation_faults(sources(*LIBRARY)) == []


def test_packages_say_what_they_export():
    assert export_faults(sources(*LIBRARY)) == []


def test_modules_begin_with_a_noun_phrase():
    assert first_line_faults(sources(*ALL)) == []


def test_words_are_the_field_s_own():
    assert word_faults(sources(*LIBRARY)) == []


def test_references_are_in_the_bibliography():
    assert reference_faults(sources(*ALL), *bibliography()) == []


def test_every_module_has_a_test_of_its_name():
    assert twin_faults(sources(*LIBRARY)) == []


@pytest.mark.parametrize(("rule", "code"), [
    (floor_faults, {"theory/x.py": "import rdr"}),
    (floor_faults, {"rdr/x.py": "def f():\n  from theory import gaussian"}),
    (floor_faults, {"rdr/cli/x.py": "from theory import gaussian"}),  # at its top
    (floor_faults, {"rdr/data/x.py": "from rdr.cli import bound"}),
    (floor_faults, {"paper_figures/x.py": "from rdr.losses import lpips"}),
    (floor_faults, {"rdr/data/x.py": "from ..cli import bound"}),  # which no rule would see
    (folder_cycles, {"rdr/data/x.py": "import rdr.losses", "rdr/losses/x.py": "import rdr.data"}),
    (folder_cycles, {"rdr/quantize/x.py": "import rdr.codecs.base", "rdr/codecs/vectors/x.py": "import rdr.quantize"}),
    (size_faults, {"rdr/x.py": "def f():\n" + "  g()\n" * 81}),
    (docstring_faults, {"rdr/x.py": '"""M."""\ndef f(a) -> None:\n  """F."""'}),
    (docstring_faults, {"rdr/x.py": '"""M."""\ndef f() -> int:\n  """F."""'}),
    (docstring_faults, {"rdr/x.py": '"""M."""\ndef f() -> None:\n  """F."""\n  raise ValueError'}),
    (docstring_faults, {"rdr/x.py": '"""M."""\nclass A:\n  pass'}),
    (export_faults, {"rdr/x/__init__.py": '"""M."""'}),
    (export_faults, {"rdr/x/__init__.py": '"""M."""\n__all__ = ["a"]'}),
    (export_faults, {"rdr/x/__init__.py": '"""M."""\n__all__ = ["a", "a"]\n__dir__ = make_dir(__name__, __all__)'}),
    (first_line_faults, {"rdr/x.py": '"""What a user asks for."""'}),
    (word_faults, {"rdr/x.py": '"""Reads a picture."""'}),
    (word_faults, {"rdr/x.py": '"""M."""\ndef normalise(x):\n  """F."""'}),
    (lambda trees: reference_faults(trees, {"a2000b"}, set()), {"rdr/x.py": '"""M.\n\nReference: B, 2000."""'}),
    (lambda trees: reference_faults(trees, {"a2000b"}, set()), {"rdr/x.py": '"""M, arXiv 2000.12345."""'}),
    (annotation_faults, {"rdr/x.py": "from jax.typing import ArrayLike"}),
    (twin_faults, {"rdr/surely_not_there.py": ""}),
])  # fmt: skip
def test_each_rule_fails_where_it_must(rule, code):
    assert len(rule({path: ast.parse(text) for path, text in code.items()})) == 1
