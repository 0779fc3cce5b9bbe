"""Checkpoints of a training state: written whole or not at all, restored to the bit."""

import errno
import logging
import os
import pathlib
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

# What orbax's store says -> what the system said to it.
_STORE_ERRORS = {"RESOURCE_EXHAUSTED": errno.ENOSPC, "PERMISSION_DENIED": errno.EACCES}


class Checkpoints:
    """The checkpoints of one training run, in one directory; the newest ones are kept.

    Attributes:
      directory: where they are.
    """

    def __init__(self, directory: str | pathlib.Path, *, keep: int = 2):
        """Opens a directory of checkpoints, or makes it.

        Args:
          directory: where they are.
          keep: how many to keep.
        """
        self.directory = pathlib.Path(directory).resolve()
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, enable_async_checkpointing=False)
        self._manager = ocp.CheckpointManager(self.directory, options=options,
                                              item_handlers=ocp.StandardCheckpointHandler())

    def save(self, step: int, state: Any) -> None:
        """Saves a state; returns when it is on disk.

        Args:
          step: how many steps the state has seen.
          state: a tree of arrays.

        Raises:
          OSError: if it cannot be written; the checkpoints before are kept.
        """
        level = logging.getLogger("absl").level
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax's threads write pages about a full disk
        try:
            self._manager.save(step, args=ocp.args.StandardSave(_by_name(state)))
            self._manager.wait_until_finished()
        except ValueError as error:
            for status, number in _STORE_ERRORS.items():
                if str(error).startswith(status):
                    raise OSError(number, f"progress cannot be saved ({os.strerror(number)})",
                                  str(self.directory)) from None
            raise
        finally:
            logging.getLogger("absl").setLevel(level)

    def restore(self, template: Any) -> tuple[int, Any] | None:
        """Reads the newest state.

        Args:
          template: a tree of arrays of the same structure, shapes and dtypes.

        Returns:
          The step and the state, or None if nothing was saved yet.

        Raises:
          ValueError: if what was saved is damaged or of another structure.
        """
        step = self._manager.latest_step()
        if step is None:
            return None
        where = f"the checkpoint of step {step} in {self.directory}"
        wanted = _by_name(template)
        try:
            saved = dict(self._manager.item_metadata(step))
            # orbax would leave out what is not asked for, and convert dtypes, in silence.
            for name in wanted.keys() ^ saved.keys():
                raise ValueError(f"{where} {'lacks' if name in wanted else 'also holds'} {name}")
            for name, want in wanted.items():
                got = saved[name]
                if tuple(got.shape) != want.shape or got.dtype != want.dtype:
                    raise ValueError(f"{where} holds {got.dtype}{list(got.shape)} at {name}, "
                                     f"expected {want.dtype}{list(want.shape)}")
            state = self._manager.restore(step, args=ocp.args.StandardRestore(wanted))
        except Exception as error:
            # orbax reports damage by many exception types; for the caller there is one answer.
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise ValueError(f"{where} cannot be restored ({first}): remove the directory to start over") from error
        return step, jax.tree.unflatten(jax.tree.structure(template), [state[name] for name in wanted])

    def close(self) -> None:
        """Releases the directory."""
        self._manager.close()


def _by_name(tree: Any) -> dict[str, np.ndarray]:
    """The leaves by their paths, in the tree's order; orbax would order the fields of a NamedTuple by name."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="-"): np.asarray(leaf) for path, leaf in leaves}
