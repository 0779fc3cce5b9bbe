"""Files of overfitted images."""

import hashlib
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from rdr.bitstream import container
from rdr.codecs.overfitted import codec, exact_inference, format, network

DECODE = """
import hashlib, sys
from rdr.codecs import overfitted
print(hashlib.sha256(overfitted.decode(open(sys.argv[1], "rb").read()).tobytes()).hexdigest())
"""


def _equal(a, b):
    assert a.arch == b.arch and a.exponents == b.exponents and a.seed == b.seed
    for name in a.weights:
        np.testing.assert_array_equal(a.weights[name], b.weights[name])
    for one, other in zip(a.latents, b.latents, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("sizes", [
    {"height": 1, "width": 1, "levels": 1, "noise_levels": 0},
    {"height": 17, "width": 3, "levels": 6, "noise_levels": 6},
    {"height": 2, "width": 40, "levels": 7, "channels": 1, "noise_levels": 1},
    {"height": 30, "width": 40, "entropy_width": 3, "synthesis_width": 5, "noise_levels": 0},
])  # fmt: skip
def test_what_is_written_is_read(make_description, sizes):
    description = make_description(**sizes)
    message = format.write(description).message
    _equal(format.read(message), description)
    assert format.write(description).message == message
    assert format.render(format.read(message)).shape == (sizes["height"], sizes["width"], sizes.get("channels", 3))


def test_numbers_outside_of_every_table_and_empty_grids_are_kept(make_description):
    description = make_description()
    description.latents[0][:] = 0
    description.latents[1][2, 3], description.latents[3][0, 0] = 8191, -8191
    _equal(format.read(format.write(description).message), description)


def test_length_is_what_the_networks_predict(make_description):
    # The entropy network in floating point foretells the length; rounding of distributions to tables costs
    # little. They are wide enough that no number is far out, where escape codes are shorter than Laplace tails.
    description = make_description(64, 48, levels=3)
    description.weights["entropy_out_bias"][1] += 2 << description.exponents["entropy_out_bias"]
    for name in ("entropy_out", "entropy_skip"):
        description.weights[name][:] //= 4
    written = format.write(description)
    weights = {name: np.float32(w) for name, w in format.dequantize_weights(description).items()}
    bits = float(network.bits(weights, [np.float32(latent) for latent in description.latents]).sum())
    assert abs(8 * written.latent_bytes - bits) < 0.01 * bits + 64
    payloads = [len(payload) for payload in container.unpack(written.message).payloads]
    assert written.latent_bytes == sum(payloads[3:]) and written.weight_bytes == sum(payloads[1:3])


def test_every_flipped_byte_and_every_cut_is_refused(description):
    message = format.write(description).message
    for position in range(0, len(message), 7):
        with pytest.raises(ValueError):
            format.read(message[:position] + bytes([message[position] ^ 0x55]) + message[position + 1:])
        with pytest.raises(ValueError):
            format.read(message[:position])


def test_forged_messages_with_right_checksums_are_refused_or_decoded(description):
    # Whoever can write checksums can write anything: a clear error or some image, never a crash.
    parts = container.unpack(format.write(description).message)
    rng = np.random.default_rng(1)
    refused = 0
    for _ in range(60):
        payloads = [bytearray(payload) for payload in parts.payloads]
        which = payloads[rng.choice([i for i, payload in enumerate(payloads) if payload])]
        which[rng.integers(len(which))] = rng.integers(256)
        try:
            format.render(format.read(container.pack(parts._replace(payloads=tuple(map(bytes, payloads))))))
        except ValueError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize(("change", "words"), [
    (lambda parts: parts._replace(codec="other"), "written by codec 'other'"),
    (lambda parts: parts._replace(payloads=parts.payloads[:4]), "its parts are not"),
    (lambda parts: parts._replace(payloads=(b"", *parts.payloads[1:])), "another format"),
    (lambda parts: parts._replace(payloads=(b"\x09" + parts.payloads[0][1:], *parts.payloads[1:])), "another format"),
    (lambda parts: parts._replace(payloads=(parts.payloads[0][:-1], *parts.payloads[1:])), "another length"),
    (lambda parts: parts._replace(shape=(13, 10, 4)), "impossible sizes"),
    (lambda parts: parts._replace(shape=(2**13, 2**13, 3)), "more than"),
])  # fmt: skip
def test_foreign_parts_are_named(description, change, words):
    parts = container.unpack(format.write(description).message)
    with pytest.raises(ValueError, match=words):
        format.read(container.pack(change(parts)))


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n", b"rdr"])
def test_other_files_are_refused(data):
    with pytest.raises(ValueError, match="message"):
        format.read(data)


@pytest.mark.parametrize("setting", [
    # Nothing of it is so here.
    {"JAX_DISABLE_JIT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "JAX_ENABLE_X64": "0",
     "JAX_THREEFRY_PARTITIONABLE": "0", "OPENBLAS_CORETYPE": "Prescott"},
    pytest.param({"JAX_DISABLE_JIT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                 marks=pytest.mark.stress),
    pytest.param({"JAX_ENABLE_X64": "1", "JAX_THREEFRY_PARTITIONABLE": "0", "OPENBLAS_CORETYPE": "Prescott"},
                 marks=pytest.mark.stress),
], ids=["all", "without jit", "x64"])  # fmt: skip
def test_other_processes_see_the_same_pixels(description, tmp_path, setting):
    message = format.write(description).message
    path = tmp_path / "a.rdr"
    path.write_bytes(message)
    run = subprocess.run([sys.executable, "-c", DECODE, str(path)], capture_output=True, text=True, check=True,
                         env=os.environ | setting, cwd=pathlib.Path(__file__).parents[4])
    assert run.stdout == hashlib.sha256(format.render(description).tobytes()).hexdigest() + "\n"


def forged(description, shape, *, levels, mask=1, coded=b""):
    """A message of hardly any bytes: settings, and what is put in place of the latents."""
    names = 17
    settings = bytes([1, levels, 0, 16, 24, 6]) + mask.to_bytes(-(-levels // 8), "little") + bytes([100] * names)
    parts = container.unpack(format.write(description).message)
    return container.pack(parts._replace(shape=shape, payloads=(settings, b"", b"", coded, b"")))


@pytest.mark.parametrize("shape", [(2**24, 1, 1), (1, 2**24, 1), (4096, 4096, 1), (2048, 2048, 3), (2**15, 1, 3)])
def test_few_bytes_cannot_announce_any_image(description, shape, monkeypatch):
    """Fault 31: 60 bytes that said 2^24 x 1 took 2,500 s, and 4096 x 4096 with 12 levels ended in MemoryError."""
    monkeypatch.setattr(format.coder, "decode_symbols", None)  # nothing is decoded
    for coded in (b"", bytes(range(1, 41))):
        message = forged(description, shape, levels=12, mask=2**12 - 1, coded=coded)
        assert len(message) <= 110
        with pytest.raises(ValueError, match=f"{shape[1]} x {shape[0]} pixels .*--max_pixels={np.prod(shape[:2])}"):
            format.read(message)


def test_those_who_trust_a_message_may_allow_it(description, monkeypatch):
    message = forged(description, (40, 30, 3), levels=2)
    assert format.read(message).arch.width == 30
    monkeypatch.setattr(format, "_FREE_PIXELS", 1000)
    monkeypatch.setattr(format, "_PIXELS_PER_BYTE", 1)
    with pytest.raises(ValueError, match="max_elements=3600"):
        format.read(message)
    assert format.read(message, max_elements=3600).arch.width == 30
    with pytest.raises(ValueError, match="more than 3599 elements"):
        format.read(message, max_elements=3599)


def test_blank_images_of_any_size_take_no_time(description, monkeypatch):
    """Fault 31: all pixels are one, and a message of 58 bytes may say so."""
    small, large = (format.read(forged(description, (side, side, 3), levels=7, mask=0)) for side in (9, 2048))
    pixels = exact_inference.synthesize(format.dequantize_weights(small), small.latents)
    synthesize, sizes = exact_inference.synthesize, []
    monkeypatch.setattr(exact_inference, "synthesize", lambda weights, latents, *noise, **kind: sizes.append(
        latents[0].shape) or synthesize(weights, latents, *noise, **kind))
    made = format.render(large)
    assert sizes == [(1, 1)]
    assert made.shape == (2048, 2048, 3) and made.flags.writeable
    np.testing.assert_array_equal(made[:9, :9], pixels)
    assert (made == made[0, 0]).all()


def test_settings_are_read_alone(description, monkeypatch):
    """Fault 31: `rdr info` decoded everything."""
    message = forged(description, (2**24, 1, 1), levels=12, mask=2**12 - 1)
    monkeypatch.setattr(format, "StepDecoder", None)
    monkeypatch.setattr(format.coder, "decode_symbols", None)
    assert codec.describe(message)["height"] == 2**24
    assert format.read_settings(format.write(description).message).arch == description.arch
