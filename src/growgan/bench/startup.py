"""How long commands take from a cold process, as a user experiences it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from growgan.core.config import NetworkSpec
from growgan.models.native import save_model
from growgan.networks.generator import Generator
from growgan.networks.layers import initialize


@dataclass(frozen=True, slots=True)
class StartTime:
    """The duration of a command, from start to end."""

    command: str
    seconds: float
    least_seconds: float


def time_starts(resolutions: Sequence[int] = (128, 1024), rounds: int = 3) -> list[StartTime]:
    """``growgan --help``, and one picture from models with the paper's widths, as shipped."""
    found = [_timed("growgan --help", ["--help"], rounds)]
    with TemporaryDirectory(prefix="growgan-bench-", ignore_cleanup_errors=True) as folder:
        for resolution in resolutions:
            model = Path(folder) / f"{resolution}.safetensors"
            save_random_model(model, NetworkSpec(resolution=resolution))
            words = ["generate", str(model), "--seeds", "0", "--out", folder]
            found.append(_timed(f"growgan generate, one {resolution}x{resolution} picture", words, rounds))
    return found


def save_random_model(path: Path, spec: NetworkSpec) -> None:
    """A model file of random weights, G_ema alone, in float16."""
    G = Generator(spec)
    initialize(G, 1, "G")
    save_model(path, {"G_ema": G}, training={"resolution": spec.resolution}, half=True)


def _timed(command: str, words: Sequence[str], rounds: int) -> StartTime:
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "growgan", *words], capture_output=True, check=True)
        times.append(time.perf_counter() - began)
    return StartTime(command, median(times), min(times))
