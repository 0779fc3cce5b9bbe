import jax
import numpy as np
import pytest

import rdr.losses
from rdr.losses.cvvdp import cvvdp
from rdr.vision import get_display
from rdr.vision.cvvdp import cvvdp as quality_of

X, Y = np.clip(0.5 + 0.2 * np.random.default_rng(0).standard_normal((2, 3, 4, 5, 3)), 0, 1).astype(np.float32)


def test_it_is_what_is_lost_of_ten_and_its_inner_quality():
    display = get_display("standard_fhd")
    quality = quality_of(X, Y, display=display)
    np.testing.assert_allclose(cvvdp(X, Y, display="standard_fhd"), 10.0 - np.asarray(quality.jod), atol=2e-6)
    np.testing.assert_allclose(cvvdp(X, Y, display=display, inner=True), quality.inner)
    np.testing.assert_allclose(rdr.losses.get("cvvdp", display="standard_fhd")(X, Y), cvvdp(X, Y, display=display))
    inner = rdr.losses.get("cvvdp", display=display, inner=True)
    np.testing.assert_allclose(inner(X, Y), quality.inner)


def test_refusals():
    for wrong in (None, "standard_8k"):
        with pytest.raises(ValueError, match="display must be one of standard_4k"):
            rdr.losses.get("cvvdp", display=wrong)
    with pytest.raises(ValueError, match="display must be one of standard_4k"):
        rdr.losses.get("cvvdp")
    with pytest.raises(ValueError, match="reference must have the shape"):
        jax.eval_shape(lambda x, y: cvvdp(x, y, display="standard_fhd"), X, Y[:, :3])
    with pytest.raises(ValueError, match="floating"):
        cvvdp(np.zeros_like(X, np.uint8), np.zeros_like(X, np.uint8), display="standard_fhd")
