"""The overfitted codec without its fits, which take a while to compile."""

import numpy as np
import pytest

from rdr.codecs import overfitted
from rdr.codecs.overfitted import arithmetic, codec, file
from rdr.codecs.overfitted.architecture import shapes
from rdr.codecs.overfitted.start import start_weights


@pytest.fixture
def unfitted(monkeypatch):
    """Whole files are written, of some numbers in the grids; returned is the list of options that were asked for."""
    asked = []

    def encode(picture, options, *, directory=None):
        asked.append(options)
        arch, rng = codec.architecture(codec.as_image(picture).shape, options), np.random.default_rng(len(asked))
        weights = {name: arithmetic.whole_weights(w, 6) for name, w in start_weights(arch).items()}
        grids = [np.rint(rng.laplace(size=shape)).astype(np.int32) for shape in arch.grids]
        seed = options.seed if arch.noise_levels else None
        return file.write(file.Description(arch, dict.fromkeys(shapes(arch), 6), weights, grids, seed))

    monkeypatch.setattr(overfitted, "encode", encode)
    return asked
