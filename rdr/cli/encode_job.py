"""One image as a job: read, encoded, decoded again and compared, in whichever process; and a process that does jobs.

    python -m rdr.cli.encode_job

reads jobs from its standard input and writes what became of them to its standard output, both pickled; `rdr encode`
starts it, and it ends when its input does. Whoever gave a job writes the message.
"""

import contextlib
import os
import pathlib
import pickle
import queue
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO, Any, NamedTuple

import numpy as np

from rdr import locks
from rdr.cli import reports
from rdr.cli.codec_options import GOALS, Config, overfitted_options, target_bytes
from rdr.cli.outcome import Outcome
from rdr.codecs import overfitted
from rdr.codecs.image import messages as amortized
from rdr.data.image_io import read_image
from rdr.training.loop import one_bar

PATIENCE = 60.0  # seconds for which a job waits for a process that is losing the same job


class Job(NamedTuple):
    """An image to be encoded.

    Attributes:
      name: of the image.
      source: the image's file.
      target: the message's file, which is locked meanwhile.
      directory: where the progress of a fit is kept; whoever has written the message may remove it.
      config: how.
    """

    name: str
    source: pathlib.Path
    target: pathlib.Path
    directory: pathlib.Path
    config: Config


class Done(NamedTuple):
    """What became of a job.

    Attributes:
      name: of the image.
      shape: of the image; empty if it was refused.
      message: of the image.
      outcome: what it is worth.
      refused: why there is none; empty if there is one.
    """

    name: str
    shape: tuple[int, ...] = ()
    message: bytes = b""
    outcome: Outcome = Outcome()
    refused: str = ""


def read(file: pathlib.Path, config: Config) -> np.ndarray:
    """Reads an image as a codec takes it.

    Args:
      file: the image.
      config: how it will be encoded.

    Returns:
      uint8 or uint16 [height, width, channels].

    Raises:
      ValueError: if it cannot be read.
    """
    return read_image(file, depth="eight" if config.checkpoint else "keep", color=config.color)


def encode_images(images: Sequence[np.ndarray], config: Config, directory: pathlib.Path) -> list[bytes]:
    """Encodes images of one size.

    Args:
      images: [height, width, channels] each; one, or several that fit into one tile each.
      config: how.
      directory: where the progress of a fit is kept; whoever has written the messages may remove it.

    Returns:
      The messages.

    Raises:
      ValueError: if an image or an option is refused, or the progress belongs to something else.
    """
    if config.checkpoint:
        level = config.level if config.quality == GOALS["quality"] else config.quality / 100
        return [amortized.encode_image(image, config.checkpoint, level=level, size=target_bytes(config, image.shape),
                                       psnr=config.psnr or None, realism=config.realism) for image in images]
    options = overfitted_options(config, images[0].shape)
    with one_bar():
        if len(images) == 1:
            return [overfitted.encode(images[0], options, tile=config.tile or None, directory=directory)]
        return overfitted.encode_batch(images, options, directory=directory)


def run(job: Job) -> Done:
    """Encodes one image, and compares it with what its message decodes to.

    Args:
      job: the image.

    Returns:
      The message, or why the image was refused.
    """
    started = time.perf_counter()
    try:
        with _locked(job.target):
            image = read(job.source, job.config)
            [message] = encode_images([image], job.config, job.directory)
            seconds = time.perf_counter() - started
            decoded = reports.decode(message, job.config.checkpoint, job.config.realism,
                                     max_pixels=image.shape[0] * image.shape[1])  # its own message is trusted
    except ValueError as error:
        return Done(job.name, refused=str(error))
    return Done(job.name, image.shape, message, reports.measure(image, message, decoded, seconds))


@contextlib.contextmanager
def _locked(target: pathlib.Path) -> Iterator[None]:
    """Holds a file; a process that died with the job may take a moment to let go of it."""
    with contextlib.ExitStack() as stack:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                stack.enter_context(locks.exclusive(target))
                break
            except ValueError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.1)
        yield


def serve(jobs: IO[bytes], answers: IO[bytes]) -> None:
    """Does jobs until there are no more, and ends the process at once if they end while one is done.

    Args:
      jobs: pickled jobs.
      answers: gets a pickled `Done` for each, or the error that is no fault of the image.
    """
    waiting: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
    answered: list[str] = []

    def listen() -> None:
        given = 0
        with contextlib.suppress(EOFError, OSError):
            while True:
                job = pickle.load(jobs)
                given += 1
                waiting.put(job)
        if len(answered) < given:  # whoever wanted the answer is gone
            os._exit(1)
        waiting.put(None)

    threading.Thread(target=listen, daemon=True).start()
    while (job := waiting.get()) is not None:
        answer: Any
        try:
            answer = run(job)
        except (OSError, MemoryError, ModuleNotFoundError) as error:
            answer = error
        answered.append(job.name)
        pickle.dump(answer, answers)
        answers.flush()


def main() -> None:
    """Does the jobs of standard input; what is printed meanwhile goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError):
        serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
