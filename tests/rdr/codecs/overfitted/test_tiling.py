"""Images in tiles."""

import itertools
import tracemalloc

import numpy as np
import pytest

from rdr.bitstream import container
from rdr.codecs import overfitted
from rdr.codecs.overfitted import codec, format, tiling
from rdr.codecs.overfitted.objectives import sigma_map
from rdr.vision import get_display

# Most of the time of so short fits is writing checkpoints: of 150 steps, five.
OPTIONS = overfitted.Options(schedule=overfitted.Schedule(steps=150), rd_lambda=0.02, noise_levels=1)
PLACES = [(slice(0, 10), slice(0, 14)), (slice(0, 10), slice(13, 27)),
          (slice(10, 20), slice(0, 14)), (slice(10, 20), slice(13, 27))]  # fmt: skip


def _image(height=20, width=27, channels=3):
    rows, columns = np.mgrid[:height, :width]
    waves = 128 + 90 * np.sin(rows / 3)[..., None] * np.cos(columns / 4)[..., None] * np.linspace(0.6, 1, channels)
    return waves.astype(np.uint8)


@pytest.fixture(scope="module")
def fitted():
    """Two tiles that were fitted side by side."""
    return overfitted.encode(_image(10), OPTIONS, tile=16)


@pytest.fixture(scope="module")
def message(make_description):
    """Four tiles, of random contents."""
    with pytest.MonkeyPatch.context() as patch:
        _without_fits(patch, make_description)
        return overfitted.encode(_image(), OPTIONS, tile=16)


@pytest.fixture
def unfitted(monkeypatch, make_description):
    """Tiles have random contents, and are not fitted; returned are the calls."""
    return _without_fits(monkeypatch, make_description)


def _without_fits(patch, make_description):
    calls = []

    def encode_batch(images, options, **others):
        calls.append((images, options, others))
        others["directory"].mkdir(parents=True)
        height, width, channels = images[0].shape
        made = (make_description(height, width, channels=channels, levels=2, noise_levels=1, seed=seed)
                for seed in others["seeds"])
        return [format.write(one).message for one in made]

    patch.setattr(codec, "encode_batch", encode_batch)
    return calls


@pytest.mark.parametrize(("length", "tile"), [
    (length, tile) for length in (17, 31, 32, 33, 100, 1021) for tile in (16, 17, 30)
])  # fmt: skip
def test_equal_tiles_cover_the_image_and_overlap_by_a_pixel_at_most(length, tile):
    grid = tiling.make_grid(length, 40, tile)
    covered = np.zeros((length, 40), int)
    for place in grid.places:
        covered[place] += 1
        assert covered[place].shape == grid.tile
    assert max(grid.tile) <= tile and grid.rows == -(-length // tile)
    assert covered.min() == 1 and covered.max() <= 4
    shared_rows, shared_columns = (covered.min(1) > 1), (covered.min(0) > 1)
    assert shared_rows.sum() == grid.rows * grid.tile[0] - length < grid.rows
    assert shared_columns.sum() == grid.columns * grid.tile[1] - 40 < grid.columns
    assert not (shared_rows[1:] & shared_rows[:-1]).any() and not (shared_columns[1:] & shared_columns[:-1]).any()


@pytest.mark.parametrize(("count", "pixels", "devices", "size"), [
    (80, 2**20, 1, 1), (4, 280, 1, 4), (80, 2**18, 1, 4), (9, 2**18, 1, 3), (7, 2**18, 1, 4), (10, 100, 1, 5),
    (80, 2**20, 4, 4), (16, 100, 4, 8), (80, 2**22, 16, 16),
])  # fmt: skip
def test_groups_fit_into_memory_and_are_even(count, pixels, devices, size):
    assert tiling.group_size(count, pixels, devices) == size


def test_one_tile_is_the_whole_image(monkeypatch, make_description):
    image, calls = _image(10, 14), []
    expected = format.write(make_description(10, 14, levels=2)).message
    monkeypatch.setattr(codec, "encode_batch", lambda *given, **others: calls.append((given, others)) or [expected])
    assert codec.encode(image, OPTIONS) == expected
    assert overfitted.encode(image, OPTIONS, tile=16) == overfitted.encode(image, OPTIONS) == expected
    for (images, options), others in calls:
        np.testing.assert_array_equal(images, [image])
        assert (options, others) == (OPTIONS, {"directory": None})
    assert len(calls) == 3
    np.testing.assert_array_equal(overfitted.decode(expected), codec.decode(expected))
    assert overfitted.describe(expected) == codec.describe(expected)


def test_tiles_make_up_the_picture(message):
    decoded = overfitted.decode(message)
    grid, channels, tiles = tiling.unpack(message)
    assert grid == (20, 27, 2, 2) and grid.places == PLACES and channels == 3 and len(set(tiles)) == 4
    expected = np.zeros((20, 27, 3), np.uint8)
    for place, tile in zip(PLACES, tiles):
        assert overfitted.describe(tile)["width"] == 14
        expected[place] = codec.decode(tile)
    np.testing.assert_array_equal(decoded, expected)


def test_tiles_that_are_fitted_side_by_side_look_like_the_picture(fitted):
    image, decoded = _image(10), overfitted.decode(fitted)
    assert np.square(decoded.astype(float) - image).mean() < np.square(image - image.mean()).mean() / 4


def test_two_encodings_are_the_same_bytes_though_one_was_interrupted(fitted, tmp_path, monkeypatch):
    from rdr.training import loop

    save = loop.Checkpoints.save

    def fail(self, *args):
        save(self, *args)
        raise KeyboardInterrupt

    monkeypatch.setattr(loop.Checkpoints, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        overfitted.encode(_image(10), OPTIONS, tile=16, directory=tmp_path)
    assert list((tmp_path / "tiles_0_1" / "fit").iterdir())
    monkeypatch.setattr(loop.Checkpoints, "save", save)
    assert overfitted.encode(_image(10), OPTIONS, tile=16, directory=tmp_path) == fitted
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit_of.json", "tiles_0_1.rdr"]


def test_finished_groups_are_not_fitted_again(unfitted, tmp_path, monkeypatch):
    monkeypatch.setattr(tiling, "SIDE_BY_SIDE", 3)
    image, write = _image(10, 107), codec.encode_batch

    def fail(*args, **kwargs):
        if len(unfitted) == 2:
            raise KeyboardInterrupt
        return write(*args, **kwargs)

    monkeypatch.setattr(codec, "encode_batch", fail)
    with pytest.raises(KeyboardInterrupt):
        overfitted.encode(image, OPTIONS, tile=16, directory=tmp_path)
    monkeypatch.setattr(codec, "encode_batch", write)
    resumed = overfitted.encode(image, OPTIONS, tile=16, directory=tmp_path)
    labels = [others["label"] for _, _, others in unfitted]
    assert labels == ["tiles 1 to 3 of 7", "tiles 4 to 6 of 7", "tile 7 of 7"]
    assert resumed == overfitted.encode(image, OPTIONS, tile=16)


def test_finished_groups_of_others_are_refused(unfitted, tmp_path):
    made = overfitted.encode(_image(), OPTIONS, tile=16, directory=tmp_path)
    for image, options, tile in ((_image()[::-1], OPTIONS, 16), (_image(), OPTIONS._replace(seed=1), 16),
                                   (_image(), OPTIONS, 17)):
        with pytest.raises(ValueError, match=f"{tmp_path.name} holds the progress of other data"):
            overfitted.encode(image, options, tile=tile, directory=tmp_path)
    assert overfitted.encode(_image(), OPTIONS, tile=16, directory=tmp_path) == made and len(unfitted) == 1


@pytest.mark.parametrize("image", [
    _image(), _image(20, 27, 1)[:, :, 0], _image(20, 27, 1).astype(np.uint16) * 257,
    (_image(20, 27, 1) / 255).astype(np.float32),
])  # fmt: skip
def test_pictures_of_all_kinds_are_cut(unfitted, image):
    decoded = overfitted.decode(overfitted.encode(image, OPTIONS, tile=16))
    assert decoded.shape == (20, 27, 3 if image.shape[2:] == (3,) else 1)
    [(tiles, _, _)] = unfitted
    for place, tile in zip(PLACES, tiles, strict=True):
        assert tile.dtype == image.dtype
        np.testing.assert_array_equal(tile.reshape(image[place].shape), image[place])


def test_no_two_tiles_have_the_same_noise(message):
    found = [format.read(tile) for tile in tiling.unpack(message)[2]]
    assert [one.seed for one in found] == [0, 1, 2, 3]
    for one, other in itertools.combinations(found, 2):
        assert not np.array_equal(format.noise_maps(one.arch, one.seed)[0],
                                  format.noise_maps(other.arch, other.seed)[0])


def test_fits_see_the_noise_of_their_own_tile(monkeypatch):
    seen = []
    monkeypatch.setattr(codec, "run_steps", lambda fit, states, *_, **__: seen.extend(fit.data) or list(states))
    messages = codec.encode_batch([_image(10, 14)] * 2, OPTIONS, seeds=[5, 2**32 - 1])
    for message, data in zip(messages, seen, strict=True):
        description = format.read(message)
        np.testing.assert_array_equal(data.noise[0], format.noise_maps(description.arch, description.seed)[0])
    assert not np.array_equal(seen[0].noise[0], seen[1].noise[0])


def test_seeds_begin_again_at_zero(unfitted):
    overfitted.encode(_image(), OPTIONS._replace(seed=2**32 - 2), tile=16)
    assert unfitted[0][2]["seeds"] == [2**32 - 2, 2**32 - 1, 0, 1]
    assert unfitted[0][1].seed == 2**32 - 2  # of the fit's own noise, one program for all


SALIENCY = np.random.default_rng(0).random((20, 27)).astype(np.float32)


@pytest.mark.parametrize("sigma", ["eccentricity", "saliency", SALIENCY], ids=["eccentricity", "saliency", "map"])
def test_maps_of_sigma_are_those_of_the_whole_image(unfitted, sigma):
    options = OPTIONS._replace(objective="wd", features="pixels", sigma=sigma, saliency=SALIENCY, pixels_per_degree=4.0)
    overfitted.encode(_image(), options, tile=16)
    expected = np.asarray(sigma_map(sigma, _image()[None], saliency=SALIENCY, pixels_per_degree=4.0)).reshape(20, 27)
    for place, found in zip(PLACES, unfitted[0][2]["sigmas"], strict=True):
        np.testing.assert_array_equal(found, expected[place])
        assert found.max() > 0


def test_a_fixated_point_is_of_the_whole_image(unfitted):
    options = OPTIONS._replace(objective="wd", features="pixels", sigma="acuity", display="standard_4k",
                               fixation=(2, 25))
    overfitted.encode(_image(), options, tile=16)
    expected = np.asarray(sigma_map("acuity", _image()[None], fixation=(2, 25),
                                    pixels_per_degree=get_display("standard_4k").pixels_per_degree))
    for place, found in zip(PLACES, unfitted[0][2]["sigmas"], strict=True):
        np.testing.assert_array_equal(found, expected[place])


def test_one_sigma_for_all_is_no_map(unfitted):
    overfitted.encode(_image(), OPTIONS._replace(objective="wd", sigma=2.5), tile=16)
    assert unfitted[0][2]["sigmas"] is None and unfitted[0][1].sigma == 2.5


def test_intrinsic_sigma_is_that_of_tiles(unfitted):
    overfitted.encode(_image(), OPTIONS._replace(objective="wd", sigma="intrinsic"), tile=16)
    for place, found in zip(PLACES, unfitted[0][2]["sigmas"], strict=True):
        tile = codec.as_image(_image()[place])[None]
        np.testing.assert_array_equal(found, np.asarray(sigma_map("intrinsic", tile))[0])


@pytest.mark.stress
def test_sizes_are_kept_and_what_is_allowed_is_used():
    # So short a fit cannot use every byte: which it ends with is decided by rounding.
    short, long = (overfitted.encode(_image(), OPTIONS._replace(size=size), tile=16) for size in (560, 740))
    assert 450 < len(short) <= 560 < len(long) <= 740
    assert overfitted.decode(long).shape == (20, 27, 3)


def test_what_tiles_leave_over_goes_to_those_after_them(unfitted, monkeypatch):
    monkeypatch.setattr(tiling, "SIDE_BY_SIDE", 2)
    message = overfitted.encode(_image(), OPTIONS._replace(size=6000), tile=16)
    tiles = tiling.unpack(message)[2]
    first, second = (options.size for _, options, _ in unfitted)
    header = len(message) - sum(map(len, tiles))
    assert 0 <= 6000 - header - 4 * first < 4
    assert 0 <= 6000 - header - len(tiles[0]) - len(tiles[1]) - 2 * second < 2
    assert second > first + 100
    with pytest.raises(ValueError, match=r"size must be at least 4\d\d bytes for 4 tiles, got 420"):
        overfitted.encode(_image(), OPTIONS._replace(size=420), tile=16)


@pytest.mark.parametrize(("size", "first"), [(60_000, 5000), (65_520, 15_900), (443, 100), (520, 100)])
def test_sizes_hold_where_later_tiles_have_longer_lengths(monkeypatch, size, first):
    # Lengths from 128 and from 16384 on take another byte in the header: what the first tile leaves over gets the
    # others there, which are as long as they may be.
    def encode_batch(images, options, *, directory, **others):
        directory.mkdir(parents=True)
        return [bytes(first if directory.name == "tiles_0_0" else options.size)]

    monkeypatch.setattr(tiling, "SIDE_BY_SIDE", 1)
    monkeypatch.setattr(codec, "encode_batch", encode_batch)
    message = overfitted.encode(_image(), OPTIONS._replace(size=size), tile=16)
    assert size - 4 < len(message) <= size


def test_description_adds_up(message):
    about = overfitted.describe(message)
    each = [codec.describe(tile) for tile in tiling.unpack(message)[2]]
    assert about["bytes_header"] + about["bytes_weights"] + about["bytes_latents"] == about["bytes"] == len(message)
    assert about["bytes_weights"] == sum(one["bytes_weights"] for one in each)
    assert about["bits_per_pixel"] == 8 * len(message) / (20 * 27)
    names = ("height", "width", "channels", "tile_rows", "tile_columns", "tile_height", "tile_width", "seed")
    assert [about[name] for name in names] == [20, 27, 3, 2, 2, 10, 14, 0]
    work = 4 * 10 * 14 * each[0]["multiply_accumulates_per_pixel"] / (20 * 27)
    assert about["multiply_accumulates_per_pixel"] == pytest.approx(work, abs=0.06)


def test_flipped_bytes_and_cuts_are_refused(message):
    for position in range(0, len(message), 5):
        for damaged in (message[:position] + bytes([message[position] ^ 0x55]) + message[position + 1:],
                        message[:position]):
            for read in (overfitted.decode, overfitted.describe):
                with pytest.raises(ValueError):
                    read(damaged)


def test_forged_messages_with_right_checksums_are_refused_or_decoded(message):
    # Whoever can write checksums can write anything: a clear error or some image of the right size, never a crash.
    parts, rng, refused = container.unpack(message), np.random.default_rng(1), 0
    for trial in range(60):
        payloads = [bytearray(payload) for payload in parts.payloads]
        which = payloads[0 if trial % 10 == 0 else rng.integers(1, 5)]
        if trial % 3 == 0 and which is not payloads[0]:  # inside of a tile, its own checksum made good
            inner = container.unpack(bytes(which))
            pieces = [bytearray(piece) for piece in inner.payloads]
            piece = pieces[rng.choice([i for i, piece in enumerate(pieces) if piece])]
            piece[rng.integers(len(piece))] = rng.integers(256)
            which[:] = container.pack(inner._replace(payloads=tuple(map(bytes, pieces))))
        else:
            which[rng.integers(len(which))] = rng.integers(256)
        forged = container.pack(parts._replace(payloads=tuple(map(bytes, payloads))))
        try:
            assert overfitted.decode(forged).shape == (20, 27, 3)
        except ValueError:
            refused += 1
    assert refused > 40


@pytest.mark.parametrize(("change", "words"), [
    (lambda parts: parts._replace(codec="other"), "written by codec 'other'"),
    (lambda parts: parts._replace(fingerprint=b"x"), "its parts are not"),
    (lambda parts: parts._replace(payloads=()), "its parts are not"),
    (lambda parts: parts._replace(shape=(20, 27)), "its parts are not"),
    (lambda parts: parts._replace(shape=(20, 27, 2)), "its parts are not"),
    (lambda parts: parts._replace(shape=(0, 27, 3)), "its parts are not"),
    (lambda parts: parts._replace(shape=(20, 27, 1)), "tile 1 of 4 is"),
    (lambda parts: parts._replace(shape=(20, 26, 3)), "tile 1 of 4 is"),
    (lambda parts: parts._replace(payloads=parts.payloads[:4]), "2 x 2 tiles .* there are 3"),
    (lambda parts: parts._replace(payloads=(*parts.payloads, parts.payloads[1])), "2 x 2 tiles .* there are 5"),
    (lambda parts: parts._replace(payloads=(b"\x02" + parts.payloads[0][1:], *parts.payloads[1:])), "another format"),
    (lambda parts: parts._replace(payloads=(parts.payloads[0] + b"\0", *parts.payloads[1:])), "another format"),
    (lambda parts: parts._replace(payloads=(b"\x01\x04\x00\x01\x00", *parts.payloads[1:])), "tile 1 of 4 is"),
    (lambda parts: parts._replace(payloads=(b"\x01\x00\x00\x04\x00", *parts.payloads[1:])), "0 x 4 tiles"),
    (lambda parts: parts._replace(payloads=(*parts.payloads[:3], parts.payloads[3][:-1], parts.payloads[4])),
     "tile 3 of 4: .*checksum"),
    (lambda parts: parts._replace(payloads=(*parts.payloads[:4], container.pack(parts))), "tile 4 of 4 is"),
])  # fmt: skip
def test_foreign_parts_are_named(message, change, words):
    forged = container.pack(change(container.unpack(message)))
    with pytest.raises(ValueError, match=words):
        overfitted.decode(forged)
    with pytest.raises(ValueError):
        overfitted.describe(forged)


def test_limits_are_those_of_the_whole_image(message):
    assert overfitted.decode(message, max_elements=20 * 27 * 3).size == 20 * 27 * 3
    with pytest.raises(ValueError, match="more than 1619 elements"):
        overfitted.decode(message, max_elements=20 * 27 * 3 - 1)


@pytest.mark.parametrize(("shape", "words"), [
    ((2**27, 2**27, 3), "more than"), ((13_000, 13_000, 3), "tile 1 of 4 is"), ((2**29, 1, 1), "tiles of"),
])  # fmt: skip
def test_huge_pictures_are_refused_before_memory_is_taken(message, shape, words):
    forged = container.pack(container.unpack(message)._replace(shape=shape))
    tracemalloc.start()
    with pytest.raises(ValueError, match=words):
        overfitted.decode(forged)
    assert tracemalloc.get_traced_memory()[1] < 10**6
    tracemalloc.stop()


def test_large_pictures_come_back(monkeypatch):
    # More numbers than an image that is fitted whole may have.
    image = np.broadcast_to(np.uint8(7), (5000, 4000))
    blank = {}

    def decode(tile, max_elements):
        assert max_elements is None
        return blank.setdefault(container.unpack(tile).shape, np.full(container.unpack(tile).shape, 9, np.uint8))

    with pytest.raises(ValueError, match="cut it into tiles"):
        overfitted.encode(image, OPTIONS, tile=None)
    monkeypatch.setattr(codec, "decode", decode)
    monkeypatch.setattr(codec, "encode_batch", lambda images, *_, directory, **__: directory.mkdir(parents=True) or [
        container.pack(container.Message(format.NAME, b"", image.shape, (b"\1",))) for image in images])
    decoded = overfitted.decode(overfitted.encode(image, OPTIONS))
    assert decoded.shape == (5000, 4000, 1) and (decoded == 9).all() and list(blank) == [(1000, 1000, 1)]


@pytest.mark.parametrize("tile", [0, 15, 2049])
def test_wrong_tiles_are_named(tile):
    with pytest.raises(ValueError, match="tile must be between 16 and 2048 pixels"):
        overfitted.encode(_image(), OPTIONS, tile=tile)


def test_too_many_tiles_are_refused():
    with pytest.raises(ValueError, match="257 x 256 tiles are more than"):
        overfitted.encode(np.zeros((16 * 256 + 1, 16 * 256), np.uint8), OPTIONS, tile=16)
