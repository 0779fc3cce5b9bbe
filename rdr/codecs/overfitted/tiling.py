"""Images of any size: cut into tiles, each fitted by itself.

All tiles of an image have one size, so that their fits are one program and can go side by side. Where a side is no
multiple of the number of tiles along it, some neighbors share a row or a column of pixels; the later tile, in reading
order, has the say there. Tile i's shared noise has the seed (seed + i) mod 2^32, in the tile's own message, so that no
two tiles show the same noise.

The message is a container of the image's shape. Its payloads are settings (a byte with the format's number, numbers of
rows and columns of tiles as two bytes each, low byte first) and the tiles' messages in reading order. An image that
fits into one tile has the message of `codec.encode`.
"""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from rdr import files
from rdr.bitstream import container
from rdr.codecs.overfitted import codec, format
from rdr.codecs.overfitted.objectives import sigma_map
from rdr.codecs.overfitted.options import (
    DEFAULT,
    MIN_SIZE,
    Options,
    check_image,
    check_options,
    chosen_objective,
    sigma_options,
    with_display,
)
from rdr.codecs.overfitted.signals import Signal
from rdr.training import checkpoint_owner

NAME = "overfitted tiles"
_FORMAT = 1
# Pixels a side of a tile, unless said otherwise.
TILE = 1024
# Pixels a side of a tile, least and most.
TILES = (16, 2048)
SIDE_BY_SIDE, PIXELS = 8, 2**20  # that are fitted at once: about 1.5 kB a pixel, for squared error
# Numbers of an image that a decoder accepts, at most: 512 MB.
MAX_ELEMENTS = 2**29
_ANY = 2**63
_MAX_TILES = 2**16 - 2  # the container has at most 2^16 - 1 payloads


class Grid(NamedTuple):
    """How an image is cut.

    Attributes:
      height: of the image, in pixels.
      width: of the image, in pixels.
      rows: of tiles.
      columns: of tiles.
    """

    height: int
    width: int
    rows: int
    columns: int

    @property
    def tile(self) -> tuple[int, int]:
        """Height and width of each tile."""
        return -(-self.height // self.rows), -(-self.width // self.columns)

    @property
    def places(self) -> list[tuple[slice, slice]]:
        """Rows and columns of pixels of each tile, in reading order."""
        across = [[slice(start, start + side) for start in _starts(length, side, parts)]
                  for length, side, parts in zip((self.height, self.width), self.tile, (self.rows, self.columns))]
        return [(down, right) for down in across[0] for right in across[1]]


def _starts(length: int, side: int, parts: int) -> list[int]:
    """Where `parts` intervals of `side` begin that cover `length`, overlapping by at most 1."""
    return [i * (length - side) // max(parts - 1, 1) for i in range(parts)]


def make_grid(height: int, width: int, tile: int) -> Grid:
    """Cuts an image into as few tiles as it takes.

    Args:
      height: of the image, in pixels.
      width: of the image, in pixels.
      tile: the most pixels that a tile has a side.

    Returns:
      The grid.

    Raises:
      ValueError: if it has too many tiles.
    """
    grid = Grid(height, width, -(-height // tile), -(-width // tile))
    if grid.rows * grid.columns > _MAX_TILES:
        raise ValueError(f"tile must be larger: {grid.rows} x {grid.columns} tiles are more than {_MAX_TILES}")
    return grid


def group_size(count: int, pixels: int, devices: int) -> int:
    """How many tiles are fitted side by side.

    Args:
      count: of tiles.
      pixels: of each.
      devices: that there are.

    Returns:
      As many as fit into memory and, if that is at least half of it, a divisor of `count`: a smaller last group would
      be another program.
    """
    limit = devices * max(1, min(SIDE_BY_SIDE // devices, PIXELS // pixels))
    even = [n for n in range(devices, limit + 1, devices) if count % n == 0]
    return even[-1] if even and 2 * even[-1] >= limit else limit


def _sigma_of(image: np.ndarray, options: Options) -> Callable[[tuple[slice, slice]], np.ndarray] | None:
    """The map of sigma of the tile at a place: a part of the whole image's; "intrinsic" looks at tiles one by one."""
    if not chosen_objective(options).needs_sigma:
        return None
    if isinstance(options.sigma, str) and options.sigma == "intrinsic":
        return lambda place: np.asarray(sigma_map("intrinsic", jnp.asarray(codec.as_image(image[place]))[None]))[0]
    whole = np.asarray(sigma_map(options.sigma, jnp.asarray(image)[None], **sigma_options(options)), np.float32)
    if whole.ndim == 0:
        return None
    whole = whole.reshape(image.shape[:2])
    return lambda place: whole[place]


def encode(image: ArrayLike, options: Options = DEFAULT, *, tile: int | None = TILE,
           directory: str | pathlib.Path | None = None) -> bytes:
    """Encodes an image, in tiles if it is large.

    Args:
      image: uint8, uint16, or floating point in [0, 1]; [height, width] or [height, width, 1 or 3].
      options: of the fits. A size is divided among tiles: all of them get the same, and what some leave over goes to
        those after them. A fixated point is the middle of the whole image.
      tile: the most pixels that a tile has a side; None to fit the image whole, whatever memory it takes.
      directory: where progress is kept; a call that was interrupted goes on from there.

    Returns:
      The message: all that `decode` needs.

    Raises:
      ValueError: if the image or an option is not as above, the directory holds the progress of another fit, or a fit
        went wrong.
    """
    check_options(options)
    options, image = with_display(options), check_image(image)
    if tile is not None and not TILES[0] <= tile <= TILES[1]:
        raise ValueError(f"tile must be between {TILES[0]} and {TILES[1]} pixels, got {tile}")
    if tile is None or max(image.shape[:2]) <= tile:
        return codec.encode(image, options, directory=directory)
    grid = make_grid(image.shape[0], image.shape[1], tile)
    count, channels = grid.rows * grid.columns, image.shape[2]
    left = options.size
    if left is not None and options.size is not None:
        left -= len(_pack(grid, channels, [b""] * count)) - count * _length_bytes(0)
        least = options.size - left + (MIN_SIZE + _length_bytes(MIN_SIZE)) * count
        if options.size < least:
            raise ValueError(f"size must be at least {least} bytes for {count} tiles, got {options.size}")
    if directory is None:
        with tempfile.TemporaryDirectory() as temporary:
            return encode(image, options, tile=tile, directory=temporary)
    directory = pathlib.Path(directory)
    sigma_of = _sigma_of(image, options)
    checkpoint_owner.claim(directory, image, options, tile)
    step = group_size(count, grid.tile[0] * grid.tile[1], len(jax.devices()))
    messages: list[bytes] = []
    for first in range(0, count, step):
        last = min(first + step, count) - 1
        if left is not None:
            # A tile and its length in the header. For the length, as many bytes as that of the whole share would take:
            # perhaps one too many, never one too few.
            share = left // (count - first)
            options = options._replace(size=max(share - _length_bytes(share), MIN_SIZE))
        done = directory / f"tiles_{first}_{last}.rdr"
        if not done.exists():
            places = grid.places[first : last + 1]
            label = f"tile {first + 1}" if first == last else f"tiles {first + 1} to {last + 1}"
            group = codec.encode_batch(
                [image[place] for place in places], options, directory=done.with_suffix(""),
                seeds=[(options.seed + index) % 2**32 for index in range(first, last + 1)],
                sigmas=None if sigma_of is None else [sigma_of(place) for place in places],
                label=f"{label} of {count}")
            files.write_bytes(done, _pack(grid, channels, group))
            files.remove_tree(done.with_suffix(""))
        group = container.unpack(done.read_bytes(), max_elements=_ANY).payloads[1:]
        messages += group
        if left is not None:
            left -= sum(len(message) + _length_bytes(len(message)) for message in group)
    return _pack(grid, channels, messages)


def _length_bytes(length: int) -> int:
    """Bytes that a payload's length takes in the container's header."""
    return max(1, -(-length.bit_length() // 7))


def _pack(grid: Grid, channels: int, messages: list[bytes]) -> bytes:
    settings = bytes([_FORMAT]) + grid.rows.to_bytes(2, "little") + grid.columns.to_bytes(2, "little")
    return container.pack(container.Message(NAME, b"", (grid.height, grid.width, channels), (settings, *messages)))


def unpack(message: bytes, *, max_elements: int = MAX_ELEMENTS) -> tuple[Grid, int, tuple[bytes, ...]]:
    """Takes the message of a tiled image apart.

    Args:
      message: from `encode`.
      max_elements: the most numbers that the image may have.

    Returns:
      How the image is cut, its channels, and the tiles' messages in reading order. The tiles' headers say that they
      have the right shape; what is behind them was not looked at.

    Raises:
      ValueError: if it is no such message, or damaged.
    """
    parts = container.unpack(message, max_elements=max_elements)
    if parts.codec != NAME:
        raise ValueError(f"the message was written by codec {parts.codec!r}, not by {NAME!r}")
    if parts.fingerprint or not parts.payloads or len(parts.shape) != 3 or min(parts.shape) < 1 \
            or parts.shape[2] not in (1, 3):
        raise ValueError("damaged message: its parts are not those of a tiled image")
    settings, *tiles = parts.payloads
    if len(settings) != 5 or settings[0] != _FORMAT:
        raise ValueError("the message has another format of tiled images than this program reads")
    height, width, channels = parts.shape
    grid = Grid(height, width, int.from_bytes(settings[1:3], "little"), int.from_bytes(settings[3:], "little"))
    if not (1 <= grid.rows <= height and 1 <= grid.columns <= width and grid.rows * grid.columns == len(tiles)):
        raise ValueError(f"damaged message: {grid.rows} x {grid.columns} tiles of {height} x {width} pixels, "
                         f"and there are {len(tiles)}")
    signals = []
    for index, tile in enumerate(tiles):
        try:
            inner = container.unpack(tile)
            if inner.codec == format.NAME:
                signals.append(format.split_signal(inner.payloads[0] if inner.payloads else b"")[0])
        except ValueError as error:
            raise ValueError(f"tile {index + 1} of {len(tiles)}: {error}") from None
        if inner.codec != format.NAME or inner.shape != (*grid.tile, channels):
            raise ValueError(f"damaged message: tile {index + 1} of {len(tiles)} is {inner.codec!r} of shape "
                             f"{inner.shape}, not {format.NAME!r} of {(*grid.tile, channels)}")
        if signals[index] != signals[0]:
            raise ValueError(f"damaged message: tile {index + 1} of {len(tiles)} has other values than the first")
    return grid, channels, tuple(tiles)


def decode(message: bytes, *, max_elements: int | None = None) -> np.ndarray:
    """Decodes an image, in tiles or not: the same pixels on every machine.

    Args:
      message: from `encode`.
      max_elements: the most numbers that the image may have; default 2^29 in tiles, and 2^24 if it is whole, and for
        small messages as many as decode in a second or two. Memory beyond the message's own is taken only after that
        was looked at, and tiles' headers agree with the image's.

    Returns:
      [height, width, channels]: uint8, or uint16 over its whole range if the image has more than 8 bits.

    Raises:
      ValueError: if it is no such message, or damaged.
    """
    limit = MAX_ELEMENTS if max_elements is None else max_elements
    if container.unpack(message, max_elements=limit).codec != NAME:
        return codec.decode(message, max_elements=max_elements)
    grid, channels, tiles = unpack(message, max_elements=limit)
    dtype = np.uint8 if signal_of_message(message).depth == 8 else np.uint16
    image = np.zeros((grid.height, grid.width, channels), dtype)
    for place, tile in zip(grid.places, tiles):
        image[place] = codec.decode(tile, max_elements=max_elements)
    return image


def signal_of_message(message: bytes) -> Signal:
    """Reads what the values of an image are, in tiles or not, without decoding it.

    Args:
      message: from `encode`.

    Returns:
      Depth, transfer function and primaries.

    Raises:
      ValueError: if it is no such message, or damaged.
    """
    parts = container.unpack(message, max_elements=_ANY)
    if parts.codec == NAME:
        return signal_of_message(unpack(message, max_elements=_ANY)[2][0])
    if parts.codec != format.NAME or not parts.payloads:
        raise ValueError(f"the message was written by codec {parts.codec!r}, not by {format.NAME!r}")
    return format.split_signal(parts.payloads[0])[0]


def describe(message: bytes) -> dict[str, Any]:
    """What a message says about itself.

    Args:
      message: from `encode`.

    Returns:
      Sizes of the image and the decoders, bytes by part, bits per pixel, and multiply-accumulates per pixel. Of tiles:
      numbers and sizes of these, too; bytes are sums over all of them, and the seed is the first one's.

    Raises:
      ValueError: if it is no such message, or damaged.
    """
    if container.unpack(message, max_elements=_ANY).codec != NAME:
        return codec.describe(message)
    grid, channels, tiles = unpack(message, max_elements=_ANY)  # no image is made
    each = [codec.describe(tile) for tile in tiles]
    pixels = grid.height * grid.width
    weights, latents = (sum(one[name] for one in each) for name in ("bytes_weights", "bytes_latents"))
    operations_of_all = sum(one["multiply_accumulates_per_pixel"] for one in each) * grid.tile[0] * grid.tile[1]
    return each[0] | {
        "height": grid.height, "width": grid.width, "channels": channels, "tile_rows": grid.rows,
        "tile_columns": grid.columns, "tile_height": grid.tile[0], "tile_width": grid.tile[1], "bytes": len(message),
        "bits_per_pixel": 8 * len(message) / pixels, "bytes_header": len(message) - weights - latents,
        "bytes_weights": weights, "bytes_latents": latents,
        "multiply_accumulates_per_pixel": round(operations_of_all / pixels, 1),
    }
