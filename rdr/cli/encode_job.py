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
from rdr.cli import deep_images, reports
from rdr.cli.codec_options import GOALS, Config, overfitted_options, target_bytes
from rdr.cli.outcome import Outcome
from rdr.codecs import overfitted, profiled
from rdr.codecs.image import messages as amortized
from rdr.codecs.overfitted.signals import SRGB, Signal
from rdr.data.color_spaces import Profile
from rdr.data.image_io import read_image_data, read_image_header, tell_notes
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


class Source(NamedTuple):
    """An image as a codec takes it.

    Attributes:
      pixels: uint8 or uint16 [height, width, channels].
      profile: ICC profile of the pixels that the message shall have; None for sRGB, or what the signal says.
      signal: what the pixels are, and how many bits of them shall be decoded.
    """

    pixels: np.ndarray
    profile: bytes | None = None
    signal: Signal = SRGB


def read(file: pathlib.Path, config: Config) -> Source:
    """Reads an image as a codec takes it.

    High dynamic range is kept, linear light as PQ of 16 bits, where a decoder is fitted to it.

    Args:
      file: the image.
      config: how it will be encoded.

    Returns:
      The image.

    Raises:
      ValueError: if it cannot be read, or has colors that are to be kept and cannot be.
    """
    color: Any = config.color  # one of the choices of its option
    negative: Any = config.negative  # as well
    if config.checkpoint:
        _refuse_hdr(file)
    data = read_image_data(file, depth="eight" if config.checkpoint else "keep", color=color, hdr="keep",
                           negative=negative)
    try:
        pixels, signal, note = deep_images.coded(data, depth=config.depth)
        if config.checkpoint and signal != SRGB:
            raise ValueError(f"they are of {data.space.name if data.space else 'the file'}, and an amortized codec has "
                             "only sRGB and ICC profiles: let them be converted (--color=convert)")
    except ValueError as error:
        raise ValueError(f"{file} cannot keep its colors: {error}") from None
    tell_notes(file, data._replace(notes=(*data.notes, *([note] if note else []))))
    if data.profile is None:
        return Source(pixels, None, signal)
    try:
        profile = Profile(data.profile)
        if profile.is_srgb():
            return Source(pixels, None, signal)
        profiled.check_profile(data.profile, 3 if config.checkpoint else data.pixels.shape[2])
    except ValueError as error:
        raise ValueError(f"{file} cannot keep its colors ({error}): let them be converted (--color=convert)") from None
    return Source(pixels, data.profile, signal)


def _refuse_hdr(file: pathlib.Path) -> None:
    space = read_image_header(file, hdr="keep").space
    if space is not None and space.hdr:
        raise ValueError(f"{file} has high dynamic range ({space.name}), which an amortized codec has not: let a "
                         "decoder be fitted to it, without --checkpoint")


def profile_bytes(image: Source, config: Config) -> int:
    """Counts what a profile adds to a message for which a number of bytes was asked for.

    Args:
      image: with its profile.
      config: how it will be encoded.

    Returns:
      The bytes, or one more; 0 without a profile, or if any number will do.

    Raises:
      ValueError: if the profile alone takes all that was asked for.
    """
    size = target_bytes(config, image.pixels.shape)
    if size is None or image.profile is None:
        return 0
    height, width, channels = image.pixels.shape
    shape = (1, height, width, 3) if config.checkpoint else (height, width, channels)
    taken = profiled.overhead(image.profile, shape, size)
    if taken >= size:
        raise ValueError(f"its color profile takes {taken} of the {size} bytes that were asked for: ask for more, or "
                         "let colors be converted (--color=convert)")
    return taken


def encode_images(images: Sequence[Source], config: Config, directory: pathlib.Path) -> list[bytes]:
    """Encodes images of one size.

    Args:
      images: one, or several of one signal that fit into one tile each, whose profiles have one length if bytes are
        asked for.
      config: how.
      directory: where the progress of a fit is kept; whoever has written the messages may remove it.

    Returns:
      The messages.

    Raises:
      ValueError: if an image or an option is refused, or the progress belongs to something else.
    """
    messages = _encode_pixels([image.pixels for image in images], profile_bytes(images[0], config), config, directory,
                              images[0].signal)
    return [profiled.wrap(message, image.profile) for message, image in zip(messages, images)]


def _encode_pixels(images: list[np.ndarray], taken: int, config: Config, directory: pathlib.Path, signal: Signal
                   ) -> list[bytes]:
    """Encodes pixels to as many bytes as are asked for less those that are taken."""
    if config.checkpoint:
        level = config.level if config.quality == GOALS["quality"] else config.quality / 100
        sizes = [target_bytes(config, image.shape) for image in images]
        return [amortized.encode_image(image, config.checkpoint, level=level, size=size and size - taken,
                                       psnr=config.psnr or None, realism=config.realism)
                for image, size in zip(images, sizes)]
    options = overfitted_options(config, images[0].shape)._replace(signal=signal)
    if options.size is not None:
        options = options._replace(size=options.size - taken)
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
            pixels = image.pixels
            decoded = reports.decode(message, job.config.checkpoint, job.config.realism,
                                     max_pixels=pixels.shape[0] * pixels.shape[1])  # its own message is trusted
    except ValueError as error:
        return Done(job.name, refused=str(error))
    return Done(job.name, pixels.shape, message, reports.measure(pixels, message, decoded, seconds,
                                                                           scale=image.signal.transfer))


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
