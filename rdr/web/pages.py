"""Pages that show images by themselves: decoder, styles and contents in one file that needs nothing else.

Texts are escaped, and what goes into a page is put there once: a name that looks like a placeholder or a tag stays a
name.
"""

import base64
import html
import importlib.resources
import io
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image


class ErrorMap(NamedTuple):
    """How much each pixel of an image differs from the original.

    Attributes:
      name: what is shown, with its unit.
      values: [height, width], at least 0.
    """

    name: str
    values: np.ndarray


class ShownImage(NamedTuple):
    """An image of a page.

    Attributes:
      name: what it is called there.
      content: the message of an overfitted image, which the page decodes, or pixels, uint8 [height, width, 1 or 3].
      shape: height and width.
      bytes: of its file; None where that says nothing.
      metrics: values by name.
      maps: of its differences to the original.
    """

    name: str
    content: bytes | np.ndarray
    shape: tuple[int, int]
    bytes: int | None
    metrics: Mapping[str, float]
    maps: Sequence[ErrorMap]


def asset(name: str) -> str:
    """Reads a file of this folder.

    Args:
      name: of the file.

    Returns:
      Its text.
    """
    return (importlib.resources.files("rdr.web") / name).read_text(encoding="utf-8")


def fill(template: str, values: Mapping[str, str]) -> str:
    """Puts texts into the places `{{name}}` of a template, all at once.

    Args:
      template: the text with places.
      values: for each place, as it is to stand there.

    Returns:
      The filled text.
    """
    return re.sub(r"\{\{(\w+)\}\}", lambda place: values[place[1]], template)


def png_bytes(pixels: np.ndarray) -> bytes:
    """Writes pixels as PNG, without anything that would make a browser change them.

    Args:
      pixels: uint8 [height, width] or [height, width, 1 or 3].

    Returns:
      The file.
    """
    pixels = pixels[:, :, 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    with io.BytesIO() as stream:
        Image.fromarray(pixels).save(stream, "PNG", optimize=True)
        return stream.getvalue()


def image_page(message: bytes, shape: tuple[int, int], *, title: str) -> str:
    """Makes a page that shows an overfitted image: decoder and message, four thirds of its bytes and about 50 kB.

    Args:
      message: of the image.
      shape: height and width.
      title: of the page.

    Returns:
      HTML.
    """
    return fill(asset("image.html"), _programs("image.js") | {
        "title": html.escape(title), "height": str(shape[0]), "width": str(shape[1]), "message": _base64(message)})


def view_page(images: Sequence[ShownImage], reference: int | None, *, title: str, note: str = "") -> str:
    """Makes a page that compares images of one size.

    Args:
      images: one or more.
      reference: which of them is the original; None if none is.
      title: of the page.
      note: a sentence on how values were made.

    Returns:
      HTML.

    Raises:
      ValueError: if there is no image, or sizes differ.
    """
    check_sizes(images)
    peaks: dict[str, float] = {}  # the same colors for all images
    for one in (one for image in images for one in image.maps):
        peaks[one.name] = max(peaks.get(one.name, 0.0), float(np.quantile(one.values, 0.998)))
    content = {"images": [_as_content(image, peaks) for image in images], "reference": reference, "colors": _colors()}
    text = json.dumps(content, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c")
    return fill(asset("view.html"), _programs("view.js") | {
        "title": html.escape(title), "note": html.escape(note), "style": asset("view.css"), "content": text})


def check_sizes(images: Sequence[ShownImage]) -> None:
    """Refuses images that no page compares.

    Args:
      images: of the page.

    Raises:
      ValueError: if there is none, or sizes differ.
    """
    if not images:
        raise ValueError("there is no image to show")
    for image in images:
        if image.shape != images[0].shape:
            (height, width), (rows, columns) = image.shape, images[0].shape
            raise ValueError(f"images must have one size: {image.name} has {width} x {height} pixels, {images[0].name} "
                             f"{columns} x {rows}")


def _programs(script: str) -> dict[str, str]:
    worker = asset("worker.js").replace('import { decode } from "./decoder.js";\n', "")
    return {"decoder": asset("decoder.js") + "globalThis.rdr = { decode };\n", "worker": worker,
            "script": asset("page.js") + asset(script)}


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _colors() -> str:
    from matplotlib import colormaps

    return _base64((colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(np.uint8).tobytes())


def _as_content(image: ShownImage, peaks: Mapping[str, float]) -> dict[str, Any]:
    height, width = image.shape
    is_message = isinstance(image.content, bytes)
    maps = []
    for one in image.maps:
        levels = np.clip(255 * np.sqrt(one.values / max(peaks[one.name], 1e-30)), 0, 255).round().astype(np.uint8)
        maps.append({"name": one.name, "data": _base64(png_bytes(levels)), "peak": f"{peaks[one.name]:.4g}",
                     "mean": f"{one.values.mean():.4g}"})
    return {
        "name": printable(image.name), "kind": "message" if is_message else "png", "width": width, "height": height,
        "data": _base64(image.content if isinstance(image.content, bytes) else png_bytes(image.content)),
        "bytes": None if image.bytes is None else f"{image.bytes:,}",
        "rate": None if image.bytes is None else f"{8 * image.bytes / (height * width):.4f}",
        "metrics": {name: f"{value:.4g}" for name, value in image.metrics.items()}, "maps": maps}


def printable(name: str) -> str:
    """Makes a file's name a text, whatever bytes it has.

    Args:
      name: as the system gives it.

    Returns:
      The name, with a question mark for each byte that is no UTF-8.
    """
    return name.encode("utf-8", "replace").decode("utf-8")
