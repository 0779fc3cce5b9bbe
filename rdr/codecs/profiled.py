"""Messages with a color profile: a message of any codec of images, and the ICC profile that its values belong to.

The message is a container of the other one's shape. Its payloads are settings (a byte with the format's number, then
the profile as a zlib stream, which is what PNG's chunk iCCP holds) and the other message, whole.
"""

import zlib
from typing import NamedTuple

from rdr.bitstream import container

NAME = "profiled"
MAX_PROFILE_BYTES = 2**22
_FORMAT = 1
_ANY = 2**63  # nothing of an image's size is made here
_MODELS = {b"RGB ": 3, b"GRAY": 1}  # color models of profiles -> channels


class Parts(NamedTuple):
    """A message taken apart.

    Attributes:
      message: of the image's codec.
      profile: ICC profile of the values that it decodes to; None if they are sRGB.
    """

    message: bytes
    profile: bytes | None


def check_profile(profile: bytes, channels: int) -> None:
    """Refuses what is no ICC profile of an image's values.

    Args:
      profile: the bytes.
      channels: of the image that is decoded, 1 or 3.

    Raises:
      ValueError: if they are no profile, too many, or of another color model.
    """
    if len(profile) > MAX_PROFILE_BYTES:
        raise ValueError(f"its color profile has {len(profile):,} bytes, more than {MAX_PROFILE_BYTES:,}")
    if len(profile) < 128 or profile[36:40] != b"acsp":
        raise ValueError("its color profile is damaged: it has no profile's header")
    if _MODELS.get(profile[16:20]) != channels:
        model = profile[16:20].decode("latin-1").strip()
        raise ValueError(f"its color profile is of the color model {model!r}, and the image has {channels} "
                         f"channel{'s' if channels > 1 else ''}")


def wrap(message: bytes, profile: bytes | None) -> bytes:
    """Adds a color profile to a message.

    Args:
      message: of an image's codec.
      profile: ICC profile of the values that it decodes to, or None.

    Returns:
      A message with the profile; the same one without.

    Raises:
      ValueError: if it is no message, or no profile of such an image.
    """
    if profile is None:
        return message
    shape = container.unpack(message, max_elements=_ANY).shape
    check_profile(profile, shape[-1] if shape else 0)
    return container.pack(container.Message(NAME, b"", shape, (_settings(profile), message)))


def _settings(profile: bytes) -> bytes:
    return bytes([_FORMAT]) + zlib.compress(profile, 9)


def overhead(profile: bytes | None, shape: tuple[int, ...], length: int) -> int:
    """Counts the bytes that a profile adds to a message.

    Args:
      profile: the profile, or None.
      shape: of the message's image.
      length: of the message with the profile, at most.

    Returns:
      The bytes, or one more.
    """
    if profile is None:
        return 0
    empty = container.pack(container.Message(NAME, b"", shape, (_settings(profile), b"")))
    return len(empty) - 1 + max(1, -(-length.bit_length() // 7))


def split(message: bytes) -> Parts:
    """Takes a message of an image apart, with a profile or without.

    Args:
      message: the bytes.

    Returns:
      The message of the image's codec, and the profile.

    Raises:
      ValueError: if it is no message, or damaged.
    """
    if container.peek(message) != NAME:
        return Parts(message, None)
    parts = container.unpack(message, max_elements=_ANY)
    if parts.fingerprint or len(parts.payloads) != 2 or not parts.payloads[0]:
        raise ValueError("damaged message: its parts are not those of an image with a color profile")
    settings, inner = parts.payloads
    if settings[0] != _FORMAT:
        raise ValueError("the message has another format of images with a color profile than this program reads")
    try:
        within = container.unpack(inner, max_elements=_ANY)
    except ValueError as error:
        raise ValueError(f"the message within the one with a color profile: {error}") from None
    if within.codec == NAME or within.shape != parts.shape or not parts.shape:
        raise ValueError(f"damaged message: within the one with a color profile, of shape {parts.shape}, is one of "
                         f"codec {within.codec!r} and shape {within.shape}")
    profile = _inflate(settings[1:])
    try:
        check_profile(profile, parts.shape[-1])
    except ValueError as error:
        raise ValueError(f"damaged message: {error}") from None
    return Parts(inner, profile)


def _inflate(data: bytes) -> bytes:
    """A profile from its zlib stream, which is not trusted."""
    stream = zlib.decompressobj()
    try:
        profile = stream.decompress(data, MAX_PROFILE_BYTES + 1)
    except zlib.error as error:
        raise ValueError(f"damaged message: its color profile cannot be read ({error})") from None
    if len(profile) > MAX_PROFILE_BYTES:
        raise ValueError(f"the message has a color profile of more than {MAX_PROFILE_BYTES:,} bytes")
    if not stream.eof or stream.unused_data:
        raise ValueError("damaged message: its color profile does not end where it should")
    return profile
