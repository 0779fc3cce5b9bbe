import jax
import numpy as np
import pytest

from rdr.vision import transfer

CODES = np.linspace(0.0, 1.0, 41, dtype=np.float64)


def test_values_of_the_standards():
    # ITU-R BT.2408, table 1: HDR reference white, 203 cd/m^2, is 58 % PQ and 75 % HLG on a display of 1000 cd/m^2.
    np.testing.assert_allclose(transfer.luminance_from_pq(np.array([0.0, 0.58, 1.0])), [0, 203, 1e4], rtol=0.01)
    np.testing.assert_allclose(transfer.pq_from_luminance(np.array([0.1, 1.0, 10, 100, 1000, 4000])),
                               [0.0623, 0.1499, 0.2997, 0.5081, 0.7518, 0.9026], atol=6e-5)
    np.testing.assert_allclose(1000 * transfer.display_from_hlg(np.full(3, 0.75)), 203, rtol=0.01)
    np.testing.assert_allclose(transfer.hlg_from_scene(np.array([0, 1 / 12, 1.0])), [0, 0.5, 1], atol=1e-7)
    np.testing.assert_allclose(transfer.linear_from_srgb(np.array([0.0, 0.5, 1.0])), [0, 0.21404114048, 1], rtol=1e-7)
    np.testing.assert_allclose(transfer.linear_from_gamma(np.array([-0.1, 0.5]), 2.0), [0, 0.25], rtol=1e-6)


def test_system_gamma():
    assert transfer.hlg_system_gamma(1000.0) == 1.2
    assert transfer.hlg_system_gamma(4000.0) == pytest.approx(1.4529, abs=1e-4)
    assert transfer.hlg_system_gamma(4000.0, 50.0) == pytest.approx(1.4529 - 0.07623, abs=1e-4)
    assert transfer.hlg_system_gamma(4000.0, 0.0) == transfer.hlg_system_gamma(4000.0)
    with pytest.raises(ValueError, match="peak must be positive"):
        transfer.hlg_system_gamma(0.0)


@pytest.mark.parametrize("name", transfer.TRANSFERS)
def test_inverses_and_gradients(name):
    rng = np.random.default_rng(0)
    colors = np.stack([CODES, rng.permutation(CODES), rng.permutation(CODES)], axis=-1)
    decode, encode = (jax.jit(jax.value_and_grad(lambda x, f=f: (lambda y: (y.sum(), y))(f(x, name)), has_aux=True))
                      for f in (transfer.eotf, transfer.inverse_eotf))
    (_, light), slope = decode(colors)
    (_, back), back_slope = encode(light)
    seen = colors if name != "pq" else np.maximum(colors, transfer.pq_from_luminance(0.0))
    np.testing.assert_allclose(back, seen, atol=1e-6)
    assert np.isfinite(slope).all() and np.isfinite(back_slope).all()
    inside = 0.1 + 0.81 * colors  # not on the seams of sRGB and HLG
    (_, light), slope = decode(inside)
    _, back_slope = encode(light)
    ahead, behind = (decode(inside + sign * 1e-6 * colors)[0][1] for sign in (1, -1))
    np.testing.assert_allclose(np.sum(slope * colors), np.sum(ahead - behind) / 2e-6, rtol=1e-6)
    further = light * (1 + 1e-6)
    np.testing.assert_allclose(np.sum(back_slope * light) * 1e-6,
                               np.sum(encode(further)[0][1] - encode(light)[0][1]), rtol=1e-4)


def test_refusals():
    with pytest.raises(ValueError, match="transfer must be one of 'srgb'.*'nope'"):
        transfer.eotf(CODES, "nope")
    with pytest.raises(ValueError, match="transfer must be one of"):
        transfer.inverse_eotf(CODES, "nope")
    with pytest.raises(ValueError, match="gamma must be at least 1"):
        transfer.linear_from_gamma(CODES, 0.5)
    with pytest.raises(ValueError, match="hlg needs 3 channels"):
        transfer.display_from_hlg(CODES)
