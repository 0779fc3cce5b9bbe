"""Analysis and synthesis networks against their layers summed out in numpy, and against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rdr.transforms.image import Analysis, HyperAnalysis, HyperSynthesis, Stack, Synthesis

N, M = 3, 5
CASES = {
    "analysis": (Analysis(N, M), (2, 16, 32, 3)),
    "synthesis": (Synthesis(N), (2, 1, 2, M)),
    "hyper_analysis": (HyperAnalysis(N), (1, 8, 4, M)),
    "hyper_analysis_leaky": (HyperAnalysis(N, leaky=True), (1, 8, 4, M)),
    "hyper_synthesis": (HyperSynthesis((2, 4, M)), (1, 2, 3, N)),
    "hyper_synthesis_leaky": (HyperSynthesis((2, 4, M), leaky=True), (1, 2, 3, N)),
    "stack": (Stack((4, 3, 2), 5), (1, 4, 3, N)),
}


def convolved(p, x, stride=1):
    """out[n] = bias + sum_k kernel[k] x[stride n + k - reach], zeros outside, for any number of rows and columns."""
    kernel, reach = p["kernel"], len(p["kernel"]) // 2
    batch, height, width, _ = x.shape
    out = np.zeros((batch, -(-height // stride), -(-width // stride), kernel.shape[-1])) + p["bias"]
    for row, column in np.ndindex(out.shape[1:3]):
        for i, j in np.ndindex(kernel.shape[:2]):
            a, b = stride * row + i - reach, stride * column + j - reach
            if 0 <= a < height and 0 <= b < width:
                out[:, row, column] += x[:, a, b] @ kernel[i, j]
    return out


def doubled(p, x):
    """out[o] = bias + sum_i kernel[o + 2 - 2 i] x[i]: every number is stamped into the output with the kernel."""
    batch, height, width, _ = x.shape
    out = np.zeros((batch, 2 * height, 2 * width, p["kernel"].shape[-1])) + p["bias"]
    for row, column, i, j in np.ndindex(height, width, 5, 5):
        a, b = 2 * row + i - 2, 2 * column + j - 2
        if 0 <= a < 2 * height and 0 <= b < 2 * width:
            out[:, a, b] += x[:, row, column] @ p["kernel"][i, j]
    return out


def normalized(p, x, power):
    """x_i times a power of beta_i + sum_j gamma_ij x_j^2; what is kept are roots, less a pedestal of 2^-36."""
    beta, gamma = p["root_beta"] ** 2 - 2.0**-36, p["root_gamma"] ** 2 - 2.0**-36
    out = np.empty_like(x)
    for i in range(x.shape[-1]):
        out[..., i] = x[..., i] * (beta[i] + sum(gamma[i, j] * x[..., j] ** 2 for j in range(x.shape[-1]))) ** power
    return out


def rectified(x):
    return np.where(x < 0, 0.0, x)


def leaking(x):
    return np.where(x < 0, 0.01 * x, x)


def by_hand(name, p, x):
    c = [p[f"Convolution_{i}"] for i in range(sum(key.startswith("Convolution") for key in p))]
    if name == "analysis":
        for i in range(3):
            x = normalized(p[f"GDN_{i}"], convolved(c[i], x, 2), -0.5)
        return convolved(c[3], x, 2)
    if name == "synthesis":
        for i in range(3):
            x = normalized(p[f"GDN_{i}"], doubled(c[i], x), 0.5)
        return doubled(c[3], x)
    if name == "hyper_analysis":
        return convolved(c[2], rectified(convolved(c[1], rectified(convolved(c[0], np.abs(x))), 2)), 2)
    if name == "hyper_analysis_leaky":
        return convolved(c[2], leaking(convolved(c[1], leaking(convolved(c[0], x)), 2)), 2)
    if name == "hyper_synthesis":
        return rectified(convolved(c[2], rectified(doubled(c[1], rectified(doubled(c[0], x))))))
    if name == "hyper_synthesis_leaky":
        return convolved(c[2], leaking(doubled(c[1], leaking(doubled(c[0], x)))))
    return convolved(c[2], leaking(convolved(c[1], leaking(convolved(c[0], x)))))


@pytest.fixture(scope="module")
def arrays():
    """Parameters and inputs in float64, away from where they start."""
    rng = np.random.default_rng(0)

    def draw(path, leaf):
        name = jax.tree_util.keystr(path)
        if "kernel" in name:
            return rng.standard_normal(leaf.shape) / np.sqrt(np.prod(leaf.shape[:3]))
        if "root" in name:
            return 0.5 + 0.5 * rng.random(leaf.shape)
        return 0.3 * rng.standard_normal(leaf.shape)

    params = {name: jax.tree_util.tree_map_with_path(draw, jax.eval_shape(
        module.init, jax.random.key(0), jax.ShapeDtypeStruct(shape, jnp.float32))["params"])
        for name, (module, shape) in CASES.items()}
    return params, {name: rng.standard_normal(shape) for name, (_, shape) in CASES.items()}


@pytest.fixture(scope="module")
def outputs():
    """All networks in one program."""
    return jax.jit(lambda params, inputs: {name: CASES[name][0].apply({"params": params[name]}, x)
                                           for name, x in inputs.items()})


@pytest.fixture(scope="module")
def found(arrays, outputs):
    return outputs(*arrays)


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_the_layers_summed_out(arrays, found, name):
    params, inputs = arrays
    want = by_hand(name, params[name], inputs[name])
    assert found[name].shape == want.shape and np.std(want) > 0.05
    np.testing.assert_allclose(found[name], want, rtol=1e-9, atol=1e-9)


def test_gradients_are_those_of_finite_differences(arrays, outputs):
    """Along a random direction for each array of three networks that hold all kinds of layers, and for each input."""
    rng, names = np.random.default_rng(1), ("analysis", "synthesis", "hyper_analysis")
    params, inputs = ({name: part[name] for name in names} for part in arrays)
    shapes = jax.eval_shape(outputs, params, inputs)
    weights = {name: rng.standard_normal(value.shape) for name, value in shapes.items()}

    def total(params, inputs):
        return sum((weights[name] * value).sum() for name, value in outputs(params, inputs).items())

    slopes = jax.tree.leaves(jax.jit(jax.grad(total, argnums=(0, 1)))(params, inputs))
    leaves, structure = jax.tree.flatten((params, inputs))
    step = 1e-6
    for i, leaf in enumerate(leaves):
        direction = rng.standard_normal(leaf.shape)
        up, down = (total(*jax.tree.unflatten(structure, [*leaves[:i], leaf + s * direction, *leaves[i + 1 :]]))
                    for s in (step, -step))
        # Rectifiers have corners, which a step of 1e-6 may just cross: a thousandth leaves room for one of them.
        np.testing.assert_allclose((slopes[i] * direction).sum(), (up - down) / (2 * step), rtol=1e-3, atol=1e-4)
        assert np.abs(slopes[i]).max() > 1e-4


def test_magnitudes_are_taken_first_where_signs_are_not_kept(arrays, outputs, found):
    params, inputs = arrays
    mirrored = outputs(params, inputs | {name: -inputs[name] for name in inputs if name.startswith("hyper_analysis")})
    np.testing.assert_array_equal(mirrored["hyper_analysis"], found["hyper_analysis"])
    assert np.abs(mirrored["hyper_analysis_leaky"] - found["hyper_analysis_leaky"]).max() > 0.05
    assert np.min(found["hyper_synthesis"]) == 0.0 and np.min(found["hyper_synthesis_leaky"]) < -0.05


@pytest.mark.parametrize(("module", "shape", "want"), [
    (Analysis(N, M), (1, 1, 1, 3), (1, 1, 1, M)), (Analysis(N, M), (2, 17, 33, 3), (2, 2, 3, M)),
    (Analysis(N, M), (1, 16, 48, 3), (1, 1, 3, M)), (Synthesis(N), (2, 1, 3, M), (2, 16, 48, 3)),
    (HyperAnalysis(N), (1, 5, 1, M), (1, 2, 1, N)), (HyperAnalysis(N, leaky=True), (1, 8, 12, M), (1, 2, 3, N)),
    (HyperSynthesis((2, 4, M)), (1, 1, 5, N), (1, 4, 20, M)), (Stack((4, 2), 1), (1, 3, 5, N), (1, 3, 5, 2)),
    (Stack((2,), 5), (1, 1, 1, N), (1, 1, 1, 2)),
])  # fmt: skip
def test_sides_are_halved_upwards_and_doubled_and_the_dtype_stays(module, shape, want):
    for dtype in (jnp.float32, jnp.bfloat16):
        out, variables = jax.eval_shape(lambda x: module.init_with_output(jax.random.key(0), x),
                                        jax.ShapeDtypeStruct(shape, dtype))
        assert (out.shape, out.dtype) == (want, dtype)
        assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype(jnp.float32)}
