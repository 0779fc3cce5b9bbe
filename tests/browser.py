"""A headless Chromium for tests of pages, driven through chromedriver; tests skip where these are not installed."""

import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--force-color-profile=srgb")
BINARIES = ("chromium", "chromium-browser", "google-chrome")
KEYS = {"Enter": "\ue007", "ArrowLeft": "\ue012", "ArrowUp": "\ue013", "ArrowRight": "\ue014", "ArrowDown": "\ue015",
        "Tab": "\ue004", "Escape": "\ue00c"}


class Browser:
    """A window of a browser.

    Attributes:
      profile: folder of what the browser keeps.
      downloads: folder of what is downloaded.
    """

    def __init__(self, port, binary, profile, downloads, width, height, flags):
        self.port, self.profile, self.downloads = port, profile, downloads
        words = [*FLAGS, *flags, f"--user-data-dir={profile}", f"--window-size={width},{height}"]
        options = {"binary": binary, "args": words,
                   "prefs": {"download.default_directory": str(downloads)}}
        wanted = {"timeouts": {"script": 100_000}, "browserName": "chrome", "goog:chromeOptions": options,
                  "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(value["message"])
        return value

    def do(self, command, body=None, method="POST"):
        return self._ask(method, f"/session/{self.session}{command}", {} if body is None and method == "POST" else body)

    def open(self, address):
        self.do("/url", {"url": address})

    def run(self, script, *words):
        """The value of a script that returns one."""
        return self.do("/execute/sync", {"script": script, "args": list(words)})

    def run_async(self, script, *words):
        """What a script hands to its last argument, a function."""
        return self.do("/execute/async", {"script": script, "args": list(words)})

    def text(self):
        return self.run("return document.body.innerText")

    def press(self, *keys):
        for key in keys:
            value = KEYS.get(key, key)
            self.do("/actions", {"actions": [{"type": "key", "id": "keys", "actions": [
                {"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]}]})

    def wait(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, f"nothing happened; the page shows:\n{self.text()}"
            time.sleep(.05)
        return value

    def phone(self, width, height, ratio):
        self.do("/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": {
            "width": width, "height": height, "deviceScaleFactor": ratio, "mobile": True}})

    def picture(self):
        """What the window shows, as PNG."""
        return base64.b64decode(self.do("/screenshot", method="GET"))

    def screenshot(self, path):
        pathlib.Path(path).write_bytes(self.picture())

    def complaints(self):
        """What the page's console has of errors."""
        return [entry["message"] for entry in self.do("/se/log", {"type": "browser"}) if entry["level"] == "SEVERE"]

    def kill_tab(self):
        """Lets the process crash that renders the page, without warning, and goes on in a new tab."""
        old = self.do("/window", method="GET")
        new = self.do("/window/new", {"type": "tab"})["handle"]
        self.do("/window", {"handle": old})
        with pytest.raises(RuntimeError, match="crash"):
            self.do("/goog/cdp/execute", {"cmd": "Page.crash", "params": {}})
        self.do("/window", {"handle": new})

    def kill(self):
        """Ends all processes of the browser, without warning."""
        for process in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (process / "cmdline").read_bytes()
                if f"--user-data-dir={self.profile}".encode() in command and b"chromedriver" not in command:
                    os.kill(int(process.name), signal.SIGKILL)

    def close(self):
        with contextlib.suppress(OSError, RuntimeError, http.client.HTTPException):
            self._ask("DELETE", f"/session/{self.session}")


@contextlib.contextmanager
def browsing(width=1280, height=800, *, profile=None, flags=()):
    """Opens a window, or skips the test."""
    driver, binary = shutil.which("chromedriver"), next(filter(None, map(shutil.which, BINARIES)), None)
    if driver is None or binary is None:
        pytest.skip(f"{'chromium' if binary is None else 'chromedriver'} is not installed")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        downloads = pathlib.Path(folder, "downloads")
        downloads.mkdir()
        command = [driver, "--port=0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            try:
                line = next(line for line in process.stdout if "on port" in line and "success" in line)
                port = int(re.search(r"port (\d+)", line)[1])
                try:
                    browser = Browser(port, binary, profile or f"{folder}/profile", downloads, width, height, flags)
                except (RuntimeError, OSError) as error:
                    pytest.skip(f"Chromium does not start: {error}")
                try:
                    yield browser
                finally:
                    browser.close()
            finally:
                process.terminate()
