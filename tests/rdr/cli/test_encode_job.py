"""One image as a job, and the process that does jobs."""

import io
import json
import os
import pickle
import threading

import pytest
from PIL import Image

from rdr import locks
from rdr.cli import encode_job
from rdr.cli.codec_options import Config
from rdr.cli.encode_job import Job
from rdr.codecs import overfitted


@pytest.fixture
def job(tmp_path, small_image, encoded, monkeypatch):
    """An image whose fit takes no time: its message is the one of `encoded`."""
    Image.fromarray(small_image).save(tmp_path / "in.png")
    message = (encoded / "out.rdr").read_bytes()
    monkeypatch.setattr(overfitted, "encode", lambda *_, directory, **__: directory.mkdir() or message)
    return Job("in", tmp_path / "in.png", tmp_path / "out.rdr", tmp_path / "out.progress", Config())


def test_a_job_brings_a_message_and_what_it_is_worth(job, encoded):
    done = encode_job.run(job)
    message = (encoded / "out.rdr").read_bytes()
    assert done.message == message and done.shape == (17, 3, 1) and done.outcome.bytes == len(message)
    assert not done.refused and job.directory.is_dir() and not job.target.exists()  # whoever gave it writes it


def test_broken_images_are_refused_with_their_reason(job):
    job.source.write_bytes(b"nothing")
    done = encode_job.run(job)
    assert "in.png" in done.refused and not done.message and done.name == "in"


def test_a_job_waits_for_whoever_is_losing_it(job, monkeypatch):
    with locks.exclusive(job.target):
        monkeypatch.setattr(encode_job, "PATIENCE", 0.05)
        assert "another process is writing to" in encode_job.run(job).refused
    monkeypatch.setattr(encode_job, "PATIENCE", 60.0)
    held = locks.exclusive(job.target)
    held.__enter__()
    threading.Timer(0.3, held.__exit__, (None, None, None)).start()
    assert not encode_job.run(job).refused


def test_qualities_are_levels_of_amortized_codecs(small_codec, tmp_path):
    config = {"checkpoint": str(small_codec / "codec.npz")}
    [image] = [encode_job.read(small_codec / "images" / "a.png", Config(**config))]
    for quality, level in ((0.0, 0.0), (100.0, 1.0)):
        by_quality, by_level = (encode_job.encode_images([image], Config(**config, **goal), tmp_path)
                                for goal in ({"quality": quality}, {"level": level}))
        assert by_quality == by_level


def test_jobs_are_answered_in_turn_and_faults_of_the_machine_are_told(job, monkeypatch):
    (jobs_read, jobs_write), (answers_read, answers_write) = os.pipe(), os.pipe()
    jobs, answers = os.fdopen(jobs_write, "wb"), os.fdopen(answers_read, "rb")
    serving = threading.Thread(target=encode_job.serve,
                               args=(os.fdopen(jobs_read, "rb"), os.fdopen(answers_write, "wb")), daemon=True)
    serving.start()

    def ask(one):
        pickle.dump(one, jobs)
        jobs.flush()
        return pickle.load(answers)

    assert ask(job).name == "in"
    job.directory.rmdir()
    assert ask(job._replace(name="again")).name == "again"

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(overfitted, "encode", full)
    assert isinstance(ask(job), OSError)
    jobs.close()
    serving.join(20)
    assert not serving.is_alive()  # it ends by itself, as nobody waits for an answer


def test_a_process_without_anyone_to_answer_to_ends(job, monkeypatch):
    ended = threading.Event()

    def end(status):
        ended.set()

    monkeypatch.setattr(os, "_exit", end)
    monkeypatch.setattr(overfitted, "encode", lambda *_, **__: ended.wait(20) and json.loads(""))
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as jobs:
        thread = threading.Thread(target=encode_job.serve, args=(os.fdopen(reader, "rb"), io.BytesIO()), daemon=True)
        thread.start()
        pickle.dump(job, jobs)
    assert ended.wait(20)
