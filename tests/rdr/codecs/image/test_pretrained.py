"""The pretrained codec: whole, better than JPEG, and more realistic where it is asked to be."""

import io

import numpy as np
import pytest
from PIL import Image

from rdr.bitstream import container
from rdr.codecs.image import files, pretrained

pytestmark = pytest.mark.skipif(not pretrained.is_available(), reason="no codec comes with this installation")


@pytest.fixture(scope="module")
def loaded():
    return pretrained.load_pretrained()


@pytest.fixture(scope="module")
def photo():
    """A face and its surroundings, which were not trained on."""
    data = pytest.importorskip("skimage.data", reason="needs scikit-image: install the extra `textures`")
    return np.ascontiguousarray(data.astronaut()[:256, 64:320])


@pytest.fixture(scope="module")
def messages(loaded, photo):
    return [files.encode_image(loaded, photo, rate=level) for level in (0, 1, 4)]


def psnr(x, y):
    return 10 * np.log10(255.0**2 / np.mean(np.square(x.astype(np.float64) - y)))


def jpeg_of_size(photo, size):
    """The best JPEG of at most so many bytes."""
    best = None
    for quality in range(1, 96):
        stream = io.BytesIO()
        Image.fromarray(photo).save(stream, "JPEG", quality=quality, optimize=True)
        if len(stream.getvalue()) <= size:
            best = np.asarray(Image.open(io.BytesIO(stream.getvalue())))
    return best


def test_it_is_the_file_whose_hash_is_written_down(loaded, tmp_path):
    assert loaded.options["name"] == "mbt2018-mean" and loaded.options["rate_levels"] == 5
    assert pretrained.path().stat().st_size < 8_000_000
    other = tmp_path / "codec.npz"
    data = bytearray(pretrained.path().read_bytes())
    data[len(data) // 2] ^= 1
    other.write_bytes(data)
    with pytest.raises(ValueError, match="has SHA-256"):
        files.load_codec(other, sha256=pretrained.SHA256)


def test_levels_span_rates_and_beat_jpeg_of_the_same_bytes(loaded, photo, messages):
    sizes = [len(message) for message in messages]
    assert sizes[0] < 0.8 * sizes[1] and sizes[1] < 0.6 * sizes[2]
    for message in messages:
        found, other = psnr(photo, files.decode_image(loaded, message)), jpeg_of_size(photo, len(message))
        assert other is None or found > psnr(photo, other)


def test_symbols_come_back_and_the_message_says_its_level(loaded, photo, messages):
    x = photo[None].astype(np.float32) / np.float32(255)
    symbols = loaded.codec.symbols(loaded.params, x, rate=1)
    assert symbols["y"].shape == (1, 16, 16, 96) and symbols["z"].shape == (1, 4, 4, 64)
    assert int.from_bytes(container.unpack(messages[1]).payloads[0], "little") == 16


def test_realism_costs_squared_error_and_gains_perceptual_distance(loaded, photo, messages, trained_weights):
    from rdr.losses import lpips

    if not loaded.options["realism"]:
        pytest.skip("this checkpoint's decoder takes no realism weight")
    network = lpips.load_params("alexnet")
    x = photo[None].astype(np.float32) / np.float32(255)
    for message in messages:
        plain, real = (files.decode_image(loaded, message, realism=beta) for beta in (0.0, 1.0))
        assert psnr(photo, real) < psnr(photo, plain)
        distances = [float(lpips.lpips(network, y[None].astype(np.float32) / np.float32(255), x)[0])
                     for y in (plain, real)]
        assert distances[1] < distances[0]
