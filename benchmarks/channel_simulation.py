"""Rate and speed of channel simulation, beside the Poisson functional representation in the same run.

    python -m benchmarks.channel_simulation
"""

import time

import numpy as np

from rdr.bitstream import container
from rdr.codecs.channel.block import block_channel
from rdr.codecs.channel.lattice import lattice_channel
from rdr.codecs.channel.layered import layered_channel
from rdr.randomness import shared_key

BLOCKS = 8192
FIT = 1000  # blocks that probabilities of indices are fitted to


def block(rule, dimension, **options):
    """A block coder, fitted quickly."""
    return block_channel(rule, dimension=dimension, fit_blocks=FIT, **options)


# Information per sample -> the baseline, and what is measured beside it: (name, codec, blocks).
CASES = {
    0.01: ("poisson, n = 64", [
        ("poisson, n = 64", lambda: block("poisson", 64, widening=1.0), BLOCKS // 8),  # without, 10^5 candidates
        ("greedy, n = 64", lambda: block("greedy", 64), BLOCKS // 4),
        ("layered", layered_channel, 2**18)]),
    0.25: ("poisson, n = 8", [
        ("poisson, n = 8", lambda: block("poisson", 8), BLOCKS),
        ("greedy, n = 8", lambda: block("greedy", 8), BLOCKS),
        ("gprs, n = 8", lambda: block("gprs", 8), BLOCKS),
        ("ordered, n = 8, 4096 candidates", lambda: block("ordered", 8, max_candidates=2**12), BLOCKS),
        ("importance, n = 8, 4096 candidates", lambda: block("importance", 8, max_candidates=2**12), BLOCKS),
        ("layered", layered_channel, 2**18),
        ("E8", lambda: lattice_channel("E8"), 2**15),
        ("E8, adaptive", lambda: lattice_channel("E8", acceptance="adaptive"), 2**15)]),
    4.0: ("poisson, n = 2", [
        ("poisson, n = 2", lambda: block("poisson", 2), BLOCKS),
        ("greedy, n = 2", lambda: block("greedy", 2), BLOCKS),
        ("gprs, n = 2", lambda: block("gprs", 2), BLOCKS),
        ("ordered, n = 2, 16384 candidates", lambda: block("ordered", 2, max_candidates=2**14), BLOCKS // 4),
        ("importance, n = 2, 16384 candidates", lambda: block("importance", 2, max_candidates=2**14), BLOCKS // 4),
        ("poisson, n = 1", lambda: block("poisson", 1), BLOCKS),
        ("layered", layered_channel, 2**18),
        ("E8", lambda: lattice_channel("E8"), 2**15),
        ("BW16", lambda: lattice_channel("BW16"), 2**13)]),
    6.0: ("E8", [
        ("E8", lambda: lattice_channel("E8"), 2**15),
        ("A2", lambda: lattice_channel("A2"), 2**16),
        ("D4", lambda: lattice_channel("D4"), 2**15),
        ("BW16", lambda: lattice_channel("BW16"), 2**13),
        ("Leech", lambda: lattice_channel("Leech"), 100)]),
}


def measure(codec, information, blocks):
    """Bits per sample, and samples that are encoded and decoded in a second of CPU time of all threads."""
    scale = (2.0 ** (2.0 * information) - 1.0) ** -0.5
    params = codec.finalize(1.0, noise_scale=scale)
    shape = (blocks, codec.dimension) if codec.dimension > 1 else (blocks,)
    x = np.random.default_rng(0).standard_normal(shape)
    x *= (x.size / (x**2).sum()) ** 0.5  # of the energy that is expected: most of the chance in the rate
    given = {"noise_scale": scale, "shared_key": shared_key(0)}
    codec.decode(codec.encode(params, x, **given), params=params, **given)  # compiles
    start = time.process_time()
    message = codec.encode(params, x, **given)
    middle = time.process_time()
    codec.decode(message, params=params, **given)
    end = time.process_time()
    bits = 8 * sum(map(len, container.unpack(message).payloads)) / x.size
    return bits, x.size / (middle - start), x.size / (end - middle)


def main():
    """Prints the table."""
    print("| information per sample | codec | exact | bits per sample | of a block | encode 10^3/s | decode 10^3/s "
          "| bits, ratio | encode, ratio | decode, ratio |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for information, (baseline, codecs) in CASES.items():
        base = None
        for name, make, blocks in codecs:
            codec = make()
            found = measure(codec, information, blocks)
            base = found if name == baseline else base
            ratios = (f"{a / b:.3g}" for a, b in zip(found, base))
            print(f"| {information} | {name} | {'yes' if codec.exact else 'no'} | {found[0]:.4f} | "
                  f"{found[0] * codec.dimension:.2f} | {found[1] / 1e3:.4g} | {found[2] / 1e3:.4g} | "
                  f"{' | '.join(ratios)} |", flush=True)


if __name__ == "__main__":
    main()
