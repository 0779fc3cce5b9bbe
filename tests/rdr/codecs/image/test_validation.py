"""What codec files from strangers may hold; bombs are refused before they are inflated."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from rdr.bitstream.tables import make_tables
from rdr.codecs.image import files
from rdr.codecs.image.validation import CodingLayout, check_coding, check_finite, check_options, read_arrays

TABLES = {name: make_tables(np.full((count, 5), 0.2), -2)._asdict()
          for name, count in (("hyper_tables", 3), ("tables", 7))}
LAYER = {"weights": np.ones((3, 3, 2, 8), np.float32), "bias": np.zeros(8, np.int32), "shift": np.ones(8, np.int32)}
LAYOUT = CodingLayout({"hyper_tables": 3, "tables": 7}, {"network": ((3, 3, 2, 8),)}, 4)
CODING = TABLES | {"network": [LAYER], "thresholds": np.arange(4, dtype=np.int32)}


def archive(arrays, **members):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name + ".npy", content)
    return buffer.getvalue()


def test_arrays_come_back():
    arrays = {"a": np.arange(6.0).reshape(2, 3), "b/c": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
              "d": np.float16(2.5), "e": np.zeros((0, 3), np.uint8)}
    found = read_arrays(archive(arrays))
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_bombs_are_refused_before_they_are_inflated(tmp_path):
    """Fault 32: a file of a megabyte became a gigabyte in memory."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (17 * 2**22,)})
    path = tmp_path / "codec.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        said = json.dumps({"format": files.FORMAT, "options": {"name": "bmshj2018-factorized"}, "notes": {}})
        file.writestr("header.npy", _bytes_of(np.frombuffer(said.encode(), np.uint8)))
        with file.open("a.npy", "w", force_zip64=True) as member:
            member.write(header.getvalue())
            for _ in range(17):  # 272 MiB, a little more than a codec may have
                member.write(bytes(2**24))
    assert path.stat().st_size < 500_000
    program = """if True:
        import resource, sys
        from rdr.codecs.image import files, models
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        try:
            files.load_codec(sys.argv[1])
        except ValueError as error:
            print(error)
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    """
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    sentence, kibibytes = done.stdout.splitlines()
    assert "is no image codec, or damaged (it holds more than" in sentence
    assert int(kibibytes) < 100_000  # in units of ru_maxrss on Linux


def _bytes_of(value):
    buffer = io.BytesIO()
    np.save(buffer, value)
    return buffer.getvalue()


@pytest.mark.parametrize(("content", "words"), [
    (b"", "magic"), (b"\x93NUMPY\x07\x00", "version"), (_bytes_of(np.ones(3))[:-1], "not numbers"),
    (_bytes_of(np.ones(3)) + b"x", "not numbers"), (_bytes_of(np.array(["a"])), "not numbers"),
    (_bytes_of(np.ones(3)).replace(b"(3,)", b"(9,)"), "not numbers"),
])  # fmt: skip
def test_members_that_are_no_numbers_are_refused(content, words):
    with pytest.raises(ValueError, match=words):
        read_arrays(archive({}, a=content))


def test_headers_are_small():
    with pytest.raises(ValueError, match="header has 2097280 bytes, more than 1048576"):
        read_arrays(archive({"header": np.zeros(2**21, np.uint8)}))


def test_options_are_those_of_a_codec():
    options = {"name": "mbt2018-mean", "channels": 4, "latents": 6, "rate_levels": 2, "realism": True,
               "transforms": "gdn"}
    assert check_options(options) == options
    for change in ({"name": 3}, {"channels": -1}, {"channels": True}, {"latents": 1e3}, {"rate_levels": 65},
                   {"realism": 1}, {"transforms": 2}, {"max_elements": 5}):
        with pytest.raises(ValueError, match="its option"):
            check_options(options | change)


def test_floats_are_finite():
    check_finite({"a": np.ones(2), "b": np.array([1])})
    for value in (np.nan, np.inf):
        with pytest.raises(ValueError, match="b is not finite"):
            check_finite({"a": np.ones(2), "b": np.array([value, 0.0], np.float16)})


@pytest.mark.parametrize("change", [
    {"tables": TABLES["hyper_tables"]}, {"tables": None}, {"tables": {**TABLES["tables"], "more": 1}},
    {"network": [LAYER, LAYER]}, {"network": LAYER}, {"network": [LAYER | {"bias": np.zeros(8)}]},
    {"network": [LAYER | {"weights": LAYER["weights"] + np.float32(0.5)}]},
    {"network": [LAYER | {"weights": LAYER["weights"] * np.float32(2**17)}]},
    {"network": [LAYER | {"weights": LAYER["weights"] * np.float32(np.nan)}]},
    {"network": [LAYER | {"shift": np.full(8, 31, np.int32)}]}, {"network": [{"weights": LAYER["weights"]}]},
    {"thresholds": np.zeros(4, np.int32)}, {"thresholds": np.arange(4)}, {"thresholds": np.arange(5, dtype=np.int32)},
    {"other": 1},
])  # fmt: skip
def test_integers_are_those_of_the_model(change):
    check_coding(CODING, LAYOUT)
    with pytest.raises(ValueError, match=r"its |tables|layer|integers"):
        check_coding(CODING | change, LAYOUT)
    with pytest.raises(ValueError, match="not those of its model"):
        check_coding({name: value for name, value in CODING.items() if name != "tables"}, LAYOUT)


def test_several_networks_have_a_dictionary_of_their_own():
    layout = LAYOUT._replace(networks={"hyper": ((3, 3, 2, 8),), "merge": ((3, 3, 2, 8),) * 2})
    coding = {name: value for name, value in CODING.items() if name != "network"}
    check_coding(coding | {"networks": {"hyper": [LAYER], "merge": [LAYER, LAYER]}}, layout)
    for networks in ({"hyper": [LAYER]}, {"hyper": [LAYER], "merge": [LAYER]}, [LAYER]):
        with pytest.raises(ValueError, match="integer network"):
            check_coding(coding | {"networks": networks}, layout)
