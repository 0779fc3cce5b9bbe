"""Codecs of samples and vectors: scalar, block, linear, codebook, lattice and trellis."""
