"""Recipes side by side: the same pictures, network, schedule and seeds; measures over images and over time.

``python scripts/compare_recipes.py run --data SET --out DIR [RECIPE ...]`` trains what is missing (again to go on),
``measure`` adds KID, SWD, MS-SSIM, precision and recall of each run's last network to its measures.jsonl, ``time``
times every recipe's steps on this machine, on which nothing else should run, and ``draw`` writes table.md and
curves.png. Runs may go on beside other work: the time they are compared by is that of ``time``, not their own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from growgan.core.runfiles import RunFiles, images_shown

COMMON = {
    "snapshots.model_ticks": "2",
    "snapshots.keep": "1",
    "schedule.tick_kimg": "5",
    "execution.threads": "1",
}
"""What every run has, above the preset `laptop`."""
SHORT = {
    "schedule.initial_resolution": "8",
    "schedule.training_kimg": "30,8:20,16:20",
    "schedule.transition_kimg": "20",
}
LOGISTIC = {
    **SHORT,
    "loss.name": "logistic",
    "loss.r1_gamma": "0.05,8:0.005,16:0.01,32:0.02",
    "loss.r1_interval": "16",
    "optim.g_lr": "0.002",
    "optim.d_lr": "0.002",
    "optim.ema_kimg": "10",
    "optim.ema_rampup": "0.05",
}
RECIPES: dict[str, dict[str, str]] = {
    "paper": {"optim.ema_kimg": "none", "schedule.training_kimg": "30,4:10,8:10,16:20"},
    "paper, from 8x8": SHORT,
    "logistic": LOGISTIC,
    "R1 at every step": LOGISTIC | {"loss.r1_interval": "1"},
    "ten times gamma": LOGISTIC | {"loss.r1_gamma": "0.5,8:0.05,16:0.1,32:0.2"},
    "half the rate": LOGISTIC | {"optim.g_lr": "0.001", "optim.d_lr": "0.001"},
    "minibatch of 32": LOGISTIC | {"schedule.minibatch": "32"},
    "from 4x4": LOGISTIC | {"schedule.initial_resolution": "4", "schedule.training_kimg": "30,4:10,8:10,16:20"},
    "from 16x16": LOGISTIC | {"schedule.initial_resolution": "16"},
    "act_pool": LOGISTIC | {"network.d_down": "act_pool"},
    "augmented": LOGISTIC | {"augment.policy": "colour,translation,cutout"},
    "relativistic": LOGISTIC
    | {"loss.name": "relativistic", "loss.r1_gamma": "0.5,8:0.05,16:0.1,32:0.2", "loss.r1_interval": "4"},
}
"""What each changes; "paper" is the paper's recipe on the compact network and short schedule."""
METRICS = "swd,kid,msssim,pr_inception"


def main() -> None:
    """Do one of the four things."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("act", choices=("run", "measure", "time", "draw"))
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"of: {'; '.join(RECIPES)} (default: all)")
    parser.add_argument("--data", type=Path, help="the set (run, measure, time)")
    parser.add_argument("--out", type=Path, required=True, help="where the runs are")
    parser.add_argument("--seeds", type=int, default=1, help="runs of each recipe")
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--kimg", type=float, default=130)
    args = parser.parse_intermixed_args()
    if unknown := [name for name in args.recipes if name not in RECIPES]:
        parser.error(f"there is no recipe {unknown[0]!r}")
    if args.act != "draw" and args.data is None:
        parser.error(f"{args.act} needs --data")
    {"run": run, "measure": measure, "time": time, "draw": draw}[args.act](args)


def runs(args: argparse.Namespace) -> Iterator[tuple[str, int, Path]]:
    """Every recipe and seed asked for, and its run folder."""
    for seed in range(1, args.seeds + 1):
        for name in args.recipes or RECIPES:
            yield name, seed, args.out / f"{name.replace(' ', '-').replace(',', '')}-{seed}"


def fields(name: str, args: argparse.Namespace) -> dict[str, str]:
    """The fields that a recipe sets."""
    length = {"schedule.total_kimg": str(args.kimg), "network.resolution": str(args.resolution)}
    return COMMON | length | RECIPES[name]


def growgan(*words: str | Path) -> None:
    """Run a command of the package; end with its status if it fails."""
    status = subprocess.run([sys.executable, "-m", "growgan", *map(str, words)], check=False).returncode
    if status:
        sys.exit(status)


def run(args: argparse.Namespace) -> None:
    """Train what has not been trained to its end."""
    for name, seed, folder in runs(args):
        if not last_model(folder, args.kimg):
            sets = [word for item in fields(name, args).items() for word in ("--set", "=".join(item))]
            growgan("train", "--data", args.data, "--out", folder, "--preset", "laptop", "--seed", str(seed), *sets)


def measure(args: argparse.Namespace) -> None:
    """Measure the last network of every run that has ended."""
    for _, _, folder in runs(args):
        done = folder / "measures.jsonl"
        if (model := last_model(folder, args.kimg)) and not done.exists():
            growgan("evaluate", model, "--data", args.data, "--metrics", METRICS, "--images", "2048", "--out", done)


def last_model(folder: Path, kimg: float) -> Path | None:
    """The snapshot at the end of a run, if it is there."""
    snapshots = RunFiles(folder).snapshots()
    return snapshots[-1] if snapshots and images_shown(snapshots[-1]) >= kimg * 1000 else None


def time(args: argparse.Namespace) -> None:
    """Write seconds an image of each recipe and resolution to speed.json."""
    from growgan.core.fields import replaced
    from growgan.core.presets import preset
    from growgan.core.schedule import Schedule
    from growgan.devices import set_up
    from growgan.training.rehearsal import seconds_per_image

    file = args.out / "speed.json"
    speed = json.loads(file.read_text()) if file.exists() else {}
    for name in args.recipes or RECIPES:
        config = preset("laptop")
        for item in fields(name, args).items():
            config = replaced(config, *item)
        schedule = Schedule(config.schedule, config.optim, config.network.resolution)
        speed[name] = seconds_per_image(config, schedule, set_up(config.execution))
        print(name, {size: f"{1 / spent:.0f} img/s" for size, spent in speed[name].items()}, flush=True)
        file.write_text(json.dumps(speed, indent=2) + "\n")


def curve(folder: Path, seconds_per_image: dict[str, float]) -> list[dict[str, float]]:
    """SWD over images and minutes of a run, at its highest resolution."""
    points, minutes, before = [], 0.0, 0.0
    entries = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for entry in entries:
        minutes += (entry["nimg"] - before) * seconds_per_image[str(entry["resolution"])] / 60
        before = entry["nimg"]
        for found in entry.get("measures", {}).values():
            if found["resolution"] == entries[-1]["resolution"]:
                points.append({"kimg": entry["kimg"], "minutes": minutes, "swd": found["value"]})
    return points


def draw(args: argparse.Namespace) -> None:
    """Write the table and the curves of all runs that are there."""
    from matplotlib.figure import Figure  # slow to import

    speed = json.loads((args.out / "speed.json").read_text())
    figure = Figure(figsize=(11, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    rows: dict[str, list[dict[str, float]]] = {}
    colours: dict[str, str] = {}
    for name, seed, folder in runs(args):
        if not last_model(folder, args.kimg):
            continue
        points = curve(folder, speed[name])
        rows.setdefault(name, []).append({"minutes": points[-1]["minutes"], **measured(folder)})
        colours.setdefault(name, f"C{len(colours)}")
        for axes, x in ((left, "kimg"), (right, "minutes")):
            label = name if seed == 1 else None
            axes.plot([p[x] for p in points], [p["swd"] for p in points], color=colours[name], label=label)
    left.set(xlabel="thousand images shown", ylabel="sliced Wasserstein distance x 1000", yscale="log")
    left.yaxis.set_major_formatter("{x:g}")
    left.yaxis.set_minor_formatter("{x:g}")
    right.set(xlabel="minutes on one core")
    left.legend(fontsize="small")
    figure.savefig(args.out / "curves.png", dpi=110)
    (args.out / "table.md").write_text(table(rows))


def measured(folder: Path) -> dict[str, float]:
    """The measures of a run's last network by name."""
    file = folder / "measures.jsonl"
    lines: list[dict[str, Any]] = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return {line["metric"]: line["value"] for line in lines}


def table(rows: dict[str, list[dict[str, float]]]) -> str:
    """Means over seeds, and half the range where there are several."""
    columns = list(dict.fromkeys(key for found in rows.values() for row in found for key in row))
    lines = ["| recipe | seeds | " + " | ".join(columns) + " |", "| --- " * (len(columns) + 2) + "|"]
    for name, found in rows.items():
        cells = []
        for column in columns:
            values = [row[column] for row in found if column in row]
            spread = f" ± {(max(values) - min(values)) / 2:.2g}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.4g}{spread}" if values else "")
        lines.append(f"| {name} | {len(found)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
