"""Makes oracle.npz: random problems with side information and their optimal rates by a conic solver.

Run once, outside of the suite, in an environment of its own: Python 3.11, cvxpy 1.9.3 with Clarabel 0.11.1, numpy
2.4.6, scipy 1.17.1 (also in the file's field `versions`); seed 20261130.

    python make_oracle.py oracle.npz

Four families of 500 problems, each solved from the definition (relative entropies of p(x, y) W(t|x) and
p(x, y) W(t|y)):

* wyner_ziv: n = 3, k = 2, 3 reproductions, nine strategies, no realism;
* conditional: n = 3, k = 2, side information at both ends, no realism;
* conditional_marginal: the same with KL(output || p_X) <= P;
* remote: 3 source letters, 4 observations, total variation between the output and p_S at most P.
"""

import itertools
import sys

import clarabel
import cvxpy as cp
import numpy as np
from scipy.optimize import linprog

COUNT, SEED = 500, 20261130


def random_joint(rng, n, k):
    joint = rng.dirichlet(np.full(n * k, 0.7)).reshape(n, k)
    joint = np.where(rng.uniform(size=joint.shape) < 0.15, 0.0, joint)
    if (joint.sum(1) == 0).any() or (joint.sum(0) == 0).any():
        return random_joint(rng, n, k)
    return joint / joint.sum()


def random_distortion(rng, n, m):
    d = np.round(rng.uniform(0.2, 1.5, (n, m)), 3)
    d[np.arange(min(n, m)), np.arange(min(n, m))] = 0.0
    return d


def solve(joint, cost, distortion, outputs=None, target=None, perception=None, divergence=None):
    """min I(X; T | Y) over W [n, m], in bits, and the solver's word for how well it went."""
    n, k = joint.shape
    letters, side = joint.sum(1), joint.sum(0)
    w = cp.Variable(cost.shape, nonneg=True)
    terms = []
    for y in range(k):
        by_side = (joint[:, y] / side[y]) @ w
        terms += [cp.sum(cp.rel_entr(joint[x, y] * w[x], joint[x, y] * by_side)) for x in range(n) if joint[x, y] > 0]
    constraints = [cp.sum(w, 1) == 1, cp.sum(cp.multiply(letters[:, None] * cost, w)) <= distortion]
    if perception is not None:
        q = sum(letters[x] * (w[x] @ outputs[x]) for x in range(n))
        if divergence == "tv":
            constraints.append(0.5 * cp.norm1(q - target) <= perception)
        else:
            constraints.append(cp.sum(cp.rel_entr(q, target)) / np.log(2) <= perception)
    problem = cp.Problem(cp.Minimize(sum(terms)), constraints)
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return problem.value / np.log(2), problem.status


def least_realistic(letters, cost, outputs, target):
    """The least distortion at P = 0, by linear programming; and that of an output that ignores the source."""
    n, m = cost.shape
    rows = np.kron(np.eye(n), np.ones(m))
    columns = (letters[:, None, None] * outputs).reshape(n * m, -1).T
    answer = linprog((letters[:, None] * cost).ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.r_[np.ones(n), target])
    return answer.fun, letters @ cost @ target


def instance(rng, family):
    """The arrays of one problem that are recorded, and its rate."""
    joint = random_joint(rng, 3, 2)
    d = random_distortion(rng, 3, 3)
    u = rng.uniform(0.02, 1.05)
    perception = 10 ** rng.uniform(-3, -0.5)
    if family == "wyner_ziv":
        given = joint / joint.sum(1, keepdims=True)
        maps = np.array(list(itertools.product(range(3), repeat=2)))
        cost = (given[:, None] * d[:, maps]).sum(-1)
        least, most = joint.sum(1) @ cost.min(1), (joint.sum(1) @ cost).min()
        distortion = least + u * (most - least)
        return (joint, d, distortion, np.inf, *solve(joint, cost, distortion))
    if family == "remote":
        joint = random_joint(rng, 3, 4)
        letters, target = joint.sum(0), joint.sum(1)
        cost = (joint / letters).T @ d
        outputs = np.tile(np.eye(3), (4, 1, 1))
        least, most = least_realistic(letters, cost, outputs, target)
        distortion = least + u * (most - least)
        rate = solve(letters[:, None], cost, distortion, outputs, target, perception, "tv")
        return (joint, d, distortion, perception, *rate)
    pairs = (joint[:, :, None] * np.eye(2)).reshape(6, 2)
    keep = pairs.sum(1) > 0
    pairs, cost = pairs[keep], np.repeat(d, 2, axis=0)[keep]
    if family == "conditional":
        least, most = 0.0, (joint.T @ d).min(1).sum()
        distortion = least + u * (most - least)
        return (joint, d, distortion, np.inf, *solve(pairs, cost, distortion))
    outputs = np.tile(np.eye(3), (len(pairs), 1, 1))
    least, most = least_realistic(pairs.sum(1), cost, outputs, joint.sum(1))
    distortion = least + u * (most - least)
    rate = solve(pairs, cost, distortion, outputs, joint.sum(1), perception, "kl")
    return (joint, d, distortion, perception, *rate)


def main(path):
    """Solves all problems and writes the file."""
    versions = f"cvxpy {cp.__version__}, clarabel {clarabel.__version__}, numpy {np.__version__}, seed {SEED}"
    arrays = {"versions": versions}
    for number, family in enumerate(("wyner_ziv", "conditional", "conditional_marginal", "remote")):
        rng = np.random.default_rng([SEED, number])
        rows = [instance(rng, family) for _ in range(COUNT)]
        for name, column in zip(("joint", "distortion_matrix", "distortion", "perception", "rate"), zip(*rows)):
            arrays[f"{family}_{name}"] = np.array(column)
        exact = np.array([row[-1] == "optimal" for row in rows])
        arrays[f"{family}_exact"] = exact
        print(family, "accurate:", exact.sum(), "of", COUNT, flush=True)
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    main(sys.argv[1])
