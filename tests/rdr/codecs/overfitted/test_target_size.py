"""Files of a given size: what is tried, in which order."""

import numpy as np
import pytest

from rdr.codecs.overfitted import Options, Schedule, format, target_size
from rdr.codecs.overfitted.fitting import Fit
from rdr.codecs.overfitted.objectives import Objective


@pytest.mark.parametrize(("size", "latents", "multipliers", "length"), [
    (800, 500, [1.0, 1.5], 666),  # weights are more than half, and coarser ones do it
    (800, 700, [1.0], 900),  # they are less: the shortest that was found
    (950, 500, [1.0], 900),  # correcting the latents is enough
    (50, 0, list(target_size.WEIGHT_RATE_MULTIPLIERS), 90),
])  # fmt: skip
def test_weights_are_coarsened_where_correcting_the_latents_is_not_enough(size, latents, multipliers, length,
                                                                          monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(target_size, "quantize_fit",
                        lambda *_, rate_multiplier, signal: asked.append(rate_multiplier) or rate_multiplier)
    monkeypatch.setattr(target_size.format, "write", lambda m: format.Written(bytes(int(1000 / m)), latents, 0))
    monkeypatch.setattr(target_size, "match_target_size",
                        lambda fit, state, multiplier, *_, patient, attempts: [bytes(int(900 / multiplier))])
    options = Options(schedule=Schedule(steps=30), size=size)
    fit = Fit(None, Objective("mse", None, None, None), options, (None,), (None,), "")
    assert len(target_size.write_file(fit, None, tmp_path)) == length and asked == multipliers


@pytest.mark.parametrize(("size", "taken", "left"), [(1638, 600, 1038), (800, 602, 200), (600, 700, 150)])
def test_latents_get_what_weights_leave(size, taken, left):
    assert target_size.latent_budget(size, taken) == left


def test_a_longer_and_a_shorter_file_are_mixed_to_the_size(make_description):
    """Above the border the longer file's latents, below it the shorter one's; no border is looked for without both."""
    long = make_description(48, 40, noise_levels=0)
    short = long._replace(latents=[one // 3 for one in long.latents])
    lengths = [len(format.write(one).message) for one in (short, long)]
    tried = list(zip((short.latents, long.latents), lengths))
    size = round(0.4 * lengths[0] + 0.6 * lengths[1])
    messages = target_size._mixtures(long, tried, size, size * 0.99)
    assert 1 <= len(messages) <= target_size.MIXTURES and 0.99 * size <= len(messages[-1]) <= size
    assert all(not 0.99 * size <= len(message) <= size for message in messages[:-1])
    made = format.read(messages[-1]).latents
    finest, above, below = made[0], long.latents[0], short.latents[0]
    border = next(row for row in range(len(finest)) if not np.array_equal(finest[row], above[row]))
    assert 0 < border < len(finest) and np.array_equal(finest[border:], below[border:])
    for alone in (tried[:1], tried[1:]):
        assert target_size._mixtures(long, alone, size, size * 0.99) == []


@pytest.mark.parametrize(("lengths", "near"), [((97, 100), True), ((90, 100), False), ((97, 96), False), ((), False),
                                               ((97, 150, 101, 80), True)])
def test_corrections_end_where_mixing_will_do(lengths, near):
    """Of a size of 98 bytes."""
    assert target_size._are_near([(None, length) for length in lengths], 98) == near


@pytest.mark.parametrize(("size", "left"), [(861, 586), (164, 63), (100, 25), (2400, 1800), (20_000, 19_400)])
def test_small_files_are_not_taken_to_be_all_weights(size, left):
    """With 600 bytes for weights the latents of 861 bytes had 261 for half of the fit, and stayed at 430 in all."""
    assert target_size.first_latent_budget(size) == left


def test_files_that_are_too_short_begin_soft_and_softer_where_that_was_not_enough():
    begin, end = target_size.CORRECTION, target_size.LENGTHENING
    assert target_size.correction_schedule(-0.5, 1.0) == (begin, 0.0)
    far, part = target_size.correction_schedule(target_size.FAR_TOO_SHORT, 0.0)
    assert part == 1 and far == end
    near, part = target_size.correction_schedule(0.1 * target_size.FAR_TOO_SHORT, 0.0)
    assert part == pytest.approx(0.1) and begin.latent_rate < near.latent_rate < 0.2 * end.latent_rate
    assert begin.temperatures[0] < near.temperatures[0] < end.temperatures[0] and near.noise[1] == begin.noise[1]
    again, part = target_size.correction_schedule(0.1 * target_size.FAR_TOO_SHORT, part)
    assert part == pytest.approx(0.2) and again.latent_rate > near.latent_rate
