"""Images of linear light in floating-point numbers: OpenEXR and Radiance, through OpenImageIO (the extra `hdr`).

Values are taken as they are stored, Radiance's without its EXPOSURE. What a value of 1 stands for in cd/m^2 is known
where OpenEXR's header has a whiteLuminance; otherwise it is the user's business.
"""

import pathlib
import re
import tempfile
from typing import Any, NamedTuple

import numpy as np

from rdr.data.color_spaces import PRIMARIES, ColorSpace, linear_space
from rdr.data.image_headers import ImageHeader

EXTRA = "pip install openimageio"
SUFFIXES = {".exr": "EXR", ".hdr": "HDR"}
_CHANNELS = (("R", "G", "B"), ("Y",))
_MAX_PIXELS = 2**27


class LinearImage(NamedTuple):
    """An image of linear light.

    Attributes:
      pixels: float32 [height, width, 1 or 3], finite and at least 0.
      opaque: whether no pixel is transparent.
      notes: what was left out, in sentences.
    """

    pixels: np.ndarray
    opaque: bool
    notes: tuple[str, ...]


def linear_format(path: pathlib.Path) -> str | None:
    """Tells files of linear light by how they begin.

    Args:
      path: the file.

    Returns:
      "EXR" or "HDR"; None for others.
    """
    if not path.is_file():
        return None
    with open(path, "rb") as stream:
        start = stream.read(11)
    if start[:4] == b"\x76\x2f\x31\x01":
        return "EXR"
    return "HDR" if start[:10] == b"#?RADIANCE" or start[:6] == b"#?RGBE" else None


def _library() -> Any:
    try:
        import OpenImageIO
    except ImportError:
        raise ValueError(f"OpenEXR and Radiance need a reader of their own: {EXTRA}") from None
    return OpenImageIO


def _open(path: pathlib.Path) -> tuple[Any, Any]:
    library = _library()
    image = library.ImageInput.open(str(path))
    if image is None:
        raise ValueError("it is damaged: " + (" ".join(library.geterror().split()) or "it has no header"))
    return image, image.spec()


def read_linear_header(path: pathlib.Path) -> ImageHeader:
    """Reads the header of an image of linear light.

    Args:
      path: the file.

    Returns:
      The header.

    Raises:
      ValueError: if it is damaged, holds something else, or the reader is not installed.
    """
    kind = linear_format(path)
    image, spec = _open(path)
    images = int(spec.get_int_attribute("oiio:subimages", 1))
    image.close()
    if spec.width * spec.height > _MAX_PIXELS:
        raise ValueError(f"its {spec.width} x {spec.height} pixels exceed the limit of {_MAX_PIXELS}")
    names = [name for name in _CHANNELS if set(name) <= set(spec.channelnames)]
    if spec.deep or not names:
        raise ValueError("its channels are none of R, G and B, or Y" if not spec.deep else "it holds deep pixels")
    if {"RY", "BY"} & set(spec.channelnames):
        raise ValueError("it holds luminance and chroma, which are not read: convert it to RGB")
    if spec.format not in ("half", "float"):
        raise ValueError(f"its samples are {spec.format}, not floating-point numbers")
    if (spec.x, spec.y, spec.width, spec.height) != (spec.full_x, spec.full_y, spec.full_width, spec.full_height):
        raise ValueError("its pixels are not those of its display window, which is not read: crop it")
    xy = spec.getattribute("chromaticities") if kind == "EXR" else _radiance_primaries(path)
    primaries = PRIMARIES[1] if xy is None else (*xy[6:8], *xy[:6])
    white = float(spec.get_float_attribute("whiteLuminance", 0.0))
    space = linear_space(tuple(map(float, primaries)), white if np.isfinite(white) and white > 0 else None)
    depth = 16 if spec.format == "half" else 32
    orientation = int(spec.get_int_attribute("Orientation", 1))
    height, width = (spec.width, spec.height) if orientation >= 5 else (spec.height, spec.width)
    return ImageHeader(str(kind), height, width, depth, "rgb" if len(names[0]) == 3 else "gray",
                       "A" in spec.channelnames, None, None, space, orientation, images, depth)


def _radiance_primaries(path: pathlib.Path) -> tuple[float, ...] | None:
    """x and y of red, green, blue and white, which the reader does not hand on."""
    with open(path, "rb") as stream:
        header = stream.read(2**16).split(b"\n\n")[0]
    found = re.search(rb"^PRIMARIES=[ \t]*(.*)$", header, re.M)
    if found is None:
        return None
    values = tuple(float(word) for word in found[1].split())
    if len(values) != 8:
        raise ValueError("its primaries are none")
    return values


def read_linear(path: pathlib.Path, header: ImageHeader, *, negative: str = "refuse") -> LinearImage:
    """Reads the values of an image of linear light.

    Args:
      path: the file.
      header: of it.
      negative: what happens to negative values: "refuse" refuses the image, "clip" sets them to 0 with a note.

    Returns:
      The image.

    Raises:
      ValueError: if it is damaged, or a value is negative or not finite.
    """
    image, spec = _open(path)
    samples = image.read_image(0, 0, 0, spec.nchannels, "float")
    if samples is None:
        raise ValueError("it is damaged: " + (" ".join(image.geterror().split()) or "it is cut short"))
    image.close()
    own = "RGB" if header.color == "rgb" else "Y"
    samples = samples.reshape(spec.height, spec.width, spec.nchannels)
    pixels = np.ascontiguousarray(samples[:, :, [spec.channelnames.index(name) for name in own]], np.float32)
    notes = []
    if negative == "clip" and (wrong := int((pixels < 0).sum())):
        notes.append(f"{wrong} negative values, down to {pixels.min():.3g}, are set to 0")
        pixels = np.where(pixels < 0, np.float32(0), pixels)  # what is not a number stays
    check_linear(pixels)
    opaque = not header.alpha or bool((samples[:, :, spec.channelnames.index("A")] == 1).all())
    others = sorted(set(spec.channelnames) - set(own) - {"A"})
    if others:
        notes.append(f"the channels {', '.join(others)} are left out")
    return LinearImage(pixels, opaque, tuple(notes))


def check_linear(pixels: np.ndarray) -> None:
    """Refuses what is no light.

    Args:
      pixels: floating point, any shape.

    Raises:
      ValueError: if a value is negative or not finite.
    """
    wrong = int((~np.isfinite(pixels)).sum())
    if wrong:
        raise ValueError(f"{wrong} of its values are infinite or not numbers")
    wrong = int((pixels < 0).sum())
    if wrong:
        raise ValueError(f"{wrong} of its values are negative, down to {pixels.min():.3g}, and light is not: clip them "
                         "(negative=clip)")


def linear_bytes(suffix: str, pixels: np.ndarray, space: ColorSpace) -> bytes:
    """Writes linear light, as OpenEXR of 32 bits or as Radiance, whose values have 8 bits and a common exponent.

    Args:
      suffix: .exr or .hdr.
      pixels: float32 [height, width, 1 or 3].
      space: their primaries and what 1 stands for.

    Returns:
      The file.

    Raises:
      ValueError: if the writer is not installed, or Radiance is to hold gray or other primaries than BT.709's.
      OSError: if it cannot be written.
    """
    library = _library()
    height, width, channels = pixels.shape
    if suffix == ".hdr" and (channels == 1 or not np.allclose(space.primaries, PRIMARIES[1], atol=2e-3)):
        raise ValueError(".hdr holds red, green and blue of BT.709: write .exr")
    spec = library.ImageSpec(width, height, channels, "float")
    spec.channelnames = ("R", "G", "B") if channels == 3 else ("Y",)
    if suffix == ".exr":
        xy = (*space.primaries[2:], *space.primaries[:2])
        spec.attribute("chromaticities", library.TypeDesc("float[8]"), xy)
        spec.attribute("compression", "zip")
        if space.white_luminance is not None:
            spec.attribute("whiteLuminance", float(space.white_luminance))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"image{suffix}"
        output = library.ImageOutput.create(str(path))
        done = (output is not None and output.open(str(path), spec)
                and output.write_image(np.ascontiguousarray(pixels, np.float32)) and output.close())
        if not done:
            reason = library.geterror() if output is None else output.geterror()
            raise OSError(f"cannot write {suffix}: {' '.join(reason.split())}")
        return path.read_bytes()
