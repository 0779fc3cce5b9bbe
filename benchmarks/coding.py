"""Speed of entropy coding with integer tables, beside constriction's own Gaussian model; of lattices and trellises.

    python -m benchmarks.coding
"""

import time

import constriction
import jax
import numpy as np
from scipy.special import ndtr

from benchmarks import peer_calls
from rdr.bitstream.coder import decode_symbols, encode_symbols
from rdr.bitstream.tables import make_tables
from rdr.codecs.vectors.lattice import lattice_codec, lattice_quantizer
from rdr.codecs.vectors.linear import gaussian_params, step_for_rate
from rdr.codecs.vectors.trellis import trellis_codec, trellis_quantizer
from rdr.randomness import shared_key

SYMBOLS = 10**6


def best(call, repeats=5):
    """Shortest wall and CPU seconds of a few calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter(), time.process_time()
        call()
        times.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return np.min(times, 0)


def gaussian_tables(sigma, reach):
    """Tables of rounded Gaussians with deviations sigma, from -reach to reach."""
    edges = np.arange(-reach, reach + 2) - 0.5
    return make_tables(np.diff(ndtr(edges / sigma[:, None]), axis=1).clip(0.0), -reach)


def time_gaussians(tables_count, largest):
    """Seconds to encode and decode, ours and the baseline's, and the ratio of their sizes."""
    x, ids, sigma, reach = peer_calls.gaussian_symbols(tables_count, largest, SYMBOLS)
    tables = gaussian_tables(sigma, reach)
    coded = encode_symbols(x, tables, ids)
    family = constriction.stream.model.QuantizedGaussian(-reach, reach)
    means, scales = np.zeros(x.size), sigma[ids]

    def encode():
        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(x, family, means, scales)
        return coder.get_compressed()

    words = encode()
    np.testing.assert_array_equal(decode_symbols(*coded, x.size, tables, ids), x)
    ours = best(lambda: encode_symbols(x, tables, ids)), best(lambda: decode_symbols(*coded, x.size, tables, ids))
    theirs = best(encode), best(lambda: constriction.stream.stack.AnsCoder(words).decode(family, means, scales))
    return ours, theirs, sum(map(len, coded)) / (4 * words.size)


def block_codec(quantizer, codec, samples):
    """Seconds to quantize, to encode (with quantizing) and to decode samples at 1.5 bits each."""
    n = quantizer.dimension or 1024
    x = np.random.default_rng(0).standard_normal((samples // n, n)).astype(np.float32)
    params = codec.finalize(gaussian_params(quantizer, step_for_rate(quantizer, 1.5)))
    shared = {"shared_key": shared_key(0)} if codec.name.endswith("-dither") else {}
    message = codec.encode(params, x, **shared)  # compiles
    jax.block_until_ready(codec.decode(message, params=params, **shared))
    calls = (lambda: jax.block_until_ready(codec.symbols(params, x, **shared)),
             lambda: codec.encode(params, x, **shared), lambda: codec.decode(message, params=params, **shared))
    return x.size, *(best(call, 3) for call in calls)


def main():
    """Prints both tables."""
    print("10^6 Gaussian symbols; ratios to constriction's own Gaussian model, one call with a scale for each symbol;")
    print("by wall time and, in brackets, by CPU time")
    print("| tables | sigma | encode Msym/s | decode Msym/s | encode ratio | decode ratio | size ratio |")
    print("|---|---|---|---|---|---|---|")
    for count, largest in ((1, 0.11), (64, 4.0), (64, 64.0)):
        ours, theirs, size = time_gaussians(count, largest)
        speed = [f"{SYMBOLS / 1e6 / t[0]:.1f} ({SYMBOLS / 1e6 / t[1]:.1f})" for t in ours]
        ratio = [f"{b[0] / a[0]:.2f} ({b[1] / a[1]:.2f})" for a, b in zip(ours, theirs)]
        print(f"| {count} | 0.11-{largest:g} | {' | '.join(speed)} | {' | '.join(ratio)} | {size:.5f} |", flush=True)
    print()
    print("Codecs of blocks at 1.5 bits per sample, 10^3 samples a second, by wall time and, in brackets, by CPU time")
    print("| codec | quantize | encode (with quantizing) | decode |")
    print("|---|---|---|---|")
    cases = [(lattice_quantizer(name), lattice_codec, name, samples)
             for name, samples in (("Z", 2**18), ("E8", 2**18), ("BW16", 2**17), ("Leech", 2**14))]
    cases += [(trellis_quantizer(states), trellis_codec, states, 2**17) for states in (8, 64, 256)]
    for quantizer, make, argument, samples in cases:
        for levels in (0, 256):
            codec = make(argument, dither_levels=levels)
            size, *times = block_codec(quantizer, codec, samples)
            cells = [f"{size / 1e3 / t[0]:.0f} ({size / 1e3 / t[1]:.0f})" for t in times]
            print(f"| {codec.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
