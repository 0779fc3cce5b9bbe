import numpy as np
import pytest

from theory import bounds
from theory import channel_simulation as cs

INFORMATION = np.array([0.25, 6.0])


@pytest.mark.parametrize("channel, dimension, exact", [("gaussian", 1, True), ("gaussian", 2, False),
                                                       ("singular", 1, False), ("any", 1, False)])
def test_lower_bounds_lie_below_upper_ones(channel, dimension, exact):
    found = bounds.simulation_bounds_of(channel, dimension=dimension)
    values = {kind: np.array([b.bits(INFORMATION) for b in found if b.kind == kind]) for kind in ("lower", "upper")}
    assert (values["lower"].max(0) < values["upper"].min(0)).all()
    names = [b.name for b in found]
    assert ("layered dither" in names) == exact and ("rejection-sampled lattice" in names) == (dimension > 1)
    assert len(set(names)) == len(names)


def test_what_each_channel_is_known_to_cost():
    by_name = {b.name: b for b in bounds.simulation_bounds_of("gaussian")}
    functional = cs.gaussian_functional_information(INFORMATION)
    np.testing.assert_array_equal(by_name["layered dither"].bits(INFORMATION), functional)
    np.testing.assert_allclose(by_name["ring toss"].bits(INFORMATION), functional + np.log2(np.e), rtol=1e-12)
    singular = {b.name: b for b in bounds.simulation_bounds_of("singular")}
    np.testing.assert_allclose(singular["ring toss"].bits(INFORMATION), INFORMATION + 1.4427, atol=1e-4)
    anything = {b.name: b for b in bounds.simulation_bounds_of("any")}
    assert set(anything) == {"mutual information", "Poisson functional representation", "best known of I alone"}
    np.testing.assert_allclose(anything["best known of I alone"].bits(1.0), 1 + 1 + 2.45, rtol=1e-14)


def test_refusals():
    with pytest.raises(ValueError, match="channel must be one of"):
        bounds.simulation_bounds_of("telephone")
    with pytest.raises(ValueError, match="dimension"):
        bounds.simulation_bounds_of("gaussian", dimension=0)
