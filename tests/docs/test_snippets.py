"""Examples of pages: run in order, in one scope, with what they print and draw behind them."""

import ast
import pathlib

import matplotlib
import pytest
from PIL import Image

from docs.site import build, snippets
from paper_figures import style

PAGE = """# A page

```python
x = 2
print("two")
x + 1
```

```py
never_run()
```

```sh
exit 1
```
"""


def test_blocks_share_a_scope_and_show_their_last_value(tmp_path):
    page = PAGE + "\n```python\nopen('f', 'w').write(str(x))\nprint(x)\n```\n"
    outputs = snippets.run_blocks(page, tmp_path)
    assert [output.text for output in outputs] == ["two\n3\n", "2\n"] and (tmp_path / "f").read_text() == "2"
    shown = snippets.insert(page, outputs, "figures")
    assert "```\n\n```{code-block} text\n:class: output\n\ntwo\n3\n```" in shown
    assert shown.replace("\n\n```{code-block} text\n:class: output\n\ntwo\n3\n```", "").startswith(PAGE)


def test_figures_are_kept_with_their_labels(tmp_path):
    page = "```python\nimport matplotlib.pyplot as plt\nplt.figure(figsize=(1, 1)).set_label('a line')\n```\n"
    outputs = snippets.run_blocks(page, tmp_path)
    (path, label), = outputs[0].figures
    assert label == "a line" and (tmp_path / path).stat().st_size > 0
    assert f"![a line](figures/{path})" in snippets.insert(page, outputs, "figures")


@pytest.mark.parametrize("box", ["standard", "tight"])
def test_photographs_are_drawn_pixel_by_pixel(box, tmp_path, monkeypatch):
    monkeypatch.setitem(matplotlib.rcParams, "savefig.bbox", box)
    page = ("```python\nimport matplotlib.pyplot as plt\nimport numpy as np\n"
            "plt.subplots(figsize=(2.1, 1.3))[1].imshow(np.zeros((30, 40)))\nNone\n```\n")
    (path, _), = snippets.run_blocks(page, tmp_path)[0].figures
    with Image.open(tmp_path / path) as file:
        assert file.size == (210, 130) and file.text["Description"] == style.WHOLE_PIXELS


def test_shell_blocks_are_run_where_the_page_says_so(tmp_path):
    page = f"{snippets.RUN_SHELL}\n```sh\necho here > f; cat f\n```\n"
    assert snippets.run_blocks(page, tmp_path)[0].text == "here\n"
    with pytest.raises(RuntimeError, match="RuntimeError"):
        snippets.run_blocks(f"{snippets.RUN_SHELL}\n{PAGE}", tmp_path)


def test_an_example_that_fails_is_named(tmp_path):
    with pytest.raises(RuntimeError, match=r"1 / 0\n\nThis example fails with ZeroDivisionError"):
        snippets.run_blocks("```python\n1 / 0\n```\n", tmp_path)


def test_results_are_made_once(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint('once')\n```\n")
    root = pathlib.Path(__file__).parents[2]
    first, folder = snippets.run_page(page, tmp_path / "cache", root, "code")
    (folder / "outputs.json").write_text('[["kept", []]]')
    assert first[0].text == "once\n"
    assert snippets.run_page(page, tmp_path / "cache", root, "code")[0][0].text == "kept"
    assert snippets.run_page(page, tmp_path / "cache", root, "other code")[0][0].text == "once\n"


def test_blocks_of_every_page_are_code_that_fits_the_page():
    pages = {page: snippets.blocks(page.read_text(encoding="utf-8")) for page in build.page_files()}
    assert sum(map(bool, pages.values())) >= 14
    for page, found in pages.items():
        for match in found:
            language, code = match.groups()
            assert max(map(len, code.split("\n"))) <= 96, f"{page}: a line is wider than the site shows: {code}"
            if language == "python":
                ast.parse(code)


def test_the_first_lines_of_the_site_run(tmp_path):
    root = pathlib.Path(__file__).parents[2]
    (output,), _ = snippets.run_page(root / "docs" / "index.md", tmp_path, root)
    assert [round(float(line), 4) for line in output.text.split()] == [1.661, 1.6792]
