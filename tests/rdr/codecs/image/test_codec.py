"""Image codecs through bytes: sizes, refusals, rate and realism inputs, and the same symbols everywhere."""

import functools
import hashlib
import os
import pathlib
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr import program_cache
from rdr.bitstream import container
from rdr.codecs.image import NAMES, files, image_codec, make_codec, make_model
from rdr.randomness import shared_key

ROOT = pathlib.Path(__file__).parents[4]
HEIGHT, WIDTH = 50, 60
OPTIONS = dict(channels=8, latents=12, rate_levels=3, realism=True)


def lively(codec):
    """Parameters that are no initial values: latents spread over many integers, and the second decoder differs."""
    rng = np.random.default_rng(1)

    def draw(path, leaf):
        name = jax.tree_util.keystr(path)
        scale = 0.1 if "realism" in name else 1.0
        if "kernel" in name:
            return (scale * rng.standard_normal(leaf.shape) / np.sqrt(np.prod(leaf.shape[:3]))).astype(np.float32)
        if "root_gamma" in name:
            return (scale * (0.3 * np.eye(*leaf.shape) + 0.05 * rng.random(leaf.shape))).astype(np.float32)
        if "root_beta" in name:
            return (scale * (1.0 + 0.1 * rng.random(leaf.shape))).astype(np.float32)
        if "matrix" in name:
            return rng.normal(-1.2, 0.2, leaf.shape).astype(np.float32)
        if "log_gain" in name or "log_inverse" in name:
            level = np.linspace(2.0, 3.0, len(leaf.shape) and leaf.shape[0])[:, None] + 0.1 * rng.random(leaf.shape)
            return (level if "log_gain" in name else -level).astype(np.float32)
        return (0.1 * rng.standard_normal(leaf.shape)).astype(np.float32)

    params = jax.tree_util.tree_map_with_path(draw, jax.eval_shape(codec.init, jax.random.key(0)))
    for part, tree in params["model"].items():  # scales large enough that no symbol escapes
        if part == "synthesis":
            tree["Convolution_2"]["bias"][:12] += 6.0
        if part.startswith("merge"):
            tree["Convolution_2"]["bias"][: tree["Convolution_2"]["bias"].size // 2] += 6.0
    return params


@functools.cache
def make(name):
    """Codec, parameters, two images whose padded latents are 4 x 4, and their message."""
    codec = make_codec(name, **OPTIONS)
    params = codec.finalize(lively(codec))
    x = np.random.default_rng(2).random((2, HEIGHT, WIDTH, 3)).astype(np.float32)
    return codec, params, x, codec.encode(params, x, rate=1.3)


# The last has the networks of the second and third, too, which test_hyperprior.py and test_pretrained.py hold.
@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.stress) if name in NAMES[1:3] else name for name in NAMES])
def made(request):
    return make(request.param)


def test_the_message_decodes_to_what_the_estimate_describes(made):
    codec, params, x, message = made
    stride = 16 if codec.name == NAMES[0] else 64
    padded = np.pad(x, ((0, 0), (0, -HEIGHT % stride), (0, -WIDTH % stride), (0, 0)), "edge")
    reconstruction, bits = jax.jit(lambda p, x: codec.forward(p, x, key=None, rate=1.3125))(
        {k: v for k, v in params.items() if k != "coding"}, padded)  # 1.3 in sixteenths
    decoded = np.asarray(codec.decode(message, params=params))
    assert decoded.shape == x.shape and decoded.dtype == np.float32
    # The hyper-decoder's integers give other means by up to 1/256 and a few other roundings.
    clipped = np.clip(np.asarray(reconstruction)[:, :HEIGHT, :WIDTH], 0, 1)
    assert np.mean(np.abs(decoded - clipped)) < 0.02 * np.std(clipped) + 1e-6
    head = 70  # bytes: name, fingerprint, shape, lengths, two states of the coder, checksum
    assert abs(8 * len(message) - float(jnp.sum(bits))) < 0.02 * float(jnp.sum(bits)) + 8 * head


def test_symbols_are_those_in_the_message_and_rates_rise_with_the_level(made):
    codec, params, x, message = made
    symbols = codec.symbols(params, x, rate=1.3)
    assert all(value.dtype == np.int32 for value in symbols.values())
    sizes = [len(codec.encode(params, x, rate=rate)) for rate in (0, 1, 2)]
    assert sizes[0] < sizes[1] < sizes[2]
    assert codec.encode(params, x, rate=1.3) == message


def test_the_realism_weight_moves_the_decoder_on_a_straight_line_of_parameters(made):
    codec, params, _, message = made
    zero, default, half, one = (np.asarray(codec.decode(message, params=params, condition=beta))
                                for beta in (0.0, None, 0.5, 1.0))
    np.testing.assert_array_equal(zero, default)
    assert np.abs(one - zero).max() > 1e-3 and np.abs(half - zero).max() > 1e-4
    moved = {**params, "synthesis": jax.tree.map(np.add, params["synthesis"], params["realism"])}
    other = codec.decode(_resealed(message, moved), params=moved, condition=0.0)
    np.testing.assert_allclose(other, one, atol=1e-6)


def _resealed(message, params):
    parts = container.unpack(message)
    return container.pack(parts._replace(fingerprint=container.fingerprint(params)))


def test_one_pixel_and_odd_sizes_work(made):
    codec, params, x, _ = made
    for height, width in ((1, 1), (49, 3)):  # padded to what the other tests have compiled
        image = x[:, :height, :width]
        assert codec.decode(codec.encode(params, image, rate=0), params=params).shape == image.shape


def test_foreign_damaged_and_wrong_input_is_refused(made):
    codec, params, x, message = made
    with pytest.raises(ValueError, match="other parameters"):
        codec.decode(message, params={**params, "synthesis": params["realism"]})
    parts = container.unpack(message)
    with pytest.raises(ValueError, match="damaged message"):
        codec.decode(message[:60] + bytes([message[60] ^ 4]) + message[61:], params=params)
    with pytest.raises(ValueError, match="2 payloads instead of 3"):
        codec.decode(container.pack(parts._replace(payloads=parts.payloads[1:])), params=params)
    with pytest.raises(ValueError, match="rate level 4095.9"):
        codec.decode(container.pack(parts._replace(payloads=(b"\xff\xff", *parts.payloads[1:]))), params=params)
    with pytest.raises(ValueError, match="announces the shape"):
        codec.decode(container.pack(parts._replace(shape=(2**20, 1, 1, 3))), params=params)
    with pytest.raises(ValueError, match="written by codec"):
        codec.decode(container.pack(parts._replace(codec="scalar")), params=params)
    with pytest.raises(ValueError, match="realism weight must be in"):
        codec.decode(message, params=params, condition=1.5)
    with pytest.raises(ValueError, match="needs a rate"):
        codec.encode(params, x)
    with pytest.raises(ValueError, match="floating-point"):
        codec.encode(params, (x * 255).astype(np.uint8), rate=1)
    with pytest.raises(ValueError, match="finalize"):
        codec.encode({k: v for k, v in params.items() if k != "coding"}, x, rate=1)
    with pytest.raises(ValueError, match="shared_key must be None"):
        codec.encode(params, x, rate=1, shared_key=jax.random.key(0))


def test_small_messages_of_large_images_are_refused_before_anything_is_computed(made, monkeypatch):
    """Fault 31: 60 bytes that announced 5 megapixels took minutes and gigabytes; and random bytes, checksums mended."""
    codec, params, _, message = made
    parts = container.unpack(message)
    rng = np.random.default_rng(8)
    monkeypatch.setattr(program_cache.jax, "jit", None)  # nothing is compiled
    for length in (0, 4, 40, *rng.integers(1, 15, 20) * 4):
        words = rng.integers(1, 2**32, length // 4, dtype=np.uint32)
        shape = (1, *rng.integers(900, 2300, 2).tolist(), 3) if length > 4 else (1, 2300, 2300, 3)
        forged = container.pack(parts._replace(shape=shape, payloads=(b"\x01\x00", words.tobytes(), b"")))
        with pytest.raises(ValueError, match="damaged message"):
            codec.decode(forged, params=params)


def test_images_beyond_the_limit_are_refused_with_a_remedy():
    """Fault 16: the limit was a number of elements, and what to do about it was left to guess."""
    model = make_model(NAMES[0], channels=8, latents=12)
    codec = image_codec(model, channels=8, latents=12)
    with pytest.raises(ValueError, match="5.59 megapixels, got 16800000, 5.60 megapixels: .* cut the image into tiles"):
        codec.encode({"coding": {}}, np.zeros((1, 2000, 2800, 3), np.float32))


def test_what_could_not_be_decoded_is_not_encoded():
    """Narrow images are padded to many times their size; both sides refuse the same ones."""
    model = make_model(NAMES[0], channels=8, latents=12)
    small, large = (image_codec(model, channels=8, latents=12, max_elements=most) for most in (600, 10**6))
    params = {"coding": {}}
    with pytest.raises(ValueError, match=r"x has the shape \(1, 1, 200, 3\), too large when padded"):
        small.encode(params, np.zeros((1, 1, 200, 3), np.float32))
    with pytest.raises(ValueError, match=r"x has the shape \(6000, 1, 1, 3\), too large when padded"):
        large.encode(params, np.zeros((6000, 1, 1, 3), np.float32))


def test_the_same_arguments_give_the_same_codec_in_whatever_order_and_form():
    options = dict(channels=8, latents=12, realism=True, rate_levels=3)
    assert make_codec(NAMES[0], **options) is make_codec(**dict(sorted((options | {"name": NAMES[0]}).items())))
    assert make_codec(NAMES[0]) is make_codec(name=NAMES[0], channels=128, dither_levels=0)
    assert make_model(NAMES[0], latents=12, channels=8) is make_model(NAMES[0], channels=8, latents=12)
    assert make_codec(NAMES[0], **options) is not make_codec(NAMES[0], **options | {"rate_levels": 4})


# Dithered latents of the first: test_factorized.py.
@pytest.mark.parametrize("name", [pytest.param("bmshj2018-factorized", marks=pytest.mark.stress), "mbt2018-mean"])
def test_a_shared_dither_makes_the_error_of_latents_uniform_and_is_needed_to_decode(name):
    codec, model = (make(name, channels=8, latents=12, dither_levels=4, **more) for make, more in (
        (make_codec, dict(rate_levels=3, realism=True)), (make_model, {})))
    params = codec.finalize(lively(codec))
    y = 5.0 * np.random.default_rng(4).standard_normal((4, 4, 4, 12)).astype(np.float32)
    dither = np.random.default_rng(5).integers(0, 4, y.shape).astype(np.int32)
    payloads, symbols = model.encode(params["model"], params["coding"], y, dither)
    error = np.asarray(model.decode(params["coding"], payloads, y.shape, dither)) - y
    assert np.abs(error).max() <= 0.5 + 1e-5
    # Uniform: variance 1/12, and the same whatever the symbol; 768 draws, standard error of the variance 0.0027.
    assert abs(np.var(error) - 1 / 12) < 0.0135 and symbols["y"].dtype == np.int32
    x = np.random.default_rng(2).random((1, 64, 64, 3)).astype(np.float32)
    message = codec.encode(params, x, rate=1, shared_key=shared_key(3))
    decoded = codec.decode(message, params=params, shared_key=shared_key(3))
    _, bits = jax.jit(lambda p, x: codec.forward(p, x, key=jax.random.key(0), rate=1.0))(
        {k: v for k, v in params.items() if k != "coding"}, x)
    # One draw of the dither against one of the noise: bits of 16 x 12 latents or more, each within a few bits.
    assert decoded.shape == x.shape and abs(8 * len(message) - float(bits[0])) < 0.1 * float(bits[0]) + 8 * 70
    with pytest.raises(ValueError, match="needs the shared_key"):
        codec.decode(message, params=params)


def latents(codec, message, params):
    """What the decoder's synthesis is given."""
    parts = container.unpack(message)
    model = make_model(codec.name, channels=8, latents=12)
    rows, columns = (-(-side // (16 * model.stride)) * model.stride for side in parts.shape[1:3])
    return np.asarray(model.decode(params["coding"], parts.payloads[1:], (parts.shape[0], rows, columns, 12)))


def test_a_batch_decodes_to_what_its_images_decode_to_alone():
    """A stream of symbols says the same to networks that see other images beside it."""
    codec, model = make_codec("mbt2018-mean", **OPTIONS), make_model("mbt2018-mean", channels=8, latents=12)
    params = codec.finalize(lively(codec))
    y = 8.0 * np.random.default_rng(6).standard_normal((3, 4, 4, 12)).astype(np.float32)
    together, symbols = model.encode(params["model"], params["coding"], y)
    decoded = np.asarray(model.decode(params["coding"], together, y.shape))
    alone, same = model.encode(params["model"], params["coding"], y[1:2])
    for name, value in same.items():
        np.testing.assert_array_equal(value, symbols[name][1:2])
    np.testing.assert_array_equal(model.decode(params["coding"], alone, (1, 4, 4, 12)), decoded[1:2])


def test_the_same_latents_come_out_with_jit_off_and_x64_on_or_off(made):
    codec, params, _, message = made
    want = latents(codec, message, params)
    for x64 in (False, True):
        with jax.enable_x64(x64):
            np.testing.assert_array_equal(latents(codec, message, params), want)
    if codec.name == NAMES[0]:  # minutes of single operations for the others: `make stress` and test_integer_network.py
        with jax.disable_jit():
            np.testing.assert_array_equal(latents(codec, message, params), want)


_ELSEWHERE = """
import hashlib, importlib.util, pathlib, sys
import jax
from rdr.codecs.image import files
spec = importlib.util.spec_from_file_location("test_codec", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
print(len(jax.devices()), bool(jax.config.jax_disable_jit))
for path in sys.argv[2:]:
    loaded = files.load_codec(path)
    found = module.latents(loaded.codec, pathlib.Path(path).with_suffix(".message").read_bytes(), loaded.params)
    print(hashlib.sha256(found.tobytes()).hexdigest())
"""


def elsewhere(folder, names, **environment):
    """Decodes in a process of its own; gives what it says of itself, and whether all latents are those of this one."""
    paths, wanted = [], []
    for name in names:
        codec, params, _, message = make(name)
        files.save_codec(folder / f"{name}.npz", {"name": name, **OPTIONS}, params)
        (folder / f"{name}.message").write_bytes(message)
        paths.append(folder / f"{name}.npz")
        wanted.append(hashlib.sha256(latents(codec, message, params).tobytes()).hexdigest())
    output = subprocess.run([sys.executable, "-c", _ELSEWHERE, __file__, *paths], check=True, capture_output=True,
                            text=True, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT), **environment})
    own, *digests = output.stdout.splitlines()
    return own, digests == wanted


# The last has the networks of the second and third, and its own. The tables of the first codec are selected by the
# channel: there is nothing that could differ.
@pytest.mark.parametrize("names", [NAMES[3:], pytest.param(NAMES[1:3], marks=pytest.mark.stress)], ids=" ".join)
def test_the_same_latents_come_out_on_eight_devices_with_one_thread(names, tmp_path):
    flags = "--xla_force_host_platform_device_count=8 --xla_cpu_multi_thread_eigen=false"
    assert elsewhere(tmp_path, names, XLA_FLAGS=flags, OMP_NUM_THREADS="1") == ("8 False", True)


@pytest.mark.stress
def test_the_same_latents_come_out_of_single_operations(tmp_path):
    assert elsewhere(tmp_path, NAMES[1:], JAX_DISABLE_JIT="1")[1]


@pytest.mark.stress
@pytest.mark.skipif(not program_cache.count_maps(), reason="the system does not say what is mapped")
def test_a_thousand_sizes_in_one_process():
    """Fault 30: every padded size mapped some hundred pieces of memory for ever; a process dies at 65,530."""
    program = """if True:
        import resource
        import jax, numpy as np
        from rdr import program_cache
        from rdr.codecs.image import make_codec
        codec = make_codec("bmshj2018-factorized", channels=4, latents=6)
        params = codec.finalize(codec.init(jax.random.key(0)))
        counts = []
        for n in range(1000):
            x = np.full((1, 16 * (n // 40 + 1), 16 * (n % 40 + 1), 3), 0.5, np.float32)
            assert codec.decode(codec.encode(params, x), params=params).shape == x.shape
            if n % 100 == 99:
                counts.append((program_cache.count_maps(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))
        print(counts[0][0], counts[-1][0], counts[-1][1])
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT,
                          env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr
    early, late, kibibytes = map(int, done.stdout.split())
    assert late < program_cache.MAX_MAPS + 1000 and late < 2 * early + 2000 and kibibytes < 3 * 2**20
