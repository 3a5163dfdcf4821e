"""Layer 1: measures of quality and variation, each by the definition that the papers used.

A measure is one module and one line of ``METRICS``; nothing of it is imported before it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from growgan.core.errors import ConfigError

METRICS: dict[str, str] = {
    "swd": "growgan.metrics.swd:swd",
    "msssim": "growgan.metrics.ms_ssim:ms_ssim_pairs",
    "fid": "growgan.metrics.fid:fid",
    "kid": "growgan.metrics.kid:kid",
    "is": "growgan.metrics.inception_score:inception_score",
    "pr": "growgan.metrics.precision_recall:precision_recall",
    "pr_inception": "growgan.metrics.precision_recall:precision_recall",
}
"""Name of a measure on the command line -> ``module:attribute``."""

THOUSANDS = {"swd": 1024}
"""What "k" stands for where it is not 1,000: the paper's SWD is of 16 x 1,024 images."""


def titled(metric: str, images: int) -> str:
    """A measure's name with its number of images, without which it says little: ``swd2k``, ``kid2048``."""
    thousand = THOUSANDS.get(metric, 1000)
    return f"{metric}{images // thousand}k" if images % thousand == 0 else f"{metric}{images}"


def resolve(name: str) -> Callable[..., Any]:
    """Import and return the measure called ``name``."""
    if name not in METRICS:
        raise ConfigError(f"no metric is called {name!r}; there are {', '.join(METRICS)}")
    module, attribute = METRICS[name].split(":")
    measure: Callable[..., Any] = getattr(import_module(module), attribute)
    return measure
