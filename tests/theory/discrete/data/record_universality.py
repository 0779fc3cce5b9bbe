"""Records what a cone solver finds for decoders of a given encoder, and for one encoder of two pairs: universality.npz.

    python record_universality.py universality.npz

Made with cvxpy 1.9.3 and Clarabel 0.11.1, NumPy 2.4.6, seed 11. The programs are written from their definitions;
nothing of this project is imported. Least rates of one encoder for two pairs are those of the joint channel
W(y1, y2 | x), whose output (Y1, Y2) can serve as the message; any message is as good as the pair made of it.
"""

import sys

import cvxpy as cp
import numpy as np

LETTERS, MESSAGES, COUNT, PAIRS = 4, 3, 500, 500
OPTIONS = {"solver": cp.CLARABEL, "tol_gap_abs": 1e-10, "tol_gap_rel": 1e-10, "tol_feas": 1e-10, "max_iter": 300}


def realism(kind: int, p, q, points, level):
    """Constraints: 0 equality, 1 total variation, 2 W2 squared, else the power divergence of order kind - 5, nats."""
    if kind == 0:
        return [q == p]
    if kind == 1:
        return [0.5 * cp.norm1(q - p) <= level]
    if kind == 2:
        plan = cp.Variable((LETTERS, LETTERS), nonneg=True)
        cost = (points[:, None] - points) ** 2
        return [cp.sum(plan, axis=1) == p, cp.sum(plan, axis=0) == q, cp.sum(cp.multiply(plan, cost)) <= level]
    order = kind - 5
    if order == 1:
        return [cp.sum(cp.rel_entr(q, p)) <= level]
    total = p ** (1 - order) @ cp.power(q, order, approx=False)
    return [total <= order * (order - 1) * level + 1]


def source(rng):
    """A source on the line, its distortion and an encoder."""
    p = rng.dirichlet(np.full(LETTERS, 1.5)) * 0.98 + 0.005
    points = np.sort(rng.normal(size=LETTERS))
    distortion = (points[:, None] - points) ** 2 if rng.random() < 0.5 else np.abs(points[:, None] - points)
    return p, points, distortion, rng.dirichlet(np.full(MESSAGES, 0.5), LETTERS)


def least(p, points, distortion, encoder, kind, level):
    """The least distortion of decoders."""
    joint = cp.Variable((MESSAGES, LETTERS), nonneg=True)
    rows = p @ encoder
    cost = ((p[:, None] * encoder).T @ distortion) / rows[:, None]
    constraints = [cp.sum(joint, axis=1) == rows, *realism(kind, p, cp.sum(joint, axis=0), points, level)]
    problem = cp.Problem(cp.Minimize(cp.sum(cp.multiply(joint, cost))), constraints)
    problem.solve(**OPTIONS)
    return problem.value if problem.status == cp.OPTIMAL else np.nan


def both(p, distortion, limits, levels):
    """The least rate, nats, of a message that serves two pairs under total variation."""
    n = len(p)
    joint = cp.Variable((n, n * n), nonneg=True)
    first = joint @ np.kron(np.eye(n), np.ones((n, 1)))
    second = joint @ np.kron(np.ones((n, 1)), np.eye(n))
    q = cp.sum(joint, axis=0)
    constraints = [cp.sum(joint, axis=1) == p]
    for part, limit, level in zip((first, second), limits, levels):
        constraints += [cp.sum(cp.multiply(part, distortion)) <= limit,
                        0.5 * cp.norm1(cp.sum(part, axis=0) - p) <= level]
    product = cp.vstack([p[x] * q for x in range(n)])
    problem = cp.Problem(cp.Minimize(cp.sum(cp.rel_entr(joint, product))), constraints)
    problem.solve(**OPTIONS)
    return problem.value if problem.status == cp.OPTIMAL else np.nan


def main(path: str) -> None:
    """Draws instances until enough of them are solved, and writes them."""
    rng = np.random.default_rng(11)
    kept, tried = [], 0
    while len(kept) < COUNT:
        kind = (0, 1, 2, 6, 4.5, 7)[tried % 6]
        p, points, distortion, encoder = source(rng)
        level = np.exp(rng.uniform(np.log(1e-4), np.log(0.3)))
        tried += 1
        value = least(p, points, distortion, encoder, kind, level)
        if np.isfinite(value):
            kept.append((kind, level, value, p, points, distortion, encoder))
    names = ("kind", "perception", "distortion", "pmf", "points", "matrix", "encoder")
    arrays = {name: np.array(column) for name, column in zip(names, zip(*kept))}
    pairs = []
    while len(pairs) < PAIRS:
        p = rng.dirichlet(np.full(4, 2.0)) * 0.9 + 0.025
        distortion = 1.0 - np.eye(4)
        limits, levels = rng.uniform(0.1, 0.5, 2), np.array([0.0, rng.uniform(0.0, 0.3)])
        value = both(p, distortion, limits, levels)
        if np.isfinite(value) and value > 1e-3:
            pairs.append((p, limits, levels, value))
    arrays |= {name: np.array(column) for name, column in zip(
        ("pair_pmf", "pair_distortions", "pair_perceptions", "pair_nats"), zip(*pairs))}
    np.savez_compressed(path, **arrays)
    print(tried, len(pairs))


if __name__ == "__main__":
    main(sys.argv[1])
