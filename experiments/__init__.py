"""Experiments, in which codecs and bounds meet: a module each, run as `python -m experiments.KIND.NAME`."""
