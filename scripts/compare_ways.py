"""Ways to compute side by side: pairs of runs of the same seed that differ in their arithmetic and in nothing else.

``python scripts/compare_ways.py run --data SET --out DIR [WAY ...]`` trains what is missing (repeat it to resume),
``draw`` writes table.md: D's losses and the sliced Wasserstein distance over the runs, and how far each way is from
"plain" compared with how far the seeds are from each other. Each run has a fixed resolution, with the paper's loss and
D.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from growgan.core.files import write_text
from growgan.core.plan import Plan
from growgan.core.runfiles import RunFiles
from growgan.training import job
from growgan.training.request import Request

T = TypeVar("T")

COMMON = {
    "network.d_down": "act_pool",
    "network.fmap_base": "512",
    "network.fmap_max": "64",
    "optim.ema_kimg": "2",
    "schedule.minibatch": "16",
    "snapshots.model_ticks": "1",
    "snapshots.keep": "1",
    "execution.threads": "1",
    "execution.plan": "plain",
}
"""Settings of every run, on top of the preset `laptop`: half its widths, and no convolution of D is fused with its
downscaling, so that all can be computed in several ways."""
PRECISION = {"plain": "float32", "bfloat16": "bfloat16", "winograd": "float32", "winograd 2": "float32"}
PREFERRED = {"winograd": ("winograd 4", "winograd 2"), "winograd 2": ("winograd 2",)}
"""Algorithms that a way uses wherever they are available, whether or not they are the fastest there."""
SHOWN = {"wasserstein": "D/wasserstein", "penalty": "D/penalty", "loss of G": "G/loss"}


class Forced(Plan):
    """Chooses its preferred algorithm for each product, and counts its choices."""

    def __init__(self, preferred: tuple[str, ...]) -> None:
        super().__init__()
        self.preferred = preferred
        self.taken: Counter[str] = Counter()

    def choose(self, key: str, work: float, candidates: Mapping[str, T], run: Callable[[T], object]) -> T:
        """See `Plan.choose`."""
        name = next((name for name in self.preferred if name in candidates), next(iter(candidates)))
        self.taken[f"{key}: {name}"] += 1
        return candidates[name]


@dataclass(frozen=True)
class Run:
    """A run to be compared."""

    way: str
    resolution: int
    seed: int
    folder: Path

    def entries(self) -> dict[float, dict[str, Any]]:
        """Log entries, by thousand images."""
        log = RunFiles(self.folder).log
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return {entry["kimg"]: entry for entry in map(json.loads, lines) if entry["nimg"]}


def main() -> None:
    """Run one of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("act", choices=("run", "draw"))
    parser.add_argument(
        "ways", nargs="*", metavar="WAY", help=f"from: {'; '.join(PRECISION)} (default: the first three)"
    )
    parser.add_argument("--data", type=Path, help="the dataset (run)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=2, help="runs per algorithm")
    parser.add_argument("--resolutions", type=lambda text: [int(size) for size in text.split(",")], default=[16, 32])
    parser.add_argument("--kimg", type=float, default=20)
    parser.add_argument("--tick", type=float, default=5, help="thousand images between two measurements")
    args = parser.parse_intermixed_args()
    ways = args.ways or list(PRECISION)[:3]
    if unknown := [name for name in ways if name not in PRECISION]:
        parser.error(f"unknown algorithm {unknown[0]!r}")
    if args.act == "run" and args.data is None:
        parser.error("run needs --data")
    wanted = [
        Run(way, size, seed, args.out / f"{way.replace(' ', '-')}-{size}-{seed}")
        for size in args.resolutions
        for seed in range(1, args.seeds + 1)
        for way in ways
    ]
    if args.act == "run":
        for one in wanted:
            train(one, args)
    else:
        write_text(args.out / "table.md", table(wanted))


def train(one: Run, args: argparse.Namespace) -> None:
    """Train a run to its end, and write the algorithms that a forced plan chose to ways.json in its folder."""
    size = str(one.resolution)
    lengths = {"total": args.kimg, "tick": args.tick, "training": args.kimg, "transition": 0}
    fields = COMMON | {f"schedule.{name}_kimg": f"{value:g}" for name, value in lengths.items()}
    fields |= {"network.resolution": size, "schedule.initial_resolution": size, "seed": str(one.seed)}
    fields |= {"execution.precision": PRECISION[one.way]}
    prepared = job.prepare(Request(data=args.data, out=one.folder, preset="laptop", overrides=list(fields.items())))
    forced = Forced(PREFERRED[one.way]) if one.way in PREFERRED else None
    if forced:
        prepared = replace(prepared, machine=replace(prepared.machine, plan=forced))
    with prepared.dataset:
        outcome = job.train(prepared)
    if forced and forced.taken:
        write_text(one.folder / "ways.json", json.dumps(dict(sorted(forced.taken.items())), indent=1) + "\n")
    if not outcome.ended:
        raise SystemExit(f"stopped at {outcome.nimg / 1000:g} kimg; rerun the same command to resume")


def table(wanted: list[Run]) -> str:
    """A row for each resolution, time and way: means over seeds with half their range, and the mean distance of the
    way from "plain" with the same seed."""
    columns = [*SHOWN, "SWD"]
    heads = ["size", "kimg", "way", *columns, *(f"{name}, from plain" for name in columns)]
    lines = ["| " + " | ".join(heads) + " |", "| --- " * len(heads) + "|"]
    logs = {(one.way, one.resolution, one.seed): one.entries() for one in wanted}
    for size in dict.fromkeys(one.resolution for one in wanted):
        seeds = [seed for way, of, seed in logs if (way, of) == ("plain", size)]
        moments = sorted({moment for (_, of, _), log in logs.items() if of == size for moment in log})
        for moment in moments:
            for way in dict.fromkeys(one.way for one in wanted):
                pairs = [(logs[way, size, seed], logs["plain", size, seed]) for seed in seeds]
                values = [(figures(a[moment]), figures(b[moment])) for a, b in pairs if moment in a and moment in b]
                if not values:
                    continue
                own = [spread([a[name] for a, _ in values]) for name in columns]
                apart = [f"{statistics.mean(a[name] - b[name] for a, b in values):+.3f}" for name in columns]
                cells = [
                    f"{size}x{size}",
                    f"{moment:g}",
                    way,
                    *own,
                    *([""] * len(columns) if way == "plain" else apart),
                ]
                lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def figures(entry: dict[str, Any]) -> dict[str, float]:
    """The table's figures for one log entry."""
    return {name: entry[key] for name, key in SHOWN.items()} | {
        "SWD": next(iter(entry.get("measures", {}).values()), {"value": float("nan")})["value"]
    }


def spread(values: list[float]) -> str:
    """The mean, with half the range if there are several values."""
    half = f" ± {(max(values) - min(values)) / 2:.2g}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{half}"


if __name__ == "__main__":
    main()
