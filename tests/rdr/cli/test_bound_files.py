"""Numbers from files of every kind, or a sentence."""

import numpy as np
import pytest

from rdr.cli import bound_files


def test_tables_of_spreadsheets_are_read(tmp_path):
    """Fault 17: a byte-order mark or quoted cells were refused in riddles."""
    (tmp_path / "pmf.csv").write_text('"0.25";"0.75"\r\n', encoding="utf-8-sig")
    np.testing.assert_array_equal(bound_files.read_array("pmf", str(tmp_path / "pmf.csv")), [[0.25, 0.75]])


def test_damaged_arrays_are_refused_in_a_sentence(tmp_path):
    np.save(tmp_path / "pmf.npy", np.array([0.5, 0.5]))
    whole, rng = (tmp_path / "pmf.npy").read_bytes(), np.random.default_rng(0)
    np.savez(tmp_path / "archive.npz", np.ones(2))
    cases = [whole[:40] + b"[" + whole[41:], (tmp_path / "archive.npz").read_bytes(), whole[:-9], b""]
    for _ in range(200):
        data = bytearray(whole)
        data[rng.integers(10, 80)] = rng.integers(32, 127)
        cases.append(bytes(data))
    refused = 0
    for case in cases:
        (tmp_path / "pmf.npy").write_bytes(case)
        try:
            bound_files.read_array("pmf", str(tmp_path / "pmf.npy"))
        except ValueError as error:
            assert str(error).startswith("pmf: ") and "\n" not in str(error)
            refused += 1
    assert refused > 50


def test_distortions_have_names_or_files(tmp_path):
    np.testing.assert_array_equal(bound_files.read_distortion("hamming", 3, square=True), 1.0 - np.eye(3))
    np.testing.assert_array_equal(bound_files.read_distortion("mse", 2, square=True), [[0, 1], [1, 0]])
    np.testing.assert_array_equal(bound_files.read_distortion("absolute", 3, square=True)[0], [0, 1, 2])
    np.save(tmp_path / "d.npy", np.ones((2, 3)))
    assert bound_files.read_distortion(str(tmp_path / "d.npy"), 2, square=False).shape == (2, 3)
    with pytest.raises(ValueError, match="square distortion matrix"):
        bound_files.read_distortion(str(tmp_path / "d.npy"), 2, square=True)


def test_digests_tell_numbers_and_shapes_apart():
    one, other = np.arange(4.0), np.arange(4.0).reshape(2, 2)
    assert bound_files.digest(one, np.zeros((0, 0))) == bound_files.digest(one) != bound_files.digest(other)
    assert bound_files.digest(one, other) != bound_files.digest(one, other + 1)
