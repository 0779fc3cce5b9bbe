"""Pages that show images by themselves."""

import base64
import hashlib
import io
import json
import pathlib
import re
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from rdr.cli import deep_images
from rdr.codecs import overfitted
from rdr.codecs.overfitted.signals import SRGB, Signal
from rdr.web import pages

STORED = pathlib.Path(__file__).parents[1] / "codecs" / "overfitted" / "data" / "color.rdr"
BAD_NAME = "</script><b>\"&'{{decoder}}\u2028"


def _scripts(page):
    return re.findall(r"<script[^>]*>(.*?)</script>", page, re.S)


def _content(page):
    return json.loads(re.search(r'id="content">(.*?)</script>', page, re.S)[1])


def _shown(name, content, *, maps=(), **metrics):
    shape = (16, 12) if isinstance(content, bytes) else content.shape[:2]
    return pages.ShownImage(name, content, shape, 306, metrics, maps)


SHOWN = """
const shownOf = new Function(process.argv[1] + "; return shownOf;")();
const images = JSON.parse(require("fs").readFileSync(0, "utf8")).map((image) => (
  { ...image, pixels: (image.deep ? Uint16Array : Uint8Array).from(image.pixels) }));
console.log(JSON.stringify(images.map((image) => [...shownOf(image).pixels])));
"""


def test_deep_values_are_shown_as_python_shows_them():
    """Tone mapping and wide colors in the page's script, against `rdr.cli.deep_images`."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    rng, images = np.random.default_rng(0), []
    for signal in (Signal(10, "pq", "bt2020"), Signal(16, "pq", "bt709", 80.0), Signal(12, "hlg", "bt2020"),
                   Signal(16, "linear", "p3", 50.0), Signal(16), Signal(8, "srgb", "p3"), Signal(8, "pq", "bt2020"),
                   SRGB):
        for channels in (1, 3):
            dtype = np.uint16 if signal.depth > 8 else np.uint8
            images.append((rng.integers(0, np.iinfo(dtype).max, (40, 5, channels), dtype, endpoint=True), signal))
            images[-1][0][0] = 0
    given = [{**signal._asdict(), "channels": pixels.shape[2], "deep": pixels.dtype == np.uint16,
              "pixels": pixels.ravel().tolist()} for pixels, signal in images]
    run = subprocess.run([node, "-e", SHOWN, pages.asset("page.js")], input=json.dumps(given), capture_output=True,
                         text=True, check=True)
    for found, (pixels, signal) in zip(json.loads(run.stdout), images, strict=True):
        wanted = deep_images.shown(pixels, signal).ravel().astype(int)
        # Matrices have six digits there, and Python converts Display P3 at the depth of the image, before it rounds.
        assert np.abs(found - wanted).max() <= 1 and np.mean(found != wanted) < 0.02, signal
        if signal.transfer == "srgb" and signal.primaries == "bt709":
            np.testing.assert_array_equal(found, wanted)


def test_places_are_filled_once():
    assert pages.fill("{{a}} {{b}} {a}", {"a": "{{b}}", "b": "\\1"}) == "{{b}} \\1 {a}"


def test_an_image_page_holds_the_message_and_little_else():
    message = STORED.read_bytes()
    page = pages.image_page(message, (16, 12), title=BAD_NAME)
    assert len(page.encode()) <= 4 / 3 * len(message) + 60_000
    assert base64.b64decode(re.search(r'id="message">(.*?)</script>', page)[1]) == message
    assert page.count("<script") == page.count("</script") == 4 and len(_scripts(page)) == 4
    assert "<b>" not in page and "&lt;/script&gt;" in page and "{{decoder}}" in page  # as text, in the title
    assert 'width="12"' in page and 'height="16"' in page
    assert not re.search(r'(src|href)=|https?:', page)  # nothing is fetched


def test_names_stay_names_in_a_page_that_compares():
    pixels = np.arange(16 * 12 * 3, dtype=np.uint8).reshape(16, 12, 3)
    shown = [_shown(BAD_NAME, STORED.read_bytes(), psnr=31.256), _shown("b\udcff.png", pixels)]
    page = pages.view_page(shown, 1, title=BAD_NAME, note="<i>")
    assert page.count("<script") == page.count("</script") == 4 and "<b>" not in page and "<i>" not in page
    content = _content(page)
    first, second = content["images"]
    assert content["reference"] == 1 and (first["name"], second["name"]) == (BAD_NAME, "b?.png")
    assert (first["kind"], first["rate"], first["metrics"]) == ("message", f"{8 * 306 / 192:.4f}", {"psnr": "31.26"})
    assert base64.b64decode(first["data"]) == STORED.read_bytes()
    with Image.open(io.BytesIO(base64.b64decode(second["data"]))) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
        assert not image.info  # neither gamma nor profile, which browsers apply
    assert not re.search(r'(src|href)=|https?:', page)


def test_maps_of_all_images_have_one_scale():
    gray = np.zeros((16, 12, 1), np.uint8)
    maps = [pages.ErrorMap("error", np.full((16, 12), value)) for value in (1.0, 4.0)]
    content = _content(pages.view_page([_shown("a", gray, maps=maps[:1]), _shown("b", gray, maps=maps[1:])], None,
                                       title=""))
    found = []
    for image in content["images"]:
        [one] = image["maps"]
        assert one["peak"] == "4"
        found.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(one["data"])))))
    assert (found[0] == 128).all() and (found[1] == 255).all()  # the square root of a quarter, and of one
    assert len(base64.b64decode(content["colors"])) == 768


def test_images_of_different_sizes_and_none_are_refused():
    with pytest.raises(ValueError, match=r"b has 3 x 2 pixels, a 3 x 4"):
        pages.view_page([_shown("a", np.zeros((4, 3, 1), np.uint8)), _shown("b", np.zeros((2, 3, 1), np.uint8))], None,
                        title="")
    with pytest.raises(ValueError, match="no image"):
        pages.view_page([], None, title="")


def _open(browser, path):
    browser.open(path.as_uri())
    browser.wait(lambda: browser.run("return document.documentElement.dataset.done"))
    assert browser.complaints() == []


def _pixels(browser, expression):
    """[height, width, 4]; as text, since a list of numbers takes ten times as long."""
    shape, data = browser.run(f"""
        const canvas = {expression}, height = canvas.height, width = canvas.width, parts = [], step = 1 << 15;
        const data = canvas.getContext('2d').getImageData(0, 0, width, height).data;
        for (let i = 0; i < data.length; i += step) parts.push(String.fromCharCode(...data.subarray(i, i + step)));
        return [[height, width, 4], btoa(parts.join(''))];""")
    return np.frombuffer(base64.b64decode(data), np.uint8).reshape(shape)


def test_a_browser_shows_the_pixels_that_python_decodes(browser, tmp_path):
    pixels = overfitted.decode(STORED.read_bytes())
    (tmp_path / "a.html").write_text(pages.image_page(STORED.read_bytes(), (16, 12), title="a"), encoding="utf-8")
    _open(browser, tmp_path / "a.html")
    found = _pixels(browser, "document.getElementById('image')")
    np.testing.assert_array_equal(found[:, :, :3].reshape(pixels.shape), pixels)
    (tmp_path / "a.html").write_text(pages.image_page(STORED.read_bytes()[:-1], (16, 12), title="a"), encoding="utf-8")
    _open(browser, tmp_path / "a.html")
    assert "checksum" in browser.run("return document.getElementById('state').textContent")


def test_a_browser_compares_images_by_keyboard(browser, tmp_path):
    pixels = overfitted.decode(STORED.read_bytes())
    other = pixels + np.uint8(1)
    maps = [pages.ErrorMap("error", np.ones((16, 12)))]
    page = pages.view_page([_shown(BAD_NAME, STORED.read_bytes(), maps=maps), _shown("b", other)], 1, title="a")
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    _open(browser, tmp_path / "a.html")
    assert BAD_NAME.split("\u2028")[0] in browser.run("return document.getElementById('table').textContent")
    seen = set()
    for key in "12345":
        browser.press(key)
        assert browser.run("return document.querySelectorAll('#modes [aria-pressed=true]').length") == 1
        browser.run_async("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        seen.add(hashlib.sha256(_pixels(browser, "document.getElementById('stage')").tobytes()).hexdigest())
    assert len(seen) >= 4  # the flicker may show what was there
    browser.press("0")
    assert browser.run("return document.getElementById('zoom').textContent") == "100 %"
    browser.press("1", *"+++")
    assert browser.run("return document.getElementById('zoom').textContent") == "400 %"
    browser.run_async("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    stage = _pixels(browser, "document.getElementById('stage')")
    pane = stage[60:-60, : stage.shape[1] // 2 - 2].astype(int)
    rows, columns = (np.flatnonzero((pane != pane[-1, 0]).any(2).any(axis)) for axis in (1, 0))
    assert (np.ptp(rows), np.ptp(columns)) == (63, 47)  # 16 x 12 pixels, and their middle is still that of the pane
    assert abs(rows.mean() - len(pane) / 2) < 2 and abs(columns.mean() - pane.shape[1] / 2) < 3
