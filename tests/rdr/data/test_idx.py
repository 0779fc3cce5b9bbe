import gzip
import struct

import numpy as np
import pytest

from rdr.data import idx

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)


def encoded(array, code=0x08):
    """The format written down a second time, from its description."""
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("code", "dtype"), [
    (0x08, np.uint8), (0x09, np.int8), (0x0B, np.int16), (0x0C, np.int32), (0x0D, np.float32), (0x0E, np.float64)])
def test_reads_every_type_of_number(tmp_path, code, dtype, packed):
    array = np.random.default_rng(1).normal(0.0, 50.0, (3, 2, 4)).astype(dtype)
    data = encoded(array, code)
    (tmp_path / "file").write_bytes(gzip.compress(data) if packed else data)
    result = idx.read_idx(tmp_path / "file")
    assert result.dtype == dtype and result.dtype.isnative
    np.testing.assert_array_equal(result, array)


@pytest.mark.parametrize(("data", "message"), [
    (b"", "no IDX file"), (b"\0\0\x08", "no IDX file"), (b"\x89PNG\r\n\x1a\n" * 4, "no IDX file"),
    (encoded(IMAGES, 0x0A), "no IDX file"), (b"\0\0\x08\0", "no IDX file"), (b"\0\0\x08\xff" + bytes(2000), "no IDX"),
    (encoded(IMAGES)[:9], "within its header"), (encoded(IMAGES)[:-1], "59 bytes .* says 60"),
    (encoded(IMAGES) + b"x", "more than 60 bytes"), (gzip.compress(encoded(IMAGES))[:-9], "damaged gzip"),
    (gzip.compress(encoded(IMAGES))[:-8] + bytes(8), "damaged gzip"),
    (struct.pack(">HBB3I", 0, 0x0E, 3, 2**32 - 1, 2**32 - 1, 2**32 - 1), "at most .* are read"),
], ids=range(12))
def test_refuses_other_and_damaged_files(tmp_path, data, message):
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        idx.read_idx(tmp_path / "file")


def test_a_small_file_cannot_claim_much_memory(tmp_path):
    (tmp_path / "bomb").write_bytes(gzip.compress(encoded(np.zeros((1000, 100, 10), np.uint8))))
    with pytest.raises(ValueError, match="1000000 bytes, at most 999999"):
        idx.read_idx(tmp_path / "bomb", max_bytes=999_999)
    assert idx.read_idx(tmp_path / "bomb", max_bytes=1_000_000).shape == (1000, 100, 10)


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte", "test-images-idx3-ubyte.gz"])
def test_finds_images_by_their_usual_names(tmp_path, name):
    data = encoded(IMAGES)
    (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
    np.testing.assert_array_equal(idx.read_images(tmp_path, "test"), IMAGES)
    with pytest.raises(ValueError, match="holds no file train-images-idx3-ubyte"):
        idx.read_images(tmp_path)


def test_refuses_what_is_no_data_set_of_images(tmp_path):
    (tmp_path / "train-images-idx3-ubyte").write_bytes(encoded(IMAGES[:, 0]))
    with pytest.raises(ValueError, match=r"must hold uint8 \[images, height, width\], got uint8 of shape \(5, 3\)"):
        idx.read_images(tmp_path)
    with pytest.raises(ValueError, match="there is no folder"):
        idx.read_images(tmp_path / "none")
    with pytest.raises(ValueError, match="split must be one of train, test"):
        idx.read_images(tmp_path, "valid")
    with pytest.raises(ValueError, match="there is no file"):
        idx.read_idx(tmp_path)
