"""Files of a given size: what is tried, in which order."""

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
