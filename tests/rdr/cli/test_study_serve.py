"""`rdr study serve`: a process of its own, killed now and then; and a browser that goes through a session."""

import contextlib
import csv
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from rdr.evaluation.studies import answer_store, answers, site

pytest.importorskip("tornado", reason="the extra study is not installed")


@pytest.fixture
def make_site(tmp_path, rdr):
    """Makes a study of two sources and two conditions; returns its folder."""
    rng = np.random.default_rng(2)
    for name in ("originals", "a@1", "a@2"):
        (tmp_path / name).mkdir()
        for source in ("x", "y"):
            Image.fromarray(rng.integers(0, 256, (24, 32, 3), np.uint8)).save(tmp_path / name / f"{source}.png")

    def make(name="site", **flags):
        words = [f"--{key}={value}" for key, value in flags.items()]
        assert rdr("study", "make", tmp_path / "a@1", tmp_path / "a@2", f"--reference={tmp_path / 'originals'}",
                   f"--out={tmp_path / name}", *words) == 0
        return tmp_path / name

    return make


@contextlib.contextmanager
def served(folder, *words, port=0):
    """The command in a process; gives its port and the process."""
    environment = {**os.environ, "RDR_COMPILATION_CACHE": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "rdr", "study", "serve", str(folder), f"--answers={folder.with_suffix('.sqlite')}",
         f"--port={port}", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        line = process.stdout.readline()
        found = re.search(r"http://([\w.:\[\]]+):(\d+)/", line)
        assert found, line + process.stderr.read()
        yield int(found[2]), process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


def post(port, path, body, timeout=10):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


def answer_to(study, session, number):
    return {"study": study, "session": session, "trial": number, "observer": "o", "slot": None,
            "response": ("left", "right")[number % 2], "response_ms": 500 + number, "pixels_per_degree": 40,
            "time": "2026-01-02T03:04:05.678Z"}


def test_a_study_is_served_ended_and_exported(make_site, rdr, capsys, tmp_path):
    folder = make_site(trials=3, training=1, catch=0)
    study = site.read_site(folder).id
    with served(folder) as (port, process):
        session = post(port, "/session", {"study": study, "observer": "o"})[1]["session"]
        while trials := post(port, "/next", {"session": session})[1]["trials"]:
            assert post(port, "/answers", {"answers": [answer_to(study, session, trials[0][0])]})[0] == 200
        assert rdr("study", "serve", folder, f"--answers={tmp_path / 'site.sqlite'}") == 1
        assert "another process is writing" in capsys.readouterr().err
        assert rdr("study", "serve", f"--answers={tmp_path / 'site.sqlite'}", f"--export={tmp_path / 'a.csv'}") == 0
        assert "4 answers" in capsys.readouterr().out
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0 and process.stderr.read() == ""
    with open(tmp_path / "a.csv", newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == answer_store.COLUMNS and [row["trial"] for row in rows] == ["1", "2", "3", "4"]
    assert [row["response"] for row in rows] == ["right", "left", "right", "left"]
    assert {row["response_ms"] for row in rows} == {"501", "502", "503", "504"}
    (read,) = answers.read_answers([tmp_path / "a.csv"])
    assert read.response.tolist() == [row["response"] for row in rows] and read.observers == ("o",)
    assert all(row["level_pivot"] == "0" and row["codec_pivot"] == "reference" for row in rows)


def test_it_listens_on_this_machine_alone(make_site):
    folder = make_site(trials=3)
    with served(folder) as (port, _):
        addresses = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), port, socket.AF_INET)}
        if os.path.exists("/proc/net/tcp"):
            with open("/proc/net/tcp", encoding="utf-8") as table:
                listening = {line.split()[1] for line in table if f":{port:04X} " in line and line.split()[3] == "0A"}
            assert listening == {f"0100007F:{port:04X}"}
        for address in addresses - {"127.0.0.1"}:
            with pytest.raises(OSError):
                socket.create_connection((address, port), timeout=2).close()


def test_refusals(make_site, rdr, capsys, tmp_path):
    folder = make_site(trials=3)
    (tmp_path / "other.sqlite").write_text("no database" * 100)
    for status, sentence, *words in (
            (2, "--answers is missing", folder), (2, "say which site", "--answers=a.sqlite"),
            (1, "is no study", tmp_path, f"--answers={tmp_path.parent / 'a.sqlite'}"),
            (1, "there is no folder for", folder, f"--answers={tmp_path / 'none' / 'a.sqlite'}"),
            (1, "must not be inside of the site", folder, f"--answers={folder / 'a.sqlite'}"),
            (1, "is no file of answers", folder, f"--answers={tmp_path / 'other.sqlite'}"),
            (1, "there is no file", f"--answers={tmp_path / 'none'}", "--export=x.csv"),
            (2, "--port must be", folder, "--port=70000"), (2, "--sessions must be positive", folder, "--sessions=0")):
        assert rdr("study", "serve", *words) == status
        error = capsys.readouterr().err
        assert sentence in error and error.count("\n") == 1


class Observer(threading.Thread):
    """Answers until told to stop, as the page does: an answer is sent until it is confirmed."""

    def __init__(self, port, study, number, ended):
        super().__init__()
        self.port, self.study, self.number, self.ended = port, study, number, ended
        self.given, self.problem, self.retries = {}, None, 0

    def insist(self, path, body):
        while True:
            try:
                status, reply = post(self.port, path, body)
                assert status == 200, (status, reply)
                return reply
            except (OSError, http.client.HTTPException, ValueError):
                self.retries += 1
                time.sleep(random.uniform(.05, .3))

    def run(self):
        try:
            session = self.insist("/session", {"study": self.study, "observer": f"o{self.number}"})["session"]
            while not self.ended.is_set():
                trials = self.insist("/next", {"session": session})["trials"]
                for number, *_ in trials[:1 + self.number % 2]:
                    answer = answer_to(self.study, session, number) | {"response": random.choice(("left", "right"))}
                    assert (session, number) not in self.given, "handed out although it was confirmed"
                    self.insist("/answers", {"answers": [answer]})
                    self.given[session, number] = answer["response"]
                    time.sleep(random.uniform(.1, .7))
        except BaseException as error:
            self.problem = error


@pytest.mark.stress
def test_nothing_is_lost_or_counted_twice_when_the_server_is_killed(make_site):
    """A hundred observers for a minute, the server killed five times without warning."""
    folder = make_site(trials=400, training=0, catch=0)
    study, ended = site.read_site(folder).id, threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    observers = [Observer(port, study, number, ended) for number in range(100)]
    for i, pause in enumerate((10, 10, 10, 10, 10, 10)):
        with served(folder, port=port) as (_, process):
            if i == 0:
                for observer in observers:
                    observer.start()
            time.sleep(pause)
            if i == 5:
                ended.set()
                for observer in observers:
                    observer.join(60)
            process.send_signal(signal.SIGKILL)
            process.wait()
    assert [observer.problem for observer in observers if observer.problem] == []
    given = {key: response for observer in observers for key, response in observer.given.items()}
    rows = answer_store.read_answers(folder.with_suffix(".sqlite"))
    stored = {(row["session"], row["trial"]): row["response"] for row in rows}
    least, retries = min(len(one.given) for one in observers), sum(one.retries for one in observers)
    print(f"{len(rows)} answers, {least} and more of each observer, {retries} retries")
    assert len(rows) == len(stored) and stored == given
    assert least >= 5 and retries >= 100
