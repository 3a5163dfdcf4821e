"""growgan: progressive growing of GANs, from a folder of photographs to a generator of new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from growgan.sampling.model import Model as Model
    from growgan.sampling.model import load as load
    from growgan.sampling.onnx_model import OnnxModel as OnnxModel

__all__ = ["Model", "OnnxModel", "__version__", "load"]

_HOMES = {
    "load": "growgan.sampling.model",
    "Model": "growgan.sampling.model",
    "OnnxModel": "growgan.sampling.onnx_model",
}


def __dir__() -> list[str]:
    """What a notebook offers: the public names alone."""
    return __all__


def __getattr__(name: str) -> Any:
    """The public names, imported when first used, so that ``import growgan`` brings neither torch nor numpy."""
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'growgan' has no attribute {name!r}")
