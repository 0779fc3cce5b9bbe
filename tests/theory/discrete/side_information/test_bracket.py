"""Brackets where strategies are not all taken, against the certified value where they can be."""

import numpy as np
import pytest

from tests.theory.discrete.side_information import families
from theory import discrete


def example():
    problem, rates, _ = families.recorded("wyner_ziv")
    k = np.nonzero(rates > 0.2)[0][0]
    return [x[k] for x in problem[:3]], families.solve("wyner_ziv", *(x[[k]] for x in problem))[0], k


def test_the_search_finds_the_optimum_and_one_group_proves_it():
    """Nine strategies; the bound that tells the encoder nothing is the value itself."""
    (joint, d, distortion), value, _ = example()
    whole = discrete.wyner_ziv_bracket(joint, d, distortion=distortion, group=2, size=8, rounds=2)
    np.testing.assert_allclose([whole.rate, whole.rate_lower], value.rate[0], atol=1e-8)
    assert whole.rate_lower <= whole.rate and value.rate[0] > 0.1
    assert whole.channel.shape == (3, len(whole.strategies))


@pytest.mark.stress
def test_groups_of_one_letter_are_both_ends():
    (joint, d, distortion), value, k = example()
    told = discrete.wyner_ziv_bracket(joint, d, distortion=distortion, group=1, size=8)
    ends = families.solve("conditional", *(x[[k]] for x in families.recorded("wyner_ziv")[0]))[0]
    np.testing.assert_allclose(told.rate_lower, ends.rate[0], atol=1e-8)
    assert told.rate_lower < value.rate[0]


@pytest.mark.stress
def test_larger_groups_prove_more():
    rng = np.random.default_rng(7)
    joint, d = rng.dirichlet(np.full(48, 0.5)).reshape(6, 8), 1.0 - np.eye(6)
    distortion = 0.3 * (joint.T @ d).min(1).sum()
    told = discrete.wyner_ziv_bracket(joint, d, distortion=distortion, group=1)
    less = discrete.wyner_ziv_bracket(joint, d, distortion=distortion, group=3)
    assert told.rate_lower < less.rate_lower <= less.rate and less.gap < 0.5 * told.gap


@pytest.mark.parametrize("changed, word", [({"group": 0}, "group must be"), ({"group": 13}, "group must be"),
                                           ({"distortion": -1.0}, "distortion must be >= 0")])
def test_refusals(changed, word):
    arguments = {"distortion": 0.1} | changed
    with pytest.raises(ValueError, match=word):
        discrete.wyner_ziv_bracket(np.full((2, 13), 1 / 26), 1.0 - np.eye(2), **arguments)
