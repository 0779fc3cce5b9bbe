"""Files that were written once must be read the same for ever, and the noise that they count on must stay.

`data/color.rdr` and `data/gray_tiles.rdr` are what `overfitted.encode(image, options, tile=16)` wrote on a CPU. The
images are `128 + 90 sin(row / 3) cos(column / 4) f`, cut to uint8: 16 x 12 pixels with f = 0.6, 0.8 and 1 for red,
green and blue, and 16 x 23 gray ones with f = 0.6. Options are `Options(schedule=Schedule(steps=60), rd_lambda=0.02,
noise_levels=.., seed=..)` with 2 noise levels and seed 7, and with 1 and 2^32 - 1. `data/color_pq.rdr` and
`data/gray_linear_tiles.rdr`, of the second format, are of the same images times 257 and options, and of the signals
that the test names. Nothing asks encoders to write these
bytes again. A change that fails here is another format: it needs a new format number, and the old one must be kept or
refused.
"""

import hashlib
import pathlib

import numpy as np
import pytest

from rdr.codecs import overfitted
from rdr.codecs.overfitted import format, tiling

DATA = pathlib.Path(__file__).parent / "data"


@pytest.mark.parametrize(("name", "sha256", "about"), [
    ("color", "6128366e57687dc593238e068ca922ba59415976484a0be637e37cce1202588d", {
        "height": 16, "width": 12, "channels": 3, "bytes": 306, "bytes_header": 61, "bytes_weights": 221,
        "bytes_latents": 24, "levels": 5, "noise_levels": 2, "seed": 7, "entropy_width": 16, "synthesis_width": 24}),
    ("gray_tiles", "9733b1aa0cb7a8428e654a4ac927a2a124848bfe98b2051f5283aa12b2a8b16c", {
        "height": 16, "width": 23, "channels": 1, "bytes": 525, "bytes_header": 164, "bytes_weights": 293,
        "bytes_latents": 68, "levels": 5, "noise_levels": 1, "seed": 2**32 - 1, "entropy_width": 16,
        "synthesis_width": 24, "tile_rows": 1, "tile_columns": 2, "tile_height": 16, "tile_width": 12}),
    ("color_pq", "b66feea42164e3072e9ae012615751de85abeaec5bf9194cf5695859d73c3d14", {
        "height": 16, "width": 12, "channels": 3, "depth": 10, "transfer": "pq", "primaries": "bt2020", "bytes": 137,
        "bytes_header": 67, "bytes_weights": 42, "bytes_latents": 28, "levels": 5, "noise_levels": 2, "seed": 7}),
    ("gray_linear_tiles", "c20be433564d1acc6e175a66fdbd8b0b26465cadf95297ab2996382d04902f9d", {
        "height": 16, "width": 23, "channels": 1, "depth": 16, "transfer": "linear", "primaries": "p3",
        "unit_luminance": 203.0, "bytes": 273, "bytes_header": 175, "bytes_weights": 42, "bytes_latents": 56,
        "levels": 5, "noise_levels": 1, "seed": 2**32 - 1, "tile_rows": 1, "tile_columns": 2}),
], ids=["color", "gray_tiles", "color_pq", "gray_linear_tiles"])  # fmt: skip
def test_stored_files_are_read_as_ever(name, sha256, about):
    message = (DATA / f"{name}.rdr").read_bytes()
    decoded, found = overfitted.decode(message), overfitted.describe(message)
    assert decoded.dtype == (np.uint16 if "depth" in about else np.uint8)
    assert decoded.shape == tuple(about[side] for side in ("height", "width", "channels"))
    assert hashlib.sha256(decoded.astype(decoded.dtype.newbyteorder("<")).tobytes()).hexdigest() == sha256
    assert {key: found[key] for key in about} == about


def test_seeds_of_stored_tiles_go_on_at_zero():
    tiles = tiling.unpack((DATA / "gray_tiles.rdr").read_bytes())[2]
    assert [format.read(tile).seed for tile in tiles] == [2**32 - 1, 0]


def test_stored_files_are_written_again_from_what_was_read():
    for name in ("color", "color_pq"):
        message = (DATA / f"{name}.rdr").read_bytes()
        assert format.write(format.read(message)).message == message


def test_noise_differs_between_levels_and_seeds():
    latents = {}
    for seed in (3, 3, 4):
        arch = overfitted.Architecture(16, 12, noise_levels=2)  # shapes that the stored files have
        for level, latent in enumerate(format.noise_maps(arch, seed)):
            assert latent.shape == arch.latent_shapes[level] and 1.5 < np.abs(latent).max() < 3**0.5
            np.testing.assert_array_equal(latents.setdefault((seed, level), latent), latent)
    assert not np.array_equal(latents[3, 0][:8, :6], latents[3, 1])
    assert not any(np.array_equal(latents[3, level], latents[4, level]) for level in range(2))
    assert format.noise_maps(arch._replace(noise_levels=0), None) == []


def test_noise_has_256_equally_spaced_values_of_variance_one(monkeypatch):
    monkeypatch.setattr(format, "shared_integers", lambda key, shape, *, levels: np.arange(levels).reshape(shape))
    [values] = format.noise_maps(overfitted.Architecture(16, 16, noise_levels=1), 0)
    numbers = values.reshape(-1) * 2**12
    # As equally spaced as multiples of 2^-12 can be.
    assert numbers.size == 256 and (numbers == np.rint(numbers)).all() and set(np.diff(numbers)) == {55.0, 56.0}
    assert np.abs(numbers + numbers[::-1]).max() <= 1
    assert abs(values.mean()) < 2.0**-12 and abs(values.var() - 1) < 1e-4
