"""growgan: progressive growing of GANs, from a folder of photographs to a generator of new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from growgan.core.allocator import keep_memory as keep_memory
    from growgan.core.errors import ConfigError as ConfigError
    from growgan.core.errors import DataError as DataError
    from growgan.core.errors import ModelError as ModelError
    from growgan.core.errors import OutOfMemory as OutOfMemory
    from growgan.core.errors import RunError as RunError
    from growgan.core.errors import UserError as UserError
    from growgan.sampling.model import Model as Model
    from growgan.sampling.model import load as load
    from growgan.sampling.onnx_model import OnnxModel as OnnxModel

_HOMES = {
    "keep_memory": "growgan.core.allocator",
    "load": "growgan.sampling.model",
    "Model": "growgan.sampling.model",
    "OnnxModel": "growgan.sampling.onnx_model",
    "UserError": "growgan.core.errors",
    "ConfigError": "growgan.core.errors",
    "DataError": "growgan.core.errors",
    "ModelError": "growgan.core.errors",
    "OutOfMemory": "growgan.core.errors",
    "RunError": "growgan.core.errors",
}

__all__ = [
    "ConfigError",
    "DataError",
    "Model",
    "ModelError",
    "OnnxModel",
    "OutOfMemory",
    "RunError",
    "UserError",
    "__version__",
    "keep_memory",
    "load",
]


def __dir__() -> list[str]:
    """The names offered for completion: only the public ones."""
    return __all__


if not TYPE_CHECKING:  # else a type checker would accept any name as an attribute of this module

    def __getattr__(name: str) -> Any:
        """Import a public name on first use, so that ``import growgan`` loads neither torch nor numpy."""
        if name in _HOMES:
            from importlib import import_module

            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module 'growgan' has no attribute {name!r}")
