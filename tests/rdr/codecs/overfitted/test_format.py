"""Files of overfitted images."""

import hashlib
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from rdr.bitstream import container
from rdr.codecs.overfitted import format, network

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


def test_other_processes_see_the_same_pixels(description, tmp_path):
    message = format.write(description).message
    path = tmp_path / "a.rdr"
    path.write_bytes(message)
    found = set()
    for setting in ({}, {"JAX_DISABLE_JIT": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                    {"JAX_ENABLE_X64": "1", "JAX_THREEFRY_PARTITIONABLE": "0", "OPENBLAS_CORETYPE": "Prescott"}):
        run = subprocess.run([sys.executable, "-c", DECODE, str(path)], capture_output=True, text=True, check=True,
                             env=os.environ | setting, cwd=pathlib.Path(__file__).parents[4])
        found.add(run.stdout)
    assert len(found) == 1
    assert found == {hashlib.sha256(format.render(description).tobytes()).hexdigest() + "\n"}
