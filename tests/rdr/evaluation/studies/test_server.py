"""The server of a study: who gets what, and what is refused."""

import asyncio
import http.client
import json
import socket
import threading
import time

import pytest

from rdr.evaluation.studies import answer_store, server, site

tornado = pytest.importorskip("tornado", reason="the extra study is not installed")


class Running:
    """A server on a thread of its own."""

    def __init__(self, folder, host="127.0.0.1", *, port=0, **more):
        self.study = site.read_site(folder)
        self.path = folder.with_suffix(".sqlite")
        self.store = answer_store.AnswerStore(self.path, self.study.id)
        self.told = []
        self.service = server.make_service(self.study, folder, self.store, host=host,
                                           answered=lambda: self.told.append(1), **more)
        ready = threading.Event()

        async def main():
            self.ended, self.loop = asyncio.Event(), asyncio.get_running_loop()
            self.server, self.port = server.listen(self.service, "127.0.0.1", port)
            ready.set()
            await self.ended.wait()
            self.server.stop()

        self.thread = threading.Thread(target=lambda: asyncio.run(main()))
        self.thread.start()
        assert ready.wait(30)

    def stop(self):
        self.loop.call_soon_threadsafe(self.ended.set)
        self.thread.join()
        self.store.close()

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            if body is not None and not isinstance(body, bytes):
                body, headers = json.dumps(body).encode(), {"Content-Type": "application/json", **headers}
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            self.headers = reply.headers
            return reply.status, reply.read()
        finally:
            connection.close()

    def post(self, path, body, **headers):
        status, text = self.ask("POST", path, body, **headers)
        return status, json.loads(text)

    def begin(self, observer="me"):
        return self.post("/session", {"study": self.study.id, "observer": observer})[1]["session"]

    def answer(self, session, trial, **more):
        return {"study": self.study.id, "session": session, "trial": trial, "observer": "me", "response": "left",
                "response_ms": 900, "pixels_per_degree": 39.7, "time": "2026-01-02T03:04:05.678Z", "slot": None, **more}

    def rows(self):
        return answer_store.read_answers(self.path)


@pytest.fixture
def running(make_site, tmp_path):
    started = []

    def start(*, host="127.0.0.1", origins=(), limit=100, **more):
        folder = tmp_path / f"site{len(started)}"
        make_site(folder, **more)
        started.append(Running(folder, host, origins=origins, limit=limit))
        return started[-1]

    yield start
    for one in started:
        one.stop()


def test_pages_are_served_and_nothing_else(running):
    study = running(title="<b>")
    for path, kind in (("/", "text/html"), ("/index.html", "text/html"), ("/study.js", "text/javascript"),
                       ("/study.css", "text/css"), ("/images/00001.png", "image/png")):
        status, content = study.ask("GET", path)
        assert status == 200 and study.headers["Content-Type"].startswith(kind) and content
        assert "script-src 'self'" in study.headers["Content-Security-Policy"] and "Server" not in study.headers
        assert study.headers["X-Content-Type-Options"] == "nosniff"
        assert study.ask("HEAD", path) == (200, b"")
    assert study.ask("GET", "/server.js")[1] == b"window.STUDY_SERVER = true;\n"
    data = json.loads(study.ask("GET", "/data.js")[1].decode().removeprefix("window.STUDY = ").rstrip(";\n"))
    assert data["study"] == study.study.id and data["trials"] == []
    outside = study.path.parent / "secret.js"
    outside.write_text("secret")
    for path in ("/../secret.js", "/..%2fsecret.js", "/images/../../secret.js", "//secret.js", "/images/00099.png",
                 "/%2e%2e/secret.js", f"/{outside}", "/site0.sqlite", "/images/", "/study.py", "/data.js/",
                 "/a\\..\\b"):
        status, content = study.ask("GET", path)
        assert status == 404 and b"secret" not in content
    assert study.ask("POST", "/", {})[0] == study.ask("GET", "/answers")[0] == study.ask("DELETE", "/")[0] == 405


def test_a_session_from_the_first_trial_to_the_last(running):
    study = running(not_sure=True)
    session, shown = study.begin(), {}
    while trials := study.post("/next", {"session": session})[1]["trials"]:
        assert [number for number, *_ in trials] == sorted({number for number, *_ in trials})
        for number, *trial in trials[:2]:
            shown[number] = trial
            response = ("left", "right", "notsure", "skip")[number % 4]
            assert study.post("/answers", {"answers": [study.answer(session, number, response=response)]}) == (
                200, {"stored": 1, "known": 0})
    assert sorted(shown) == list(range(1, 8)) and study.told == [1] * 7
    for row in study.rows():
        kind, source, left, pivot, right, correct = shown[row["trial"]]
        assert (row["kind"], row["source"], row["correct"]) == (kind, study.study.sources[source], correct)
        for place, condition in (("left", left), ("pivot", pivot), ("right", right)):
            assert (row[f"codec_{place}"], row[f"level_{place}"]) == study.study.conditions[condition]
        assert row["response"] == ("left", "right", "notsure", "skip")[row["trial"] % 4]
        assert set(row) == set(answer_store.COLUMNS)


def test_what_was_shown_is_known_here_and_answers_count_once(running):
    study = running()
    session = study.begin()
    study.post("/next", {"session": session})
    forged = study.answer(session, 1, codec_left="mine", kind="test", correct="left")
    assert study.post("/answers", {"answers": [forged, forged]}) == (200, {"stored": 1, "known": 1})
    assert study.post("/answers", {"answers": [study.answer(session, 1, response="right")]})[1]["known"] == 1
    (row,) = study.rows()
    assert row["response"] == "left" and row["codec_left"] != "mine" and row["kind"] == "training"


WRONG = (
    {"session": "0" * 32}, {"session": "x"}, {"session": 7}, {"trial": 4}, {"trial": 0}, {"trial": "1"},
    {"trial": True}, {"trial": 10**30}, {"response": "middle"}, {"response": "notsure"}, {"response": ["left"]},
    {"response_ms": -1}, {"response_ms": 1e300}, {"response_ms": 10**400}, {"response_ms": "1"}, {"response_ms": None},
    {"pixels_per_degree": 0}, {"observer": "-A1"},
    {"time": "2026-01-02T03:04:05Z<script>"}, {"time": "x" * 10_000}, {"study": "other"}, {"observer": "=cmd()"},
    {"observer": "x" * 41}, {"slot": -1}, {"slot": 1.5})


def test_wrong_answers_are_refused_whole(running):
    study = running()
    session = study.begin()
    study.post("/next", {"session": session})
    for change in WRONG:
        answers = [study.answer(session, 2), study.answer(session, 1) | change]
        status, said = study.post("/answers", {"answers": answers})
        assert status == 400 and "<" not in said["error"] and len(said["error"]) < 100 and study.rows() == [], change


NO_ANSWERS = (
    b"", b"{", b"[]", b"null", b"\xff\xfe", b"[" * 100_000, b'{"answers": {}}', b'{"answers": [1]}',
    b'{"answers": [[]]}', b'{"answers": ' + json.dumps([{}] * 201).encode() + b"}",
    b'{"answers": [{"response_ms": NaN}]}')


def test_what_is_no_answer_is_refused(running):
    study, kind = running(), {"Content-Type": "application/json"}
    for body in NO_ANSWERS:
        assert study.ask("POST", "/answers", body, **kind)[0] == 400, body[:40]
        assert study.ask("POST", "/next", body, **kind)[0] == 400, body[:40]
    assert study.ask("GET", "/")[0] == 200


def test_sizes_are_bounded(running):
    study = running()
    long, kind = b"x" * (server.MAX_BYTES + 1), {"Content-Type": "application/json"}
    try:
        status, _ = study.ask("POST", "/answers", long, **kind)
        assert status in (400, 413)
    except OSError:  # the connection is closed while the rest is still being sent
        pass
    # A heading without an end: the server hangs up, or says no, and does not wait for more.
    received, closed = b"", False
    with socket.create_connection(("127.0.0.1", study.port), timeout=30) as raw:
        try:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 1_000_000)
            while part := raw.recv(1000):
                received += part
            closed = True
        except (ConnectionResetError, BrokenPipeError):
            closed = True
    assert closed and b" 200 " not in received
    assert study.ask("GET", "/")[0] == 200


def test_sessions_are_checked_and_limited(running):
    study = running(limit=2)
    begin = {"study": study.study.id, "observer": "me"}
    for change, status in (({"study": "x"}, 409), ({"observer": ""}, 400), ({"observer": "<b>"}, 400),
                           ({"observer": None}, 400), ({"observer": "-A1"}, 400)):
        assert study.post("/session", begin | change)[0] == status
    sessions = {study.begin() for _ in range(2)}
    assert len(sessions) == 2 and study.post("/session", begin)[0] == 400
    assert study.post("/next", {"session": "0" * 32})[0] == 404
    for session in sessions:
        assert study.post("/screen", {"session": session, "screen": {"gamma": 2.2}}) == (200, {})
    for screen in ({"a": "text"}, {"a": 1e300}, {"a": -10**400}, {"x" * 21: 1}, [1], {str(i): 1 for i in range(13)}):
        assert study.post("/screen", {"session": session, "screen": screen})[0] == 400


def test_pages_elsewhere_need_leave(running):
    study = running(origins=("https://lab.example", "null"))
    session = "ab" * 16
    row = study.answer(session, 3, observer="o1", slot=1)
    evil = {"Origin": "https://evil.example"}
    assert study.ask("OPTIONS", "/answers", **evil)[0] == 403
    assert study.post("/answers", {"answers": [row]}, **evil)[0] == 403
    assert study.post("/answers", {"answers": [row]})[0] == 400  # nobody has handed that out
    lab = {"Origin": "https://lab.example"}
    assert study.ask("OPTIONS", "/answers", **lab)[0] == 204
    assert study.headers["Access-Control-Allow-Origin"] == "https://lab.example"
    assert study.post("/answers", {"answers": [row]}, **lab) == (200, {"stored": 1, "known": 0})
    assert study.post("/answers", {"answers": [row]}, Origin="null") == (200, {"stored": 0, "known": 1})
    (found,) = study.rows()
    assert found["observer"] == "o1" and found.items() >= study.study.row(study.study.trials[1][2]).items()
    assert study.post("/answers", {"answers": [study.answer("cd" * 16, 1, slot=99)]}, **lab)[0] == 400
    own = {"Origin": f"http://127.0.0.1:{study.port}"}
    assert study.post("/session", {"study": study.study.id, "observer": "me"}, **own)[0] == 200


def test_other_names_and_forms_do_not_reach_a_server_of_this_machine(running):
    study = running()
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example"):
        assert study.ask("GET", "/", Host=host)[0] == 403
    for host in ("localhost", "LOCALHOST:1234", "[::1]:80"):
        assert study.ask("GET", "/", Host=host)[0] == 200
    body = json.dumps({"study": study.study.id, "observer": "me"}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert study.ask("POST", "/session", body, **{"Content-Type": kind})[0] in (400, 415)
    everywhere = running(host="0.0.0.0")
    assert everywhere.ask("GET", "/", Host="lab.example")[0] == 200


def test_what_cannot_be_stored_is_not_confirmed(running, monkeypatch):
    study = running()
    session = study.begin()
    study.post("/next", {"session": session})

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(answer_store, "add_answer", full)
    assert study.post("/answers", {"answers": [study.answer(session, 1)]})[0] == 503
    monkeypatch.undo()
    assert study.post("/answers", {"answers": [study.answer(session, 1)]})[0] == 200


def test_an_active_study_asks_what_says_most(running):
    """Trees over all conditions of every source, chosen again when few are left, by what was answered until then."""
    study = running(design="active", test=10, catch=0, training=0)
    news, hand_out = asyncio.Event(), study.service.hand_out
    advising = asyncio.run_coroutine_threadsafe(server.advise(study.service, news), study.loop)

    def suggested(known=()):
        for _ in range(1200):
            if hand_out.suggested and hand_out.suggested != known:
                return list(hand_out.suggested)
            time.sleep(.05)
        raise AssertionError(advising)

    first = suggested()
    sources = [hand_out.comparisons[number].source for number in first]
    assert len(set(first)) == 6 and sources.count(0) == sources.count(1) == 3  # 4 conditions, 2 sources
    for source in (0, 1):
        chosen = [hand_out.comparisons[number] for number in first]
        reached, pairs = {0}, [{one.first, one.second} for one in chosen if one.source == source]
        for _ in pairs:
            reached |= set().union(*(pair for pair in pairs if pair & reached))
        assert reached == {0, 1, 2, 3}
    session, given = study.begin(), []
    for _ in range(5):
        number, _, source, left, _, right, _ = study.post("/next", {"session": session})[1]["trials"][0]
        given.append(hand_out.comparisons.index((source, *sorted((left, right)))))
        study.post("/answers", {"answers": [study.answer(session, number)]})
    assert set(given) <= set(first) and len(set(given)) == 5
    study.loop.call_soon_threadsafe(news.set)
    assert len(suggested(list(hand_out.suggested))) == 6
    advising.cancel()


def test_sites_that_name_other_files_are_refused(make_site, tmp_path):
    make_site(tmp_path / "site")
    study = site.read_site(tmp_path / "site")
    for name in ("../secret.png", "/etc/passwd", "images/../data.js", "images/99999.png"):
        study.images[0]["file"] = name
        with pytest.raises(ValueError, match="is damaged"):
            server.list_files(study, tmp_path / "site")
