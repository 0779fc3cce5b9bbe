"""`rdr/web/webgpu.js` in a browser: the same pixels as in JavaScript, and so as in Python."""

import base64
import functools
import http.server
import importlib.resources
import pathlib
import threading

import numpy as np
import pytest

from rdr.codecs import overfitted
from rdr.codecs.overfitted import format
from rdr.codecs.overfitted.architecture import Architecture
from rdr.codecs.overfitted.signals import Signal
from tests.rdr.web.random_messages import random_description, random_message

WEB = pathlib.Path(str(importlib.resources.files("rdr.web")))
STORED = sorted((pathlib.Path(__file__).parents[1] / "codecs" / "overfitted" / "data").glob("*.rdr"))
HAS_ADAPTER = "navigator.gpu?.requestAdapter().then((adapter) => arguments[0](adapter !== null)) ?? arguments[0](false)"
DECODE = """
const done = arguments[arguments.length - 1];
if (arguments[1]) Object.defineProperty(navigator, "gpu", { value: undefined, configurable: true });
import("./webgpu.js").then(({ decodeOnGpu }) => (
  decodeOnGpu(Uint8Array.from(atob(arguments[0]), (character) => character.charCodeAt(0)))
)).then(({ pixels, ...rest }) => done([[...pixels], rest]), (error) => done([null, error.message]));
"""


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def page(browser):
    """A browser at a page of the folder: modules are not loaded from files."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(WEB)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser.open(f"http://127.0.0.1:{server.server_port}/")
    yield browser
    server.shutdown()


def _decode(page, message, *, without=False):
    return page.run_async(DECODE, base64.b64encode(message).decode(), without)


def test_the_graphics_processor_makes_the_same_pixels(page):
    if not page.run_async(HAS_ADAPTER):
        pytest.skip("the browser has no adapter of WebGPU")
    rng = np.random.default_rng(9)
    deep = [format.write(random_description(rng, Architecture(9, 7, channels, levels=3), 0, 2.0, Signal(depth))).message
            for depth, channels in ((9, 3), (12, 1), (16, 3))]
    for message in [path.read_bytes() for path in STORED] + [random_message(rng, noise=False) for _ in range(4)] + deep:
        wanted = overfitted.decode(message)
        pixels, about = _decode(page, message)
        assert about["device"] == "webgpu"
        assert (about["height"], about["width"], about["channels"]) == wanted.shape
        assert about["depth"] == overfitted.signal_of_message(message).depth
        np.testing.assert_array_equal(np.asarray(pixels).reshape(wanted.shape), wanted)


def test_without_one_javascript_does_it(page):
    message = STORED[0].read_bytes()
    page.do("/refresh")  # modules remember the device
    pixels, about = _decode(page, message, without=True)
    assert about["device"] == "javascript"
    np.testing.assert_array_equal(pixels, overfitted.decode(message).reshape(-1))
    assert _decode(page, message[:-1]) == [None, "damaged message: its checksum is wrong"]
