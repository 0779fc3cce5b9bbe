"""The command `rdr study serve`: a server for a laboratory, and the answers that it has stored."""

import asyncio
import contextlib
import csv
import dataclasses
import io
import logging
import pathlib
import signal
import sys
from collections.abc import Sequence
from typing import Any

from rdr import command_line, files, locks
from rdr.command_line import CommandLine, UsageError, option
from rdr.evaluation.studies import answer_store, site

DESCRIPTION = """
Serves a study of `rdr study make` to many observers at once, and stores their answers in an SQLite file.

    rdr study serve site --answers=answers.sqlite                        on this machine alone: http://127.0.0.1:8000
    rdr study serve site --answers=answers.sqlite --host=0.0.0.0         to everybody who reaches this machine
    rdr study serve --answers=answers.sqlite --export=answers.csv        what was answered, also while the server runs

Each trial is handed out by the study's design when somebody is there to answer it. An answer is confirmed when it is on
the disk, and counted once however often it comes; pages keep what was not confirmed, and go on when the server is back.
There is no encryption: over the internet, put a proxy with https before it. Ctrl-C ends it.
"""


@dataclasses.dataclass(frozen=True)
class Config:
    """Where it listens, and where answers go.

    Raises:
      ValueError: if a value is out of range.
    """

    answers: str = option("", "SQLite file of the answers; made where it does not exist", first=True, metavar="FILE")
    port: int = option(8000, "port to listen on; 0: a free one", first=True)
    host: str = option(
        "127.0.0.1", "address to listen on; 0.0.0.0 for every one of this machine", first=True, metavar="ADDRESS")
    export: str = option("", "write the answers to this CSV file, and do not serve", first=True, metavar="FILE")
    origins: tuple[str, ...] = option(
        (), "addresses of pages elsewhere that were made with --collect and may post here, https://lab.example; null: "
        "pages opened from a disk")
    sessions: int = option(10_000, "sessions that may begin at most")

    def __post_init__(self):
        if not 0 <= self.port < 65536:
            raise ValueError(f"--port must be from 0 to 65535, got {self.port}")
        if self.sessions < 1:
            raise ValueError(f"--sessions must be positive, got {self.sessions}")
        if not self.host:
            raise ValueError("--host must be an address")


def export(path: str, target: str) -> int:
    """Writes answers as CSV.

    Args:
      path: the SQLite file.
      target: the CSV file.

    Returns:
      The number of answers.

    Raises:
      ValueError: if there are none to read.
      OSError: if they cannot be written.
    """
    rows = answer_store.read_answers(pathlib.Path(path))
    with io.StringIO(newline="") as stream:
        writer = csv.DictWriter(stream, answer_store.COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
        files.write_text(target, stream.getvalue())
    return len(rows)


def _cell(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


async def serve(folder: pathlib.Path, config: Config) -> None:
    """Serves a study until the process is told to end.

    Args:
      folder: of the site.
      config: where it listens, and where answers go.

    Raises:
      ValueError: if the site or the file of answers cannot be used.
      OSError: if it cannot listen there.
    """
    from rdr.evaluation.studies import server

    logging.getLogger("tornado").setLevel(logging.ERROR)  # what it refuses is not worth a line each
    study = site.read_site(folder)
    store = answer_store.AnswerStore(pathlib.Path(config.answers), study.id)
    try:
        ended, news = asyncio.Event(), asyncio.Event()
        service = server.make_service(study, folder, store, host=config.host, origins=config.origins,
                                      limit=config.sessions, answered=news.set)
        advising = asyncio.create_task(_advise(service, news)) if study.settings.design == "active" else None
        listening, port = server.listen(service, config.host, config.port)
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):  # Windows: Ctrl-C interrupts instead
                asyncio.get_running_loop().add_signal_handler(number, ended.set)
        name = f"[{config.host}]" if ":" in config.host else config.host
        print(f"serving {folder} at http://{name}:{port}/, answers go to {config.answers}; Ctrl-C ends", flush=True)
        await ended.wait()
        listening.stop()
        await listening.close_all_connections()
        if advising is not None:
            advising.cancel()
    finally:
        store.close()


async def _advise(service: Any, news: asyncio.Event) -> None:
    from rdr.evaluation.studies import server

    try:
        await server.advise(service, news)
    except Exception as error:  # trials go on to be handed out, all equally often
        print(f"comparisons are not chosen by what was answered any more: {error}", file=sys.stderr, flush=True)


def run(words: Sequence[str], config: Config) -> None:
    """Serves a study, or writes its answers.

    Args:
      words: the site's folder; none with --export.
      config: where it listens, and where answers go.

    Raises:
      UsageError: if words do not fit together.
      ValueError: if the site or the answers cannot be used.
      OSError: if something cannot be written, or it cannot listen there.
    """
    if not config.answers:
        raise UsageError("--answers is missing: name the SQLite file of the answers")
    if config.export:
        print(f"{config.export}: {export(config.answers, config.export)} answers")
        return
    if len(words) != 1:
        raise UsageError("say which site is served, one folder of `rdr study make`")
    if not pathlib.Path(config.answers).resolve().parent.is_dir():
        raise ValueError(f"there is no folder for {config.answers}")
    if pathlib.Path(config.answers).resolve().is_relative_to(pathlib.Path(words[0]).resolve()):
        raise ValueError("answers must not be inside of the site, which is for everybody to read")
    with locks.exclusive(config.answers):
        asyncio.run(serve(pathlib.Path(words[0]), config))


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Args:
      argv: the command line with the program's name first; default `sys.argv`.

    Returns:
      The exit status.
    """
    def call():
        parsed = command_line.parse(
            CommandLine("rdr study serve", DESCRIPTION, {"": Config()}, None, "SITE", "none"), argv)
        run(parsed.words, parsed.config)

    return command_line.run_safely(call, interrupted="every answer that was confirmed is stored")
