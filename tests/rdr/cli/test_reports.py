"""Reports of the commands that code images."""

import hashlib

import numpy as np
import pytest

from rdr.cli import reports
from rdr.cli.codec_options import Config
from rdr.cli.outcome import Outcome

SHAPE = (10, 8, 1)


def test_outcomes_by_hand():
    image = np.zeros((4, 4, 1), np.uint8)
    outcome = reports.measure(image, b"123", image + np.uint8(51), 2.0)
    assert outcome[:2] == (3, 1.5) and outcome.seconds == 2.0
    assert outcome.psnr_db == pytest.approx(-20 * np.log10(0.2))
    assert outcome.sha256 == hashlib.sha256(bytes([51] * 16)).hexdigest()
    # An amortized codec gives three channels for one.
    other = reports.measure(image, b"123", np.full((4, 4, 3), 51, np.uint8), 2.0)
    assert other.psnr_db == outcome.psnr_db and other.sha256 != outcome.sha256


@pytest.mark.parametrize(("size", "psnr", "said"), [
    (100, 30.0, None), (99, 30.0, "longer than the 99 bytes"), (124, 30.0, None), (126, 30.0, "shorter than the 126"),
    (1000, np.inf, None),
])
def test_missed_sizes_are_said(size, psnr, said, capsys):
    """Fault 22: a pretrained codec with --bpp=30 wrote 0.55 bits per pixel without a word."""
    missed = reports.show_encoded("a", Outcome(100, 10.0, psnr, 1.0, ""), SHAPE, Config(size=size), as_json=False)
    shown = capsys.readouterr()
    assert missed == (said is not None) and "a: 100 bytes, 10.0000 bits per pixel" in shown.out
    assert (said or "") in shown.err and bool(shown.err) == missed


@pytest.mark.parametrize(("wanted", "psnr", "said"), [
    (30.0, 30.5, None), (30.0, 29.999, None), (30.0, 29.9, "less than the 30 dB"), (30.0, 31.5, "more than the 30 dB"),
    (30.0, np.inf, None),
])
def test_missed_psnrs_are_said(wanted, psnr, said, capsys):
    missed = reports.show_encoded("a", Outcome(100, 10.0, psnr, 1.0, ""), SHAPE, Config(psnr=wanted), as_json=False)
    shown = capsys.readouterr()
    assert missed == (said is not None) and (said or "") in shown.err and bool(shown.err) == missed
