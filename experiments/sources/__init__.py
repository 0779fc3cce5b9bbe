"""Experiments with codecs of known sources against their bounds."""
