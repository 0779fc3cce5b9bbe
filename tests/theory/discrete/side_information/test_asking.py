"""What is refused, and with which words."""

import jax
import numpy as np
import pytest

from theory import discrete
from theory.discrete.side_information import asking

JOINT, HAMMING = np.array([[0.4, 0.1], [0.1, 0.4]]), 1.0 - np.eye(2)


def solve(**changed):
    arguments = {"distortion": 0.1, "perception": 0.1, "divergence": "tv"} | changed
    joint, d = arguments.pop("joint", JOINT), arguments.pop("d", HAMMING)
    return discrete.conditional_rate_distortion_perception(joint, d, **arguments)


@pytest.mark.parametrize("changed, word", [
    ({"joint": JOINT * 2}, "joint_pmf must"),
    ({"joint": JOINT[0]}, "joint_pmf must have shape"),
    ({"joint": np.full((3, 2), 1 / 6)}, "distortion_matrix must have shape"),
    ({"d": np.ones((2, 3))}, "distortion_matrix must have shape"),
    ({"d": -HAMMING}, "distortion_matrix must be >= 0"),
    ({"d": np.full((2, 2), np.inf)}, "finite entry"),
    ({"distortion": -0.1}, "distortion must be >= 0"),
    ({"d": HAMMING + 0.2, "distortion": 0.1}, "distortion must be at least 0.2"),
    ({"distortion": [0.1, 0.2]}, "distortion must be a scalar"),
    ({"perception": -1.0}, "perception must be >= 0"),
    ({"perception": [0.1]}, "perception must be a scalar"),
    ({"divergence": "l2"}, "divergence must be one of"),
    ({"points": [0.0, 1.0]}, "points belong to"),
    ({"divergence": "w1", "points": [0.0]}, "points must have shape"),
    ({"realism": "per_letter"}, "realism must be one of"),
    ({"tolerance": 0.0}, "tolerance must be > 0"),
])
def test_refusals(changed, word):
    with pytest.raises(ValueError, match=word):
        solve(**changed)


def test_regimes():
    assert [asking.regime_of(p) for p in (0.0, np.inf, 0.3)] == ["perfect", "free", "constrained"]
    assert jax.jit(lambda p: p * (asking.regime_of(p) == "constrained"))(2.0) == 2.0
