"""PNG files of 8 and 16 bits whose header says which colors they hold; Pillow writes neither 16-bit color nor cICP."""

import struct
import zlib

import numpy as np

_KINDS = {1: 0, 3: 2}  # channels -> PNG's color type


def png_bytes(
    pixels: np.ndarray, *, depth: int | None = None, code_points: tuple[int, int] | None = None,
    profile: bytes | None = None,
) -> bytes:
    """Writes an image as PNG.

    Args:
      pixels: uint8 or uint16 [height, width, 1 or 3], over the whole range of the type.
      depth: bits of a sample that say something, for sBIT; None for all of them.
      code_points: of primaries and transfer function, ITU-T H.273, for cICP; None for sRGB, or what the profile says.
      profile: ICC profile of the values, or None.

    Returns:
      The file.

    Raises:
      ValueError: if the pixels are no such image, or the depth is not theirs.

    Reference:
      PNG specification, third edition (w3c2025png).
    """
    if (pixels.dtype not in (np.uint8, np.uint16) or pixels.ndim != 3 or pixels.shape[2] not in _KINDS
            or not pixels.size):
        raise ValueError("pixels must be uint8 or uint16 [height, width, 1 or 3], not empty, got "
                         f"{pixels.dtype}{list(pixels.shape)}")
    height, width, channels = pixels.shape
    bits = 8 * pixels.dtype.itemsize
    if depth is not None and not 1 <= depth <= bits:
        raise ValueError(f"depth must be between 1 and {bits}, got {depth}")
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, _KINDS[channels], 0, 0, 0))]
    if profile is not None:
        chunks.append((b"iCCP", b"ICC profile\0\0" + zlib.compress(profile, 9)))
    elif code_points is not None:
        chunks.append((b"cICP", bytes([*code_points, 0, 1])))
    if depth is not None and depth < bits:
        chunks.append((b"sBIT", bytes([depth] * channels)))
    step = channels * pixels.dtype.itemsize
    samples = np.ascontiguousarray(pixels, ">u2" if bits == 16 else np.uint8)
    chunks += [(b"IDAT", zlib.compress(_filtered(samples.reshape(height, -1).view(np.uint8), step), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks)


def _filtered(rows: np.ndarray, step: int) -> bytes:
    """Rows of bytes, each less what its neighbors foretell: left, above, their mean or Paeth's choice."""
    left, above, corner = (np.zeros(rows.shape, np.int16) for _ in range(3))
    left[:, step:], above[1:], corner[1:, step:] = rows[:, :-step], rows[:-1], rows[:-1, :-step]
    guess = left + above - corner
    off = [np.abs(guess - one) for one in (left, above, corner)]
    paeth = np.where((off[0] <= off[1]) & (off[0] <= off[2]), left, np.where(off[1] <= off[2], above, corner))
    candidates = [(rows - one).astype(np.uint8) for one in (0, left, above, (left + above) >> 1, paeth)]
    # The usual choice: the filter that leaves the smallest bytes, taken as signed.
    sums = [np.abs(one.view(np.int8).astype(np.int64)).sum(1) for one in candidates]
    kinds = np.argmin(sums, 0)
    out = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    out[:, 0] = kinds
    for kind, one in enumerate(candidates):
        out[kinds == kind, 1:] = one[kinds == kind]
    return out.tobytes()
