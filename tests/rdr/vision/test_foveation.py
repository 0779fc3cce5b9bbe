"""Sensitivity around a fixation, against castleCSF itself and by what a glance sees."""

import numpy as np
import pytest

from rdr.vision import foveation, get_display, mechanism_sensitivities
from rdr.vision.cvvdp import cvvdp, cvvdp_map
from rdr.vision.pyramid import band_frequencies

DESKTOP = get_display("standard_fhd")


def test_gains_are_what_castle_csf_leaves_of_sensitivity():
    gains = foveation.band_gains(31, 48, 20.0, (10.0, 40.0))
    frequencies = band_frequencies(31, 48, 20.0)
    assert len(gains) == len(frequencies)
    assert [g.shape for g in gains] == [(3, 31, 48), (3, 16, 24), (3, 8, 12), (3, 4, 6)][: len(gains)]
    # Sample (1, 2) of the third band lies at pixel (4, 8); luminance and area do not matter.
    degrees = np.array([0.0, np.hypot(4 - 10, 8 - 40) / 20.0])
    found = mechanism_sensitivities(float(frequencies[2]), 7.0, area=0.3, eccentricity=degrees, visual_field=90.0)
    np.testing.assert_allclose(gains[2][:, 1, 2], [float(s[1] / s[0]) for s in found], rtol=1e-5)
    assert gains[0][:, 10, 40].tolist() == [1.0, 1.0, 1.0]
    assert np.all(np.diff([gain[0, 0, 0] for gain in gains]) > 0.01)  # what is fine is lost first


def pair(row, column):
    reference = np.full((1, 24, 24, 3), 0.5, np.float32)
    image = reference.copy()
    image[:, row : row + 3 : 2, column : column + 6 : 2] += 0.2
    return image, reference


@pytest.fixture(scope="module")
def everywhere():
    return float(cvvdp(*pair(2, 2), display=DESKTOP).inner[0])


def test_a_glance_sees_less_far_from_where_it_rests(everywhere):
    image, reference = pair(2, 2)
    near, far = (float(cvvdp(image, reference, display=DESKTOP, fixation=at).inner[0]) for at in ((3, 5), (23, 600)))
    assert everywhere >= near > far > 0 and near > 0.9 * everywhere and far < 0.5 * everywhere
    seen = cvvdp_map(image, reference, display=DESKTOP, fixation=(23, 600))[0]
    assert float(seen.max()) < float(cvvdp_map(image, reference, display=DESKTOP)[0].max()) - 0.1


@pytest.mark.parametrize("fixation", [(1.0,), (1.0, np.nan), 3.0, (1.0, 2.0, 3.0)])
def test_what_is_no_point_is_refused(fixation):
    image, reference = pair(4, 4)
    with pytest.raises(ValueError, match="fixation must be a row and a column"):
        cvvdp(image, reference, display=DESKTOP, fixation=fixation)
