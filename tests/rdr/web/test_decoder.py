"""`rdr/web/decoder.js` in node: the same pixels as Python's decoder, and the same refusals."""

import base64
import hashlib
import importlib.resources
import itertools
import json
import pathlib
import re
import shutil
import struct
import subprocess

import numpy as np
import pytest

from rdr.bitstream import container
from rdr.codecs import overfitted, profiled
from rdr.codecs.overfitted import format, tiling
from rdr.codecs.overfitted.architecture import Architecture, shapes
from rdr.codecs.overfitted.pretrained_init import portable_weights, quantized_pretrained
from rdr.codecs.overfitted.signals import Signal
from tests.rdr.data.test_color_spaces import P3, profile
from tests.rdr.web.random_messages import damaged_message, random_description, random_message

HERE, DOCS = pathlib.Path(__file__).parent, pathlib.Path(__file__).parents[3] / "docs" / "format.md"
STORED = sorted((HERE.parent / "codecs" / "overfitted" / "data").glob("*.rdr"))
DECODER = pathlib.Path(str(importlib.resources.files("rdr.web"))) / "decoder.js"
MAX_DECODER_BYTES = 42_500
MAX_SECONDS, MAX_RESIDENT_BYTES = 20.0, 10**9


def _code():
    return DECODER.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def decode_in_node(tmp_path_factory):
    """Messages to what node says of each of them, all in one process."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    counter = itertools.count()

    def call(messages, *, max_pixels=None, timeout=300):
        folder = tmp_path_factory.mktemp("messages")
        paths = [folder / f"{next(counter)}.rdr" for _ in messages]
        for path, message in zip(paths, messages):
            path.write_bytes(message)
        options = [] if max_pixels is None else [str(max_pixels)]
        run = subprocess.run([node, str(HERE / "decode_files.mjs"), str(DECODER), *options], capture_output=True,
                             text=True, check=True, timeout=timeout, input="".join(f"{path}\n" for path in paths))
        return [json.loads(line) for line in run.stdout.splitlines()]

    return call


def _in_python(message, **options):
    """What node is to say; of a refusal that it is one."""
    try:
        inner, profile = profiled.split(message)
        image = overfitted.decode(inner, **options)
    except ValueError:
        return None
    height, width, channels = image.shape
    return {"height": height, "width": width, "channels": channels, "length": image.size,
            **overfitted.signal_of_message(inner)._asdict(),
            "sha256": hashlib.sha256(image.tobytes()).hexdigest(), "ascends": True,
            "profile": None if profile is None else base64.b64encode(profile).decode()}


def _check(found, wanted):
    for index, (one, want) in enumerate(zip(found, wanted, strict=True)):
        assert one["seconds"] < MAX_SECONDS and one["resident"] < MAX_RESIDENT_BYTES, index
        if want is None:
            assert one.get("kind") == "Error" and one["error"], (index, one)
        else:
            assert {key: one.get(key) for key in want} == want, (index, one)


def test_stored_files_have_the_pixels_that_python_makes(decode_in_node):
    messages = [path.read_bytes() for path in STORED]
    assert len(messages) >= 2
    wanted = [_in_python(message) for message in messages]
    assert None not in wanted
    _check(decode_in_node(messages), wanted)


def test_random_options_have_the_pixels_that_python_makes(decode_in_node):
    rng = np.random.default_rng(3)
    messages = [random_message(rng, noise=False) for _ in range(12)]
    wanted = [_in_python(message) for message in messages]
    assert None not in wanted and {want["channels"] for want in wanted} == {1, 3}
    assert {want["depth"] for want in wanted} >= {8, 16}
    _check(decode_in_node(messages), wanted)


def test_what_python_refuses_is_refused(decode_in_node):
    rng = np.random.default_rng(4)
    good = [random_message(rng, side=12, noise=False) for _ in range(6)]
    messages = [damaged_message(rng, good[i % len(good)]) for i in range(120)]
    wanted = [_in_python(message) for message in messages]
    assert 10 < sum(want is None for want in wanted) < 120
    _check(decode_in_node(messages), wanted)


@pytest.mark.parametrize(("message", "words"), [
    (b"", "not an rdr message"),
    (b"\x89PNG\r\n\x1a\n", "not an rdr message"),
    (b"rdr\x02\x00\x05", "shorter than any message"),
    (b"rdr\x01\x00\x05" + bytes(20), "format version 1"),
    (b"rdr\x02\x00\x05" + bytes(20), "checksum is wrong"),
    (container.pack(container.Message("mbt2018_mean", b"12345678", (8, 8, 3), (b"",))), "another codec"),
    (container.pack(container.Message("overfitted", b"", (2**13, 2**13, 3), (b"",) * 5)), "more than"),
])  # fmt: skip
def test_refusals_say_why(message, words, decode_in_node):
    [found] = decode_in_node([message])
    assert found["kind"] == "Error" and re.search(words.replace("another codec", "not by 'overfitted'"), found["error"])


def test_messages_that_announce_too_much_are_refused_unless_allowed(decode_in_node):
    # Many lines to decode, one number each; of networks as small as they can be, whose weights take few bytes.
    arch = Architecture(10_400, 1, levels=1, entropy_width=1, synthesis_width=1, refinement_width=1)
    weights = {name: np.zeros(shape, np.int64) for name, shape in shapes(arch).items()}
    weights["pixel_out_bias"][:], weights["entropy_out_bias"][1] = 3, -48  # zeros cost next to nothing
    latent = np.zeros((10_400, 1), np.int32)
    latent[0, 0] = 1  # so that it is coded
    message = format.write(format.Description(arch, dict.fromkeys(weights, 3), weights, [latent], None)).message
    assert len(message) < 2000 and _in_python(message) is None
    [found] = decode_in_node([message])
    assert "allow it with max_pixels" in found["error"]
    _check(decode_in_node([message], max_pixels=10_400), [_in_python(message, max_elements=31_200)])
    _check(decode_in_node([message], max_pixels=10_399), [None])


def test_color_profiles_are_given_back_and_what_is_not_one_is_refused(decode_in_node):
    """Fault 10: profiles are kept in the file."""
    rng = np.random.default_rng(8)
    inner = [random_message(rng, side=12, noise=False) for _ in range(8)]
    profiles = {channels: profile(P3, 1.8, gray=channels == 1) for channels in (1, 3)}
    messages = [profiled.wrap(message, profiles[container.unpack(message).shape[2]]) for message in inner]
    wanted = [_in_python(message) for message in messages]
    assert None not in wanted and {want["channels"] for want in wanted} == {1, 3}
    parts = container.unpack(messages[0])
    settings, message = parts.payloads
    bad = [
        parts._replace(fingerprint=b"12345678"), parts._replace(payloads=(settings,)), parts._replace(payloads=()),
        parts._replace(payloads=(settings, message, b"")), parts._replace(payloads=(b"\2" + settings[1:], message)),
        parts._replace(payloads=(b"", message)), parts._replace(payloads=(settings, message[:-1])),
        parts._replace(shape=(*parts.shape[:2], 4)), parts._replace(payloads=(settings, messages[0])),
    ]  # fmt: skip
    messages += [container.pack(one) for one in bad]
    wanted += [None] * len(bad)
    assert [_in_python(message) for message in messages] == wanted
    _check(decode_in_node(messages), wanted)


def test_deep_images_have_the_pixels_that_python_makes(decode_in_node):
    """Every depth, whole, blank and in tiles; forged headers are refused."""
    rng = np.random.default_rng(11)
    arch, small = Architecture(9, 7, levels=3), Architecture(4, 5, 1, levels=2)
    messages = []
    for depth in range(8, 17):
        signal = Signal(depth, "pq", "bt2020", 0.0 if depth % 2 else 123.456)
        one = random_description(rng, arch if depth % 3 else small, 0, 2.0, signal)
        messages.append(format.write(one).message)
    blank = one._replace(latents=[np.zeros_like(latent) for latent in one.latents])
    tile, other = (format.write(one._replace(signal=Signal(depth, "hlg"))).message for depth in (10, 12))
    width = 2 * one.arch.width - 1
    tiled = [tiling._pack(tiling.Grid(one.arch.height, width, 1, 2), one.arch.channels, pair)
             for pair in ([tile, tile], [tile, other])]
    parts = container.unpack(messages[2])
    forged = [struct.pack("<BBBf", *values) for values in (
        (7, 16, 9, 0), (17, 16, 9, 0), (10, 2, 9, 0), (10, 16, 2, 0), (10, 16, 9, -1), (10, 16, 9, np.nan),
        (10, 16, 9, 2e9), (10, 18, 9, 1), (8, 13, 1, 0), (8, 13, 12, 0))]
    messages += [format.write(blank).message, *tiled]
    messages += [container.pack(parts._replace(payloads=(b"\2" + packed + parts.payloads[0][8:], *parts.payloads[1:])))
                 for packed in forged]
    wanted = [_in_python(message) for message in messages]
    assert [want is None for want in wanted] == [False] * 11 + [True] * 10 + [False]
    assert [want["depth"] for want in wanted[:9]] == list(range(8, 17))
    _check(decode_in_node(messages), wanted)


def test_the_decoder_is_one_small_module_without_dependencies():
    assert len(DECODER.read_bytes()) < MAX_DECODER_BYTES
    assert "import" not in re.sub(r"//.*|/\*.*?\*/", "", _code(), flags=re.S)
    assert "</script" not in _code() and "<!--" not in _code()  # it is put into pages


def test_each_part_names_its_section_of_the_description():
    sections = set(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", DOCS.read_text(encoding="utf-8"), re.M))
    parts = re.findall(r"^// ---- § ([\d.]+)", _code(), re.M)
    assert sorted(part for part in parts if "." not in part) == sorted(map(str, range(2, 12)))
    assert set(re.findall(r"§ (\d+(?:\.\d+)?)", _code())) <= sections


def _appendix(text, mark):
    found = re.search(mark + r"\n([A-Za-z0-9+/=\n]+)\n`", text)
    assert found is not None
    return base64.b64decode(found[1])


def test_pretrained_weights_are_those_of_python():
    table = portable_weights()
    assert _appendix(_code(), "PRETRAINED = `") == table
    assert _appendix(DOCS.read_text(encoding="utf-8"), "```text") == table
    numbers, position = np.frombuffer(table, "<i2").astype(np.float64) * 2.0**-12, 0
    color, gray = (shapes(Architecture(64, 64, channels)) for channels in (3, 1))
    stored = [(3, name, shape) for name, shape in color.items()]
    stored += [(1, name, shape) for name, shape in gray.items() if shape != color[name]]
    for channels, name, shape in stored:
        size = int(np.prod(shape))
        part, position = numbers[position : position + size].reshape(shape), position + size
        for exponent in range(10):
            arch = Architecture(64, 64, channels)
            whole = quantized_pretrained(arch, dict.fromkeys(color, exponent))[name]
            np.testing.assert_array_equal(np.rint(part * 2.0**exponent), whole)
    assert position == numbers.size


def test_browsers_get_what_the_worker_imports():
    worker = (DECODER.parent / "worker.js").read_text(encoding="utf-8")
    assert re.findall(r"^import .*$", worker, re.M) == ['import { decode } from "./decoder.js";']
    settings = (DOCS.parents[1] / "setup.cfg").read_text(encoding="utf-8")
    assert "web/*.js" in settings  # so that wheels hold it


@pytest.mark.stress
def test_two_hundred_random_options_have_the_pixels_that_python_makes(decode_in_node):
    rng = np.random.default_rng(5)
    messages = [random_message(rng) for _ in range(200)]
    wanted = [_in_python(message) for message in messages]
    assert None not in wanted
    assert {(want["height"], want["width"]) == (1, 1) for want in wanted} == {True, False}
    _check(decode_in_node(messages), wanted)


@pytest.mark.stress
def test_ten_thousand_damaged_files_are_refused_or_decoded_as_python_does(decode_in_node):
    rng = np.random.default_rng(6)
    good = [random_message(rng, side=12, noise=False) for _ in range(60)] + [path.read_bytes() for path in STORED]
    messages = [damaged_message(rng, good[i % len(good)]) for i in range(10_000)]
    wanted = [_in_python(message) for message in messages]
    assert sum(want is None for want in wanted) > 5000 and sum(want is not None for want in wanted) > 100
    _check(decode_in_node(messages, timeout=1200), wanted)
