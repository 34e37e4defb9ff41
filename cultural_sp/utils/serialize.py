"""Plain JSON values and hashes of numpy arrays."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def fingerprint(array: NDArray[np.floating]) -> str:
    """First 16 hexadecimal digits of the SHA-256 of an array, such as a candidate [d], as little-endian 64-bit floats."""
    return hashlib.sha256(np.ascontiguousarray(array, dtype="<f8").tobytes()).hexdigest()[:16]


def as_array(numbers: Iterable[float | None]) -> NDArray[np.float64]:
    """Return numbers of JSON [n] as an array; NaN for a missing one."""
    return np.array([np.nan if number is None else number for number in numbers], dtype=float)


def jsonable(value: Any) -> Any:
    """Convert numpy values to plain JSON types; numbers that are not finite become null."""
    if isinstance(value, dict):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [jsonable(v) for v in value]
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.integer):
        return int(value)
    return value
