"""Records R(D, P) under power divergences as a cone solver finds it: power_divergences.npz.

    python record_power_divergences.py power_divergences.npz

Made with cvxpy 1.9.3 and Clarabel 0.11.1 (exponential and power cones), NumPy 2.4.6, seed 7.
Mutual information and divergence are written from their definitions, in nats; nothing of this project is imported.
"""

import sys

import cvxpy as cp
import numpy as np

ORDERS = (-1.0, -0.5, 0.25, 0.5, 0.75, 1.5, 2.0, 3.0)
COUNT, LETTERS = 500, 4


def instance(rng: np.random.Generator, order: float):
    """A source, a distortion, and limits that leave something to do."""
    p = rng.dirichlet(np.full(LETTERS, 1.5))
    if rng.random() < 0.1:
        p[rng.integers(LETTERS)] = 0.0
    p = p / p.sum()
    kind = rng.integers(3)
    points = np.sort(rng.normal(size=LETTERS))
    distortion = ((points[:, None] - points) ** 2 if kind == 0 else 1.0 - np.eye(LETTERS) if kind == 1
                  else rng.uniform(0.2, 2.0, (LETTERS, LETTERS)) * (1 - np.eye(LETTERS)))
    # Some letters are not their own best reproduction.
    if kind == 2 and rng.random() < 0.5:
        distortion = distortion + np.diag(rng.uniform(0.0, 0.3, LETTERS))
    largest = (p @ distortion).min()
    least = distortion.min(1) @ p
    d = least + (largest - least) * rng.uniform(0.1, 1.0)
    perception = np.exp(rng.uniform(np.log(1e-4), np.log(0.5)))
    return p, distortion, d, perception


def solve(p, distortion, d, perception, order):
    """The least mutual information, nats; NaN if the solver is not sure."""
    joint = cp.Variable((LETTERS, LETTERS), nonneg=True)
    q = cp.sum(joint, axis=0)
    live = np.flatnonzero(p > 0)
    product = cp.vstack([p[x] * q for x in live])
    rows = [cp.sum(joint, axis=1) == p]
    power = cp.power(q[live], order, approx=False) if order != 1 else q[live]
    total = p[live] ** (1 - order) @ power
    bound = order * (order - 1) * perception + 1
    # order (order - 1) changes its sign at 0 and 1, and so does the curvature of the power.
    divergence = [total <= bound] if order * (order - 1) > 0 else [total >= bound]
    if order > 1:
        divergence += [q[y] == 0 for y in np.flatnonzero(p == 0)]
    problem = cp.Problem(cp.Minimize(cp.sum(cp.rel_entr(joint[live], product))),
                         [*rows, *divergence, cp.sum(cp.multiply(joint, distortion)) <= d])
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10, max_iter=300)
    return problem.value if problem.status == cp.OPTIMAL else np.nan


def main(path: str) -> None:
    """Draws instances until `COUNT` of them are solved, and writes them."""
    rng = np.random.default_rng(7)
    kept = []
    tried = 0
    while len(kept) < COUNT:
        order = ORDERS[tried % len(ORDERS)]
        p, distortion, d, perception = instance(rng, order)
        tried += 1
        try:
            value = solve(p, distortion, d, perception, order)
        except cp.SolverError:
            value = np.nan
        if np.isfinite(value):
            kept.append((order, d, perception, value, p, distortion))
        if tried % 50 == 0:
            print(tried, len(kept), flush=True)
    order, d, perception, value, p, distortion = (np.array(column) for column in zip(*kept))
    np.savez_compressed(path, order=order, distortion=d, perception_nats=perception, rate_nats=value, pmf=p,
                        matrix=distortion, tried=tried)


if __name__ == "__main__":
    main(sys.argv[1])
