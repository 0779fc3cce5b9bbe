"""A small training for the tests to run in processes of its own.

    python toy_run.py DIRECTORY [--devices=N] [--pause=SECONDS] [--coordinator=.. --num_processes=.. --process_id=..]
"""

import argparse
import os
import time

parser = argparse.ArgumentParser()
parser.add_argument("directory")
parser.add_argument("--devices", type=int, default=1)
parser.add_argument("--pause", type=float, default=0.0)
parser.add_argument("--steps", type=int, default=60)
parser.add_argument("--coordinator", default="")
parser.add_argument("--num_processes", type=int, default=1)
parser.add_argument("--process_id", type=int, default=0)
flags = parser.parse_args()
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={flags.devices}"
os.environ["JAX_PLATFORMS"] = "cpu"

# The flags decide what JAX sees when it is imported.
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

from rdr import sharding  # noqa: E402
from rdr.training.engine import train_on_batches  # noqa: E402
from rdr.training.step import initial_state, make_optimizer, make_step  # noqa: E402

BATCH = 16


def loss(params, batch, key, step):
    noise = 0.1 * jax.random.normal(key, batch.shape, jnp.float32)
    error = jnp.mean(jnp.square(jnp.tanh((batch + noise) @ params["w"]) - batch[:, :2] - params["b"][None, :]))
    return error, {"error": error}


def batches(start):
    """This process's parts of the batches from a step on."""
    share = BATCH // jax.process_count()
    while True:
        rows = np.random.default_rng(start).standard_normal((BATCH, 8)).astype(np.float32)
        yield rows[jax.process_index() * share :][:share]
        time.sleep(flags.pause)
        start += 1


if __name__ == "__main__":
    sharding.initialize_distributed(flags.coordinator, flags.num_processes, flags.process_id)
    optimizer = make_optimizer(learning_rate=0.05, steps=flags.steps, warmup=5)
    params = {"w": jnp.full((8, 2), 0.1, jnp.float32), "b": jnp.zeros(2, jnp.float32)}
    final = train_on_batches(initial_state(params, optimizer), make_step(loss, optimizer, seed=3), batches,
                             steps=flags.steps, directory=flags.directory, log_every=2, save_every=4)
    if jax.process_index() == 0:
        np.savez(os.path.join(flags.directory, "final.npz"), *jax.tree.leaves(final))
