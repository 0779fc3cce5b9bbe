"""Experiments with image codecs and perceptual losses."""
