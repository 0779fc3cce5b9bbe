"""The engine: resuming, interruptions, other numbers of devices, several processes, and values that are not finite."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.training.engine import train_on_batches
from rdr.training.step import initial_state, make_optimizer, make_step

ROOT = pathlib.Path(__file__).parents[3]
TOY = pathlib.Path(__file__).with_name("toy_run.py")


def start(directory, *options):
    environment = {name: value for name, value in os.environ.items() if name != "JAX_ENABLE_X64"}
    environment["PYTHONPATH"] = str(ROOT)
    return subprocess.Popen([sys.executable, TOY, str(directory), *options], env=environment,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(*processes):
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output


def metrics(directory):
    return [json.loads(line) for line in (directory / "metrics.jsonl").read_text().splitlines()]


def final(directory):
    with np.load(directory / "final.npz") as archive:
        return [archive[name] for name in archive.files]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    directory = tmp_path_factory.mktemp("uninterrupted")
    finish(start(directory))
    return directory


def interrupt(directory, uninterrupted, kills, seed):
    rng, killed = random.Random(seed), 0
    while killed < kills:
        process = start(directory, "--pause=0.1")
        before = (directory / "metrics.jsonl").read_text() if (directory / "metrics.jsonl").exists() else ""
        while (directory / "metrics.jsonl").exists() is False or (directory / "metrics.jsonl").read_text() == before:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.05)
        time.sleep(rng.uniform(0.0, 1.0))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            killed += 1
        else:
            finish(process)
            for path in directory.glob("metrics.jsonl"):
                path.unlink()  # it was faster than expected: begin again
            subprocess.run(["rm", "-rf", directory / "checkpoints"], check=True)
        process.communicate()
    finish(start(directory))
    assert (directory / "metrics.jsonl").read_bytes() == (uninterrupted / "metrics.jsonl").read_bytes()
    for a, b in zip(final(directory), final(uninterrupted), strict=True):
        np.testing.assert_array_equal(a, b)


def test_killed_it_ends_as_if_nothing_had_been(uninterrupted, tmp_path):
    interrupt(tmp_path, uninterrupted, 1, seed=0)


@pytest.mark.stress
def test_killed_twenty_times_it_ends_as_if_nothing_had_been(uninterrupted, tmp_path):
    for round_ in range(5):
        directory = tmp_path / str(round_)
        directory.mkdir()
        interrupt(directory, uninterrupted, 4, seed=round_ + 1)


def both(directory, *options):
    """Two processes that train as one."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
    return [start(directory, f"--coordinator=127.0.0.1:{port}", "--num_processes=2", f"--process_id={i}", *options)
            for i in range(2)]


@pytest.mark.parametrize("then", [
    pytest.param("two devices", marks=pytest.mark.stress), "two processes"])  # each with a device
def test_eight_devices_give_the_losses_of_one_and_a_run_moves_between_them(uninterrupted, tmp_path, then):
    process = start(tmp_path, "--devices=8", "--pause=0.05")
    while not (tmp_path / "metrics.jsonl").exists() or len(metrics(tmp_path)) < 12:  # 24 steps
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    process.kill()
    process.communicate()
    finish(*(both(tmp_path) if then == "two processes" else [start(tmp_path, "--devices=2")]))
    for a, b in zip(metrics(tmp_path), metrics(uninterrupted), strict=True):
        assert a["step"] == b["step"]
        # Sums over the batch in another order: a few float32 roundings, carried through 60 steps.
        np.testing.assert_allclose(a["loss"], b["loss"], rtol=2e-5)


@pytest.mark.stress  # above, two processes resume and end a run
def test_two_processes_train_checkpoint_and_resume_as_one(uninterrupted, tmp_path):
    processes = both(tmp_path, "--pause=0.1")
    while not (tmp_path / "metrics.jsonl").exists() or len(metrics(tmp_path)) < 5:
        assert all(process.poll() is None for process in processes), processes[0].communicate()[0]
        time.sleep(0.05)
    for process in processes:
        process.kill()
        process.communicate()
    finish(*both(tmp_path))
    assert len(metrics(tmp_path)) == len(metrics(uninterrupted))
    for a, b in zip(metrics(tmp_path), metrics(uninterrupted)):
        np.testing.assert_allclose(a["loss"], b["loss"], rtol=2e-5)


def toy_fit(directory, batches, *, steps=20, loss=None, **options):
    def quadratic(params, batch, key, step):
        value = jnp.mean(jnp.square(params["deep"]["w"][None, :] - batch))
        return value, {"error": value}

    optimizer = make_optimizer(learning_rate=0.1, steps=20)
    state = initial_state({"deep": {"w": jnp.zeros(3, jnp.float32)}}, optimizer)
    return train_on_batches(state, make_step(loss or quadratic, optimizer, seed=0), batches, steps=steps,
                            directory=directory, log_every=2, save_every=4, **options)


def ones(start):
    while True:
        yield np.ones((2, 3), np.float32)


def test_it_stops_at_a_value_that_is_not_finite_and_names_step_and_culprit(tmp_path):
    def batches(start):
        for i in range(start, 100):
            yield np.full((2, 3), np.nan if i == 7 else 1.0, np.float32)

    with pytest.raises(ValueError, match=r"error, gradient_norm, loss not finite at step 7; gradients of deep/w; the "
                                         r"state of step 4 is kept"):
        toy_fit(tmp_path, batches)
    # The run can go on from there once the cause is gone.
    assert int(toy_fit(tmp_path, ones).step) == 20


def test_a_gradient_that_is_not_finite_is_named_when_the_loss_is(tmp_path):
    def loss(params, batch, key, step):
        value = jnp.sum(jnp.sqrt(jnp.abs(params["deep"]["w"])))  # infinite slope at 0
        return value, {}

    with pytest.raises(ValueError, match="gradient_norm not finite at step 0; gradients of deep/w; nothing was saved"):
        toy_fit(tmp_path, ones, loss=loss)


def test_an_incompatible_checkpoint_and_bad_intervals_are_refused(tmp_path):
    toy_fit(tmp_path, ones, steps=4)
    optimizer = make_optimizer(learning_rate=0.1, steps=20)
    other = initial_state({"w": jnp.zeros(5, jnp.float32)}, optimizer)
    with pytest.raises(ValueError, match="checkpoint of step 4"):
        train_on_batches(other, None, ones, steps=20, directory=tmp_path, log_every=2, save_every=4)
    with pytest.raises(ValueError, match="save_every a multiple of log_every"):
        train_on_batches(other, None, ones, steps=20, directory=tmp_path, log_every=2, save_every=3)


def test_it_writes_a_profile_and_a_finished_run_does_nothing(tmp_path):
    first = toy_fit(tmp_path, ones, profile=True)
    assert list((tmp_path / "profile").rglob("*.xplane.pb"))
    again = toy_fit(tmp_path, ones)
    for a, b in zip(jax.tree.leaves(first), jax.tree.leaves(again)):
        np.testing.assert_array_equal(a, b)
