"""Checkpoints of a training state: written whole or not at all, restored to the bit, the newest that is whole."""

import errno
import logging
import os
import pathlib
import sys
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from rdr import files, interruptions

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
        with interruptions.held(second=True):  # Python's end amid its threads is tracebacks
            self._manager = ocp.CheckpointManager(self.directory, options=options,
                                                  item_handlers=ocp.StandardCheckpointHandler())

    def save(self, step: int, state: Any) -> None:
        """Saves a state; returns when it is on disk. Ctrl-C waits for it.

        Args:
          step: how many steps the state has seen.
          state: a tree of arrays.

        Raises:
          OSError: if it cannot be written; the checkpoints before are kept.
        """
        level = logging.getLogger("absl").level
        logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax's threads write pages about a full disk
        try:
            with interruptions.held(second=True):
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
        """Reads the newest state that is whole.

        A damaged checkpoint with a whole one before it is removed, with a note on standard error: being killed while
        files are written or removed must not cost more than the steps since the checkpoint before.

        Args:
          template: a tree of arrays of the same structure, shapes and dtypes.

        Returns:
          The step and the state, or None if nothing was saved yet.

        Raises:
          ValueError: if everything that was saved is damaged, or the newest is of another structure.
        """
        expected, damaged = _by_name(template), {}
        for step in sorted(self._manager.all_steps(), reverse=True):
            try:
                with interruptions.held(second=True):
                    state = self._read(step, expected)
            except _OtherStructureError as error:
                raise ValueError(f"{error}: remove the directory to start over") from None
            except Exception as error:
                # orbax reports damage by many exception types; for the caller there is one answer.
                if jax.process_count() > 1:  # all processes must read the same
                    raise ValueError(f"{self._named(step)} cannot be restored ({_first_line(error)}): remove the "
                                     "directory to start over") from error
                damaged[step] = error
                continue
            for number, error in damaged.items():
                sys.stderr.write(f"note: {self._named(number)} is damaged ({_first_line(error)}); going on from step "
                                 f"{step}\n")
                files.remove_tree(self.directory / str(number))
            if damaged:
                self._manager.reload()
            return step, jax.tree.unflatten(jax.tree.structure(template), [state[name] for name in expected])
        for step, error in damaged.items():  # the newest
            raise ValueError(f"{self._named(step)} cannot be restored ({_first_line(error)}): remove the directory to "
                             "start over") from error
        return None

    def _named(self, step: int) -> str:
        return f"the checkpoint of step {step} in {self.directory}"

    def _read(self, step: int, expected: dict[str, np.ndarray]) -> dict[str, Any]:
        saved = dict(self._manager.item_metadata(step))
        # orbax would leave out what is not asked for, and convert dtypes, in silence.
        for name in expected.keys() ^ saved.keys():
            if not saved.keys() & expected.keys():
                raise ValueError("it holds nothing of this state")
            raise _OtherStructureError(f"{self._named(step)} {'lacks' if name in expected else 'also holds'} {name}")
        for name, want in expected.items():
            got = saved[name]
            if tuple(got.shape) != want.shape or got.dtype != want.dtype:
                raise _OtherStructureError(f"{self._named(step)} holds {got.dtype}{list(got.shape)} at {name}, "
                                           f"expected {want.dtype}{list(want.shape)}")
        return self._manager.restore(step, args=ocp.args.StandardRestore(expected))

    def close(self) -> None:
        """Releases the directory."""
        with interruptions.held(second=True):
            self._manager.close()


class _OtherStructureError(Exception):
    """A checkpoint that is whole, but of another state."""


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _by_name(tree: Any) -> dict[str, np.ndarray]:
    """The leaves by their paths, in the tree's order; orbax would order the fields of a NamedTuple by name."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator="-"): np.asarray(leaf) for path, leaf in leaves}
