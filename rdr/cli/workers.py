"""Processes that encode images beside each other: of this machine, or of a cluster by dask.distributed.

Each has one thread, so that a message does not depend on how many there are, nor on where they are. A process that
dies loses the steps since its last checkpoint: a new one goes on from there.
"""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import pickle
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from rdr.cli import compilation_cache
from rdr.cli.encode_job import Done, Job

MAX_DEATHS = 3  # of processes with one job
_START = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from rdr.cli import encode_job; encode_job.main()"
_ONE_THREAD = {  # NPROC: threads of XLA's pool; the others: of NumPy's matrix products
    "NPROC": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
}


def environment() -> dict[str, str]:
    """Makes the environment of a process with one thread.

    Returns:
      This process's, with what XLA, NumPy and the progress bar read.
    """
    flags = compilation_cache.with_quick_emitters(os.environ.get("XLA_FLAGS", ""))
    flags = f"{flags} --xla_cpu_multi_thread_eigen=false".strip()
    return {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", **os.environ, **_ONE_THREAD, "XLA_FLAGS": flags,
            "TQDM_DISABLE": "1"}


class Worker:
    """A process that does one job after the other; it is started with the first, and again if it died."""

    def __init__(self):
        """Makes a worker without a process."""
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.closed = False

    def _start(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self.closed:
                return None
            if self._process is None or self._process.poll() is not None:
                command = [sys.executable, "-c", _START, json.dumps([path or os.getcwd() for path in sys.path])]
                # In a session of its own, so that Ctrl-C reaches only the one who gave the jobs.
                self._process = subprocess.Popen(command, env=environment(), stdin=subprocess.PIPE,
                                                 stdout=subprocess.PIPE, start_new_session=True)
            return self._process

    def run(self, job: Job) -> Done:
        """Does a job.

        Args:
          job: the image.

        Returns:
          What became of it; refused, too, if its process died three times, or the worker was closed.

        Raises:
          OSError: or another error that is no fault of the image.
        """
        died = ""
        for _ in range(MAX_DEATHS):
            process = self._start()
            if process is None:
                return Done(job.name, refused=f"{job.name} was given up")
            assert process.stdin is not None and process.stdout is not None
            try:
                pickle.dump(job, process.stdin)
                process.stdin.flush()
                answer = pickle.load(process.stdout)
            except (EOFError, OSError, pickle.UnpicklingError):
                process.kill()
                status = process.wait()
                died = signal.strsignal(-status) or "" if status < 0 else f"status {status}"
                continue
            if isinstance(answer, BaseException):
                raise answer
            return answer
        return Done(job.name, refused=f"the process that encoded {job.name} died {MAX_DEATHS} times ({died})")

    def close(self) -> None:
        """Ends the process, whatever it does."""
        with self._lock:
            self.closed = True
            if self._process is not None:
                self._process.kill()
                self._process.wait()


@contextlib.contextmanager
def local(jobs: Sequence[Job], count: int) -> Iterator[Iterator[Done]]:
    """Does jobs in processes of this machine.

    Args:
      jobs: the images.
      count: of processes.

    Yields:
      What became of the jobs, in the order in which they end. All processes end with the block.
    """
    workers = [Worker() for _ in range(min(count, len(jobs)))]
    idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def run(job: Job) -> Done:
        worker = idle.get()
        try:
            return worker.run(job)
        finally:
            idle.put(worker)

    with concurrent.futures.ThreadPoolExecutor(len(workers)) as pool:
        try:
            futures = [pool.submit(run, job) for job in jobs]
            yield _progress((future.result() for future in concurrent.futures.as_completed(futures)), len(jobs))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in workers:
                worker.close()


_OF_THIS_THREAD = threading.local()
_BUSY: dict[pathlib.Path, Worker] = {}  # by the file that is made


def run_on_cluster(job: Job) -> Done:
    """Does a job on a worker of a cluster, in a process of its own that later jobs find again.

    Args:
      job: the image; its files are on a file system that all machines see.

    Returns:
      What became of it.
    """
    worker = getattr(_OF_THIS_THREAD, "worker", None)
    if worker is None or worker.closed:
        worker = _OF_THIS_THREAD.worker = Worker()
    _BUSY[job.target] = worker
    try:
        return worker.run(job)
    finally:
        _BUSY.pop(job.target, None)


def give_up(targets: Sequence[pathlib.Path]) -> None:
    """Ends the processes of jobs on a worker of a cluster.

    Args:
      targets: the files that are not to be made.
    """
    for target in targets:
        worker = _BUSY.pop(target, None)
        if worker is not None:
            worker.close()


@contextlib.contextmanager
def cluster(jobs: Sequence[Job], address: str) -> Iterator[Iterator[Done]]:
    """Does jobs on the workers of a cluster.

    Args:
      jobs: the images.
      address: of dask's scheduler, such as tcp://node1:8786, or its scheduler file.

    Yields:
      What became of the jobs, in the order in which they end. Those that are not done are given up with the block.

    Raises:
      ModuleNotFoundError: if dask.distributed is not installed.
      ValueError: if there is no scheduler at this address.
    """
    import distributed

    file = pathlib.Path(address)
    try:
        where = {"scheduler_file": str(file)} if file.is_file() else {"address": address}
        client = distributed.Client(**where, timeout=20, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"--scheduler: there is no scheduler at {address!r} ({error})") from None
    with client:
        jobs = [_absolute(job) for job in jobs]
        futures = [client.submit(run_on_cluster, job, pure=False, retries=MAX_DEATHS) for job in jobs]
        try:
            results = (future.result() for future in distributed.as_completed(futures, loop=client.loop))
            yield _progress(results, len(jobs))
        finally:
            left = [job.target for job, future in zip(jobs, futures) if not future.done()]
            if left:
                client.cancel(futures)
                client.run(give_up, left)


def _absolute(job: Job) -> Job:
    return job._replace(source=job.source.absolute(), target=job.target.absolute(), directory=job.directory.absolute())


def _progress(results: Iterator[Done], count: int) -> Iterator[Done]:
    with tqdm(total=count, unit="image") as bar:
        for done in results:
            bar.update()
            yield done
