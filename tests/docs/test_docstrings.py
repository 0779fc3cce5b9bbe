"""Docstrings as reStructuredText."""

from docs.site.docstrings import cited, escape, inline, to_rst


def test_text_is_no_markup_and_names_are_references():
    assert escape("x_ * |y| f_i") == r"x\_ \* \|y\| f_i"
    assert inline("see `theory.discrete` and `a + b`") == "see :py:obj:`theory.discrete` and ``a + b``"
    assert inline("`x`s") == r":py:obj:`x`\ s"


def test_formulas_and_examples_stand_apart():
    lines = to_rst("A rate.\n\n    R = min I(X; Y),\n\nand so\n\n    import rdr\n\non.")
    assert lines.count(".. code-block:: text") == 1 and lines.count(".. code-block:: python") == 1
    assert "   R = min I(X; Y)," in lines and "   import rdr" in lines and lines[-2] == "on."


def test_sections_become_fields():
    text = """One line.

Args:
  x, y: [n], both
    long.
  key: either
    * "a": first,
    * "b": second.

Returns:
  R: in bits.

Raises:
  ValueError: if x* is wrong.

Reference: [shannon1959coding], equation 5."""
    lines = to_rst(text, {"shannon1959coding"})
    assert ":param x: [n], both long." in lines and ":param y: [n], both long." in lines
    assert '   * "a": first,' in lines and '   * "b": second.' in lines
    assert ":returns: R: in bits." in lines and r":raises ValueError: if x\* is wrong." in lines
    assert "**Reference:** :cite:t:`shannon1959coding`, equation 5." in lines


def test_only_keys_are_cited():
    assert cited("as in shannon1959coding, not shannon1959", {"shannon1959coding"}) == ["shannon1959coding"]
