"""Bounds of other sources in closed form: one source or one question a module."""
