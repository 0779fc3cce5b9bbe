"""Settings of the compiler for commands: to be quick, and to keep programs in the user's cache folder."""

import contextlib
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import sys
import warnings
from collections.abc import MutableMapping

SWITCH = "RDR_COMPILATION_CACHE"
MAX_BYTES = 2**30
_FOLDER = "JAX_COMPILATION_CACHE_DIR"
# XLA's own emitters of fused loops, in place of those through MLIR: a fit's program compiles in half the time, and its
# steps are as fast (benchmarks/commands.md).
_EMITTERS = "--xla_cpu_use_fusion_emitters"
_KNOWN_TO = "0.10."  # versions of jaxlib; one that does not know a flag of XLA's ends the process


def cache_folder(environment: MutableMapping[str, str]) -> pathlib.Path | None:
    """Finds the folder that compiled programs are kept in.

    Machines of different processors that share a home directory have folders of their own.

    Args:
      environment: variables; `RDR_COMPILATION_CACHE` may name another folder, or be 0 for none.

    Returns:
      The folder, which need not exist, or None.
    """
    choice = environment.get(SWITCH, "")
    if choice.lower() in ("0", "off", "no", "false"):
        return None
    if choice.lower() not in ("", "1", "on", "yes", "true"):
        return pathlib.Path(choice)
    home = pathlib.Path(environment.get("HOME") or environment.get("USERPROFILE") or pathlib.Path.home())
    if sys.platform == "darwin":
        user = home / "Library" / "Caches"
    elif sys.platform == "win32":
        user = pathlib.Path(environment.get("LOCALAPPDATA") or home / "AppData" / "Local")
    else:
        user = pathlib.Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    return user / "rdr" / f"compiled-{_processor()}"


def enable(environment: MutableMapping[str, str] = os.environ) -> pathlib.Path | None:
    """Makes JAX keep compiled programs; must be called before JAX is imported.

    Two processes may use the folder at once: a program that one of them has not written whole is compiled again by
    the other, as JAX refuses files that do not unpack.

    Args:
      environment: variables, which JAX reads; a folder that they name already is left alone.

    Returns:
      The folder, or None where none is used: it is switched off, or cannot be written.
    """
    if _FOLDER in environment:
        return pathlib.Path(environment[_FOLDER])
    folder = cache_folder(environment)
    if folder is None:
        return None
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            return None
        prune(folder)
    except OSError:
        return None
    environment[_FOLDER] = str(folder)
    environment.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")
    return folder


def with_quick_emitters(flags: str) -> str:
    """Adds to flags of XLA the one that makes compiling for CPUs quick, if it is known to the jaxlib that is installed.

    Args:
      flags: as of the variable XLA_FLAGS; where they choose emitters, they are left as they are.

    Returns:
      The flags.
    """
    try:
        known = importlib.metadata.version("jaxlib").startswith(_KNOWN_TO)
    except importlib.metadata.PackageNotFoundError:
        known = False
    return f"{flags} {_EMITTERS}=false".strip() if known and _EMITTERS not in flags else flags


def prune(folder: pathlib.Path, max_bytes: int = MAX_BYTES) -> None:
    """Removes the oldest programs until the folder is small enough; other processes only miss them.

    Args:
      folder: the cache.
      max_bytes: how large it may be.
    """
    entries = []
    for path in folder.glob("*-cache"):
        with contextlib.suppress(OSError):
            status = path.stat()
            entries.append((max(status.st_mtime, status.st_atime), status.st_size, path))
    excess = sum(size for _, size, _ in entries) - max_bytes
    for _, size, path in sorted(entries):
        if excess <= 0:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        excess -= size


def _processor() -> str:
    """Names the instructions that this machine's programs may use."""
    features = platform.processor()
    with contextlib.suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
        features += next((line for line in stream if line.startswith(("flags", "Features"))), "")
    return f"{platform.machine()}-{hashlib.sha256(features.encode()).hexdigest()[:8]}"
