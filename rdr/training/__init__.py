"""Training: on batches of data over many devices, or many steps in one compiled scan; checkpoints and metrics."""

from rdr._lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, {
    "Checkpoints": "checkpoints",
    "MetricsLog": "metrics",
    "StepReport": "step",
    "TrainState": "step",
    "initial_state": "step",
    "make_optimizer": "step",
    "make_step": "step",
    "train_on_batches": "engine",
    "train_scanned": "loop",
})
