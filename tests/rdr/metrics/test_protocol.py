"""Protocols are plain JSON, and weights are known by their numbers."""

import hashlib
import json

import jax.numpy as jnp
import numpy as np

from rdr.metrics.protocol import Protocol, parameters_digest


def test_tags_are_json_and_options_are_never_shared():
    tag = Protocol("fd", network="alexnet", patch_size=64, options={"k": 5}).tag()
    assert json.loads(json.dumps(tag)) == tag and tag["resizing"] == "none" and tag["options"] == {"k": 5}
    one, other = Protocol("a").tag(), Protocol("b").tag()
    one["options"]["k"] = 1
    assert other["options"] == {}


def test_the_digest_is_that_of_the_numbers_in_order():
    params = {"a": jnp.arange(3, dtype=jnp.float32), "b": [jnp.ones((2, 2), jnp.float32)]}
    expected = hashlib.sha256(np.float32([0, 1, 2, 1, 1, 1, 1]).tobytes()).hexdigest()
    assert parameters_digest(params) == expected
    changed = {**params, "a": params["a"].at[0].set(1e-6)}
    assert parameters_digest(changed) != expected
