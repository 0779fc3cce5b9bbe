"""Data sets by name: one that was prepared here is found, others are refused at once and say what to do."""

import time

import numpy as np
import pytest
from PIL import Image

from rdr.data.patches import prepare_folder
from rdr.data.tfds_source import named_source


def test_a_prepared_data_set_is_found_by_its_name(tmp_path):
    (tmp_path / "images").mkdir()
    image = np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8)
    Image.fromarray(image).save(tmp_path / "images" / "a.png")
    prepare_folder(tmp_path / "images", tmp_path / "data", size=32)
    [config] = [path.name for path in (tmp_path / "data" / "image_patches").iterdir() if path.is_dir()]
    source = named_source(f"image_patches/{config}", data_dir=tmp_path / "data")
    assert len(source) == 2
    assert {np.asarray(source[i]["image"]).tobytes() for i in range(2)} == {
        image[:, :32].tobytes(), image[:, 32:].tobytes()}


@pytest.mark.parametrize("name", ["div2k", "no_such_data_set"])
def test_what_is_not_here_is_refused_in_one_sentence_without_waiting_for_a_network(tmp_path, name):
    began = time.monotonic()
    with pytest.raises(ValueError, match=f"images: the data set '{name}' is not ready .* name a folder") as refused:
        named_source(name, data_dir=tmp_path)
    assert "\n" not in str(refused.value)
    assert time.monotonic() - began < 60  # the network would be tried for minutes
