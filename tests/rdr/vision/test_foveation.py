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
    reference = np.full((1, 64, 64, 3), 0.5, np.float32)
    image = reference.copy()
    image[:, row : row + 4 : 2, column : column + 8 : 2] += 0.2
    return image, reference


def test_a_glance_sees_less_far_from_where_it_rests():
    image, reference = pair(4, 4)
    everywhere = float(cvvdp(image, reference, display=DESKTOP).jod[0])
    near, far = (float(cvvdp(image, reference, display=DESKTOP, fixation=at).jod[0]) for at in ((5, 7), (60, 60)))
    assert everywhere <= near + 1e-3 < far < 10
    there = cvvdp_map(image, reference, display=DESKTOP, fixation=(60, 60))[0]
    full = cvvdp_map(image, reference, display=DESKTOP)[0]
    assert float(there[5, 7]) < 0.9 * float(full[5, 7])


def test_a_glance_of_one_point_is_an_eye_that_goes_everywhere():
    """Pixels of a very fine display are all at the fixation."""
    image, reference = pair(30, 30)
    display = DESKTOP._replace(pixels_per_degree=3000.0)
    full, glance = (float(cvvdp(image, reference, display=display, fixation=at).inner[0]) for at in (None, (31, 31)))
    assert glance == pytest.approx(full, rel=0.02)


@pytest.mark.parametrize("fixation", [(1.0,), (1.0, np.nan), 3.0, (1.0, 2.0, 3.0)])
def test_what_is_no_point_is_refused(fixation):
    image, reference = pair(4, 4)
    with pytest.raises(ValueError, match="fixation must be a row and a column"):
        cvvdp(image, reference, display=DESKTOP, fixation=fixation)
