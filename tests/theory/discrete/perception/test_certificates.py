"""Every result recomputed in extended precision from its channel and its dual point, outside of the solver."""

import jax
import numpy as np
import pytest

from tests.theory.discrete.perception.extended import NAMES, faults_of, least_distortion
from theory.discrete import rate_distortion, rate_distortion_perception

FEW = ("tv", "kl", "w2sq")  # one of each kind: each divergence is programs of its own, which take seconds to compile


def random_instance(rng, sizes, names):
    """A source, a distortion, D, P and a divergence, pathologies included; and whether it is an ordinary one."""
    n = int(rng.choice(sizes))
    name, x = str(rng.choice(names)), np.sort(rng.standard_normal(n))
    kind = rng.integers(6)
    pmf = rng.dirichlet(np.full(n, rng.choice([0.2, 1.0, 5.0])))
    if kind == 0 and n > 1:
        pmf[rng.integers(n)] = 0.0
    if kind == 1:
        pmf = np.maximum(pmf, 1e-12)
    if kind in (2, 3, 4):
        pmf = 0.9 * pmf + 0.1 / n
    pmf = pmf / pmf.sum()
    shape = rng.integers(6)
    matrix = [np.abs(x[:, None] - x) ** 2, 1.0 - np.eye(n), rng.random((n, n)) * (1 - np.eye(n)),
              np.abs(np.arange(n)[:, None] - np.arange(n)) ** 2.0, rng.random((n, n)),
              rng.integers(0, 3, (n, n)) * 1.0][shape]
    if rng.random() < 0.1 and n > 1:  # a letter that is there twice
        matrix[:, 1], matrix[1] = matrix[:, 0], matrix[0]
    if rng.random() < 0.15:
        matrix = np.where((rng.random((n, n)) < 0.3) & ~(np.eye(n, dtype=bool) & (rng.random() < 0.8)), np.inf, matrix)
        matrix[np.isinf(matrix).all(1), 0] = 1.0
    scale = 10.0 ** rng.uniform(-6, 6) if rng.random() < 0.3 else 1.0
    matrix = matrix * scale
    smallest = pmf @ matrix.min(1)
    finite = np.where(np.isinf(matrix), 0, matrix)
    most = max((pmf @ finite).min(), pmf @ finite @ pmf, smallest)
    share = rng.choice([0.0, 1.0, rng.uniform(), rng.uniform(), rng.uniform(), 10.0 ** -rng.uniform(1, 8)])
    distortion = smallest + share * (most - smallest)
    perception = float(rng.choice([0.0, 1e-300, 10.0 ** rng.uniform(-30, -6), 10.0 ** rng.uniform(-6, 0),
                                   10.0 ** rng.uniform(-4, 0), np.inf]))
    ordinary = (kind in (2, 3, 4) and shape < 4 and np.isfinite(matrix).all() and 0.01 < share <= 1
                and perception > 1e-6 and 1e-3 < scale < 1e3)
    return pmf, matrix, float(distortion), perception, name, x, ordinary


def sweep(count, sizes, seed, names=NAMES):
    """Counts of what is wrong over random instances, with the first few examples."""
    rng = np.random.default_rng(seed)
    counts = {"instances": 0, "refused": 0, "false certificates": [], "false refusals": [], "unconverged": [],
              "unconverged ordinary": []}
    for index in range(count):
        pmf, matrix, distortion, perception, name, x, ordinary = random_instance(rng, sizes, names)
        counts["instances"] += 1
        points = {"points": x} if name in ("w1", "w2sq") else {}
        label = (seed, index, len(pmf), name, distortion, perception)
        try:
            answer = rate_distortion_perception(
                pmf, matrix, distortion=distortion, perception=perception, divergence=name, **points)
        except ValueError as error:
            counts["refused"] += 1
            assert "no channel" in str(error), (label, error)
            if perception == 0 or name in ("tv", "w1", "w2sq"):
                least = least_distortion(pmf, matrix, name, perception, x)
                if least <= distortion * (1 - 1e-9):
                    counts["false refusals"].append((label, least))
            elif np.all(np.diag(matrix)[pmf > 0] == matrix[pmf > 0].min(1)):
                counts["false refusals"].append((label, "the identity is feasible"))
            elif least_distortion(pmf, matrix, name, 0.0, x) <= distortion * (1 - 1e-9):
                counts["false refusals"].append((label, "perfect realism is feasible"))
            continue
        wrong = faults_of(pmf, matrix, answer, name, distortion, perception, x)
        if wrong:
            counts["false certificates"].append((label, wrong))
        if not bool(answer.converged):
            counts["unconverged"].append((label, float(answer.rate), float(answer.rate_lower)))
            if ordinary:
                counts["unconverged ordinary"].append(label)
    return counts


def assert_no_fault(pmf, matrix, name, distortion, perception, converged=True):
    """Solves and verifies one instance with letters at 0, 1, ..."""
    x = np.arange(float(len(pmf)))
    answer = rate_distortion_perception(pmf, matrix, distortion=distortion, perception=perception, divergence=name)
    assert faults_of(pmf, matrix, answer, name, distortion, perception, x) == []
    assert bool(answer.converged) == converged and bool(answer.certified)
    return answer


HAMMING = 1.0 - np.eye(2)
SWAP = np.eye(2)  # the letter that is not the source's has distortion 0


def test_perfect_realism_without_a_coupling_is_refused_not_certified():
    """Fault 1: the only channel of distortion 0 swaps the letters; it was certified as perfectly realistic."""
    for name in FEW:
        with pytest.raises(ValueError, match="no channel has E"):
            rate_distortion_perception([0.7, 0.3], SWAP, distortion=0.0, perception=0.0, divergence=name)
    # Where values are traced it cannot be refused.
    traced = jax.jit(lambda d: rate_distortion_perception(
        [0.7, 0.3], SWAP, distortion=d, perception=0.0, divergence="tv"))(0.0)
    assert np.isnan(traced.rate) and not bool(traced.converged)
    # At a slope the forbidden pairs leave nothing either.
    with np.errstate(invalid="ignore"):
        answer = rate_distortion_perception(
            [0.7, 0.3], [[np.inf, 0.0], [0.0, np.inf]], slope=1.0, perception=0.0, divergence="tv")
    assert np.isnan(answer.rate) and np.isnan(answer.rate_lower) and not bool(answer.converged)
    # The same distortion has a coupling where both letters are equally likely.
    answer = assert_no_fault([0.5, 0.5], SWAP, "tv", 0.0, 0.0)
    np.testing.assert_allclose(answer.rate, 1.0, atol=1e-9)


@pytest.mark.parametrize("name", [
    *FEW, *(pytest.param(name, marks=pytest.mark.stress) for name in NAMES if name not in FEW)])
def test_lower_bounds_stay_below_the_truth_as_perception_vanishes(name):
    """Fault 2 and Fault 3: rounding times the multiplier of perception; refusals although the identity is feasible."""
    pmf = [0.7, 0.3]
    truth = rate_distortion_perception(pmf, HAMMING, distortion=0.1, perception=0.0, divergence=name)
    before = None
    for perception in (1e-300, 1e-30, 1e-24, 1e-18, 1e-16, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0):
        answer = assert_no_fault(pmf, HAMMING, name, 0.1, perception)
        assert answer.rate_lower <= truth.rate + 1e-13 and answer.rate <= truth.rate + 1e-9
        assert before is None or answer.rate_lower <= before + 1e-13
        before = float(answer.rate)


def test_ordinary_sources_that_did_not_converge():
    """Fault 4: gaps of .18 and .45 bit where the optimum, or that at P = 0, is an ordinary point."""
    pmf = np.array([0.02263, 0.95625, 0.02112])
    matrix = np.abs(np.arange(3)[:, None] - np.arange(3)) ** 2.0
    for share in (0.1, 0.5, 0.9):
        for perception in (1e-12, 1e-3, 0.05):
            assert_no_fault(pmf / pmf.sum(), matrix, "w2sq", share * (pmf @ matrix).min(), perception)
    assert_no_fault([0.7, 0.3], HAMMING, "tv", 0.1, 1e-18)


@pytest.mark.parametrize("perception", [0.0, 1e-300])
def test_small_distortions_are_reached_from_far_away(perception):
    """Fault 4: a slope of thousands, and multipliers that the first steps had sent the wrong way for 500 more."""
    x = np.array([0.0, 0.66, 0.72, 2.24])
    pmf, matrix = np.array([0.067, 0.134, 0.76, 0.039]), (x[:, None] - x) ** 2
    for distortion in (1e-3, 1e-8, 1e-13):
        answer = assert_no_fault(pmf, matrix, FEW[0], distortion, perception)
        # Of the entropy hardly more is saved than by exchanging the two letters that are close.
        entropy = -(pmf * np.log2(pmf)).sum()
        share = distortion / matrix[1, 2]
        most = 2 * (-share * np.log2(share) + share * np.log2(np.e))
        assert entropy - most <= float(answer.rate) <= entropy + 1e-12


def test_steps_past_the_resolution_do_not_spoil_what_was_found():
    """Fault 4: at the gap asked for Newton's method went on, and ended with 1e-7 bit more."""
    pmf, x = np.array([0.372, 0.19, 0.211, 0.227]), np.array([-1.321, -0.167, 1.602, 1.613])
    matrix = np.array([[0.0, 0.465, 0.21, 0.952], [0.14, 0.0, 0.055, 0.23], [0.166, 0.093, 0.0, 0.079],
                       [0.167, 0.237, 0.87, 0.0]])
    for perception in (1e-7, 1e-6, 2e-6):
        answer = rate_distortion_perception(
            pmf, matrix, distortion=0.1164, perception=perception, divergence=FEW[2], points=x)
        assert faults_of(pmf, matrix, answer, FEW[2], 0.1164, perception, x) == [] and bool(answer.converged)


def test_what_no_channel_meets_is_refused_where_realism_is_no_linear_program():
    """Fault 3: the answer was NaN, without a proof; a dual point at a large slope is one."""
    pmf = np.array([0.267, 0.16, 0.573])
    matrix = np.array([[0.015, 0.222, 0.337], [0.427, 0.767, 0.967], [0.096, 0.478, 0.798]])
    with pytest.raises(ValueError, match="no channel has E"):
        rate_distortion_perception(pmf, matrix, distortion=0.17, perception=0.91, divergence="reverse_kl")
    assert_no_fault(pmf, matrix, "reverse_kl", 0.2, 0.91)


@pytest.mark.stress
def test_bounds_of_different_channels_at_a_given_slope_are_not_mixed():
    """Fault 1: after too few steps the bound of one channel's rate was taken for another's; converged was true.

    The comparison alone is in test_search.py.
    """
    rng, slope, perception = np.random.default_rng(7), 3.4, 1.2e-4
    for _ in range(4):
        pmf, matrix = rng.dirichlet(np.ones(3)), rng.random((3, 3)) * (1 - np.eye(3))
        early, found = (rate_distortion_perception(
            pmf, matrix, slope=slope, perception=perception, divergence=FEW[1], max_iterations=steps)
            for steps in (1, 500))
        least = float(found.rate) + slope * float(found.distortion)
        assert bool(found.converged)
        # What the bound says is of the rate at the channel's own distortion, where that is not below 0.
        proved = float(early.rate_lower) + slope * float(early.distortion)
        assert proved <= least + 1e-9 or float(early.rate_lower) == 0.0
        assert float(early.rate) + slope * float(early.distortion) >= least - 1e-8
        assert bool(early.converged) == (float(early.rate) + slope * float(early.distortion) - least <= 1e-8)


def test_a_certificate_can_be_recomputed_where_the_distortion_is_unlimited():
    """Fault 8: at D = inf multipliers are 0, and terms with a multiplier of 0 count as 0."""
    matrix = np.array([[0.0, 1.0, np.inf], [1.0, 0.0, 1.0], [np.inf, 1.0, 0.5]])
    pmf = np.array([0.5, 0.2, 0.3])
    classical = rate_distortion(pmf, matrix, distortion=np.inf)
    assert float(classical.slope) == 0.0 and float(classical.rate) == 0.0 and float(classical.rate_lower) == 0.0
    np.testing.assert_array_equal(classical.multiplier, 0.0)
    for name in ("tv", "kl", "w2sq"):
        answer = rate_distortion_perception(
            pmf, np.where(np.isinf(matrix), 9.0, matrix), distortion=np.inf, perception=0.1, divergence=name)
        assert float(answer.slope) == 0.0 and float(answer.rate) == 0.0 and bool(answer.converged)
        np.testing.assert_array_equal(answer.multiplier, 0.0)
        np.testing.assert_allclose(answer.critic, 0.0, atol=1e-15)


def test_pairs_that_no_channel_uses_do_not_stop_the_solver():
    """Fault 4: whoever goes to the letter that goes nowhere else takes its place; Newton's steps died at that boundary.

    The rate is that of saying whether it is the letter, and of the other two alone.
    """
    pmf, costs = np.array([0.45, 0.28, 0.27]), np.array([[0.0, 0.12], [0.1, 0.0]])
    matrix = np.array([[0.0, 0.0175, 0.12], [np.inf, 0.0, np.inf], [0.1, 0.0475, 0.0]])
    share = 1 - pmf[1]
    for distortion in (1e-5, 1e-2):
        answer = assert_no_fault(pmf, matrix, FEW[0], distortion, 0.0)
        others = rate_distortion_perception(
            pmf[[0, 2]] / share, costs, distortion=distortion / share, perception=0.0, divergence=FEW[0])
        entropy = -share * np.log2(share) - pmf[1] * np.log2(pmf[1])
        assert float(answer.rate) == pytest.approx(entropy + share * float(others.rate), abs=1e-8)

    def rate(p):
        return rate_distortion_perception(p, matrix, distortion=1e-2, perception=0.0, divergence=FEW[0]).rate

    toward = np.array([-0.6, 1.0, -0.4])
    slope = (float(rate(pmf + 1e-4 * toward)) - float(rate(pmf - 1e-4 * toward))) / 2e-4
    assert float(jax.jvp(rate, (pmf,), (toward,))[1]) == pytest.approx(slope, abs=1e-3)


@pytest.mark.parametrize("pmf", [[0.5, 0.3, 0.0, 0.2], [0.2, 0.0, 0.0, 0.8]])
def test_letters_that_never_occur_do_not_stop_the_solver_at_the_smallest_distortion(pmf):
    """Fault 1: the only reproduction of such a letter is used by no other, and the bound that was left had no dual."""
    rng = np.random.default_rng(2)
    for _ in range(8):
        matrix = rng.random((4, 4))
        best = matrix.argmin(1)
        if rng.random() < 0.5:  # it may go to one output alone, which no letter that occurs goes to
            alone = min(set(range(4)) - set(best[np.asarray(pmf) > 0]))
            matrix[2], matrix[:, alone] = np.inf, np.inf if rng.random() < 0.5 else matrix[:, alone]
            matrix[2, alone] = 1.0
        least = float(np.asarray(pmf) @ matrix.min(1))
        used = np.bincount(best, pmf, minlength=4)
        entropy = -(used[used > 0] * np.log2(used[used > 0])).sum()  # each letter has one best reproduction
        answer = assert_no_fault(pmf, matrix, FEW[0], least, np.inf)
        assert float(answer.rate) == pytest.approx(entropy, abs=1e-9)
        assert float(rate_distortion(pmf, matrix, distortion=least).rate_lower) == pytest.approx(entropy, abs=1e-8)


def test_what_is_proved_at_an_infinite_slope_is_said_to_be():
    """Fault 1: after no step the bound of the pairs that are left was reported with multipliers that prove nothing."""
    rng = np.random.default_rng(3)
    pmf, matrix = rng.dirichlet(np.ones(4)), rng.random((4, 4))
    answer = rate_distortion_perception(
        pmf, matrix, distortion=float(pmf @ matrix.min(1)), perception=np.inf, divergence=FEW[0], max_iterations=0)
    assert faults_of(pmf, matrix, answer, FEW[0], float(pmf @ matrix.min(1)), np.inf, np.arange(4.0)) == []
    assert float(answer.rate_lower) > 0 and np.isinf(answer.slope)


def test_random_instances_and_pathologies():
    """A sample of what the stress test does, in sizes that share their programs."""
    counts = sweep(40, (2, 3, 4), seed=3, names=FEW)
    assert counts["false certificates"] == [] and counts["false refusals"] == []
    assert counts["unconverged ordinary"] == []


@pytest.mark.stress
@pytest.mark.parametrize("first", range(1, 31, 6))
def test_twenty_thousand_instances(first):
    """No false certificate, no false refusal, at most one in a thousand without convergence, none of them ordinary."""
    counts = [sweep(100, (size,), seed=1000 * size + part) for size in range(first, first + 6) for part in range(7)]
    for kind in ("false certificates", "false refusals", "unconverged ordinary"):
        assert [found for count in counts for found in count[kind]] == []
    assert sum(len(count["unconverged"]) for count in counts) <= 4  # of 4,200


def test_large_given_slopes_are_reached():
    """Newton's method ends far from them, and up to bits wide, unless it comes from smaller ones."""
    pmf, matrix = np.array([0.2, 0.3, 0.5]), np.array([[0.5, 0.1, 0.9], [0.3, 0.8, 0.2], [0.6, 0.4, 0.7]])
    least, entropy = least_distortion(pmf, matrix, "tv", 0.0, None), -pmf @ np.log2(pmf)
    for slope in (4e3, 4e4):
        answer = rate_distortion_perception(pmf, matrix, slope=slope, perception=0.0, divergence="tv")
        assert bool(answer.converged) and float(answer.rate) <= entropy
        # The channel of least distortion has no more than the entropy of the source.
        assert least - 1e-12 <= float(answer.distortion) <= least + entropy / slope
    # Below the smallest slope of the curve the rate is 0, which no bound is below.
    flat = rate_distortion_perception([0.7, 0.3], HAMMING, slope=0.1, perception=np.inf, divergence="tv")
    assert bool(flat.converged) and 0.0 == float(flat.rate_lower) <= float(flat.rate) < 1e-8


@pytest.mark.stress
def test_no_channel_undercuts_what_is_proved_at_a_given_slope():
    """Rate plus slope times D of channels found at given D, beside the bound of the answer at the slope."""
    rng, unconverged, solved = np.random.default_rng(11), [], 0
    for index in range(300):
        pmf, matrix, distortion, perception, name, x, _ = random_instance(rng, (3, 5, 8), NAMES)
        points = {"points": x} if name in ("w1", "w2sq") else {}
        # What a slope charges has a resolution of its own: costs of 1e6 times a slope of 1e4 have none of 1e-8 bit.
        slope = 10.0 ** rng.uniform(-2, 4) / (matrix[np.isfinite(matrix)].max() or 1.0)
        with np.errstate(invalid="ignore"):
            answer = rate_distortion_perception(
                pmf, matrix, slope=slope, perception=perception, divergence=name, **points)
        if not np.isfinite(answer.rate):
            assert np.isnan(answer.rate_lower) and not bool(answer.converged)
            continue
        solved += 1
        label, reached = (index, len(pmf), name, slope, perception), float(answer.distortion)
        if float(answer.rate_lower) > 0:  # a bound of 0 is no more than that rates are not negative
            proved = float(answer.rate_lower) + slope * reached
            for target in (distortion, 0.5 * reached, reached, 1.2 * reached, 2.0 * reached):
                try:
                    other = rate_distortion_perception(
                        pmf, matrix, distortion=target, perception=perception, divergence=name, **points)
                except ValueError:
                    continue
                least = float(other.rate) + slope * float(other.distortion)
                assert not least < proved - 1e-12 * (1.0 + proved), (label, target)
        if not bool(answer.converged):
            unconverged.append((*label, float(answer.gap)))
    assert solved > 200 and len(unconverged) <= 6
