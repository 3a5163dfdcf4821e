"""Layer 1: measures of quality and variation, each as the papers define it."""

from __future__ import annotations

METRICS = ("swd", "msssim", "fid", "kid", "is", "pr", "pr_inception")
"""Names of measures on the command line; how each is computed: `growgan.evaluation.measures`."""

THOUSANDS = {"swd": 1024}
"""What "k" stands for where it is not 1,000: the paper's SWD uses 16 x 1,024 images."""


def titled(metric: str, images: int) -> str:
    """A measure's name with its number of images, without which it says little: ``swd2k``, ``kid2048``."""
    thousand = THOUSANDS.get(metric, 1000)
    return f"{metric}{images // thousand}k" if images % thousand == 0 else f"{metric}{images}"
