"""Reports of the commands that code images: rate, fidelity and digest, for people or for scripts."""

import hashlib
import math
import sys

import numpy as np

from rdr.cli import deep_images
from rdr.cli.codec_options import Config, target_bytes
from rdr.cli.outcome import Outcome, show_json
from rdr.codecs import overfitted, profiled
from rdr.codecs.image import messages
from rdr.codecs.overfitted.signals import SRGB, Signal
from rdr.data.color_spaces import Profile
from rdr.metrics.psnr import image_psnr

STATUS_MISSED = 3
_SCALES = {"pq": " of PQ values", "hlg": " of HLG values", "linear": " of linear values"}
_PSNR_BELOW, _PSNR_ABOVE = 0.005, 1.0  # dB; files are reported with two digits
_MIN_SHARE = 0.8  # of a target; a file that is shorter although pixels differ has missed it


def decode(message: bytes, checkpoint: str, realism: float, *, max_pixels: int | None = None) -> np.ndarray:
    """Decodes a message, whichever codec wrote it.

    Args:
      message: the bytes.
      checkpoint: of an amortized codec; empty for the pretrained one.
      realism: weight of an amortized codec's decoder.
      max_pixels: the most that are decoded; None for what so many bytes can plausibly hold.

    Returns:
      uint8, or uint16 if it has more bits, [height, width, 1 or 3]; of the color profile in the message, if there is
      one, or of its signal.

    Raises:
      ValueError: if it is damaged, or of another checkpoint, or announces more pixels.
    """
    message = profiled.split(message).message
    if messages.is_amortized_message(message):
        return messages.decode_image(message, checkpoint, realism=realism, max_pixels=max_pixels)
    return overfitted.decode(message, max_elements=None if max_pixels is None else 3 * max_pixels)


def signal_of(message: bytes) -> Signal:
    """Reads what the values of a message's image are, whichever codec wrote it.

    Args:
      message: the bytes.

    Returns:
      The signal; with a color profile, its depth is what matters.

    Raises:
      ValueError: if it is damaged.
    """
    message = profiled.split(message).message
    return SRGB if messages.is_amortized_message(message) else overfitted.signal_of_message(message)


def decode_srgb(message: bytes, checkpoint: str, realism: float, *, max_pixels: int | None = None) -> np.ndarray:
    """Decodes a message as `decode` does, and brings it to 8 bits of sRGB: high dynamic range is tone-mapped.

    Args:
      message: the bytes.
      checkpoint: of an amortized codec; empty for the pretrained one.
      realism: weight of an amortized codec's decoder.
      max_pixels: the most that are decoded; None for what so many bytes can plausibly hold.

    Returns:
      uint8 [height, width, 1 or 3].

    Raises:
      ValueError: as `decode`, or if the profile cannot be used.
    """
    image, profile = decode(message, checkpoint, realism, max_pixels=max_pixels), profiled.split(message).profile
    image = deep_images.shown(image, signal_of(message))
    return image if profile is None else Profile(profile).to_srgb(image)


def measure(image: np.ndarray, message: bytes, decoded: np.ndarray, seconds: float, *, scale: str = "srgb") -> Outcome:
    """Compares an image with what its message decodes to.

    Args:
      image: uint8 or uint16 [height, width, channels], of the values that the message has.
      message: its bytes.
      decoded: uint8 or uint16 [height, width, channels].
      seconds: that it took.
      scale: transfer function of the values.

    Returns:
      The outcome.
    """
    value = image_psnr(np.broadcast_to(image, decoded.shape), decoded)
    return describe_decoded(message, decoded, seconds)._replace(psnr_db=value, psnr_scale=scale)


def describe_decoded(message: bytes, decoded: np.ndarray, seconds: float) -> Outcome:
    """Describes a message whose original is not known.

    Args:
      message: its bytes.
      decoded: uint8 or uint16 [height, width, channels].
      seconds: that it took.

    Returns:
      The outcome, without a PSNR.
    """
    stored = np.ascontiguousarray(decoded, decoded.dtype.newbyteorder("<"))
    digest = hashlib.sha256(stored.tobytes()).hexdigest()
    pixels = decoded.shape[0] * decoded.shape[1]
    return Outcome(len(message), 8 * len(message) / pixels, None, seconds, digest)


def show_encoded(name: str, outcome: Outcome, shape: tuple[int, ...], config: Config, *, as_json: bool) -> bool:
    """Prints what was encoded, and on standard error whether it has the size or PSNR that was asked for.

    Args:
      name: of the image.
      outcome: of its message.
      shape: height, width, channels.
      config: what was asked for.
      as_json: whether a line of JSON is printed.

    Returns:
      Whether a target was missed.
    """
    if as_json:
        show_json(outcome, image=name)
    else:
        print(f"{name}: {outcome.bytes} bytes, {outcome.bits_per_pixel:.4f} bits per pixel, "
              f"PSNR {outcome.psnr_db:.2f} dB{_SCALES.get(outcome.psnr_scale or '', '')}")
    if config.psnr and outcome.psnr_db is not None:
        return _psnr_missed(name, outcome.psnr_db, config)
    target = target_bytes(config, shape)
    if target is None or outcome.bytes is None:
        return False
    if outcome.bytes > target:
        print(f"{name}: this is longer than the {target} bytes that were asked for; no shorter file was found",
              file=sys.stderr)
        return True
    if (outcome.bytes < _MIN_SHARE * target and outcome.psnr_db is not None
            and math.isfinite(outcome.psnr_db)):
        reason = "the highest rate of this codec" if config.checkpoint else "no longer file was found"
        print(f"{name}: this is shorter than the {target} bytes that were asked for: {reason}", file=sys.stderr)
        return True
    return False


def _psnr_missed(name: str, psnr: float, config: Config) -> bool:
    """Tells where a file has not the PSNR that was asked for."""
    if psnr < config.psnr - _PSNR_BELOW:
        print(f"{name}: this is less than the {config.psnr:g} dB that were asked for; no better file was found",
              file=sys.stderr)
        return True
    if psnr > config.psnr + _PSNR_ABOVE and math.isfinite(psnr):
        print(f"{name}: this is more than the {config.psnr:g} dB that were asked for; no shorter file was found",
              file=sys.stderr)
        return True
    return False
