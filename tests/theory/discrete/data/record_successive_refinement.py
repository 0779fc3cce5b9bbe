"""Records what a conic solver says about successive refinement on finite alphabets.

    python tests/theory/discrete/data/record_successive_refinement.py

Needs cvxpy and Clarabel, which the package does not: recorded with cvxpy 1.9.3, Clarabel 0.11.1 and numpy, seed 0, on a
CPU. 500 instances of three letters each; the value is the least
weight I(X;Y1) + I(X;Y1,Y2) + s1 E d1 + s2 E d2 in bits.
"""

import pathlib

import cvxpy as cp
import numpy as np

COUNT, SIZE = 500, 3
# Gerrish's source at p = .15: the slopes of R at D = .7, four times, and at D = .3, as our solver says.
GERRISH_SLOPES, GERRISH_WEIGHT = (4 * 0.5849625008892761, 1.6846169046928945), 4.0


def least(pmf, first, second, slopes, weight):
    """The minimum over joint laws of X, Y_1, Y_2 with the given law of X, bits."""
    joint = [cp.Variable((SIZE, SIZE), nonneg=True) for _ in range(SIZE)]  # of each x
    coarse = [cp.sum(j, axis=1) for j in joint]
    output, coarse_output = sum(joint), sum(coarse)
    total = sum(cp.sum(cp.rel_entr(joint[x], pmf[x] * output)) for x in range(SIZE))
    first_rate = sum(cp.sum(cp.rel_entr(coarse[x], pmf[x] * coarse_output)) for x in range(SIZE))
    cost = sum(slopes[0] * (coarse[x] @ first[x]) + slopes[1] * (cp.sum(joint[x], axis=0) @ second[x])
               for x in range(SIZE))
    program = cp.Problem(cp.Minimize((weight * first_rate + total) / np.log(2) + cost),
                         [cp.sum(joint[x]) == pmf[x] for x in range(SIZE)])
    program.solve(solver=cp.CLARABEL)
    return program.value


def main():
    """Writes the file beside this one."""
    rng = np.random.default_rng(0)
    pmf = rng.dirichlet(np.ones(SIZE), COUNT)
    first, second = rng.uniform(0, 1, (2, COUNT, SIZE, SIZE))
    slopes, weight = 10 ** rng.uniform(0.0, 1.2, (COUNT, 2)), rng.uniform(0.2, 4, COUNT)
    value = [least(*row) for row in zip(pmf, first, second, slopes, weight)]
    distance = np.abs(np.subtract.outer(np.arange(3), np.arange(3))).astype(float)
    gerrish = least(np.array([0.425, 0.15, 0.425]), distance, distance, GERRISH_SLOPES, GERRISH_WEIGHT)
    np.savez_compressed(pathlib.Path(__file__).with_name("successive_refinement.npz"), pmf=pmf, first=first,
                        second=second, slopes=slopes, weight=weight, value=np.array(value), gerrish=gerrish)


if __name__ == "__main__":
    main()
