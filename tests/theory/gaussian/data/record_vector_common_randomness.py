"""Records what a conic solver says about Gaussian vectors with limited common randomness.

    python tests/theory/gaussian/data/record_vector_common_randomness.py

Needs cvxpy and Clarabel, which the package does not: recorded with cvxpy 1.9.3, Clarabel 0.11.1 and numpy, seed 0, on a
CPU. 500 instances of four components; distortions are of P = 0 (one exponential-cone program) and of a random P (the
largest, over s, of a lower bound that is one such program for each s, by bounded scalar search, and the distortion of
the code found there: two sides).
"""

import pathlib

import cvxpy as cp
import numpy as np
from scipy import optimize

COUNT, SIZE = 500, 4


class Program:
    """min sum lam ((1 - s) e^{-2r} + 2 s (1 - sqrt(A B))) under both budgets, in nats, for a parameter s."""

    def __init__(self):
        self.sent, self.known = cp.Variable(SIZE, nonneg=True), cp.Variable(SIZE, nonneg=True)
        self.plain, self.lam = cp.Parameter(SIZE, nonneg=True), cp.Parameter(SIZE, nonneg=True)
        self.budgets = cp.Parameter(2, nonneg=True)
        a, b, f = (cp.Variable(SIZE, nonneg=True) for _ in range(3))
        joint = [f[i] <= cp.geo_mean(cp.hstack([a[i], b[i]])) for i in range(SIZE)]
        limits = [a <= 1 - cp.exp(-2 * self.sent), b <= 1 - cp.exp(-2 * self.known),
                  cp.sum(self.sent) <= self.budgets[0], cp.sum(self.known) <= self.budgets[1]]
        self.program = cp.Problem(cp.Maximize(self.lam @ f + self.plain @ a), joint + limits)

    def solve(self, s, lam, budgets):
        """The minimum, and the nats r and t that reach it."""
        self.lam.value, self.plain.value, self.budgets.value = 2 * s * lam, (1 - s) * lam, budgets
        self.program.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
        return (1 + s) * lam.sum() - self.program.value, self.sent.value, self.known.value


def reached(sent, known, lam, budgets, p):
    """The distortion of a split, brought within the budgets."""
    sent, known = np.maximum(sent, 0), np.maximum(known, 0)
    sent, known = sent * min(1, budgets[0] / sent.sum()), known * min(1, budgets[1] / known.sum())
    a, b = 1 - np.exp(-2 * sent), 1 - np.exp(-2 * known)
    gap = np.sum(lam * (1 + a - 2 * np.sqrt(a * b)))
    return np.sum(lam * (1 - a)) + max(np.sqrt(gap) - np.sqrt(p), 0) ** 2


def main():
    """Writes the file beside this one."""
    rng = np.random.default_rng(0)
    lam = 10 ** rng.uniform(-2, 1, (COUNT, SIZE))
    rate, shared = 10 ** rng.uniform(-1.3, 1, COUNT), 10 ** rng.uniform(-1.3, 1, COUNT)
    perception = lam.sum(1) * 10 ** rng.uniform(-3, -0.3, COUNT)
    program, found = Program(), []
    for row in range(COUNT):
        budgets = np.log(2) * np.array([rate[row], rate[row] + shared[row]])
        p, variances = perception[row], lam[row]
        perfect = program.solve(1.0, variances, budgets)

        def low(s, p=p, variances=variances, budgets=budgets):
            return program.solve(s, variances, budgets)[0] - p * s / (1 - s)

        best = optimize.minimize_scalar(lambda s: -low(s), bounds=(1e-6, 1 - 1e-6), method="bounded",
                                        options={"xatol": 1e-6, "maxiter": 25})
        _, sent, known = program.solve(best.x, variances, budgets)
        found.append((perfect[0], -best.fun, reached(sent, known, variances, budgets, p)))
        print(row, found[-1], flush=True)
    perfect, lower, upper = np.array(found).T
    np.savez_compressed(
        pathlib.Path(__file__).with_name("vector_common_randomness.npz"), eigenvalues=lam, rate=rate,
        common_randomness=shared, perception=perception, perfect=perfect, lower=lower, upper=upper)


if __name__ == "__main__":
    main()
