"""Problems that the interior-point method is lost on: letters of probability 1e-300, distortions next to an end.

Outside of a trace a problem without a verified channel, or with a gap, is solved again in easier forms: letters below
the resolution of the arithmetic left out, costs less the prices of a linear program, limits moved away from the ends of
their ranges. What comes back is turned into channels and dual points of the problem itself, mixed with channels that
are known to meet the constraints, and measured and proved there: an easier form only makes suggestions.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from theory.discrete.common import channels
from theory.discrete.perception.blocks import PairState
from theory.discrete.perception.duals import best_multiplier
from theory.discrete.side_information import interior_point, solver
from theory.discrete.side_information.problem import Options, Problem, bind, limits_of
from theory.discrete.side_information.solver import SideInformationRate
from theory.discrete.side_information.transport import ABSENT, Task, Transport, filled, groups_of, task_of, transport
from theory.numerics.units import bits_to_nats

_ABOVE = (1e-9, 1e-7, 1e-5, 1e-3)  # how far from the least distortion, in parts of the range, problems are posed
_BELOW = 1e-5  # the same, from the distortion of rate zero


class Suggestion(NamedTuple):
    """A channel and a dual point that may be good ones.

    Attributes:
      channel: W(t|x), [n, m].
      slope: nats per unit of distortion; scalar.
      critic: h, nats, [j].
      multiplier: of perception, nats per unit of perception; scalar; 0 where none is suggested.
    """

    channel: np.ndarray
    slope: float
    critic: np.ndarray
    multiplier: float


@partial(jax.jit, static_argnames="options")
def assess(
    problem: Problem, options: Options, channel: jax.Array, anchor: jax.Array, dual: Suggestion
) -> SideInformationRate:
    """Mixes as little of an anchor into a channel as the constraints ask for, and verifies the two bounds.

    Args:
      problem: the problem.
      options: its options.
      channel: W(t|x), [n, m].
      anchor: a channel that should meet the constraints, [n, m].
      dual: what is to prove a lower bound, by the likelihood ratios of its channel.

    Returns:
      The result for the mixture; NaN where the constraints are missed after all.
    """
    limits = limits_of(problem, options)
    perception = None if options.regime == "free" else bind(problem, limits, options)
    u, sure = (x.T / jnp.maximum(x.T.sum(0), 1e-300)[None] for x in (channel, anchor))
    if options.regime == "perfect":
        u, sure = (_realistic(problem, limits, x) for x in (u, sure))
    elif perception is not None:  # what is a little too unrealistic is first mixed with itself made realistic
        u = _mixture(problem, limits, perception, options, u, _realistic(problem, limits, u), at_any_cost=True)
    mixed = _mixture(problem, limits, perception, options, u, sure)
    scale = limits.costs.scale
    slope, witness, critic = dual.slope * scale, jnp.asarray(dual.channel).T, jnp.asarray(dual.critic)
    t = jnp.zeros(()) if perception is None else dual.multiplier * perception.scale
    options_t = [t]
    if options.regime == "constrained" and perception is not None:
        searched = best_multiplier(perception, problem.target, critic, problem.perception / perception.scale)
        options_t.append(searched)
    proofs = [solver.prove(problem, limits, perception, options.regime, witness, slope, critic, jnp.maximum(x, 1e-300))
              for x in options_t]
    values = jnp.stack([jnp.where(jnp.isnan(proof.value), -jnp.inf, proof.value) for proof in proofs])
    best = jnp.argmax(values)
    zeros = jnp.zeros_like(mixed)
    state = PairState(*[jnp.zeros(0)] * 3) if perception is None else perception.block.start()
    point = interior_point.Point(
        mixed, zeros, jnp.stack([proof.log_multiplier for proof in proofs])[best], slope, jnp.zeros(()), critic,
        jnp.stack(options_t)[best], jnp.zeros(()), state)  # fmt: skip
    return solver.report(problem, problem, limits, perception, options, point, jnp.maximum(values[best], 0.0),
                         jnp.asarray(0), witness)


def _realistic(problem, limits, u):
    """The channel, with its output brought to the target if that succeeds."""
    def missing(channel):
        output = jnp.einsum("x,tx,xtj->j", limits.source.letters, channel, problem.outputs)
        return jnp.abs(output - problem.target).sum()

    better = solver.meet_outputs(problem, limits, u)
    return jnp.where(missing(better) < missing(u), better, u)


def _mixture(problem, limits, perception, options, u, sure, *, at_any_cost=False):
    """The least share of `sure` in `u` at which distortion and divergence are met, by halving; both are convex."""
    p, cost = limits.source.letters, jnp.where(jnp.isinf(limits.costs.distortion), 0.0, limits.costs.distortion).T

    def missed(share):
        mixed = (1.0 - share) * u + share * sure
        far = (jnp.sum(p[None] * mixed * cost) > limits.target) & (not at_any_cost)
        if perception is not None and options.regime == "constrained":
            q = jnp.einsum("x,tx,xtj->j", p, mixed, problem.outputs)
            # A sum in another order must not exceed it, either.
            far |= ~((perception.value(q, None) + 4e-16) * perception.scale <= problem.perception)
        return far

    def halve(_, ends):
        middle = 0.5 * (ends[0] + ends[1])
        far = missed(middle)
        return jnp.where(far, middle, ends[0]), jnp.where(far, ends[1], middle)

    share = lax.fori_loop(0, 60, halve, (jnp.zeros(()), jnp.ones(())))[1]
    share = jnp.where(missed(jnp.zeros(())), jnp.minimum(share * (1 + 1e-12) + 1e-300, 1.0), 0.0)
    return (1.0 - share) * u + share * sure


def _easier(task: Task, best: Transport | None, zero: Transport | None) -> list[tuple[Problem, np.ndarray | None]]:
    """Problems of the same shape that should be easier, and the prices that were taken off their costs."""
    problem = task.problem
    joint = np.where(np.asarray(problem.joint) > 1e-14, np.asarray(problem.joint), 0.0)
    joint = joint / joint.sum()
    target = np.where(task.target > 1e-14, task.target, 0.0)
    target = target / max(target.sum(), 1e-300)
    clean = problem._replace(joint=jnp.asarray(joint), target=jnp.asarray(target))
    distortion, found = float(problem.distortion), []
    if task.options.regime == "free":
        least = sum(p * row[ok].min() for p, row, ok in zip(task.letters, task.cost, task.live) if ok.any())
        usable = np.all(task.live | (task.letters <= 0)[:, None], 0)
        most = float((task.letters @ task.cost)[usable].min()) if usable.any() else np.inf
    elif best is None:
        return [(clean, None)]
    else:
        least, most = best.least, zero.least if zero is not None else np.inf
    width = most - least if np.isfinite(most) else float(np.max(task.cost))
    for share in _ABOVE:
        asked = max(distortion, least + share * width)
        if np.isfinite(most):
            asked = min(asked, most - _BELOW * width) if width > 0 else asked
        easy = clean._replace(distortion=jnp.asarray(asked))
        if found and asked <= distortion:
            break
        found.append((easy, None))
        if best is not None:
            reduced = task.cost - best.by_letter[:, None] - task.outputs @ best.by_output
            reduced = np.where(task.live, np.maximum(reduced, 0.0), np.asarray(problem.cost))
            room = max(distortion - least, share * width)
            if np.isfinite(most) and width > 0:
                room = min(room, (1 - _BELOW) * width)
            found.append((clean._replace(cost=jnp.asarray(reduced), distortion=jnp.asarray(room)), best.by_output))
    return found


def _face(task: Task, best: Transport) -> Problem:
    """Of least rate among the channels of least distortion: those that only use pairs without reduced cost."""
    reduced = task.cost - best.by_letter[:, None] - task.outputs @ best.by_output
    tight = task.live & (reduced <= 1e-9 * np.max(task.cost))
    tight |= ~(tight.any(1) | (task.letters <= ABSENT))[:, None] & task.live
    cost = np.where(tight | (task.letters <= ABSENT)[:, None], 0.0, np.inf)
    joint = np.where(np.asarray(task.problem.joint) > 1e-14, np.asarray(task.problem.joint), 0.0)
    target = np.where(task.target > 1e-14, task.target, 0.0)
    return task.problem._replace(
        joint=jnp.asarray(joint / joint.sum()), cost=jnp.asarray(cost), distortion=jnp.ones(()),
        target=jnp.asarray(target / target.sum()))


def _suggested(task: Task, easy: Problem, prices: np.ndarray | None, result: SideInformationRate) -> Suggestion | None:
    """What the solution of an easier problem suggests: positive everywhere, its critic high at outputs left out."""
    channel, slope, critic = (np.asarray(x) for x in (result.channel, result.slope, result.critic))
    slope, critic = float(bits_to_nats(slope)), np.asarray(bits_to_nats(critic))
    if not (np.isfinite(channel).all() and np.isfinite(slope) and np.isfinite(critic).all()):
        return None
    if prices is not None:
        critic = critic - slope * prices
    blank = np.where(task.live & ~(channel > 0), 1e-40, 0.0)
    channel = filled(task, channel) + blank
    absent = (task.target > 0) & (np.asarray(easy.target) == 0)
    if absent.any():
        given = np.asarray(task.problem.joint) / np.maximum(task.letters, 1e-300)[:, None]
        side = np.asarray(task.problem.joint) / np.maximum(np.asarray(task.problem.joint).sum(0), 1e-300)
        logs = np.log(np.maximum(channel.T @ side, 1e-300))  # [m, k]
        terms = np.log(np.maximum(channel, 1e-300)) - (logs @ given.T).T + slope * task.cost + task.outputs @ critic
        uses = task.outputs[:, :, absent].sum(-1) > 0
        usual = np.where(task.live & ~uses, terms, np.inf).min(1)
        lacking = np.where(task.live & uses & np.isfinite(usual)[:, None], usual[:, None] - terms, 0.0)
        for letter in np.flatnonzero(absent):
            part = task.outputs[:, :, letter]
            critic = critic.copy()
            critic[letter] += max(np.where(part > 0, lacking / np.where(part > 0, part, 1.0), 0.0).max(), 0.0)
    return Suggestion(channel, slope, critic, float(bits_to_nats(result.perception_slope)))


def _refined(task: Task, dual: Suggestion) -> Suggestion:
    """The same prices with ratios that fit them: W e^(nu - terms), nu the mean of terms over the channel.

    With one letter of side information for each x it is the best there is for nu, s and h.
    """
    joint = np.asarray(task.problem.joint)
    given = joint / np.maximum(task.letters, 1e-300)[:, None]
    side = joint / np.maximum(joint.sum(0), 1e-300)
    logs = np.log(np.maximum(dual.channel, 1e-300))
    ratios = logs - (np.log(np.maximum(dual.channel.T @ side, 1e-300)) @ given.T).T
    terms = np.where(task.live, ratios + dual.slope * task.cost + task.outputs @ dual.critic, 0.0)
    mean = (dual.channel * terms).sum(1, keepdims=True)
    exponents = np.where(task.live, logs + mean - terms, -np.inf)
    exponents = exponents - np.maximum(exponents.max(0, initial=-700.0), -700.0)[None]
    return dual._replace(channel=np.where(task.live, np.exp(np.maximum(exponents, -690.0)), 0.0))


def mend(problem: Problem, options: Options, first: SideInformationRate) -> SideInformationRate:
    """Looks for a better bracket of a problem that the solver was lost on.

    Args:
      problem: the problem, nothing in it traced.
      options: its options.
      first: what the solver returned.

    Returns:
      The best channel and the best proof that were found, those of `first` among them; `rate_lower` is inf where it is
      proved that there is no channel.
    """
    task = task_of(problem, options)
    free = options.regime == "free"
    best, zero = (None, None) if free else (transport(task), transport(task, groups_of(task)))
    room = np.inf if best is None else float(problem.distortion) - best.least
    if best is not None and -channels.ROUNDING * best.least <= room <= 8 * channels.ROUNDING * best.least:
        # The least distortion itself, up to rounding: a sum in another order must not miss it.
        problem = problem._replace(distortion=problem.distortion * (1.0 + channels.ROUNDING))
        task = task_of(problem, options)
    anchors = [x.channel for x in (best, zero) if x is not None]
    if best is not None and zero is not None and 0 < room < zero.least - best.least:
        # Half of the way into the room that is left: all pairs occur there, so that outputs can be corrected.
        share = 0.5 * room / (zero.least - best.least)
        anchors.insert(1, (1.0 - share) * best.channel + share * zero.channel)
    if free:
        cheap = np.where(task.live, task.cost, np.inf)
        anchors = [np.eye(task.cost.shape[1])[cheap.argmin(1)]]
        groups = groups_of(task)
        members = np.eye(groups.max() + 1)[groups] * task.letters[:, None]
        barred = members.T @ (~task.live & (task.letters > 0)[:, None]) > 0
        anchors.append(np.eye(task.cost.shape[1])[np.where(barred, np.inf, members.T @ task.cost).argmin(1)[groups]])
    duals, found = [], []
    own = _suggested(task, problem, None, first)
    if own is not None:
        duals += [own, _refined(task, own)]
        found.append(own.channel)
    if best is not None:
        scale = 1.0 / max(float(np.max(task.cost)), 1e-300)
        steep = [64.0 / -room] if room < -1e-13 * best.least else []  # proves that there is no channel
        for slope in (scale, *steep):
            duals.append(Suggestion(np.where(task.live, 1.0, 0.0) / task.live.sum(1, keepdims=True).clip(1), slope,
                                    -slope * best.by_output, 0.0))
    state = _Best(problem, options, first)
    if options.regime == "perfect" and best is not None:
        face = _suggested(task, problem, None, solver.compiled(_face(task, best), options=options))
        if face is not None:
            anchors.insert(0, face.channel)
            found.append(face.channel)
    if found:
        state.look(found, anchors, duals)
    else:
        nothing = Suggestion(np.ones(task.cost.shape) / task.cost.shape[1], 0.0, np.zeros(task.target.size), 0.0)
        state.look(anchors[-1:], anchors, duals or [nothing])
    for easy, prices in _easier(task, best, zero):
        if state.done:
            break
        result = jax.tree.map(np.asarray, solver.compiled(easy, options=options))
        suggestion = _suggested(task, easy, prices, result)
        if suggestion is not None:
            state.look([suggestion.channel], anchors, [suggestion, _refined(task, suggestion)])
    if not state.done and options.regime == "constrained":
        # What meets P = 0 meets every P; what is proved without realism holds with it, and prices at P = 0 may fit.
        ends = [_suggested(task, problem, None, end) for end in _ends(problem, options)]
        seen = [np.asarray(state.result.channel)] if np.isfinite(state.result.rate) else []
        for end in (x for x in ends if x is not None):
            state.look([*seen, end.channel], [end.channel, *anchors], [end, _refined(task, end)])
    return state.result


def _ends(problem: Problem, options: Options) -> list[SideInformationRate]:
    """The same problem without realism and with all of it."""
    free, perfect = (options._replace(regime=regime) for regime in ("free", "perfect"))
    outputs = jnp.asarray(problem.outputs)[..., :0]
    without = solver.compiled(problem._replace(outputs=outputs, target=problem.target[:0]), options=free)
    realistic = jax.tree.map(np.asarray, solver.compiled(problem, options=perfect))
    if not realistic.converged:
        realistic = mend(problem, perfect, realistic)
    # Neither says a price of perception: the best one for the critic is looked for.
    return [without._replace(critic=np.zeros(np.shape(problem.target)), perception_slope=np.zeros(())),
            realistic._replace(perception_slope=np.zeros(()))]


class _Best:
    """The best channel and the best proof so far."""

    def __init__(self, problem: Problem, options: Options, first: SideInformationRate):
        self.problem, self.options, self.result, self.proof = problem, options, first, first

    @property
    def done(self) -> bool:
        """Whether nothing is left to look for."""
        return bool(self.result.converged) or bool(np.isposinf(self.result.rate_lower))

    def look(self, channels: list[np.ndarray], anchors: list[np.ndarray], duals: list[Suggestion]) -> None:
        """Tries channels mixed with anchors, and the other way round, with each dual point."""
        last = anchors[-1] if anchors else None
        pairs = [(u, a) for u in channels for a in anchors[:1]] + [
            (last, u) for u in (*channels, *anchors[:1]) if last is not None] + [(u, u) for u in (*channels, *anchors)]
        for index, dual in enumerate(duals):
            for u, anchor in pairs if index == 0 else pairs[:1]:
                self._take(assess(self.problem, self.options, u, anchor, dual))
                if self.done:
                    return

    def _take(self, new: SideInformationRate) -> None:
        old = self.result
        if not np.isfinite(new.rate) and new.rate_lower > np.log2(new.channel.shape[-1]) * (1 + 1e-9) + 1e-6:
            new = new._replace(rate_lower=jnp.asarray(jnp.inf))  # no channel has as much
        if np.isposinf(new.rate_lower) and not np.isfinite(old.rate):  # a channel that was verified is there
            self.result = new
            return
        better = np.isfinite(new.rate) and not new.rate >= old.rate
        prover = new if not new.rate_lower <= old.rate_lower and np.isfinite(new.rate_lower) else old
        self.result = solver.joined(new if better else old, prover, self.problem.tolerance)
