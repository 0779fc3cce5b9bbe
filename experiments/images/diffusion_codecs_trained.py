"""The trained codec of `experiments.images.diffusion_codecs`: learned transforms around dithered scalars.

The codec of `experiments.sources.sample_realism_codecs` (series "trained"), for several rates at once and for squared
error alone. Its realistic decoder goes along the optimal transport of the Gaussian with the moments of decoded
training images to the Gaussian with those of the source: mean and covariance become the source's own.
"""

import pathlib
import resource
from typing import Any

import jax
import numpy as np

from experiments.images import diffusion_codecs_measures as measures
from experiments.sources import harness, sample_bounds_codecs, sample_realism_codecs
from rdr.data.samples import Samples
from rdr.randomness import shared_key

DECODERS = {"mean": 0.0, "realistic": 1.0}  # name -> weight of realism
FITTED = 20_000  # most training images whose decoded moments the realistic decoder is made of


def rows(samples: Samples, x: np.ndarray, identity: Any, keep: dict[str, np.ndarray], *, rates: tuple[float, ...],
         steps: int, hidden: tuple[int, ...], batch: int, messages: int, shown: int, seed: int,
         directory: pathlib.Path) -> list[dict[str, Any]]:
    """Trains the codec, or goes on where it was interrupted, and sends held-out images.

    Args:
      samples: the source.
      x: held-out images, [n, dimension], n a multiple of `messages`.
      identity: of the network whose features measure realism.
      keep: where the first decoded images go, by label and decoder.
      rates: bits per image to aim at: slopes are those that a Gaussian of the same covariance has there.
      steps: of training.
      hidden: widths of the transforms' hidden layers.
      batch: images of a step.
      messages: into how many the images are divided.
      shown: images that are kept.
      seed: of initialization, batches, noise, dither and the decoder's own noise.
      directory: of checkpoints and metrics.

    Returns:
      For each rate and decoder what `add_row` of `experiments.images.diffusion_codecs_cases` takes, with the CPU
      seconds of 1,000 images.

    Raises:
      ValueError: if a message is longer than its tables explain.
    """
    schedule = harness.Schedule(steps, min(500, steps), batch, 0.003, hard_fraction=1.0)
    codec, grid, unit = sample_bounds_codecs.train("scalar_dither", samples, rates, schedule, hidden=hidden, seed=seed,
                                                   directory=directory)
    fitted, found = samples.vectors[:FITTED], []
    for i, aim in enumerate(rates):
        params, key = codec.finalize(harness.entry(grid, i)), jax.random.fold_in(shared_key(seed), i)

        def send(vectors: np.ndarray, number: int, params: Any = params, key: jax.Array = key
                 ) -> tuple[int, np.ndarray, float, float]:
            """Bytes, what is decoded, and CPU seconds of both directions."""
            shared, scaled = jax.random.fold_in(key, number), np.asarray(vectors / unit, np.float32)
            before = _seconds()
            message = codec.encode(params, scaled, shared_key=shared)
            between = _seconds()
            y = unit * np.asarray(codec.decode(message, params=params, shared_key=shared), np.float64)
            after = _seconds()
            harness.check_length(message, codec.code_lengths(params, scaled, shared_key=shared).sum(-1))
            return len(message), y, between - before, after - between

        made = sample_realism_codecs.gaussian_transport(send(fitted, messages)[1], samples.vectors)
        sent = [send(part, number) for number, part in enumerate(np.split(x, messages))]
        plain = np.concatenate([y for _, y, _, _ in sent])
        encoded, decoded = (1000.0 * sum(each[place] for each in sent) / len(x) for place in (2, 3))
        for name, weight in DECODERS.items():
            before = _seconds()
            y = sample_realism_codecs.transported(made, plain, weight, seed=seed) if weight else plain
            after = _seconds()
            keep[f"trained-{aim:g}/{name}"] = y[:shown]
            found.append({
                "channel": "trained", "aim": aim, "decoder": name, "bytes": [size for size, _, _, _ in sent],
                "errors": np.square(x - y).sum(1).tolist(),
                **measures.realism(y, samples.vectors, identity, seed=seed)._asdict(),
                "encode_seconds": encoded, "decode_seconds": decoded + 1000.0 * (after - before) / len(x)})
    return found


def _seconds() -> float:
    """CPU seconds of this process in its own code."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime
