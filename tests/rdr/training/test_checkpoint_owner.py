"""Whose progress a directory holds."""

import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.overfitted import Options, Schedule
from rdr.training.checkpoint_owner import RECORD, claim, digest

MAP = np.linspace(0, 1, 2000, dtype=np.float32).reshape(40, 50)  # NumPy would print the borders of it


def _changed(array):
    array = array.copy()
    array[20, 25] += 1
    return array


@pytest.mark.parametrize("other", [
    (_changed(MAP), Options(), [0]), (MAP.reshape(50, 40), Options(), [0]), (MAP.view(np.int32), Options(), [0]),
    (MAP, Options(seed=1), [0]), (MAP, Options(sigma="intrinsic"), [0]), (MAP, Options(saliency=MAP), [0]),
    (MAP, Options(schedule=Schedule(clip=0.2)), [0]), (MAP, Options(), [1]), (MAP, Options(), [0, 0]),
    (MAP, Options(), [None]),
])  # fmt: skip
def test_other_fits_have_other_digests(other):
    assert digest(*other) != digest(MAP, Options(), [0])


def test_equal_things_have_equal_digests():
    first = digest(MAP, Options(saliency=MAP, rd_lambda=0.5), [0])
    assert first != digest(MAP, Options(saliency=_changed(MAP), rd_lambda=0.5), [0])
    assert first == digest(MAP[::-1][::-1], Options(saliency=jnp.asarray(MAP), rd_lambda=np.float64(0.5)), (0,))


def test_only_fits_that_made_progress_are_in_the_way(tmp_path):
    folder = tmp_path / "a" / "b"
    claim(folder, 1)
    claim(folder, 2)
    assert [path.name for path in folder.iterdir()] == [RECORD]
    (folder / "fit").mkdir()
    claim(folder, 2)
    with pytest.raises(ValueError, match="b holds the progress of other data or of other options: remove it or"):
        claim(folder, 1)
    (folder / RECORD).unlink()  # as an earlier version left it
    claim(folder, 1)
    with pytest.raises(ValueError):
        claim(folder, 2)
