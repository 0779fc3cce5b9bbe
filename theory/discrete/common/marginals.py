"""Corrections of joint pmfs to given marginals."""

import jax
import jax.numpy as jnp


def match_marginals(joint: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Turns a nearly feasible joint pmf into one with exactly the given marginals.

    Rows and columns that are too heavy are scaled down; what is missing is added as a rank-one term. The
    cost changes by at most the L1 error of the marginals.

    Args:
      joint: [n, m], non-negative.
      rows: target row sums, [n].
      columns: target column sums, [m]; same total.

    Returns:
      The corrected joint pmf, [n, m].

    Reference: [altschuler2017nearlinear] J. Altschuler, J. Weed, P. Rigollet, NeurIPS 2017, arXiv:1705.09634,
      algorithm 2.
    """

    def shrink(target, got):
        return jnp.where(got > target, target / jnp.where(got > 0, got, 1.0), 1.0)

    joint = joint * shrink(rows, joint.sum(1))[:, None]
    joint = joint * shrink(columns, joint.sum(0))[None]
    missing_rows = jnp.maximum(rows - joint.sum(1), 0.0)
    missing_columns = jnp.maximum(columns - joint.sum(0), 0.0)
    total = missing_rows.sum()
    return joint + missing_rows[:, None] * missing_columns[None] / jnp.where(total > 0, total, 1.0)


def match_marginals_on_support(joint: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """Turns a nearly feasible joint pmf into one with the given marginals without giving mass to pairs that have none.

    Newton's method on joint(x, y) (1 + a(x) + b(y)): from marginals that are wrong by e to about e^2, three times.

    Args:
      joint: [n, m], non-negative.
      rows: target row sums, [n].
      columns: target column sums, [m]; same total.

    Returns:
      The corrected joint pmf, [n, m]. Its marginals are wrong where no joint pmf of this support has them.
    """

    def improve(_, joint):
        by_row, by_column = joint.sum(1), joint.sum(0)
        safe_rows, safe_columns = (jnp.where(x > 0, x, 1.0) for x in (by_row, by_column))
        missing_rows, missing_columns = rows - by_row, columns - by_column
        # Adding a constant to a and subtracting it from b changes nothing: the last term fixes it.
        matrix = (jnp.diag(safe_columns) - joint.T @ (joint / safe_rows[:, None])
                  + by_column[:, None] * by_column[None] / by_column.sum())
        scaling = 1.0 / jnp.sqrt(safe_columns)
        scaled = matrix * scaling[:, None] * scaling[None] + 1e-13 * jnp.eye(columns.size)
        b = scaling * jnp.linalg.solve(scaled, scaling * (missing_columns - joint.T @ (missing_rows / safe_rows)))
        a = (missing_rows - joint @ b) / safe_rows
        return joint * jnp.maximum(1.0 + a[:, None] + b[None], 0.0)

    return jax.lax.fori_loop(0, 3, improve, joint)
