"""Checks of arguments, units and elementwise numerics that every bound uses."""
