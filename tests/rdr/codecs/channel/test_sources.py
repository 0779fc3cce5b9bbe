import numpy as np
import pytest
from scipy import stats

from rdr.codecs.channel.noises import gaussian_source
from rdr.codecs.channel.sources import deviation_ratio


def test_a_number_and_a_distribution_function_say_the_same():
    assert deviation_ratio(3.0, noise_scale=0.5) == pytest.approx(6.0, rel=1e-12)
    assert deviation_ratio(gaussian_source(scale=3.0), noise_scale=0.5) == pytest.approx(6.0, rel=1e-6)
    assert deviation_ratio(stats.laplace(scale=2.0).cdf, noise_scale=1.0) == pytest.approx(8.0**0.5, rel=1e-6)
    assert deviation_ratio(stats.norm(3.0, 4.0).cdf, noise_scale=10.0) == pytest.approx(0.5, rel=1e-6)
    assert deviation_ratio(1.0, noise_scale=np.array([0.25, 4.0])) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize("source", [0.0, -1.0, np.inf, np.nan, [1.0, 2.0], "1", None, 1j])
def test_what_is_no_source_is_refused(source):
    with pytest.raises(ValueError, match="source must be a positive standard deviation"):
        deviation_ratio(source, noise_scale=1.0)
