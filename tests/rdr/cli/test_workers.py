"""Images encoded by several processes, here and on a cluster: the same bytes, whatever happens to the processes."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

from rdr.cli import encode_job, workers
from rdr.cli.codec_options import Config
from rdr.cli.encode_job import Job
from rdr.codecs import overfitted

FLAGS = ("--steps=200", "--rd_lambda=0.3")  # chunks of 40


# A process in which fits take a tenth of a second a step, are saved after each, and make messages without a fit.
SLOW = """
import json, sys, time
sys.path[:] = json.loads(sys.argv[1])
from rdr.cli import encode_job
from rdr.codecs import overfitted
from tests.image_codec_fixtures import unfitted_message
def encode(image, options, *, tile, directory):
    saved = directory / "fit" / "metrics.jsonl"
    saved.parent.mkdir(parents=True, exist_ok=True)
    for step in range(len(saved.read_text().splitlines()) if saved.exists() else 0, STEPS):
        with open(saved, "a") as stream:
            stream.write("{}\\n")
        time.sleep(0.1)
    return unfitted_message(image, options)
overfitted.encode = encode
encode_job.main()
"""


@pytest.fixture(autouse=True, scope="module")
def _shared_programs():
    """Processes here compile the same programs: the first keeps each of them for the others, however short it took."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        yield


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A folder with three images of 24 x 24 and one that is broken."""
    folder = tmp_path_factory.mktemp("images")
    rows, columns = np.mgrid[:24, :24]
    for index, name in enumerate("abc"):
        waves = 128 + 90 * np.sin(rows / (3 + index)) * np.cos(columns / 4)
        Image.fromarray(waves.astype(np.uint8)).save(folder / f"{name}.png")
    return folder


@pytest.fixture(scope="module")
def unfitted(images, rdr, tmp_path_factory, without_fits):
    """The messages that this process makes without fits."""
    folder = tmp_path_factory.mktemp("unfitted") / "out"
    with without_fits():
        assert rdr("encode", images, folder) == 0
    return messages(folder)


@pytest.fixture(scope="module")
def alone(images, rdr, tmp_path_factory):
    """The messages that one process makes."""
    folder = tmp_path_factory.mktemp("alone") / "out"
    assert rdr("encode", images, folder, *FLAGS, "--jobs=1") == 0
    return messages(folder)


def messages(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.rdr")}


class Watch(threading.Thread):
    """Looks at the progress of fits, and does something once when the first has a checkpoint, of so many at most."""

    def __init__(self, folder, then, most=4):
        super().__init__(daemon=True)
        self.most = most
        self.folder, self.then, self.acted, self.lost, self.over = folder, then, False, 0, False

    def run(self):
        known = {}
        while not self.over:
            for progress in self.folder.glob("*.progress"):
                with contextlib.suppress(OSError):
                    lines = len((progress / "fit" / "metrics.jsonl").read_text().splitlines())
                    self.lost = max(self.lost, known.get(progress, 0) - lines)
                    known[progress] = max(lines, known.get(progress, 0))
                    if not self.acted and 1 <= lines <= self.most:
                        self.acted = self.then(progress)
            time.sleep(0.005)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.join()


def children(parent=None):
    """Processes that do jobs for a process: those that hold no lock yet, too."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):
            fields = (path / "stat").read_text().rsplit(")", 1)[1].split()
            words = (path / "cmdline").read_bytes()
            if int(fields[1]) == (parent or os.getpid()) and b"encode_job.main()" in words and fields[0] != "Z":
                found.append(int(path.name))
    return found


needs_proc = pytest.mark.skipif(not pathlib.Path("/proc/self/stat").exists(), reason="looks into /proc")


def test_a_process_fits_an_image(rdr, tmp_path):
    (tmp_path / "in").mkdir()
    waves = np.uint8(128 + 90 * np.add.outer(np.sin(np.arange(16) / 3), np.cos(np.arange(16) / 4)) / 2)
    Image.fromarray(waves).save(tmp_path / "in" / "a.png")
    assert rdr("encode", tmp_path / "in", tmp_path / "out", *FLAGS, "--jobs=1") == 0
    decoded = overfitted.decode((tmp_path / "out" / "a.rdr").read_bytes())[:, :, 0]
    assert np.square(decoded - waves.astype(float)).mean() < waves.var() / 2


@needs_proc
@pytest.mark.parametrize("fits", ["slow", pytest.param("real", marks=pytest.mark.stress)])
def test_two_processes_make_what_one_makes_though_one_is_killed(fits, images, rdr, tmp_path, capsys, monkeypatch,
                                                                request):
    def kill_one(_):
        os.kill(children()[0], signal.SIGKILL)
        return True

    expected = request.getfixturevalue("alone" if fits == "real" else "unfitted")
    if fits == "slow":
        monkeypatch.setattr(workers, "_START", SLOW.replace("STEPS", "12"))
    with Watch(tmp_path / "out", kill_one) as watch:
        assert rdr("encode", images, tmp_path / "out", *FLAGS, "--jobs=2") == 0
    assert messages(tmp_path / "out") == expected and sorted(expected) == ["a.rdr", "b.rdr", "c.rdr"]
    assert watch.acted and watch.lost <= 1  # checkpoints: a chunk of steps
    assert children() == []
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*sorted(expected), "config.json",
                                                                            "pictures.json"]
    assert rdr("encode", images, tmp_path / "out", *FLAGS, "--jobs=2") == 0
    assert "a: is there already" in capsys.readouterr().out


def test_broken_images_are_listed_at_the_end(images, unfitted, rdr, tmp_path, capsys, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / f"{name}.png").write_bytes((images / f"{name}.png").read_bytes())
    (tmp_path / "in" / "broken.png").write_bytes(b"nothing")

    @contextlib.contextmanager
    def local(jobs, count):
        assert count == 7
        yield (workers.Done(job.name, (24, 24, 1), unfitted[job.target.name],
                            workers_outcome(unfitted[job.target.name])) if job.name == "a" else
               workers.Done(job.name, refused="b.png cannot be read") for job in jobs)

    monkeypatch.setattr(workers, "local", local)
    assert rdr("encode", tmp_path / "in", tmp_path / "out", *FLAGS, "--jobs=7") == 1
    error = capsys.readouterr().err
    assert "2 of 3 images could not be encoded" in error and "broken.png" in error and "b.png cannot be" in error
    assert messages(tmp_path / "out") == {"a.rdr": unfitted["a.rdr"]}


def workers_outcome(message):
    from rdr.cli.outcome import Outcome

    return Outcome(len(message), 1.0, 30.0, 1.0, "")


@needs_proc
def test_an_interrupted_command_ends_its_processes(images, tmp_path):
    start = SLOW.replace("STEPS", "6000")  # no fit is over before it is interrupted
    code = f"import sys; from rdr.cli import main, workers; workers._START = {start!r}; sys.exit(main.main(sys.argv))"
    command = [sys.executable, "-c", code, "encode", str(images), str(tmp_path / "out"), "--jobs=2"]
    # Where the suite runs in the background of a shell, interruptions are ignored by what it starts.
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    found = []

    def interrupt(_):
        found.extend(children(process.pid))
        process.send_signal(signal.SIGINT)
        return True

    with Watch(tmp_path / "out", interrupt):
        _, error = process.communicate(timeout=300)
    assert process.returncode == 130 and "the same command goes on from what was saved" in error
    assert len(found) == 2 and not any(pathlib.Path(f"/proc/{pid}").exists() for pid in found)


def test_processes_that_always_die_are_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "_START", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    job = Job("x", tmp_path / "x.png", tmp_path / "x.rdr", tmp_path / "progress", Config())
    with workers.local([job], 4) as results:
        [done] = results
    assert "the process that encoded x died 3 times (Killed)" in done.refused


def test_workers_have_one_thread_and_are_closed_for_good(tmp_path):
    environment = workers.environment()
    assert environment["NPROC"] == "1" and "--xla_cpu_multi_thread_eigen=false" in environment["XLA_FLAGS"]
    worker = workers.Worker()
    worker.close()
    job = Job("x", tmp_path / "x.png", tmp_path / "x.rdr", tmp_path / "progress", Config())
    assert worker.run(job).refused == "x was given up"


@pytest.mark.parametrize(("flags", "words"), [
    (("--jobs=-1",), "--jobs must be positive"), (("--jobs=2", "--scheduler=x"), "two places"),
])
def test_wrong_places_are_refused(images, flags, words, rdr, tmp_path, capsys):
    assert rdr("encode", images, tmp_path / "out", *flags) == 2
    assert words in capsys.readouterr().err
    assert rdr("encode", images / "a.png", tmp_path / "out", "--jobs=2") == 2
    assert "--jobs is for folders" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_a_missing_package_is_named(images, rdr, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert rdr("encode", images, tmp_path / "out", "--scheduler=tcp://127.0.0.1:1") == 1
    assert 'pip install "rdr-jax[cluster]"' in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.rdr"))


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed", reason="needs the package distributed: the extra `cluster`")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as found:
        yield found


def test_a_cluster_does_all_jobs_and_again_what_failed(images, unfitted, rdr, tmp_path, monkeypatch, without_fits):
    distributed = pytest.importorskip("distributed", reason="needs the package distributed: the extra `cluster`")
    done = []

    class Here(workers.Worker):
        def run(self, job):
            done.append(job.name)
            if len(done) == 2:
                raise OSError("lost")
            return encode_job.run(job)

    monkeypatch.setattr(workers, "Worker", Here)
    with without_fits(), distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False,
                                                  dashboard_address=None) as found:
        assert rdr("encode", images, tmp_path / "out", f"--scheduler={found.scheduler_address}") == 0
    assert messages(tmp_path / "out") == unfitted and len(unfitted) == 3
    assert len(done) == 4 and set(done) == set("abc")


@pytest.mark.stress
@needs_proc
def test_a_cluster_makes_what_one_process_makes_though_a_worker_is_killed(images, alone, cluster, rdr, tmp_path):
    pids = [worker["pid"] if isinstance(worker, dict) else worker.pid for worker in cluster.workers.values()]

    def kill_one(_):
        busy = [pid for pid in pids if children(pid)]
        os.kill(busy[0], signal.SIGKILL)
        return True

    with Watch(tmp_path / "out", kill_one) as watch:
        status = rdr("encode", images, tmp_path / "out", *FLAGS, f"--scheduler={cluster.scheduler_address}")
    assert status == 0 and messages(tmp_path / "out") == alone
    assert watch.acted and watch.lost <= 1
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [*sorted(alone), "config.json",
                                                                            "pictures.json"]


def test_schedulers_that_are_not_there_are_named(images, rdr, tmp_path, capsys, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="needs the package distributed: the extra `cluster`")

    def refuse(**_):
        raise OSError("timed out")

    monkeypatch.setattr(distributed, "Client", refuse)
    assert rdr("encode", images, tmp_path / "out", "--scheduler=tcp://127.0.0.1:1") == 1
    assert "there is no scheduler at 'tcp://127.0.0.1:1'" in capsys.readouterr().err
