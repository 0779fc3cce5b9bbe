import numpy as np
import pytest

from rdr.estimators.samples import sample_vectors, slopes_in_nats


def test_images_become_vectors_and_whole_numbers_float32():
    found = sample_vectors(np.arange(24, dtype=np.uint8).reshape(3, 2, 2, 2))
    assert found.shape == (3, 8) and found.dtype == np.float32
    assert sample_vectors(np.zeros(5)).shape == (5, 1)
    assert sample_vectors(np.zeros(5, np.float16)).dtype == np.float32


@pytest.mark.parametrize(("samples", "options", "message"), [
    (np.zeros((3, 2), complex), {}, "samples must hold real numbers, got complex128"),
    (np.zeros((3, 2), bool), {}, "got bool"),
    (np.zeros((3, 0)), {}, "no dimension 0"),
    (np.float32(3.0), {}, "samples must have shape"),
    (np.zeros((1, 2)), {}, "at least 2 samples, got 1"),
    (np.asarray([[1.0, np.nan], [np.inf, 0.0]]), {}, "samples must be finite, got 2 values that are not"),
    (np.zeros((3, 2)), {"dimension": 4, "name": "held_out"}, "held_out must have vectors of dimension 4, got 2"),
])  # fmt: skip
def test_samples_that_cannot_be_used_are_refused(samples, options, message):
    with pytest.raises(ValueError, match=message):
        sample_vectors(samples, **options)


def test_slopes_are_bits_and_come_back_in_nats():
    np.testing.assert_allclose(slopes_in_nats([[1.0, 2.0]]), np.log([2.0, 4.0]), rtol=1e-6)
    assert slopes_in_nats(1.0).shape == (1,)
    for wrong in (0.0, [1.0, np.inf], -1.0, [], np.nan):
        with pytest.raises(ValueError, match="slopes must be positive and finite"):
            slopes_in_nats(wrong)
    for wrong in (1e39, [1.0, 1e-39]):
        with pytest.raises(ValueError, match="slopes must be within the range of float32, .*: scale the samples"):
            slopes_in_nats(wrong)
