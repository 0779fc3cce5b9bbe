"""Messages of amortized codecs: sizes, levels, realism, and what is refused."""

import numpy as np
import pytest

from rdr.bitstream import container
from rdr.codecs.image import files, messages
from rdr.data import image_io
from rdr.metrics.psnr import image_psnr


def test_a_number_of_bytes_is_used_as_well_as_levels_allow(small_codec):
    checkpoint, image = str(small_codec / "codec.npz"), image_io.read_image(small_codec / "images" / "a.png")
    lengths = [len(messages.encode_image(image, checkpoint, level=step / 16, size=None))
               for step in range(17)]
    size = lengths[7] + 1
    message = messages.encode_image(image, checkpoint, level=0.0, size=size)
    assert len(message) == max(length for length in lengths if length <= size)
    with pytest.raises(ValueError, match=f"lowest rate takes {lengths[0]} bytes, more than {lengths[0] - 1}"):
        messages.encode_image(image, checkpoint, level=0.0, size=lengths[0] - 1)


def test_forged_messages_are_described_in_a_sentence(small_codec):
    image, checkpoint = np.zeros((4, 4, 3), np.uint8), str(small_codec / "codec.npz")
    parts = container.unpack(messages.encode_image(image, checkpoint, level=0.0, size=None))
    for change in ({"shape": (4, 4, 3)}, {"shape": (1, 0, 4, 3)}, {"payloads": ()}):
        with pytest.raises(ValueError, match="damaged message: its parts are not"):
            messages.describe(container.pack(parts._replace(**change)))


def test_few_bytes_cannot_announce_any_image(small_codec, monkeypatch):
    """Fault 31: where tables make symbols cheap, 60 bytes could announce 5 megapixels."""
    loaded = files.load_codec(small_codec / "codec.npz")
    parts = container.unpack(messages.encode_image(np.zeros((4, 4, 3), np.uint8), loaded, level=0.0, size=None))
    forged = container.pack(parts._replace(shape=(1, 600, 500, 3)))
    read = []
    monkeypatch.setattr(files, "decode_image", lambda *_, **given: read.append(given))
    with pytest.raises(ValueError, match="announces 300000 pixels in .* allow it with max_pixels=300000"):
        messages.decode_image(forged, loaded, realism=0.0)
    messages.decode_image(forged, loaded, realism=0.0, max_pixels=300000)
    messages.decode_image(container.pack(parts), loaded, realism=0.0)
    assert len(read) == 2


def test_images_of_more_bits_and_other_realism_weights_are_refused(small_codec):
    checkpoint = str(small_codec / "codec.npz")
    with pytest.raises(ValueError, match="8 bits"):
        messages.encode_image(np.zeros((4, 4, 1), np.uint16), checkpoint, level=0.0, size=None)
    message = messages.encode_image(np.zeros((4, 4, 3), np.uint8), checkpoint, level=0.0, size=None)
    with pytest.raises(ValueError, match="realism weight must be in"):
        messages.decode_image(message, checkpoint, realism=2.0)


def test_the_largest_image_and_the_remedy_are_named(small_codec):
    """Fault 16: large images were refused with "x must have at most 16777216 elements"."""
    large = np.broadcast_to(np.zeros((1, 1, 3), np.uint8), (2400, 2400, 3))
    with pytest.raises(ValueError, match="2400 x 2400 pixels, an amortized codec takes 5592405: .* tiles"):
        messages.encode_image(large, str(small_codec / "codec.npz"), level=0.0, size=None)


def test_a_codec_may_stand_for_its_file(small_codec):
    loaded, image = files.load_codec(small_codec / "codec.npz"), np.zeros((4, 4, 3), np.uint8)
    message = messages.encode_image(image, loaded, level=0.0, size=None)
    assert message == messages.encode_image(image, str(small_codec / "codec.npz"), level=0.0, size=None)
    np.testing.assert_array_equal(messages.decode_image(message, loaded, realism=1.0),
                                  files.decode_image(loaded, message, realism=1.0))


def test_messages_say_who_wrote_them(small_codec):
    message = messages.encode_image(np.zeros((4, 4, 3), np.uint8), str(small_codec / "codec.npz"), level=0.0, size=None)
    assert messages.is_amortized_message(message)
    other = container.pack(container.unpack(message)._replace(codec="overfitted"))
    assert not messages.is_amortized_message(other)
    with pytest.raises(ValueError, match="checksum|damaged|magic"):
        messages.is_amortized_message(b"\x89PNG" + message)


def test_the_lowest_level_with_a_psnr_is_taken(small_codec):
    image, checkpoint = image_io.read_image(small_codec / "images" / "a.png"), str(small_codec / "codec.npz")

    def of(message):
        return image_psnr(image, messages.decode_image(message, checkpoint, realism=0.0))

    levels = [messages.encode_image(image, checkpoint, level=step / 16, size=None) for step in range(17)]
    wanted = of(levels[9])
    found = messages.encode_image(image, checkpoint, level=0.0, size=None, psnr=wanted - 1e-6)
    assert of(found) >= wanted - 1e-6 and len(found) <= len(levels[9])
    assert messages.encode_image(image, checkpoint, level=0.0, size=None, psnr=99.0) == levels[16]
