import subprocess
import sys

import jax
import numpy as np
import pytest
from scipy import stats

from rdr.bitstream import container
from rdr.bitstream.coder import escape_bits
from rdr.bitstream.tables import Tables, table_bits
from rdr.codecs.channel import layered, layered_tables, noises
from rdr.randomness import shared_key

NOISES = {"gaussian": (noises.gaussian_noise(), stats.norm()), "laplace": (noises.laplace_noise(), stats.laplace()),
          "student": (noises.student_t_noise(3.0), stats.t(3)),
          "uniform": (noises.uniform_noise(), stats.uniform(-1, 2))}
RECORDED = [
    -1.4132751469703753, -1.5184996431889028, -1.3018484153280536, -1.0783045705636225, -1.406856520616654,
    -0.2111539146039187, -0.8445740579562694, -0.1527934825871023, 0.6129464277243712, 0.9912453731509684,
    0.9756805406714237, 0.7400603477839927, 1.477413662064114, 1.2419709933001566, 1.3793864613821607,
    1.982385010786828]
HEADER = 60  # bytes: container, name, fingerprint, lengths, and the coder's last words


def transmit(x, *, noise=None, scale=1.0, seed=0, source=None, scales=None):
    codec = layered.layered_channel(noise)
    params = codec.finalize(source or noises.gaussian_source(), noise_scale=scale if scales is None else scales)
    given = {"noise_scale": scale, "shared_key": shared_key(seed)}
    message = codec.encode(params, x, **given)
    return codec.decode(message, params=params, **given), message


def assert_exact(error, x, density):
    """Kolmogorov-Smirnov, Cramer-von Mises, moments, independence of x and of the neighbor, at a level of 1e-4."""
    level = 1e-4
    assert stats.kstest(error, density.cdf).pvalue > level
    assert stats.cramervonmises(error, density.cdf).pvalue > level
    order = np.argsort(x, kind="stable")
    for part in np.array_split(order, 5):
        assert stats.kstest(error[part], density.cdf).pvalue > level
    n = error.size
    rank = density.cdf(error) - 0.5  # uniform, whatever the noise: its moments are bounded
    assert abs(rank.mean()) < 4.5 / np.sqrt(12 * n)
    assert abs((rank**2).mean() - 1 / 12) < 4.5 * np.sqrt(1 / 180 / n)
    for other in (np.roll(rank, 1), x - x.mean() if np.ptp(x) else np.roll(rank, 2)):
        for a in (rank, rank**2 - 1 / 12):
            for b in (other, other**2 - np.mean(other**2)):
                assert abs(np.mean(a * b)) < 4.5 * np.std(a * b) / np.sqrt(n)


@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("scale", [0.05, 1.5])
def test_the_error_is_the_noise_independent_of_the_source(name, scale):
    noise, density = NOISES[name]
    x = np.random.default_rng(1).laplace(size=40_000) + 2.0  # not what the tables are for
    y, _ = transmit(x, noise=noise, scale=scale)
    assert y.dtype == np.float64
    assert_exact((y - x) / np.float64(np.float32(scale)), x, density)


@pytest.mark.parametrize("x", [0.0, 0.3, 1e3])
def test_the_error_is_the_noise_for_any_fixed_number(x):
    x = np.full(40_000, x)
    y, _ = transmit(x, seed=4)
    assert_exact(y - x, x, stats.norm())


def test_scales_of_single_numbers():
    rng = np.random.default_rng(2)
    scale = np.exp(0.4 * rng.normal(size=(300, 128)) - 1)
    x = rng.normal(size=(300, 128))
    y, _ = transmit(x, scale=scale, seed=5)
    scale = scale.astype(np.float32).astype(np.float64)
    assert_exact(((y - x) / scale).ravel(), np.log(scale).ravel(), stats.norm())
    # One column of scales for all rows.
    y, _ = transmit(x, scale=scale[:1], seed=5)
    assert_exact(((y - x) / scale[:1]).ravel(), x.ravel(), stats.norm())


@pytest.mark.parametrize("information, rate", [(0.25, 0.6468580926), (1.0, 1.5071564227), (4.0, 4.5207699765),
                                               (9.0, 9.520773632)])
def test_messages_cost_the_functional_information(information, rate):
    scale = 1 / np.sqrt(np.expm1(2 * np.log(2) * information))
    codec = layered.layered_channel()
    params = codec.finalize(noises.gaussian_source(), noise_scale=scale)
    x = np.random.default_rng(3).standard_normal(2**18)
    message = codec.encode(params, x, noise_scale=scale, shared_key=shared_key(7))
    index, tables = layered_tables.TableIndex(**params["index"]), Tables(**params["tables"])
    lengths = np.empty(x.size)
    blocks = layered._blocks(noises.gaussian_noise(), index, np.float32(scale), x.shape, shared_key(7))
    for part, step, u, ids in blocks:
        k = np.rint(x[part] / step + u).astype(np.int64)
        low = index.low_bits[ids]
        lengths[part] = low + table_bits(k >> low, tables, ids) + escape_bits(k >> low, tables, ids)
    # What is written is the sum of code lengths, and that is the functional information: no less, little more.
    assert lengths.sum() / 8 <= len(message) <= lengths.sum() / 8 + HEADER
    error = 3 * lengths.std() / np.sqrt(x.size)
    assert 8 * len(message) / x.size > rate - error
    assert 8 * len(message) / x.size < 1.003 * rate + 8 * HEADER / x.size + error


def test_a_wrong_model_costs_bits_and_changes_nothing_else():
    x = np.random.default_rng(4).standard_normal(20_000)
    right, wrong = (transmit(x, scale=0.3, source=noises.gaussian_source(0.0, s)) for s in (1.0, 3.0))
    np.testing.assert_array_equal(right[0], wrong[0])
    assert len(wrong[1]) > len(right[1]) + 1000
    far, message = transmit(np.array([1e6, -1e6, 0.0]), scale=0.3)  # escapes
    assert np.abs(far - [1e6, -1e6, 0.0]).max() < 3 and len(message) < 200
    # Scales that the tables were not made for are coded badly, and rightly.
    y, _ = transmit(x, scale=0.02, scales=0.3, seed=9)
    assert_exact((y - x) / np.float64(np.float32(0.02)), x, stats.norm())


def test_a_source_model_may_be_any_increasing_function():
    def cdf(x):
        return 1 / (1 + np.exp(-np.clip(2 * (x - 1), -700, 700)))

    x = np.random.default_rng(5).logistic(1.0, 0.5, 20_000)
    y, message = transmit(x, scale=0.5, source=cdf)
    assert_exact((y - x) / 0.5, x, stats.norm())
    assert len(message) < len(transmit(x, scale=0.5)[1])


def test_shapes_and_keys():
    for shape in ((), (0,), (3, 0), (2, 3, 4), (2**15 + 1,)):
        x = np.zeros(shape)
        y, _ = transmit(x)
        assert y.shape == shape
    x = np.zeros(8)
    assert np.all(transmit(x, seed=1)[0] != transmit(x, seed=2)[0])
    assert layered.layered_channel() is layered.layered_channel()
    messages = {transmit(x, source=source)[1] for source in (2.0, noises.gaussian_source(0.0, 2.0))}
    assert len(messages) == 1


SCRIPT = """
import sys
import jax
jax.config.update("jax_enable_x64", {x64})
import numpy as np
from rdr.codecs.channel import gaussian_source, layered_channel
from rdr.randomness import shared_key
codec = layered_channel()
params = codec.finalize(gaussian_source(), noise_scale=0.5)
message = sys.stdin.buffer.read()
y = codec.decode(message, params=params, noise_scale=np.float32(0.5), shared_key=shared_key(11))
sys.stdout.buffer.write(y.tobytes())
"""


@pytest.mark.parametrize("x64", [pytest.param(True, marks=pytest.mark.stress), False])  # here it is on
def test_another_process_decodes(x64):
    x = np.random.default_rng(6).standard_normal(1000)
    y, message = transmit(x, scale=0.5, seed=11)
    run = subprocess.run([sys.executable, "-c", SCRIPT.format(x64=x64)], input=message, capture_output=True, check=True)
    np.testing.assert_array_equal(np.frombuffer(run.stdout), y)


def test_messages_never_change():
    # Words and layers are a format: recorded with the first version.
    y, _ = transmit(np.linspace(-2, 2, 16), scale=0.5, seed=123)
    np.testing.assert_allclose(y, RECORDED, rtol=1e-9)


def test_damaged_and_foreign_messages_are_refused():
    codec = layered.layered_channel()
    params = codec.finalize(noises.gaussian_source(), noise_scale=0.5)
    given = {"noise_scale": 0.5, "shared_key": shared_key(0)}
    message = codec.encode(params, np.zeros(50), **given)
    for i in range(0, len(message), 3):
        with pytest.raises(ValueError):
            codec.decode(message[:i], params=params, **given)
        with pytest.raises(ValueError):
            codec.decode(message[:i] + bytes([message[i] ^ 4]) + message[i + 1:], params=params, **given)
    parts = container.unpack(message)
    # With the checksum mended, too: words or escape codes too many, and shapes that cannot be.
    for changed in ({"payloads": (parts.payloads[0] + b"\1\0\0\0", b"")}, {"payloads": (parts.payloads[0], b"\x80")},
                    {"payloads": (parts.payloads[0][:-1], b"")}, {"payloads": parts.payloads[:1]}, {"shape": (20,)},
                    {"shape": (2**23, 2**23)}, {"shape": (2**20,)}):
        with pytest.raises(ValueError, match=r"damaged|announces|cannot be trusted"):
            codec.decode(container.pack(parts._replace(**changed)), params=params, **given)
    other = layered.layered_channel(noises.laplace_noise())
    with pytest.raises(ValueError, match="was written by codec 'channel-layered-gaussian'"):
        other.decode(message, params=params, **given)
    with pytest.raises(ValueError, match="another noise_scale"):
        codec.decode(message, params=params, noise_scale=0.25, shared_key=shared_key(0))


def test_refusals():
    codec = layered.layered_channel(max_elements=100)
    params = codec.finalize(noises.gaussian_source(), noise_scale=0.5)
    given = {"noise_scale": 0.5, "shared_key": shared_key(0)}
    with pytest.raises(ValueError, match="at most 100"):
        codec.encode(params, np.zeros(101), **given)
    with pytest.raises(ValueError, match="finite"):
        codec.encode(params, [np.nan], **given)
    with pytest.raises(ValueError, match="too large"):
        codec.encode(params, [1e15], **given)
    with pytest.raises(ValueError, match="not of a layered channel"):
        codec.encode({"tables": {}}, [0.0], **given)
    with pytest.raises(ValueError, match="shared_key"):
        codec.encode(params, [0.0], noise_scale=0.5, shared_key=None)
    with pytest.raises(ValueError, match="threefry"):
        codec.encode(params, [0.0], noise_scale=0.5, shared_key=jax.random.key(0, impl="rbg"))


@pytest.mark.stress
@pytest.mark.parametrize("name", NOISES)
@pytest.mark.parametrize("x", [None, 0.0, 0.3, 1e3])
def test_a_million_errors_are_the_noise(name, x):
    noise, density = NOISES[name]
    x = np.random.default_rng(8).standard_normal(10**6) if x is None else np.full(10**6, x)
    y, _ = transmit(x, noise=noise, seed=21)
    assert_exact(y - x, x, density)
