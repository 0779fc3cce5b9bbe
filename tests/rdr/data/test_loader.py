"""Batches depend on seed and step only: on no interruption, and on no number of processes."""

import itertools

import numpy as np
import pytest

from rdr.data.loader import batches
from rdr.data.tfds_source import named_source


class Numbered:
    """11 images of 12 x 10 pixels whose values tell image, row and column."""

    def __len__(self):
        return 11

    def __getitem__(self, i):
        rows, columns = np.mgrid[:12, :10]
        return {"image": np.stack([np.full_like(rows, i), rows, columns], -1).astype(np.uint8)}


def take(count, **options):
    defaults = dict(batch=4, crop=8, seed=5)
    return list(itertools.islice(batches(Numbered(), **defaults | options), count))


def test_a_resumed_stream_goes_on_with_the_batch_it_would_have_seen():
    whole = take(12)
    np.testing.assert_array_equal(np.stack(take(5, start=7)), np.stack(whole[7:]))


def test_processes_see_together_what_one_sees_alone():
    whole = np.stack(take(6))
    parts = [np.stack(take(4, start=2, process=p, processes=2)) for p in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole[2:])


def test_batches_may_hold_one_image():
    whole = np.stack(take(6))
    np.testing.assert_array_equal(np.concatenate(take(24, batch=1)), whole.reshape(24, *whole.shape[2:]))
    parts = [np.stack(take(6, batch=2, process=p, processes=2)) for p in range(2)]
    np.testing.assert_array_equal(np.stack(parts, axis=1).reshape(12, *whole.shape[2:]), whole.reshape(
        24, *whole.shape[2:])[:12])


def test_every_image_comes_once_an_epoch_and_another_seed_is_another_order():
    order = [np.concatenate([b[:, 0, 0, 0] for b in take(11, seed=seed)]) for seed in (5, 6)]
    for epoch in order[0].reshape(4, 11):
        assert sorted(epoch) == list(range(11))
    assert len({tuple(epoch) for epoch in order[0].reshape(4, 11)}) == 4  # each in an order of its own
    assert (order[0] != order[1]).any()


def test_crops_move_and_half_of_them_are_mirrored():
    seen = np.concatenate(take(200))
    step = seen[:, 0, 1, 2].astype(int) - seen[:, 0, 0, 2]
    assert set(step) == {-1, 1}
    assert abs(np.mean(step)) < 5 / np.sqrt(800)  # five standard errors
    top, left = seen[:, 0, 0, 1], np.minimum(seen[:, 0, 0, 2], seen[:, 0, -1, 2])
    # 5 x 3 places, each with a chance of 1/15: 800 draws miss one with a chance below 1e-22.
    assert len(set(zip(top.tolist(), left.tolist()))) == 15


@pytest.mark.parametrize("options, match", [
    (dict(crop=11), "crop must be between 1 and the images' sides"),
    (dict(batch=3, processes=2), "batch must be a positive multiple"),
])
def test_bad_options_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        take(1, **options)


def test_an_empty_source_is_refused():
    with pytest.raises(ValueError, match="holds no images"):
        next(batches([], batch=1, crop=1, seed=0))


@pytest.mark.parametrize("name", ["clic", "no_such_data_set"])
def test_a_data_set_that_is_not_here_is_refused_at_once_without_network(name, tmp_path):
    with pytest.raises(ValueError, match=f"data set '{name}' is not ready .*tfds build"):
        named_source(name, data_dir=tmp_path)
