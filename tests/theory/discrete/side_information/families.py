"""The four families of recorded problems, each solved by one program for 500 of them in a row."""

import functools
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from theory import discrete

COUNT = 500
FIELDS = ("joint", "distortion_matrix", "distortion", "perception")


def _wyner_ziv(joint, matrix, distortion, perception):
    return discrete.wyner_ziv_rate_distortion(joint, matrix, distortion=distortion)


def _conditional(joint, matrix, distortion, perception):
    return discrete.conditional_rate_distortion(joint, matrix, distortion=distortion)


def _conditional_marginal(joint, matrix, distortion, perception):
    return discrete.conditional_rate_distortion_perception(
        joint, matrix, distortion=distortion, perception=perception, divergence="kl", realism="marginal")


def _remote(joint, matrix, distortion, perception):
    return discrete.remote_rate_distortion_perception(
        joint, matrix, distortion=distortion, perception=perception, divergence="tv")


FAMILIES = {"wyner_ziv": _wyner_ziv, "conditional": _conditional, "conditional_marginal": _conditional_marginal,
            "remote": _remote}


@functools.cache
def recorded(family):
    """Problems, and the oracle's rates and whether it calls them accurate."""
    with np.load(pathlib.Path(__file__).parent / "data" / "oracle.npz") as data:
        arrays = [data[f"{family}_{name}"] for name in FIELDS]
        return arrays, data[f"{family}_rate"], data[f"{family}_exact"]


@functools.cache
def _program(family):
    def solve(*problem):
        def rate(*problem):
            result = FAMILIES[family](*problem)
            return result.rate, result

        gradients, result = jax.grad(rate, argnums=(0, 1, 2, 3), has_aux=True)(*problem)
        return result, gradients

    def one(problem, wanted):
        nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), jax.eval_shape(solve, *problem))
        return jax.lax.cond(wanted, lambda: solve(*problem), lambda: nothing)

    # One after the other: each stops when it is done, and those that only fill up take no time.
    return jax.jit(lambda count, *problems: jax.lax.map(
        lambda pair: one(*pair), (problems, jnp.arange(COUNT) < count)))


def solve(family, *problem):
    """Results and gradients, with the given leading axis, by the program for 500."""
    count = len(problem[0])
    padded = [np.concatenate([x, np.repeat(np.asarray(x)[-1:], COUNT - count, 0)]) for x in map(np.asarray, problem)]
    result, gradients = _program(family)(count, *padded)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[:count], (result, gradients))
