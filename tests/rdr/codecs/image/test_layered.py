"""Latents through an exact Gaussian channel: noise, rate, and streams."""

import json

import jax
import numpy as np
import pytest
from scipy import stats

from rdr.bitstream.coder import escape_bits
from rdr.bitstream.tables import table_bits, tables_from_tree
from rdr.codecs.image import files
from rdr.codecs.image.factorized import channel_ids
from rdr.codecs.image.layered import layered_model
from rdr.codecs.image.models import make_codec, make_model
from rdr.randomness import shared_key

SCALE = 12.0**-0.5


def drawn(codec):
    """Parameters of a usual size, without compiling `init`."""
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        usual = 1.0 if "root_beta" in jax.tree_util.keystr(path) else 0.0
        return np.float32(rng.normal(usual, 0.1, leaf.shape))

    return jax.tree_util.tree_map_with_path(draw, jax.eval_shape(codec.init, jax.random.key(0)))


@pytest.fixture(scope="module", params=[pytest.param(False, marks=pytest.mark.stress), True], ids=["scales", "means"])
def case(request, oracle):
    model = layered_model(channels=3, latents=4, means=request.param)
    params = oracle.draw_parameters(model._replace(name=model.name.removesuffix("-layered")))
    return model, params, model.finalize(params)


def test_the_decoder_has_exactly_gaussian_noise(case):
    model, params, coding = case
    y = (6.0 * np.random.default_rng(2).standard_normal((4, 16, 24, 4))).astype(np.float32)
    y[0, 0, 0] = [300.0, -1e4, 0.0, 1e-3]  # nothing that the model expects
    key = model.draw(shared_key(3), y.shape)
    payloads, symbols = model.encode(params, coding, y, key)
    y_hat = np.asarray(model.decode(coding, payloads, y.shape, key), np.float64)
    error = (y_hat - y).ravel() / SCALE
    # float32 latents of 1e4 are known to a 500th of a noise scale.
    assert stats.kstest(error, "norm").pvalue > 1e-3 and set(symbols) == {"z"}
    half = error[np.argsort(y.ravel())].reshape(2, -1)
    assert min(stats.kstest(part, "norm").pvalue for part in half) > 1e-3


@pytest.mark.parametrize("means", [pytest.param(False, marks=pytest.mark.stress), True])
def test_the_rate_is_the_estimate_and_near_the_least_possible(means):
    model = layered_model(channels=3, latents=4, means=means)
    params = jax.tree.map(np.array, jax.jit(model.init)(jax.random.key(0)))
    params["synthesis"]["Convolution_2"]["kernel"][:] = 0.0
    params["synthesis"]["Convolution_2"]["bias"][:4] = 2.0  # every latent has mean 0 and scale 2
    y = (2.0 * np.random.default_rng(2).standard_normal((4, 32, 48, 4))).astype(np.float32)
    key = model.draw(shared_key(3), y.shape)
    coding = model.finalize(params)
    payloads, symbols = model.encode(params, coding, y, key)
    size = 8 * sum(map(len, payloads))
    # With hyper-latents rounded, as they are sent.
    assert size == pytest.approx(float(np.sum(jax.jit(lambda y: model.bits(params, y, None)[1])(y))), rel=0.01)
    # Without these: functional information at I = log2(1 + 4 * 12) / 2 = 2.8074 bits, where it is I + 0.5206.
    tables = tables_from_tree(coding["hyper_tables"])
    z = symbols["z"]
    rest = size - np.sum(table_bits(z, tables, channel_ids(z.shape)) + escape_bits(z, tables, channel_ids(z.shape)))
    assert rest / y.size == pytest.approx(2.8074 + 0.5206, abs=4 * 1.2 / np.sqrt(y.size) + 0.003)


def test_estimated_latents_have_the_same_noise(case):
    model, params, _ = case
    y = np.zeros((2, 16, 16, 4), np.float32)  # stride 4: hyper-latents [2, 4, 4, 3]
    for key in (jax.random.key(1), None):
        y_hat, bits = jax.jit(model.bits)(params, y, key)
        assert stats.kstest(np.asarray(y_hat).ravel() / SCALE, "norm").pvalue > 1e-3 and np.all(np.asarray(bits) > 0)
    gradient = jax.jit(jax.grad(lambda y: model.bits(params, y, jax.random.key(1))[1].sum()))(y + 1.0)
    assert np.isfinite(gradient).all() and np.any(gradient != 0)


def test_an_image_codec_with_the_channel_decodes_and_needs_the_key():
    codec = make_codec("mbt2018-mean", channels=4, latents=6, channel="layered")
    assert codec is make_codec("mbt2018-mean", channel="layered", latents=6, channels=4)
    params = codec.finalize(drawn(codec))
    x = np.random.default_rng(0).random((1, 40, 70, 3), np.float32)
    message = codec.encode(params, x, shared_key=shared_key(1))
    assert codec.encode(params, x, shared_key=shared_key(1)) == message
    first, other = (np.asarray(codec.decode(codec.encode(params, x, shared_key=shared_key(k)), params=params,
                                            shared_key=shared_key(k))) for k in (1, 2))
    assert first.shape == x.shape and np.any(first != other)
    for call in (lambda: codec.encode(params, x), lambda: codec.decode(message, params=params)):
        with pytest.raises(ValueError, match="needs the shared_key"):
            call()
    plain = make_codec("mbt2018-mean", channels=4, latents=6)
    with pytest.raises(ValueError, match="was written by codec 'mbt2018-mean-layered'"):
        plain.decode(message, params=params)


@pytest.mark.parametrize("name", [pytest.param("bmshj2018-hyperprior", marks=pytest.mark.stress), "mbt2018-mean"])
def test_a_codec_with_the_channel_comes_back_from_a_file(name, tmp_path):
    options = {"name": name, "channels": 4, "latents": 6, "channel": "layered", "rate_levels": 2}
    codec = make_codec(**options)
    params = codec.finalize(drawn(codec))
    files.save_codec(tmp_path / "codec.npz", options, params)
    loaded = files.load_codec(tmp_path / "codec.npz")
    assert loaded.codec is codec and loaded.options == options
    assert jax.tree.structure(loaded.params) == jax.tree.structure(params)
    jax.tree.map(np.testing.assert_array_equal, loaded.params, params)
    image = np.random.default_rng(0).integers(0, 256, (40, 70, 3), np.uint8)
    message = files.encode_image(loaded, image, rate=0.5, shared_key=shared_key(1))
    written = codec.encode(params, image[None] / np.float32(255), rate=0.5, shared_key=shared_key(1))
    assert message == written  # of the same parameters, down to their fingerprint
    decoded = files.decode_image(loaded, message, shared_key=shared_key(1))
    expected = codec.decode(written, params=params, shared_key=shared_key(1))[0]
    assert np.abs(decoded - 255.0 * np.asarray(expected, np.float64)).max() <= 0.5 + 1e-4


def test_files_that_hold_something_else_are_refused(tmp_path):
    options = {"name": "bmshj2018-hyperprior", "channels": 2, "latents": 2, "channel": "layered"}
    codec = make_codec(**options)
    path = tmp_path / "codec.npz"
    files.save_codec(path, options, codec.finalize(drawn(codec)))
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}

    def header(channel):
        said = {"format": files.FORMAT, "options": options | {"channel": channel}, "notes": {}}
        return {"header": np.frombuffer(json.dumps(said).encode(), np.uint8)}

    for change, words in (
            ({"coding/scales": np.zeros(64, np.float32)}, "not 64 positive numbers"),
            ({"coding/noise_scales": np.ones(63, np.float32)}, "not 64 positive numbers"),
            ({"coding/noise_scales": None}, "integers are not those of its model"),
            ({"coding/layered/index/start": None}, "index does not hold"),
            (header("rounding"), "integers are not those of its model"), (header("noise"), "channel must be one of"),
            (header(1), "option channel is unknown or no word")):
        np.savez(path, **{name: value for name, value in (arrays | change).items() if value is not None})
        with pytest.raises(ValueError, match=f"is no image codec, or damaged .*{words}"):
            files.load_codec(path)


def test_refusals():
    with pytest.raises(ValueError, match="channel must be one of rounding, layered"):
        make_model("mbt2018-mean", channel="noise")
    for wrong in ({"name": "bmshj2018-factorized"}, {"name": "mbt2018-mean", "dither_levels": 4}):
        with pytest.raises(ValueError, match="channel 'layered' is for"):
            make_model(channel="layered", **wrong)
    with pytest.raises(ValueError, match="noise_scale must be positive"):
        layered_model(channels=3, latents=4, means=True, noise_scale=0.0)
    with pytest.raises(ValueError, match="latents must be even"):
        layered_model(channels=3, latents=5, means=True)
