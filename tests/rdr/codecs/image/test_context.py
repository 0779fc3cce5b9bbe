"""Latents given what was decoded before: nothing looks ahead, and every step is what its networks say, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.codecs.image.context import checkerboard_mask, context_model, uneven_groups
from rdr.entropy_models import scale_table

N, M, GROUPS = 3, 8, (3, 5)
STARTS = np.cumsum((0, *GROUPS))
COLORED = np.indices((4, 8)).sum(0) % 2 == 0
STEPS = [(k, c) for k in range(len(GROUPS)) for c in range(2)]  # in the order in which they are coded


def convolved(x, kernel):
    """Zeros outside, the resolution stays; in float64 or int64."""
    reach = len(kernel) // 2
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    rows, columns = x.shape[1:3]
    return sum(padded[:, i : i + rows, j : j + columns] @ kernel[i, j] for i, j in np.ndindex(kernel.shape[:2]))


def spread(x):
    """Zeros between all numbers: a doubling is a convolution of this with the kernel turned around."""
    out = np.zeros((x.shape[0], 2 * x.shape[1], 2 * x.shape[2], x.shape[3]), x.dtype)
    out[:, ::2, ::2] = x
    return out


class Floats:
    """The networks in float64."""

    def __init__(self, params):
        self.params = params

    def layers(self, name):
        tree = self.params[name]
        return [(np.float64(tree[f"Convolution_{i}"]["kernel"]), np.float64(tree[f"Convolution_{i}"]["bias"]))
                for i in range(len(tree))]

    def run(self, name, x):
        layers = self.layers(name)
        for i, (kernel, bias) in enumerate(layers):
            x = convolved(x, kernel) + bias
            x = np.where((x < 0) & (i < len(layers) - 1), 0.01 * x, x)
        return x

    def hyper_latents(self, y):
        for i, (kernel, bias) in enumerate(self.layers("analysis")):
            y = convolved(y, kernel)[:, :: 1 if i == 0 else 2, :: 1 if i == 0 else 2] + bias
            y = np.where((y < 0) & (i < 2), 0.01 * y, y)
        return y

    def said(self, z):
        for i, (kernel, bias) in enumerate(self.layers("synthesis")):
            z = (convolved(spread(z), kernel[::-1, ::-1]) if i < 2 else convolved(z, kernel)) + bias
            z = np.where((z < 0) & (i < 2), 0.01 * z, z)
        return z


class Integers:
    """The networks in int64, on units of 1/256 for latents and 1/4096 for what networks say to one another."""

    def __init__(self, coding):
        self.coding = coding

    def layer(self, layer, x, last, double=False):
        kernel, x = layer["weights"].astype(np.int64), np.clip(x, -(2**23) + 1, 2**23 - 1)
        x = (convolved(x, kernel) >> 12) + layer["bias"]
        assert (layer["shift"] > 0).all()
        x = np.clip((x + (1 << layer["shift"].astype(np.int64) - 1)) >> layer["shift"], -(2**23) + 1, 2**23 - 1)
        x = x if last else np.where(x < 0, (41 * x + 2048) >> 12, x)
        if double:  # the four kernels of even and odd rows and columns, side by side
            parts, n = x, x.shape[-1] // 4
            x = spread(parts[..., :n])
            for i in range(1, 4):
                x[:, i // 2 :: 2, i % 2 :: 2] = parts[..., i * n : (i + 1) * n]
        return x

    def run(self, name, x):
        layers = self.coding["networks"][name]
        for i, layer in enumerate(layers):
            x = self.layer(layer, x, i == len(layers) - 1)
        return x

    def said(self, z):
        x = z.astype(np.int64) << 12
        for i, layer in enumerate(self.coding["networks"]["hyper"]):
            x = self.layer(layer, x, i == 2, double=i < 2)
        return x


def walked(networks, said, unit, decide):
    """Group by group, color by color: `decide(k, c, mean, scale)` says what the step's latents become."""
    done = np.zeros((*said.shape[:3], 0), said.dtype)
    for k, size in enumerate(GROUPS):
        own = np.zeros((*said.shape[:3], size), said.dtype)
        for c in range(2):
            nothing = np.zeros((*said.shape[:3], 2 * size), said.dtype)
            beside = networks.run(f"spatial_{k}", own * unit) if c else nothing
            known = [said, *([networks.run(f"channel_{k}", done * unit)] if k else []), beside]
            both = networks.run(f"merge_{k}", np.concatenate(known, -1))
            places = COLORED if c == 0 else ~COLORED
            own[:, places] = decide(k, c, both[..., size:], both[..., :size])[:, places]
        done = np.concatenate([done, own], -1)
    return done


@pytest.fixture(scope="module")
def model():
    return context_model(channels=N, latents=M, groups=GROUPS)


@pytest.fixture(scope="module")
def params(model, oracle):
    return oracle.draw_parameters(model)


@pytest.fixture(scope="module")
def coding(model, params):
    return model.finalize(params)


@pytest.fixture(scope="module")
def y():
    """Latents, and for each step a copy with nine more at one of its places: [5, 4, 8, M]."""
    base = (5.0 * np.random.default_rng(2).standard_normal((4, 8, M))).astype(np.float32)
    copies = [base]
    for k, c in STEPS:
        copies.append(base.copy())
        copies[-1][2, 4 + c, STARTS[k]] += 9.0
    return np.stack(copies)


@pytest.fixture(scope="module")
def bits(model):
    return jax.jit(model.bits)


def deaf(params):
    """Hyper-latents that do not hear the latents: only context is left."""
    return params | {"analysis": jax.tree.map(np.zeros_like, params["analysis"])}


def part_of(array, step):
    k, c = step
    return array[..., COLORED if c == 0 else ~COLORED, STARTS[k] : STARTS[k + 1]]


def reconstruction_and_bits(params, y, key, oracle):
    """What `bits` should give, in float64; also the scales."""
    networks, total, scales = Floats(params), 0.0, []
    z, noise = networks.hyper_latents(y), 0.0
    z_seen = np.round(z)
    if key is not None:
        keys = jax.random.split(key)
        noise, z_noise = (np.float64(jax.random.uniform(k, part.shape, jnp.float32, -0.5, 0.5))
                          for k, part in zip(keys, (y, z)))
        z_seen = z + z_noise

    def decide(k, c, mean, scale):
        nonlocal total
        mine = y[..., STARTS[k] : STARTS[k + 1]]
        rounded = np.round(mine - mean) + mean
        seen = rounded if key is None else mine + noise[..., STARTS[k] : STARTS[k + 1]]
        places = COLORED if c == 0 else ~COLORED
        total += oracle.normal_bits(seen, mean, scale)[:, places].sum((1, 2))
        scales.append(scale[:, places])
        return rounded

    done = walked(networks, networks.said(z_seen), 1.0, decide)
    return done, total + oracle.prior_bits(params["prior"], z_seen).sum((1, 2, 3)), scales


def test_bits_and_reconstruction_are_those_of_every_step_by_hand(params, bits, y, oracle):
    y_hat, found = bits(params, y, None)
    want, total, scales = reconstruction_and_bits(params, y.astype(np.float64), None, oracle)
    # Numbers of float32 that differ in their last digit may round apart, but none of these latents is so near a tie.
    np.testing.assert_allclose(y_hat, want, atol=5e-5)
    np.testing.assert_allclose(found, total, rtol=1e-5)
    assert all(np.std(scale) > 0.05 and np.min(scale) > 0.11 for scale in scales)


def test_nothing_hears_what_is_decoded_with_it_or_later(params, bits, y):
    y_hat = np.asarray(bits(deaf(params), y, None)[0])
    for place, step in enumerate(STEPS):
        change = np.abs(y_hat[place + 1] - y_hat[0])
        assert all((part_of(change, other) < 1e-5).all() for other in STEPS[:place])
        own = part_of(change, step)
        assert np.isclose(own.max(), 9.0, atol=1e-5) and np.sort(own.ravel())[-2] < 1e-5
        for other in STEPS[place + 1 :]:
            heard = part_of(change, other).max() > 1e-4
            # A second color is heard by later groups only, a first one by its own group's second color too.
            assert heard or (other[0] == step[0] and step[1] == 1)


def test_the_stream_hears_nothing_that_is_decoded_with_it_or_later(model, params, coding, y, steps):
    model.encode(deaf(params), coding, y)
    assert len(steps) == 1 + len(STEPS)
    hyper, *coded = steps
    assert (hyper[0] == hyper[0][0]).all()
    for place, step in enumerate(STEPS):
        for other, (symbols, _, ids) in zip(STEPS, coded):
            same = (ids[place + 1] == ids[0]).all()
            difference = symbols[place + 1] - symbols[0]
            if other < step:
                assert same and not difference.any()
            if other == step:
                assert same and sorted(set(difference.ravel())) == [0, 9] and (difference == 9).sum() == 1
    for place in range(len(STEPS) - 1):  # but the next step does hear it
        symbols, _, ids = coded[place + 1]
        assert (symbols[place + 1] != symbols[0]).any() or (ids[place + 1] != ids[0]).any()


def test_a_second_color_hears_its_neighbors_within_two_places(params, bits, y):
    y_hat = np.asarray(bits(deaf(params), y, None)[0])
    change = np.abs(y_hat[1] - y_hat[0])[:, :, 0] > 1e-5  # group 0: its first color at row 2, column 4
    rows, columns = np.nonzero(change & ~COLORED)
    assert np.abs(rows - 2).max() <= 2 and np.abs(columns - 4).max() == 2 and rows.size >= 8


def test_streams_are_made_of_the_integers_of_every_step_by_hand(model, params, coding, y, steps, oracle):
    payloads, symbols = model.encode(params, coding, y)
    oracle.check_whole(coding)
    z = np.round(Floats(params).hyper_latents(y.astype(np.float64))).astype(np.int64)
    np.testing.assert_array_equal(symbols["z"], z)
    (_, hyper_bits, _), *coded = steps
    networks, found, bits = Integers(coding), iter(coded), []

    def decide(k, c, mean, scale):
        places = COLORED if c == 0 else ~COLORED
        here, said, ids = next(found)
        index = np.searchsorted(coding["thresholds"], scale, side="right")
        np.testing.assert_array_equal(ids, index[:, places])
        mine = np.round(y[..., STARTS[k] : STARTS[k + 1]] - mean / 256).astype(np.int64)
        np.testing.assert_array_equal(here, mine[:, places])
        np.testing.assert_array_equal(part_of(symbols["y"], (k, c)), mine[:, places])
        bits.append(oracle.normal_bits(here, 0.0, scale_table.scales()[ids]))
        np.testing.assert_allclose(said[bits[-1] < 10], bits[-1][bits[-1] < 10], atol=1e-3)
        return mine * 256 + mean

    done = walked(networks, networks.said(z), 16, decide)
    np.testing.assert_allclose(hyper_bits, oracle.prior_bits(params["prior"], z), atol=1e-3)
    total = sum(part.sum() for part in bits) + hyper_bits.sum()
    assert payloads[1] == b"" and -32 <= 8 * len(payloads[0]) - total <= 64 + 1e-3 * total
    decoded = np.asarray(model.decode(coding, payloads, y.shape))
    np.testing.assert_array_equal(decoded, done / 256)
    assert np.abs(decoded - y).max() <= 0.5 + 1e-6
    assert model.encode(params, coding, y)[0] == payloads


def test_noisy_bits_are_those_of_every_step_and_teach_every_network(model, params, y, oracle):
    key, y = jax.random.key(9), y[:1]

    @jax.jit
    def found(params):
        def total(params):
            y_hat, bits = model.bits(params, y, key)
            return bits[0], y_hat

        return jax.value_and_grad(total, has_aux=True)(params)

    (bits, y_hat), slope = found(params)
    exact = jax.tree.map(np.float64, params)
    want, total, _ = reconstruction_and_bits(exact, y.astype(np.float64), key, oracle)
    np.testing.assert_allclose(y_hat, want, atol=5e-5)
    np.testing.assert_allclose(bits, total[0], rtol=1e-5)
    for path, leaf in jax.tree_util.tree_leaves_with_path(slope):
        assert np.abs(leaf).max() > 1e-5, path
    # Scales are heard by nothing that is rounded, so that finite differences see what gradients see.
    for k, size in enumerate(GROUPS):
        ends = []
        for step in (1e-5, -1e-5):
            bias = exact[f"merge_{k}"]["Convolution_2"]["bias"] + step * (np.arange(2 * size) < size)
            last = exact[f"merge_{k}"]["Convolution_2"] | {"bias": bias}
            moved = exact | {f"merge_{k}": exact[f"merge_{k}"] | {"Convolution_2": last}}
            ends.append(reconstruction_and_bits(moved, y.astype(np.float64), key, oracle)[1][0])
        gradient = slope[f"merge_{k}"]["Convolution_2"]["bias"][:size].sum()
        np.testing.assert_allclose(gradient, (ends[0] - ends[1]) / 2e-5, rtol=1e-3)


def test_groups_grow_and_hold_all_channels_and_colors_alternate():
    for latents in range(8, 400, 2):
        groups = uneven_groups(latents)
        assert sum(groups) == latents and min(groups) >= 1 and all(type(size) is int for size in groups)
    assert uneven_groups(192) == (16, 16, 32, 64, 64) and uneven_groups(96) == (12, 12, 24, 48)
    assert uneven_groups(8) == (1, 1, 2, 4) and uneven_groups(128) == (16, 16, 32, 64)
    np.testing.assert_array_equal(checkerboard_mask(2, 3), [[True, False, True], [False, True, False]])
    assert checkerboard_mask(1, 1).all()


def test_networks_see_what_is_known_at_their_step():
    groups, shapes = (1, 1, 2, 4), {}
    params = jax.eval_shape(context_model(channels=N, latents=M).init, jax.random.key(0))
    for name, tree in params.items():
        if name.split("_")[0] in ("channel", "spatial", "merge"):
            shapes[name] = [tree[f"Convolution_{i}"]["kernel"].shape for i in range(len(tree))]
    want = {}
    for k, size in enumerate(groups):
        want[f"spatial_{k}"] = [(5, 5, size, 2 * size)]
        if k:
            want[f"channel_{k}"] = [(5, 5, sum(groups[:k]), N), (5, 5, N, 2 * size)]
        known = 2 * M + (2 + 2 * bool(k)) * size
        want[f"merge_{k}"] = [(1, 1, known, 2 * N), (1, 1, 2 * N, N), (1, 1, N, 2 * size)]
    assert shapes == want


@pytest.mark.parametrize(("options", "words"), [
    ({"latents": 9}, "latents must be even and at least 8, got 9"), ({"latents": 6}, "at least 8, got 6"),
    ({"latents": 8, "groups": (4, 5)}, r"add up to 8, got \(4, 5\)"), ({"latents": 8, "groups": (8, 0)}, "positive"),
    ({"latents": 8, "groups": ()}, "add up to 8"),
])  # fmt: skip
def test_groups_that_do_not_fit_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        context_model(channels=N, **options)
