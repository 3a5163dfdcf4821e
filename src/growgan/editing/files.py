"""Small files of arrays that say what they are: a .safetensors with one JSON text in its header."""

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
"""What reading a file that is not what it should be may raise."""


def save_arrays(path: Path, key: str, about: Mapping[str, Any], arrays: Mapping[str, np.ndarray | None]) -> None:
    """Write a file, whole or not at all. key: of the text in the header."""
    import torch  # not needed to read one, for a model that needs none

    from growgan.models.native import write_tensors

    tensors = {name: torch.from_numpy(np.ascontiguousarray(one)) for name, one in arrays.items() if one is not None}
    write_tensors(path, tensors, {key: json.dumps(dict(about))})


def read_arrays(path: Path, key: str, kind: str, make: Callable[[dict[str, Any], dict[str, np.ndarray]], T]) -> T:
    """What `make` makes of description and arrays of a file. kind: what it is a file of, for messages.

    Raises `ModelError` with one line for a file that is not there or is none, also by what `make` raises.
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
    except SafetensorError as error:  # in words that only its makers understand
        raise ModelError(f"{path} is not a file of {kind}: not a complete .safetensors file") from error
    except DAMAGE as error:
        raise ModelError(f"{path} is not a file of {kind}: {error}") from error
