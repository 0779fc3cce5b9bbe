"""A server for a laboratory: the pages of a study, trials by its design, and answers into a file."""

import asyncio
import datetime
import json
import pathlib
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tornado.httpserver
import tornado.netutil
import tornado.web

from rdr.evaluation.studies import answer_store, site
from rdr.evaluation.studies.answer_store import AnswerStore
from rdr.evaluation.studies.hand_out import HandOut, count_named, suggest
from rdr.evaluation.studies.site import Study

MAX_BYTES, MAX_ANSWERS, AHEAD = 256 * 1024, 200, 3
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OBSERVER, _SESSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}"), re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".png": "image/png",
          ".js": "text/javascript; charset=utf-8"}
_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
           "base-uri 'none'; form-action 'none'; frame-ancestors 'none'")


class Service(NamedTuple):
    """What all requests share.

    Attributes:
      study: that is served.
      files: path of a request -> content type and content, or the file that has it.
      store: of answers.
      hand_out: chooses trials.
      hosts: names that the server may be called by; empty for any.
      origins: of pages elsewhere that may post answers.
      limit: of sessions.
      answered: called after answers were stored.
    """

    study: Study
    files: dict[str, tuple[str, bytes | pathlib.Path]]
    store: AnswerStore
    hand_out: HandOut
    hosts: tuple[str, ...]
    origins: tuple[str, ...]
    limit: int
    answered: Callable[[], None]


def list_files(study: Study, folder: pathlib.Path) -> dict[str, tuple[str, bytes | pathlib.Path]]:
    """Lists what can be asked for; nothing else is ever read.

    Args:
      study: of the site.
      folder: of the site.

    Returns:
      Path of a request -> content type and content, or the file that has it.

    Raises:
      ValueError: if a file is missing, or the site names one outside of it.
    """
    names = [site.PAGE, *site.ASSETS, *(image["file"] for image in study.images)]
    files: dict[str, tuple[str, bytes | pathlib.Path]] = {}
    for name in names:
        path = folder / name
        if not re.fullmatch(r"(images/\d{5,}\.png|[a-z]+\.(html|css|js))", name) or not path.is_file():
            raise ValueError(f"{folder} is damaged: there is no file {name}")
        files[f"/{name}"] = (_TYPES[path.suffix], path)
    data = json.loads((folder / site.DATA).read_text(encoding="utf-8").split(" = ", 1)[1].rstrip().rstrip(";"))
    data["trials"] = []  # are handed out one by one
    files[f"/{site.DATA}"] = (_TYPES[".js"], site.write_data(data).encode())
    files[f"/{site.SERVER}"] = (_TYPES[".js"], b"window.STUDY_SERVER = true;\n")
    return files | {"/": files[f"/{site.PAGE}"]}


class _Handler(tornado.web.RequestHandler):
    """Headers, checks and JSON that all requests share."""

    service: Service

    def initialize(self, service: Service) -> None:
        self.service = service

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in (("Content-Security-Policy", _POLICY), ("X-Content-Type-Options", "nosniff"),
                            ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store")):
            self.set_header(name, value)

    def prepare(self) -> None:
        # A page elsewhere whose name was made to point here must not reach a server of this machine alone.
        name = re.sub(r":\d+$", "", self.request.host).strip("[]").lower()
        if self.service.hosts and name not in self.service.hosts:
            raise tornado.web.HTTPError(403, reason="Unknown host name")
        origin = self.request.headers.get("Origin")
        if origin is not None and origin in self.service.origins:
            self.set_header("Access-Control-Allow-Origin", origin)
            self.set_header("Vary", "Origin")
        elif origin not in (None, f"http://{self.request.host}", f"https://{self.request.host}"):
            raise tornado.web.HTTPError(403, reason="Unknown origin")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps({"error": self._reason}))

    def body(self) -> dict[str, Any]:
        """The request's JSON."""
        if self.request.headers.get("Content-Type", "").split(";")[0].strip() != "application/json":
            raise tornado.web.HTTPError(415, reason="JSON is needed")
        try:
            value = json.loads(self.request.body.decode("utf-8"))
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise tornado.web.HTTPError(400, reason="This is no JSON object")
        return value

    async def do(self, job: Callable[[Any], Any]) -> Any:
        """Runs a job on the store's thread; what it refuses is the caller's fault."""
        try:
            return await asyncio.wrap_future(self.service.store.run(job))
        except KeyError:
            raise tornado.web.HTTPError(404, reason="There is no such session") from None
        except ValueError as error:
            raise tornado.web.HTTPError(400, reason=str(error).capitalize()) from None
        except OSError:
            raise tornado.web.HTTPError(503, reason="Answers cannot be stored now") from None

    def reply(self, value: dict[str, Any]) -> None:
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(value))


class _File(_Handler):
    async def get(self) -> None:
        kind, content = self.service.files.get(self.request.path, ("", None))
        if content is None:
            raise tornado.web.HTTPError(404)
        if isinstance(content, pathlib.Path):
            content = await asyncio.to_thread(content.read_bytes)
        if kind == _TYPES[".png"]:
            self.set_header("Cache-Control", "private, max-age=86400")
        self.set_header("Content-Type", kind)
        self.finish(content)

    head = get


class _Session(_Handler):
    async def post(self) -> None:
        body, service = self.body(), self.service
        observer = body.get("observer")
        if body.get("study") != service.study.id:
            raise tornado.web.HTTPError(409, reason="This page is of another study: load it again")
        if not isinstance(observer, str) or not _OBSERVER.fullmatch(observer):
            raise tornado.web.HTTPError(400, reason="A code has letters, digits, dots and hyphens only")
        session = secrets.token_hex(16)
        await self.do(lambda connection: answer_store.begin_session(
            connection, session, observer, _now(), limit=service.limit))
        self.reply({"session": session, "observer": observer})


class _Screen(_Handler):
    async def post(self) -> None:
        body = self.body()
        session, screen = _session_of(body), body.get("screen")
        if not isinstance(screen, dict) or len(screen) > 12 or not all(
                _is_number(value, -1e9, 1e9) for value in screen.values()) or max(map(len, screen), default=0) > 20:
            raise tornado.web.HTTPError(400, reason="A screen has a few numbers")
        await self.do(lambda connection: connection.execute(
            "UPDATE sessions SET screen = ? WHERE session = ?", (json.dumps(screen), session)).rowcount)
        self.reply({})


class _Next(_Handler):
    async def post(self) -> None:
        body, hand_out = self.body(), self.service.hand_out
        session, refused = _session_of(body), body.get("refused", [])
        if not isinstance(refused, list) or len(refused) > 10_000 or any(type(one) is not int for one in refused):
            raise tornado.web.HTTPError(400, reason="Refused trials are a list of numbers")
        trials = await self.do(lambda connection: hand_out.next_trials(connection, session, AHEAD, set(refused)))
        self.reply({"trials": [[number, *trial] for number, trial in trials]})


class _Answers(_Handler):
    def options(self) -> None:
        # Pages elsewhere ask first; `prepare` has let those of known origins pass.
        self.set_header("Access-Control-Allow-Methods", "POST")
        self.set_header("Access-Control-Allow-Headers", "Content-Type")
        self.set_status(204)
        self.finish()

    async def post(self) -> None:
        answers, service = self.body().get("answers"), self.service
        if not isinstance(answers, list) or len(answers) > MAX_ANSWERS:
            raise tornado.web.HTTPError(400, reason=f"Answers are a list of {MAX_ANSWERS} at most")
        try:
            checked = [check_answer(service.study, answer) for answer in answers]
        except ValueError as error:
            raise tornado.web.HTTPError(400, reason=str(error)) from None
        elsewhere = self.request.headers.get("Origin") in service.origins

        def store(connection: Any) -> int:
            for answer in checked:
                if elsewhere:
                    self._note_elsewhere(connection, answer)
            return sum(answer_store.add_answer(connection, answer, _now()) for answer in checked)

        stored = await self.do(store)
        if stored:
            service.answered()
        self.reply({"stored": stored, "known": len(checked) - stored})

    def _note_elsewhere(self, connection: Any, answer: dict[str, Any]) -> None:
        """Sessions of pages elsewhere are of their own making, and so are the trials of their schedule."""
        known = connection.execute("SELECT 1 FROM sessions WHERE session = ?", (answer["session"],)).fetchone()
        if known is None:
            answer_store.begin_session(connection, answer["session"], answer["observer"], _now(),
                                       limit=self.service.limit, slot=answer["slot"])
        handed = connection.execute("SELECT 1 FROM trials WHERE session = ? AND trial = ?",
                                    (answer["session"], answer["trial"])).fetchone()
        if handed is None:
            self.service.hand_out.scheduled(connection, answer["session"], answer["trial"])


def _session_of(body: dict[str, Any]) -> str:
    session = body.get("session")
    if not isinstance(session, str) or not _SESSION.fullmatch(session):
        raise tornado.web.HTTPError(400, reason="A session is 32 hexadecimal digits")
    return session


def _is_number(value: Any, low: float, high: float) -> bool:
    return type(value) in (int, float) and low <= value <= high  # neither NaN nor whole numbers beyond every float


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def check_answer(study: Study, answer: Any) -> dict[str, Any]:
    """Takes from an answer what only the observer can know; what was shown is known here.

    Args:
      study: that is answered.
      answer: as it came.

    Returns:
      session, trial, response, response_ms, pixels_per_degree and time; observer and slot of pages elsewhere.

    Raises:
      ValueError: if something is missing, or is no such value.
    """
    if not isinstance(answer, dict):
        raise ValueError("An answer is an object")
    plan, slot, observer = study.plan, answer.get("slot"), answer.get("observer")
    responses = ("left", "right", "skip", *(("middle",) if plan.protocol == "3afc" else ()),
                 *(("notsure",) if study.settings.not_sure else ()))
    checks = {
        "study": answer.get("study") == study.id,
        "session": isinstance(answer.get("session"), str) and _SESSION.fullmatch(answer["session"]),
        "trial": type(answer.get("trial")) is int and 1 <= answer["trial"] <= plan.training + plan.test + plan.catch,
        "response": answer.get("response") in responses,
        "response_ms": _is_number(answer.get("response_ms"), 0, 1e9),
        "pixels_per_degree": _is_number(answer.get("pixels_per_degree"), 1e-3, 1e6),
        "time": isinstance(answer.get("time"), str) and _TIME.fullmatch(answer["time"]),
        "observer": isinstance(observer, str) and _OBSERVER.fullmatch(observer),
        "slot": slot is None or (type(slot) is int and 0 <= slot < 10**9),
    }
    for name, passed in checks.items():
        if not passed:
            raise ValueError(f"The answer's {name} is missing or wrong")
    return {name: answer.get(name) for name in checks if name != "study"} | {"slot": slot or 0}


def make_service(study: Study, folder: pathlib.Path, store: AnswerStore, *, host: str, origins: Sequence[str] = (),
                 limit: int = 10_000, answered: Callable[[], None] = lambda: None) -> Service:
    """Puts together what requests share.

    Args:
      study: of the site.
      folder: of the site.
      store: of answers.
      host: that the server listens on; of this machine alone, it can be called by no other name.
      origins: of pages elsewhere that may post answers, such as https://lab.example; "null" for pages from a disk.
      limit: of sessions.
      answered: called after answers were stored.

    Returns:
      The service.

    Raises:
      ValueError: if a file of the site is missing.
    """
    hosts = LOOPBACK if host in LOOPBACK else ()
    return Service(study, list_files(study, folder), store, HandOut(study), hosts, tuple(origins), limit, answered)


async def advise(service: Service, news: asyncio.Event) -> None:
    """Keeps suggestions of an active design up to date: chooses anew when few are left, beside the requests.

    Args:
      service: whose trials are handed out.
      news: is set when there may be something to do.
    """
    hand_out, store = service.hand_out, service.store
    few = (service.study.plan.conditions - 1) * service.study.plan.sources // 4
    while True:
        if len(hand_out.suggested) <= few:
            counts, waiting = await asyncio.wrap_future(store.run(
                lambda connection: count_named(connection, len(hand_out.comparisons))))
            chosen = await asyncio.to_thread(suggest, hand_out, counts, waiting)
            await asyncio.wrap_future(store.run(lambda _, chosen=chosen: setattr(hand_out, "suggested", chosen)))
        await news.wait()
        news.clear()


def listen(service: Service, host: str, port: int) -> tuple[tornado.httpserver.HTTPServer, int]:
    """Starts to answer requests, on the running event loop.

    Args:
      service: what is served.
      host: name or address to listen on.
      port: number; 0 for a free one.

    Returns:
      The server, and its port.

    Raises:
      OSError: if the port is taken, or there is no such address.
    """
    argument = {"service": service}
    application = tornado.web.Application(
        [(r"/session", _Session, argument), (r"/screen", _Screen, argument), (r"/next", _Next, argument),
         (r"/answers", _Answers, argument), (r"/.*", _File, argument)], log_function=lambda _: None)
    server = tornado.httpserver.HTTPServer(
        application, max_body_size=MAX_BYTES, max_buffer_size=2 * MAX_BYTES, max_header_size=16 * 1024,
        idle_connection_timeout=120, body_timeout=30)
    sockets = tornado.netutil.bind_sockets(port, host)
    server.add_sockets(sockets)
    return server, sockets[0].getsockname()[1]
