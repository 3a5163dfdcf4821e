"""Requests for measures, by names such as ``swd``, ``fid10k`` and ``fid50k_full``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from growgan.core.errors import ConfigError
from growgan.metrics import METRICS, THOUSANDS, titled

CURVE_IMAGES = 2048
"""Images of a measure if the user gives no number: enough to compare snapshots by SWD and KID."""
FINAL_IMAGES = 10_000
"""The same for one model and the measures that need many."""
NEEDS_MANY = ("fid", "is")
MOST_IMAGES = 1_000_000


@dataclass(frozen=True, slots=True)
class Request:
    """One measure to take."""

    metric: str
    """A name of `METRICS`."""
    images: int
    """Pictures of the subject, and of the reals."""
    full: bool = False
    """FID and KID against all reals, however many."""

    def title(self, images: int, clean: bool) -> str:
        """The name of the result, with everything that makes it another measure: ``fid10k_full``, ``kid2048_clean``."""
        return f"{titled(self.metric, images)}{'_full' if self.full else ''}{'_clean' if clean else ''}"


def parse_requests(text: str, images: int | None, curve: bool) -> list[Request]:
    """Read ``swd,fid50k_full``. images: for measures without a number. curve: whether many snapshots are measured."""
    if images is not None and not 2 <= images <= MOST_IMAGES:
        raise ConfigError(f"--images must be between 2 and {MOST_IMAGES:,}, not {images}")
    requests = [_parse(name.strip(), images, curve) for name in text.split(",")]
    for i, request in enumerate(requests):
        if request in requests[:i]:
            raise ConfigError(f"--metrics names {request.metric} twice")
    return requests


def _parse(name: str, images: int | None, curve: bool) -> Request:
    # The longest name first, as pr_inception begins with pr.
    for metric in sorted(METRICS, key=len, reverse=True):
        found = re.fullmatch(re.escape(metric) + r"(?:([1-9]\d{0,6})(k?))?(_full)?", name, re.ASCII)
        if not found:
            continue
        digits, k, full = found.groups()
        if full and metric not in ("fid", "kid"):
            raise ConfigError(f"{name}: only fid and kid support _full")
        count = images or (FINAL_IMAGES if metric in NEEDS_MANY and not curve else CURVE_IMAGES)
        if digits:
            count = int(digits) * (THOUSANDS.get(metric, 1000) if k else 1)
        if not 2 <= count <= MOST_IMAGES:
            raise ConfigError(f"{name}: the number of images must be between 2 and {MOST_IMAGES:,}")
        return Request(metric, count, bool(full))
    if name.endswith("_clean"):
        raise ConfigError(f"{name}: use --protocol clean instead of _clean")
    raise ConfigError(f"unknown metric {name!r}; choose from {', '.join(METRICS)}, or e.g. fid10k or fid50k_full")
