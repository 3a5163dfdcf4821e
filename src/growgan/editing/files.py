"""Small self-describing files of arrays: a .safetensors with one JSON text in its header."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from safetensors import SafetensorError, safe_open

from growgan.core.errors import ModelError

T = TypeVar("T")

DAMAGE = (OSError, SafetensorError, LookupError, TypeError, ValueError, ArithmeticError, RecursionError)
"""Errors that reading an invalid file may raise."""


def save_arrays(path: Path, key: str, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray | None]) -> None:
    """Write a file, whole or not at all. key: metadata key of the text in the header."""
    import torch  # not needed for reading, by models that work without it

    from growgan.models.native import write_tensors

    tensors = {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in arrays.items() if one is not None}
    write_tensors(path, tensors, {key: json.dumps(dict(about))})


def read_arrays(path: Path, key: str, kind: str, make: Callable[[dict[str, Any], dict[str, np.ndarray]], T]) -> T:
    """The result of `make` for a file's description and arrays. kind: the file's contents, for messages.

    Raises `ModelError` with one line if the file is missing or invalid, or if `make` raises.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            text = (file.metadata() or {}).get(key)
            if text is None:
                raise ValueError(f"its header has no {key}")
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return make(json.loads(text), arrays)
    except FileNotFoundError:
        raise ModelError(f"no such file: {path}") from None
    except SafetensorError as error:  # its wording only helps the library's authors
        raise ModelError(f"{path} is not a file of {kind}: not a complete .safetensors file") from error
    except DAMAGE as error:
        raise ModelError(f"{path} is not a file of {kind}: {error}") from error
