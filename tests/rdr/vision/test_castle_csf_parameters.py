"""The parameters of castleCSF: those of the authors' code, with their source and license beside them."""

import importlib.resources
import json

import jax
import numpy as np

from rdr.vision import castle_parameters


def test_all_that_the_authors_fit_is_read_and_its_license_is_beside_it():
    found = castle_parameters()
    assert len(jax.tree.leaves(found)) == 63
    # The first and the last line of each block of get_default_par, CSF_castleCSF.m.
    np.testing.assert_array_equal(found.red_green.band.sensitivity, [681.434, 38.0038, 0.480386])
    np.testing.assert_array_equal(found.red_green.falloff.nasal, [2.89615e-05, 0.18108])
    np.testing.assert_array_equal(found.yellow_violet.band.sensitivity, [166.683, 62.8974, 0.41193])
    np.testing.assert_array_equal(found.yellow_violet.falloff.nasal, [5.85804e-141, 0.0110662])
    np.testing.assert_array_equal(found.achromatic.falloff.nasal, [0.0400662, 0.00813619])
    assert found.opponency[::3] == (2.3112, 50.9875)
    data = importlib.resources.files("rdr.vision") / "data"
    assert "MIT" in json.loads((data / "castle_csf.json").read_text())["license"]
    assert "Cambridge" in (data / "LICENSE.castle_csf").read_text()
