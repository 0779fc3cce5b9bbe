"""Results recomputed in extended precision from their channel and their dual point, outside of the solver."""

import numpy as np
from scipy.optimize import linprog

LD = np.longdouble
LN2 = np.log(LD(2))
NAMES = ("tv", "kl", "reverse_kl", "js", "chi2", "hellinger2", "w1", "w2sq")
IN_BITS = ("kl", "reverse_kl", "js")


def xlogy(x, y):
    return np.where(x > 0, x * np.log(np.where(x > 0, y, 1)), 0)


def extended_divergence(name, p, q, x):
    """delta(p, q) in the units of the public function, in extended precision."""
    p, q, x = (np.asarray(a, LD) for a in (p, q, x))
    if name == "tv":
        return np.abs(p - q).sum() / 2
    if name in ("w1", "w2sq"):
        order = np.argsort(x, kind="stable")
        p, q, x = p[order], q[order], x[order]
        if name == "w1":
            return (np.abs(np.cumsum(p - q))[:-1] * np.diff(x)).sum()
        cost, i, j, a, b = LD(0), 0, 0, p[0], q[0]
        while i < len(p) and j < len(q):
            moved = min(a, b)
            cost += moved * (x[i] - x[j]) ** 2
            a, b = a - moved, b - moved
            if a <= 0:
                i += 1
                a = p[i] if i < len(p) else LD(0)
            if b <= 0:
                j += 1
                b = q[j] if j < len(q) else LD(0)
        return cost
    r = np.where(p > 0, (q - p) / np.where(p > 0, p, 1), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # Of a tiny q, r is rounded to -1.
        log_ratio = np.where(r < -0.5, np.log(q / np.where(p > 0, p, 1)), np.log1p(r))
        if name == "kl":
            inside = np.where(q > 0, p * ((1 + r) * log_ratio - r), p)
            return np.where(p > 0, inside, np.where(q > 0, np.inf, 0)).sum() / LN2
        if name == "reverse_kl":
            return np.where(p > 0, p * (r - log_ratio), q).sum() / LN2  # inf where q is 0
        if name == "js":
            m = np.where(p > 0, r / 2, 0)
            of_p = np.where(p > 0, p * (m - np.log1p(m)), q / 2)
            inside = np.where(q > 0, p * ((1 + r) * (log_ratio - np.log1p(m)) - (r - m)), p / 2)
            of_q = np.where(p > 0, inside, q * np.log(LD(2)) - q / 2)
            return (of_p + of_q).sum() / 2 / LN2
        if name == "chi2":
            return np.where(q > 0, (p - q) ** 2 / np.where(q > 0, q, 1), np.where(p > 0, np.inf, 0)).sum()
    return ((np.sqrt(p) - np.sqrt(q)) ** 2).sum() / 2


def extended_conjugate(name, p, critic, cost):
    """An upper bound on max over pmfs q of <q, critic> - delta(p, q), in nats or units of the cost."""
    live = p > 0
    if name == "tv":
        return (p * np.maximum(critic, critic.max() - 1)).sum()
    if name in ("w1", "w2sq"):
        return (p[live] * (critic[None] - cost[live]).max(-1)).sum()
    conjugates = {  # f*, the ratio q / p - 1 that attains it, and where the domain ends
        "kl": (lambda a: np.expm1(a), lambda a: np.expm1(a), np.inf),
        "reverse_kl": (lambda a: -np.log1p(-a), lambda a: a / (1 - a), LD(1)),
        "js": (lambda a: -np.log1p(-np.expm1(2 * a)) / 2, lambda a: 2 * np.expm1(2 * a) / (1 - np.expm1(2 * a)),
               LN2 / 2),
        "chi2": (lambda a: 2 * a / (1 + np.sqrt(1 - a)), lambda a: 1 / np.sqrt(1 - a) - 1, LD(1)),
        "hellinger2": (lambda a: a / (1 - 2 * a), lambda a: 4 * a * (1 - a) / (1 - 2 * a) ** 2, LD(0.5)),
    }
    value, change, end = conjugates[name]
    top = critic[live].max() if name == "kl" else critic.max()
    # Beyond the least and the largest critic all changes have one sign; critics of tiny budgets lie close together.
    low = np.maximum(critic[live].min(), top - end)
    high = top
    with np.errstate(all="ignore"):
        for _ in range(90):
            middle = (low + high) / 2
            heavy = (p[live] * change(critic[live] - middle)).sum() > 0
            low, high = (middle, high) if heavy else (low, middle)
        return high + (p[live] * value(critic[live] - high)).sum()


def extended_lower_bound(pmf, matrix, answer, name, distortion, perception, cost):
    """`rate_lower` as its documentation says, in bits, in extended precision."""
    p, d = np.asarray(pmf, LD), np.asarray(matrix, LD)
    p = p / p.sum()
    nu, s, t = (np.asarray(x, LD) * LN2 for x in (answer.multiplier, answer.slope, answer.perception_slope))
    if name in IN_BITS:
        t = t / LN2  # bits per bit
    live = p > 0
    row = d[live].min(-1)
    excess = d[live] - row[:, None]
    nu = nu[live]
    if np.isinf(s):
        excess, price = np.where(excess > 0, np.inf, 0), LD(0)
    else:
        # Taken less the minimum of each row, which changes nothing but rounding.
        nu = nu - s * row
        price = s * (LD(distortion) - (p[live] * row).sum()) if s > 0 else LD(0)
        excess = np.where(np.isinf(excess), np.inf, s * np.where(np.isinf(excess), 0, excess))
    logits = np.log(p[live])[:, None] + nu[:, None] - excess
    top = np.maximum(logits.max(0), LD(-1e9))
    with np.errstate(divide="ignore"):
        phi = top + np.log(np.exp(logits - top).sum(0))
    phi = np.where(np.isfinite(phi), phi, np.where(np.isfinite(phi), phi, 0).min() - 1000)
    mean = (p[live] * nu).sum() - price
    center = (p * phi).sum()
    classical = mean - phi.max()
    if perception == 0:
        return max(float((mean - center) / LN2), float(classical / LN2), 0.0)
    if not t > 0 or np.isinf(perception) or np.isinf(t):
        return max(float(classical / LN2), 0.0)
    budget = LD(perception) * (LN2 if name in IN_BITS else 1)
    bound = mean - center - t * budget - t * extended_conjugate(name, p, (phi - center) / t, cost)
    return max(float(bound / LN2), float(classical / LN2), 0.0)


def faults_of(pmf, matrix, answer, name, distortion, perception, x):
    """What is wrong with an answer that claims something: sentences."""
    pmf, matrix = np.asarray(pmf, float), np.asarray(matrix, float)
    wrong, n = [], len(pmf)
    channel = np.asarray(answer.channel)
    p, w = np.asarray(pmf, LD) / np.asarray(pmf, LD).sum(), np.asarray(channel, LD)
    cost = np.abs(x[:, None] - x[None]) ** (1 if name == "w1" else 2)
    if np.isfinite(answer.rate):
        if not (channel >= 0).all() or np.abs(w.sum(1) - 1).max() > 1e-12:
            wrong.append("not a channel")
        joint = p[:, None] * w
        if (joint[np.isinf(matrix)] > 0).any():
            wrong.append("a forbidden pair is used")
        achieved = (joint * np.where(np.isinf(matrix), 0, matrix)).sum()
        if achieved > distortion * (1 + 1e-12) + 1e-300:
            wrong.append(f"distortion {achieved} above {distortion}")
        q = joint.sum(0)
        if perception == 0 and np.abs(q - p).sum() > 1e-15 * (4 + n):
            wrong.append(f"the output is not distributed as the source: {np.abs(q - p).sum()}")
        reached = extended_divergence(name, p, q, x)
        # A float64 channel says its output only to 1e-16, which a distance feels at first order.
        blur = {"tv": 1, "w1": np.ptp(x), "w2sq": np.ptp(x) ** 2}.get(name, 0) * 1e-15 * (4 + n)
        if not reached <= perception * (1 + 1e-7) + blur + 1e-26 / p[p > 0].min():
            wrong.append(f"divergence {reached} above {perception}")
        rate = xlogy(joint, w / np.where(q > 0, q, 1)[None]).sum() / LN2
        if abs(rate - float(answer.rate)) > 1e-11 * (1 + abs(float(rate))):
            wrong.append(f"rate {float(rate)} claimed {answer.rate}")
        if not answer.rate_lower <= answer.rate:
            wrong.append(f"bounds cross: {answer.rate_lower} {answer.rate}")
    if np.isfinite(answer.rate_lower):
        lower = extended_lower_bound(pmf, matrix, answer, name, distortion, perception, cost)
        if answer.rate_lower > lower + 1e-12 * (1 + abs(lower)):
            wrong.append(f"lower bound {answer.rate_lower}, its dual point proves {lower}")
    elif not np.isnan(answer.rate):
        wrong.append("a rate without a lower bound")
    if bool(answer.converged) and not float(answer.rate) - float(answer.rate_lower) <= 1e-8:
        wrong.append("converged without a gap below the tolerance")
    return wrong


def least_distortion(pmf, matrix, name, perception, x):
    """min E[d] over channels within P by linear programming: exact for "tv", "w1", "w2sq" and at P = 0."""
    n = len(pmf)
    live = (pmf > 0)[:, None] & np.isfinite(matrix)
    size = 0 if perception == 0 else 2 * n if name == "tv" else n * n
    value = np.r_[np.where(live, matrix, 0).ravel(), np.zeros(size)]
    rows, columns = np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))
    bounds = [(0, None if ok else 0) for ok in live.ravel()] + [(0, None)] * size
    if perception == 0:
        equal, right, less, limit = np.vstack([rows, columns]), np.r_[pmf, pmf], None, None
    elif name == "tv":
        equal = np.block([[rows, np.zeros((n, size))], [columns, -np.eye(n), np.eye(n)]])
        right, less, limit = np.r_[pmf, pmf], np.r_[np.zeros(n * n), np.full(size, 0.5)][None], [perception]
    else:
        cost = np.abs(x[:, None] - x[None]) ** (1 if name == "w1" else 2)
        zero = np.zeros((n, n * n))
        equal = np.block([[rows, zero], [columns, -columns], [zero, rows]])
        right, less = np.r_[pmf, np.zeros(n), pmf], np.r_[np.zeros(n * n), cost.ravel()][None]
        limit = [perception]
    answer = linprog(value, A_ub=less, b_ub=limit, A_eq=equal, b_eq=right, bounds=bounds, method="highs")
    return answer.fun if answer.status == 0 else np.inf
