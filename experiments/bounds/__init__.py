"""Experiments with bounds alone."""
