"""Tables and figure of `rdr bound`."""

import numpy as np

from rdr.cli import bound_tables

COLUMNS = {
    "max_distortion": np.array([0.1, 0.2]), "max_perception": np.array([0.0, np.inf]),
    "rate_lower_bits": np.array([0.50009, -1e-12]), "rate_bits": np.array([0.50011, 1e-12]),
}


def test_latex_rounds_outwards_and_is_a_tabular():
    text = bound_tables.latex(COLUMNS, "reverse_kl")
    rows = [line.removesuffix(r" \\").split(" & ") for line in text.splitlines() if "&" in line]
    assert rows == [["$D$", "$P$ (reverse kl)", "lower (bit)", "upper (bit)"], ["0.1", "0", "0.5000", "0.5002"],
                    ["0.2", r"$\infty$", "0.0000", "0.0001"]]
    assert text.count(r"\hline") == 3 and r"\begin{tabular}{rrrr}" in text and text.endswith("\\end{tabular}\n")
    assert r"\begin{tabular}{rrr}" in bound_tables.latex(COLUMNS, "none")


def test_tables_of_other_numbers_are_not_read(tmp_path):
    path = tmp_path / "bound.csv"
    assert bound_tables.read_columns(path, "abc") is None
    path.write_text("# source_sha256: abc\na,b\n1,inf\n2,3\n")
    columns = bound_tables.read_columns(path, "abc")
    assert {name: list(column) for name, column in columns.items()} == {"a": [1.0, 2.0], "b": [np.inf, 3.0]}
    assert bound_tables.read_columns(path, "abcd") is None


def test_figure_shows_one_curve_per_level():
    columns = {
        "max_distortion": np.array([0.1, 0.2, 0.1, 0.2]),
        "max_perception": np.array([0.0, 0.0, np.inf, np.inf]),
        "rate_lower_bits": np.array([0.5, 0.3, 0.4, 0.2]),
        "rate_bits": np.array([0.5, 0.3, 0.4, 0.2]),
    }
    axes = bound_tables.make_figure(columns, "tv").axes[0]
    assert len(axes.get_lines()) == 2
    np.testing.assert_allclose(axes.get_lines()[0].get_xydata(), [[0.1, 0.5], [0.2, 0.3]])
    assert "bits" in axes.get_ylabel()
