import numpy as np
import pytest

from rdr.data.arrays import ArraySource, read_array, stack_images

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)


def test_reads_patches_from_a_file(tmp_path):
    np.save(tmp_path / "patches.npy", IMAGES)
    source = read_array(tmp_path / "patches.npy")
    assert len(source) == 3
    np.testing.assert_array_equal(source[2]["image"], IMAGES[2])
    np.testing.assert_array_equal(stack_images(source), IMAGES)


def test_stacks_any_source_of_one_size():
    np.testing.assert_array_equal(stack_images([{"image": image} for image in IMAGES]), IMAGES)
    np.testing.assert_array_equal(stack_images(ArraySource(IMAGES)), IMAGES)


@pytest.mark.parametrize("source", [[], [{"image": IMAGES[0]}, {"image": IMAGES[0, :2]}]])
def test_refuses_to_stack_other_sources(source):
    with pytest.raises(ValueError, match="one size"):
        stack_images(source)


@pytest.mark.parametrize("content", ["missing", "cut", "foreign", "float", "gray", "empty", "objects"])
def test_refuses_other_files(tmp_path, content):
    path = tmp_path / "patches.npy"
    if content == "foreign":
        path.write_bytes(b"no such thing")
    elif content != "missing":
        array = {"float": IMAGES.astype(np.float32), "gray": IMAGES[..., 0], "empty": IMAGES[:0],
                 "objects": np.array([{}, 1])}.get(content, IMAGES)
        np.save(path, array)
        if content == "cut":
            path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(ValueError, match="images: .*patches.npy"):
        read_array(path)
