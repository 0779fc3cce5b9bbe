"""Figures, each a pure function of a table of results."""
