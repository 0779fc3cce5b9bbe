"""Codecs of samples and vectors: scalar, block, linear, codebook, lattice, trellis and water-filling."""
