"""The pages of a study in Chromium: a whole session by keyboard alone, and what is left when its tab is killed."""

import contextlib
import csv
import io
import itertools
import math
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from rdr.evaluation.studies import answer_store, answers, site
from tests.browser import browsing

ARROWS = ("ArrowLeft", "ArrowRight", "ArrowDown", "ArrowUp")  # one of them is an answer, however images are laid out
COUNT = "return Object.keys(localStorage).filter(key => key.includes('/answer/')).length"

TRIAL = "return document.body.classList.contains('trial') && document.querySelector('canvas') !== null"


@pytest.fixture
def make_site(tmp_path, rdr):
    rng = np.random.default_rng(3)
    for name in ("originals", "a@1", "a@2"):
        (tmp_path / name).mkdir()
        for source in ("x", "y"):
            Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(tmp_path / name / f"{source}.png")

    def make(protocol, **more):
        flags = {"trials": 5, "catch": .2, "training": 1, "rest": 3, "observers": 2, "duration": 100, "blank": 100}
        flags |= more
        words = [f"--{key}={value}" for key, value in flags.items()]
        assert rdr("study", "make", tmp_path / "a@1", tmp_path / "a@2", f"--reference={tmp_path / 'originals'}",
                   f"--out={tmp_path / 'site'}", f"--protocol={protocol}", *words) == 0
        return tmp_path / "site"

    return make


def go(browser, *, until=None):
    """Presses keys until so many answers are there, or the last page is; returns the headings of the pages."""
    pages, look = [], os.environ.get("RDR_SCREENSHOTS")
    browser.wait(lambda: browser.text().strip())
    for _ in range(1000):
        shown = browser.text()
        heading, trial = shown.split("\n")[0], browser.run(TRIAL)
        if browser.text() != shown:  # a page came in between, whose heading would be missed
            continue
        if look and heading not in pages:
            browser.screenshot(pathlib.Path(look, f"{len(pages):02d}_{re.sub(r'[^A-Za-z]+', '_', heading)}.png"))
        pages.append(heading)
        if heading == "Thank you!" or (until is not None and browser.run(COUNT) >= until):
            return pages
        before = browser.run(COUNT)
        if not trial:
            if not browser.run("return document.body.classList.contains('trial')"):  # else the next trial is loading
                browser.press("Enter")
                # All trials have the same words: one that was on its way looks like the one before.
                browser.wait(lambda shown=shown: browser.text() != shown or browser.run(TRIAL))
            continue
        if "Show the images" in shown:
            browser.press(" ")
            browser.wait(lambda: any(words in browser.text() for words in ("Third image", "Left out")))
            if not browser.run(TRIAL):
                continue
        for select in range(browser.run("return document.querySelectorAll('[aria-pressed]').length")):
            browser.press(str(select + 1))
        keys = itertools.cycle(ARROWS)  # too soon after the images appeared nothing is an answer
        browser.wait(lambda before=before, keys=keys: browser.run(COUNT) > before
                     or not browser.run(TRIAL) or browser.press(next(keys)))
    raise AssertionError(f"no end: {pages[-5:]}")


def downloaded(browser):
    browser.press("Enter")
    (path,) = browser.wait(lambda: list(browser.downloads.glob("*.csv")))
    with open(path, newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream)), answers.read_answers([path])[0]


@pytest.mark.parametrize("protocol", [
    "2afc", "3afc", "flicker",
    *(pytest.param(name, marks=pytest.mark.stress) for name in ("triplet", "foveated")),  # sessions of them: below
])
def test_a_session_by_keyboard_alone_survives_a_killed_tab(protocol, make_site):
    """From a disk, without a server; on a narrow screen where two images are below each other."""
    folder = make_site(protocol)
    with browsing() as browser:
        if protocol in ("2afc", "flicker"):
            browser.phone(390, 844, 3)
        address = (folder / "index.html").as_uri()
        browser.open(address)
        go(browser, until=3)
        browser.kill_tab()
        browser.open(address)
        browser.wait(lambda: "answered 3 of 7 questions" in browser.text())
        assert browser.run(COUNT) == 3
        pages = go(browser)
        assert "Time for a break" in pages and pages[-1] == "Thank you!"
        assert browser.complaints() == []
        rows, read = downloaded(browser)
    assert [row["trial"] for row in rows] == [str(number) for number in range(1, 8)]
    assert len({row["session"] for row in rows}) == len({row["observer"] for row in rows}) == 1
    study = site.read_site(folder)
    assert sum(all(matches(study, trial, row) for trial, row in zip(one, rows)) for one in study.trials) == 1
    if protocol not in ("2afc", "flicker"):  # the card as it is shown at first, 325 pixels wide; 60 cm; boost of 1
        degree = 2 * 600 * math.tan(math.radians(.5)) * 325 / 85.6
        assert all(float(row["pixels_per_degree"]) == pytest.approx(degree, abs=.001) for row in rows)
    assert read.response.size == 7
    assert set(read.response) <= {"left", "right", "middle", "notsure", *["skip"] * pages.count("Left out")}
    assert all((int(row["response_ms"]) >= 200 or row["response"] == "skip")
               and 5 < float(row["pixels_per_degree"]) < 500 for row in rows)


def test_a_second_click_skips_nothing_and_any_code_may_begin(make_site):
    """The code 0 has no schedule of its own number; clicks that come too fast are those of the trial before."""
    with browsing() as browser:
        browser.open((make_site("2afc", training=0) / "index.html").as_uri() + "?observer=0")
        while not browser.run(TRIAL):
            before = browser.text()
            if not browser.run("return document.body.classList.contains('trial')"):
                browser.press("Enter")
                browser.wait(lambda before=before: browser.text() != before)
        time.sleep(.3)
        browser.run("""
            let seen = null;  // since when the second trial's images are there
            const click = () => {
              if (Object.keys(localStorage).some(key => key.includes('/answer/')) && document.querySelector('canvas')) {
                seen ??= performance.now();
              }
              document.querySelector('[data-response=skip]')?.click();
              if (seen === null || performance.now() - seen < 100) setTimeout(click, 2);
              else window.clicked = true;
            };
            click()""")
        browser.wait(lambda: browser.run("return window.clicked === true"))
        assert browser.run(COUNT) == 1
        assert browser.complaints() == []


def matches(study, trial, row):
    described = {name: f"{value:g}" if isinstance(value, float) else value for name, value in study.row(trial).items()}
    return described.items() <= row.items()


def begin(browser, address):
    """Goes on until the first trial is there."""
    browser.open(address)
    browser.wait(lambda: browser.text().strip())
    while not browser.run(TRIAL):
        before = browser.text()
        if not browser.run("return document.body.classList.contains('trial')"):
            browser.press("Enter")
            browser.wait(lambda before=before: browser.text() != before)


def test_the_space_bar_works_after_a_click_and_hidden_time_does_not_count(make_site):
    with browsing() as browser:
        begin(browser, (make_site("triplet", training=0, trials=1, catch=0) / "index.html").as_uri())
        x, y = browser.run("""
            window.shownAt = performance.now();
            const box = [...document.querySelectorAll('button')].find(one => one.textContent === 'Original')
              .getBoundingClientRect();
            return [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)]""")
        browser.do("/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [
            {"type": "pointerMove", "x": x, "y": y}, {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0}]}]})
        seen = "return [...document.querySelectorAll('canvas')].map(one => one.style.visibility === 'visible')"
        assert browser.run(seen) == [True, False, True, False]
        browser.do("/actions", {"actions": [{"type": "key", "id": "keys", "actions": [
            {"type": "keyDown", "value": " "}]}]})
        assert browser.run(seen) == [False, True, False, True]
        browser.do("/actions", {"actions": [{"type": "key", "id": "keys", "actions": [
            {"type": "keyUp", "value": " "}]}]})
        hide = """Object.defineProperty(document, 'hidden', { value: arguments[0], configurable: true });
                  document.dispatchEvent(new Event('visibilitychange'))"""
        for _ in range(2):
            browser.run(hide, True)
            time.sleep(1.5)
            browser.run(hide, False)
        time.sleep(.3)
        browser.press("ArrowLeft")
        browser.wait(lambda: browser.run(COUNT) == 1)
        since = browser.run("return performance.now() - window.shownAt")
        browser.wait(lambda: "Thank you" in browser.text())
        rows, _ = downloaded(browser)
    assert 200 <= int(rows[0]["response_ms"]) <= since - 2900


def test_presentations_that_are_late_are_noted_and_leave_a_trial_out(make_site):
    """The first trial's images are late once, the second's whenever they are shown."""
    with browsing() as browser:
        begin(browser, (make_site("foveated", training=0, trials=3, catch=0) / "index.html").as_uri())
        browser.run("""
            window.times = [140, 100, 140, 140, 140];
            window.StudyStimuli.Stage.prototype.brief = async () => [100, window.times.shift() ?? 100, 100]""")
        pages = go(browser)
        rows, _ = downloaded(browser)
        sessions = browser.run("""return Object.entries(localStorage).filter(([key]) => key.includes('/session/'))
                                         .map(([, value]) => JSON.parse(value))""")
    assert pages.count("Left out") == 1
    assert [row["response"] == "skip" for row in rows] == [False, True, False]
    assert sessions[0]["presentations"] == {"1": [[100, 140, 100], [100, 100, 100]], "2": [[100, 140, 100]] * 3}
    assert sessions[0]["screen"]["repeated"] == 2


def test_a_full_storage_stops_nobody(make_site):
    """The database has what local storage has no room for."""
    address = (make_site("2afc", training=0) / "index.html").as_uri()
    with browsing() as browser:
        browser.open(address)
        browser.wait(lambda: browser.text().strip())
        browser.run("""
            for (let size = 1 << 22, i = 0; size >= 1;) {
              try { localStorage.setItem(`x${i++}`, 'x'.repeat(size)); } catch { size >>= 1; }
            }""")
        while "Time for a break" not in (shown := browser.text()):
            if browser.run(TRIAL):
                browser.press(*ARROWS)
            elif not browser.run("return document.body.classList.contains('trial')"):
                browser.press("Enter")
                browser.wait(lambda shown=shown: browser.text() != shown)
        assert browser.run(COUNT) == 0
        browser.open(address)
        browser.wait(lambda: "answered 3 of 6 questions" in browser.text())
        assert "Thank you!" in go(browser)
        rows, _ = downloaded(browser)
        assert [row["trial"] for row in rows] == list("123456") and browser.complaints() == []


@contextlib.contextmanager
def served(folder, port=0):
    command = [sys.executable, "-m", "rdr", "study", "serve", str(folder), f"--port={port}",
               f"--answers={folder.with_suffix('.sqlite')}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield int(re.search(r":(\d+)/", process.stdout.readline())[1])
        finally:
            process.kill()


@contextlib.contextmanager
def served_here(folder, port=0, origins=()):
    """The same without a process of its own, which takes seconds to start."""
    from tests.rdr.evaluation.studies.test_server import Running  # needs tornado

    running = Running(folder, port=port, origins=origins, limit=100)
    try:
        yield running.port
    finally:
        running.stop()


def test_a_session_survives_a_killed_server(make_site):
    """Answers that were given meanwhile arrive when it is back; those of a killed tab, too."""
    folder = make_site("triplet", design="active")
    with browsing() as browser:
        with served(folder) as port:
            browser.open(f"http://127.0.0.1:{port}/?observer=jane")
            go(browser, until=2)
        before = browser.run(COUNT)
        while browser.run(TRIAL):  # with what it has
            browser.press(*ARROWS)
        assert browser.run(COUNT) > before
        with served(folder, port):
            browser.wait(lambda: "cannot be reached" not in browser.text())
            go(browser, until=before + 2)
            browser.kill_tab()
            browser.open(f"http://127.0.0.1:{port}/")
            go(browser)
            browser.wait(lambda: "have arrived" in browser.text())
            rows, _ = downloaded(browser)
    stored = answer_store.read_answers(folder.with_suffix(".sqlite"))
    assert [row["trial"] for row in stored] == list(range(1, 8)) and {row["observer"] for row in stored} == {"jane"}
    for row, here in zip(stored, rows):
        assert {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in row.items()} == {
            **here, "pixels_per_degree": f"{float(here['pixels_per_degree']):g}"}


def test_answers_that_a_server_refuses_are_kept_and_do_not_stop_a_session(make_site):
    """More of them than are handed out at once; asking again is slower and slower."""
    folder = make_site("triplet", training=0, trials=7, catch=0, rest=0)
    with served_here(folder) as port, browsing() as browser:
        browser.open(f"http://127.0.0.1:{port}/?observer=jane")
        browser.run("""
            const real = window.fetch;
            Object.assign(window, { asked: 0, away: true });
            window.fetch = (url, options) => {
              if (url === 'next') window.asked += 1;
              if (url !== 'answers') return real(url, options);
              if (window.away) return Promise.resolve({ ok: false, status: 403 });
              const body = JSON.parse(options.body);
              for (const one of body.answers) if (one.trial <= 4) one.response_ms = 1e10;
              return real(url, { ...options, body: JSON.stringify(body) });
            }""")
        go(browser, until=3)
        browser.wait(lambda: "cannot be reached" in browser.text())
        assert browser.run("return window.asked") <= 12
        browser.run("window.away = false")
        pages = go(browser)
        browser.wait(lambda: "4 answers were not accepted" in browser.text())
        assert browser.run("return window.asked") <= 35 and pages.count("An answer was not accepted") == 1
        rows, _ = downloaded(browser)
    assert [row["trial"] for row in rows] == list("1234567")
    assert [row["trial"] for row in answer_store.read_answers(folder.with_suffix(".sqlite"))] == [5, 6, 7]


def test_answers_arrive_when_somebody_is_there_to_collect_them(make_site):
    """Of a page from a disk, whose server comes after the last answer; nobody touches the page any more."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = make_site("2afc", collect=f"http://127.0.0.1:{port}/answers")
    with browsing() as browser:
        browser.open((folder / "index.html").as_uri() + "?observer=2")
        go(browser)
        browser.wait(lambda: "7 answers are still on their way" in browser.text())
        with served_here(folder, port, ["null"]):
            browser.wait(lambda: "have arrived" in browser.text())
        assert all("CONNECTION_REFUSED" in message for message in browser.complaints())
    stored, study = answer_store.read_answers(folder.with_suffix(".sqlite")), site.read_site(folder)
    assert [row["trial"] for row in stored] == list(range(1, 8)) and {row["observer"] for row in stored} == {"2"}
    assert all(study.row(trial).items() <= row.items() for trial, row in zip(study.trials[1], stored))


@pytest.mark.parametrize("ratio", [1, pytest.param(1.1, marks=pytest.mark.stress), 1.5,
                                   pytest.param(2, marks=pytest.mark.stress)])
def test_images_are_shown_pixel_by_pixel(ratio, make_site):
    """Every pixel of the screen beside the image's own; on fine screens, and where a CSS pixel is 1.5 of the screen."""
    folder = make_site("triplet", magnification=2, training=0)
    study = site.read_site(folder)
    with browsing() as browser:
        if ratio != 1:
            browser.phone(1280, 800, ratio)
        browser.open((folder / "index.html").as_uri() + "?observer=2")
        browser.wait(lambda: browser.text().strip())
        while not browser.run(TRIAL):
            if not browser.run("return document.body.classList.contains('trial')"):
                browser.press("Enter")
        trial, scale = study.trials[1][0], 2 * round(ratio)
        for held, conditions in ((False, (trial.left, trial.right)), (True, (0, 0))):
            if held:
                browser.do("/actions", {"actions": [
                    {"type": "key", "id": "keys", "actions": [{"type": "keyDown", "value": " "}]}]})
            boxes = browser.run("""return [...document.querySelectorAll('canvas')]
                .filter(canvas => canvas.style.visibility === 'visible')
                .map(canvas => canvas.getBoundingClientRect()).map(box => [box.left, box.top])""")
            screen = np.asarray(Image.open(io.BytesIO(browser.picture())).convert("RGB"))
            for (left, top), condition in zip(boxes, conditions, strict=True):
                image = np.asarray(Image.open(folder / study.images[trial.source * 4 + condition]["file"]))
                expected = image.repeat(scale, 0).repeat(scale, 1)
                x, y = left * ratio, top * ratio
                assert max(abs(x - round(x)), abs(y - round(y))) < .05  # layout is in 1/64 CSS pixels
                shown = screen[round(y) + 2:, round(x) + 2:][:expected.shape[0], :expected.shape[1]]
                np.testing.assert_array_equal(shown, expected)


def test_no_answer_is_lost_when_the_whole_browser_is_killed(make_site, tmp_path):
    """Local storage alone would be: the browser writes it seconds later."""
    folder, profile = make_site("2afc", training=0), tmp_path / "profile"
    with browsing(profile=profile) as browser:
        browser.open((folder / "index.html").as_uri())
        go(browser, until=3)
        browser.wait(lambda: browser.run(TRIAL) or "break" in browser.text())  # the third answer is on the disk
        browser.kill()
    with browsing(profile=profile) as browser:
        browser.open((folder / "index.html").as_uri())
        browser.wait(lambda: "answered 3 of 6 questions" in browser.text(), 20)


def test_names_that_look_like_markup_are_text(make_site, tmp_path):
    folder = make_site("2afc", title="<img src=x onerror=document.title='gone'>")
    with browsing() as browser:
        browser.open((folder / "index.html").as_uri() + "?observer=<b>")
        browser.wait(lambda: browser.text().strip())
        assert browser.run("return document.querySelectorAll('img, b').length") == 0
        assert browser.text().startswith("<img src=x") and browser.run("return document.title").startswith("<img")
        assert browser.run("return document.querySelector('input').value") == ""
