"""The files that `rdr bound` reads, and what depends on them alone."""

import hashlib
import pathlib

import numpy as np

NAMED_DISTORTIONS = ("hamming", "squared", "absolute", "mse")
_SEPARATORS = str.maketrans({",": " ", ";": " ", '"': " "})  # and what spreadsheets put around cells
_ROUNDING = 1e-6  # text files hold rounded probabilities; sums this close to 1 are rescaled


def read_array(name: str, path: str) -> np.ndarray:
    """Reads numbers from a `.npy` file or from text with commas or blanks.

    Args:
      name: the flag, for messages.
      path: the file.

    Returns:
      A float64 array.

    Raises:
      ValueError: if it cannot be read or holds something else than finite-width rows of numbers.
    """
    file = pathlib.Path(path)
    if not file.is_file():
        raise ValueError(f"{name}: there is no file {path!r}")
    try:
        if file.suffix == ".npy":
            array = np.load(file, allow_pickle=False)
        else:
            lines = file.read_text(encoding="utf-8-sig").translate(_SEPARATORS).splitlines()
            rows = [line.split() for line in lines if line.strip() and not line.lstrip().startswith("#")]
            array = np.array([[float(cell) for cell in row] for row in rows], np.float64)
    except Exception as error:  # NumPy lets through whatever the parser of a header raises
        raise ValueError(f"{name}: {path!r} does not hold rows of numbers of one length "
                         f"({' '.join(str(error).split())})") from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{name}: {path!r} must hold one array, not an archive")
    if array.dtype.kind not in "biuf" or array.size == 0:
        raise ValueError(f"{name}: {path!r} must hold real numbers, got {array.size} of type {array.dtype}")
    return array.astype(np.float64)


def read_pmf(path: str) -> np.ndarray:
    """Reads and checks the probabilities of a source's letters.

    Args:
      path: the file.

    Returns:
      [n], sum 1.

    Raises:
      ValueError: if the file is missing or unreadable, or a value or shape is not admissible.
    """
    pmf = read_array("pmf", path)
    if pmf.ndim == 2 and 1 in pmf.shape:
        pmf = pmf.reshape(-1)
    if pmf.ndim != 1:
        raise ValueError(f"pmf must be one row or one column of probabilities, got shape {pmf.shape}")
    if np.isnan(pmf).any() or (pmf < 0.0).any():
        wrong = int(np.flatnonzero(~(pmf >= 0.0))[0])
        raise ValueError(f"pmf must have entries >= 0, got {pmf[wrong]:g} for letter {wrong}")
    total = float(pmf.sum())
    if not abs(total - 1.0) <= _ROUNDING:
        raise ValueError(f"pmf must sum to 1, got a sum of {total:.9g}")
    return pmf / total


def read_distortion(name: str, n: int, *, square: bool) -> np.ndarray:
    """Makes or reads a distortion matrix.

    Args:
      name: of `NAMED_DISTORTIONS`, or a file.
      n: letters of the source.
      square: whether reproductions have the same letters, as a divergence needs.

    Returns:
      d(x, y), [n, m].

    Raises:
      ValueError: if the file is missing or unreadable, or a value or shape is not admissible.
    """
    letters = np.arange(n, dtype=np.float64)
    difference = np.abs(letters[:, None] - letters)
    if name in NAMED_DISTORTIONS:
        matrix = {"hamming": np.minimum(difference, 1.0), "absolute": difference}.get(name, difference**2)
    elif not pathlib.Path(name).exists():
        raise ValueError(f"distortion: there is no file {name!r}, and no distortion of that name; there "
                         f"are {', '.join(NAMED_DISTORTIONS)}")
    else:
        matrix = read_array("distortion", name)
    if matrix.ndim != 2 or matrix.shape[0] != n:
        raise ValueError(f"distortion must have one row per letter, {n} rows, got shape {matrix.shape}")
    if np.isnan(matrix).any() or (matrix < 0.0).any():
        wrong = matrix[~(matrix >= 0.0)][0]
        raise ValueError(f"distortion must have entries >= 0, got {wrong:g}")
    if square and matrix.shape[1] != n:
        raise ValueError(f"a divergence needs a square distortion matrix, got shape {matrix.shape}")
    return matrix


def digest(*arrays: np.ndarray) -> str:
    """Computes a digest of the numbers that are bounded, so that a changed file is noticed.

    Args:
      *arrays: pmf, distortion matrix, and what else there is; empty ones are left out.

    Returns:
      64 hexadecimal digits.
    """
    there = [array for array in arrays if array.size]
    parts = (" ".join(str(array.shape) for array in there).encode(), *map(np.ascontiguousarray, there))
    return hashlib.sha256(b"".join(bytes(part) for part in parts)).hexdigest()
