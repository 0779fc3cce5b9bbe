"""Depth, transfer function and primaries in the file: written, read, exact, and refused where they are none."""

import struct

import numpy as np
import pytest

from rdr.bitstream import container
from rdr.codecs import overfitted
from rdr.codecs.overfitted import codec, exact_inference, format, signals, tiling
from rdr.codecs.overfitted.signals import SRGB, Signal

PQ = Signal(10, "pq", "bt2020")
ALL = [PQ, Signal(12, "hlg", "bt2020"), Signal(16, "pq", "bt709", 203.0), Signal(16, "linear", "p3", 0.5),
       Signal(8, "pq"), Signal(8, "srgb", "p3"), Signal(9), Signal(16)]


@pytest.mark.parametrize("signal", ALL)
def test_what_is_written_is_read(make_description, signal):
    description = make_description(5, 6, levels=2, noise_levels=0)
    message = format.write(description._replace(signal=signal)).message
    found = format.read(message)
    assert found.signal == signal and format.write(found).message == message
    assert container.unpack(message).payloads[0][0] == 2 and overfitted.signal_of_message(message) == signal
    assert len(message) == len(format.write(description).message) + 7
    about = codec.describe(message)
    assert (about["depth"], about["transfer"], about["primaries"]) == signal[:3]
    assert about.get("unit_luminance", 0) == signal.unit
    assert signals.signal_of(signal.code_points, signal.depth) == signal._replace(unit=0.0)


def test_srgb_of_eight_bits_has_the_older_format(description):
    message = format.write(description).message
    assert container.unpack(message).payloads[0][0] == 1 and overfitted.signal_of_message(message) == SRGB


def last_sums(description, monkeypatch):
    """The last sums in units of 2^-21, in whole numbers of Python: [channels, height, width]."""
    seen, refine = {}, exact_inference._refine
    with monkeypatch.context() as patch:
        patch.setattr(exact_inference, "_refine",
                      lambda weights, name, x: seen.update({name: x}) or refine(weights, name, x))
        exact_inference.synthesize(format.dequantize_weights(description), description.latents,
                                   format.noise_maps(description.arch, description.seed))
    x, y = seen["refine_in"], np.pad(seen["refine_out"], ((0, 0), (1, 1), (1, 1)), mode="edge")
    weights, bias = description.weights["refine_out"], description.weights["refine_out_bias"]
    shift, bias_shift = (21 - description.exponents[name] for name in ("refine_out", "refine_out_bias"))
    channels, height, width = x.shape
    near = [[int(y[k, i + r, j + c] * 2**12) for r in range(3) for c in range(3) for k in range(len(y))]
            for i in range(height) for j in range(width)]
    return [[int(x[c].flat[p] * 2**21) + (int(bias[c]) << bias_shift)
             + (sum(int(w) * v for w, v in zip(weights[c], near[p])) << shift - 12) for p in range(height * width)]
            for c in range(channels)]


@pytest.mark.parametrize("depth", [8, 10, 16])
def test_pixels_are_those_of_whole_numbers(make_description, depth, monkeypatch):
    description = make_description(5, 6, levels=2, noise_levels=0)
    # So that values below 0, within and above 1 occur.
    description.weights["pixel_out_bias"][:] = 1 << description.exponents["pixel_out_bias"] - 1
    largest = 2**depth - 1
    sums = np.array(last_sums(description, monkeypatch), object)
    if depth == 8:
        rounded = np.array([[max(min(round(int(z) / 2**9), 2**12), 0) for z in row] for row in sums], object)
        codes = (255 * rounded + 2**11) >> 12
    else:
        codes = (largest * np.clip(sums, 0, 2**21) + 2**20) >> 21
    wanted = codes if depth == 8 else (codes * 65535 + largest // 2) // largest
    found = format.render(description._replace(signal=PQ._replace(depth=depth)))
    assert found.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert found.min() == 0 and found.max() == np.iinfo(found.dtype).max and len(np.unique(found)) > 4
    np.testing.assert_array_equal(found.transpose(2, 0, 1).reshape(3, -1), wanted.astype(int))
    if depth == 16:  # finer than the 4,097 values that a rounded sum has
        assert np.any((sums > 0) & (sums < 2**21) & (sums % 2**9 != 0))


def test_blank_images_have_their_depth(make_description):
    description = make_description(3, 4, levels=1, noise_levels=0)._replace(signal=PQ)
    description.latents[0][:] = 0
    found = format.render(description)
    assert found.dtype == np.uint16 and found.shape == (3, 4, 3) and (found == found[0, 0]).all()


@pytest.mark.parametrize(("signal", "words"), [
    (Signal(7), "depth must be between 8 and 16 bits, got 7"), (Signal(17), "depth"),
    (Signal(8, "log"), "transfer must be one of linear, srgb, pq, hlg, got 'log'"),
    (Signal(8, "pq", "aces"), "primaries must be one of"), (Signal(8, "pq", "bt709", -1.0), "unit must be"),
    (Signal(8, "pq", "bt709", float("nan")), "unit must be"), (Signal(8, "pq", "bt709", 1e39), "unit must be"),
    (Signal(8, "hlg", "bt709", 1.0), "unit is of linear light"),
])  # fmt: skip
def test_what_is_no_signal_is_refused(signal, words):
    with pytest.raises(ValueError, match=words):
        overfitted.encode(np.zeros((4, 4), np.uint16), overfitted.Options(signal=signal))


def forge(description, packed):
    parts = container.unpack(format.write(description._replace(signal=PQ)).message)
    settings = b"\2" + packed + parts.payloads[0][1 + len(format.pack_signal(PQ)):]
    return container.pack(parts._replace(payloads=(settings, *parts.payloads[1:])))


@pytest.mark.parametrize("packed", [
    struct.pack("<BBBf", 7, 16, 9, 0), struct.pack("<BBBf", 17, 16, 9, 0), struct.pack("<BBBf", 10, 2, 9, 0),
    struct.pack("<BBBf", 10, 16, 2, 0), struct.pack("<BBBf", 10, 16, 9, -1), struct.pack("<BBBf", 10, 16, 9, np.inf),
    struct.pack("<BBBf", 10, 16, 9, np.nan), struct.pack("<BBBf", 10, 16, 9, 1.1e9),
    struct.pack("<BBBf", 10, 13, 9, 100), struct.pack("<BBBf", 8, 13, 1, 0), b"",
])  # fmt: skip
def test_forged_headers_are_refused(make_description, packed):
    description = make_description(5, 6, levels=2, noise_levels=0)
    message = forge(description, packed)
    for call in (overfitted.decode, overfitted.describe, overfitted.signal_of_message):
        with pytest.raises(ValueError, match="damaged message"):
            call(message)
    with pytest.raises(ValueError, match="damaged message"):
        overfitted.describe(forge(description, format.pack_signal(PQ)[:3]))
    assert format.read(forge(description, format.pack_signal(PQ))).signal == PQ


def test_all_tiles_have_one_signal(make_description):
    description = make_description(5, 6, levels=2, noise_levels=0)
    grid = tiling.Grid(5, 11, 1, 2)
    deep, other, plain = (format.write(description._replace(signal=signal)).message
                          for signal in (PQ, PQ._replace(depth=12), SRGB))
    found = overfitted.decode(tiling._pack(grid, 3, [deep, deep]))
    assert found.dtype == np.uint16 and found.shape == (5, 11, 3)
    np.testing.assert_array_equal(found[:, 5:], overfitted.decode(deep))  # where they overlap, the later one counts
    assert overfitted.signal_of_message(tiling._pack(grid, 3, [deep, deep])) == PQ
    assert overfitted.describe(tiling._pack(grid, 3, [deep, deep]))["depth"] == 10
    for pair in ([deep, other], [deep, plain], [plain, deep]):
        with pytest.raises(ValueError, match="tile 2 of 2 has other values"):
            overfitted.decode(tiling._pack(grid, 3, pair))
    with pytest.raises(ValueError, match="written by codec 'x'"):
        overfitted.signal_of_message(container.pack(container.Message("x", b"", (5, 6, 3), (b"\1",))))
