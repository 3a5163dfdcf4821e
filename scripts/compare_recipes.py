"""Recipes side by side: the same pictures, network, schedule and seeds; measures over images and over time.

``python scripts/compare_recipes.py run --data SET --out DIR [RECIPE ...]`` trains what is missing (repeat it to
resume), ``measure`` adds KID, SWD, MS-SSIM, precision and recall of each run's last network to its measures.jsonl, and
with ``--every 40`` the KID of its snapshots after about 40, 80 ... thousand pictures, ``time`` times every recipe's
steps on this machine, which should be otherwise idle, and ``draw`` writes table.md and curves.png. Runs may share the
machine with other work: they are compared by the times from ``time``, not by their own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from growgan.core.runfiles import RunFiles, images_shown
from growgan.evaluation import results
from growgan.evaluation.subjects import list_snapshots
from growgan.models.native import ModelFile

COMMON = {
    "snapshots.model_ticks": "2",
    "snapshots.keep": "50",
    "schedule.tick_kimg": "5",
    "execution.threads": "1",
}
"""Settings of every run, on top of the preset `laptop`."""
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
LARGE_STEPS = LOGISTIC | {"optim.g_lr": "0.008", "optim.d_lr": "0.008"}
SHORTER = {"schedule.training_kimg": "30,8:10,16:10", "schedule.transition_kimg": "10"}
RELATIVISTIC = {
    "loss.name": "relativistic",
    "loss.r1_gamma": "0.5,8:0.05,16:0.1,32:0.2",
    "loss.r1_interval": "4",
}
RECIPES: dict[str, dict[str, str]] = {
    "paper": {"optim.ema_kimg": "none", "schedule.training_kimg": "30,4:10,8:10,16:20"},
    "paper, from 8x8": SHORT,
    "logistic": LOGISTIC,
    "R1 at every step": LOGISTIC | {"loss.r1_interval": "1"},
    "ten times gamma": LOGISTIC | {"loss.r1_gamma": "0.5,8:0.05,16:0.1,32:0.2"},
    "half the rate": LOGISTIC | {"optim.g_lr": "0.001", "optim.d_lr": "0.001"},
    "twice the rate": LOGISTIC | {"optim.g_lr": "0.004", "optim.d_lr": "0.004"},
    "four times the rate": LARGE_STEPS,
    "large steps, shorter stages": LARGE_STEPS | SHORTER,
    "large steps, from 16x16": LARGE_STEPS | SHORTER | {"schedule.initial_resolution": "16"},
    "large steps, adaptive": LARGE_STEPS
    | {"augment.policy": "colour,translation,cutout", "augment.strength": "adaptive"},
    "large steps, relativistic": LARGE_STEPS | RELATIVISTIC,
    "eight times the rate": LOGISTIC | {"optim.g_lr": "0.016", "optim.d_lr": "0.016"},
    "minibatch of 32": LOGISTIC | {"schedule.minibatch": "32"},
    "from 4x4": LOGISTIC | {"schedule.initial_resolution": "4", "schedule.training_kimg": "30,4:10,8:10,16:20"},
    "from 16x16": LOGISTIC | {"schedule.initial_resolution": "16"},
    "act_pool": LOGISTIC | {"network.d_down": "act_pool"},
    "augmented": LOGISTIC | {"augment.policy": "colour,translation,cutout"},
    "relativistic": LOGISTIC | RELATIVISTIC,
}
"""Changes by recipe; "paper" is the paper's recipe on the compact network and short schedule."""
METRICS, ON_THE_WAY = ("swd", "kid", "msssim", "pr_inception"), ("kid",)
MEASURES = "measures.jsonl"


def main() -> None:
    """Run one of the four commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("act", choices=("run", "measure", "time", "draw"))
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help=f"from: {'; '.join(RECIPES)} (default: all)")
    parser.add_argument("--data", type=Path, help="the dataset (run, measure, time)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--seeds", type=int, default=1, help="runs per recipe")
    parser.add_argument("--resolution", type=int, default=32)
    parser.add_argument("--kimg", type=float, default=130)
    parser.add_argument("--every", type=float, metavar="KIMG", help="measure: also KID of intermediate snapshots")
    parser.add_argument("--inception", type=Path, metavar="FILE", help="measure: Inception weights")
    args = parser.parse_intermixed_args()
    if unknown := [name for name in args.recipes if name not in RECIPES]:
        parser.error(f"unknown recipe {unknown[0]!r}")
    if args.act != "draw" and args.data is None:
        parser.error(f"{args.act} needs --data")
    {"run": run, "measure": measure, "time": time, "draw": draw}[args.act](args)


def runs(args: argparse.Namespace) -> Iterator[tuple[str, int, Path]]:
    """Every requested recipe and seed, and its run folder."""
    for seed in range(1, args.seeds + 1):
        for name in args.recipes or RECIPES:
            yield name, seed, args.out / f"{name.replace(' ', '-').replace(',', '')}-{seed}"


def fields(name: str, args: argparse.Namespace) -> dict[str, str]:
    """The configuration fields set by a recipe."""
    length = {"schedule.total_kimg": str(args.kimg), "network.resolution": str(args.resolution)}
    return COMMON | length | RECIPES[name]


def growgan(*words: str | Path, may_refuse: bool = False) -> None:
    """Run a growgan command, and exit with its status if it fails, except with status 2 if `may_refuse`."""
    status = subprocess.run([sys.executable, "-m", "growgan", *map(str, words)], check=False).returncode
    if status and not (may_refuse and status == 2):
        sys.exit(status)


def run(args: argparse.Namespace) -> None:
    """Train runs that have not been trained to their end."""
    for name, seed, folder in runs(args):
        if not last_model(folder, args.kimg):
            sets = [word for item in fields(name, args).items() for word in ("--set", "=".join(item))]
            growgan("train", "--data", args.data, "--out", folder, "--preset", "laptop", "--seed", str(seed), *sets)


def measure(args: argparse.Namespace) -> None:
    """Measure the last network of every finished run, and the requested intermediate ones."""
    words = ["--data", args.data, "--images", "2048"]
    words += ["--inception", args.inception] if args.inception else []
    for _, _, folder in runs(args):
        if not last_model(folder, args.kimg):
            continue
        out = folder / MEASURES
        *before, last = list_snapshots(folder)
        for model in [*on_the_way(before, args), last]:
            wanted = METRICS if model is last else ON_THE_WAY
            if missing := results.lacking(out, model.hash, wanted):
                more = ("--metrics", ",".join(missing), "--out", out)
                growgan("evaluate", model.path, *words, *more, may_refuse=len(missing) < len(wanted))


def on_the_way(models: list[ModelFile], args: argparse.Namespace) -> list[ModelFile]:
    """The first snapshot at full size after each multiple of `every`, if there is one before the next multiple."""
    if args.every is None:
        return []
    found: dict[int, ModelFile] = {}
    for model in models:
        if model.resolution == args.resolution and model.alpha == 1:
            found.setdefault(int(model.training["nimg"] / 1000 // args.every), model)
    return [model for multiple, model in found.items() if multiple]


def last_model(folder: Path, kimg: float) -> Path | None:
    """The snapshot at the end of a run, if present."""
    snapshots = RunFiles(folder).snapshots()
    return snapshots[-1] if snapshots and images_shown(snapshots[-1]) >= kimg * 1000 else None


def time(args: argparse.Namespace) -> None:
    """Write seconds per image for each recipe and resolution to speed.json."""
    from growgan.core.fields import replaced
    from growgan.core.presets import preset
    from growgan.core.schedule import Schedule
    from growgan.devices import set_up
    from growgan.training.trial_steps import seconds_per_image

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


def curves(folder: Path, seconds_per_image: dict[str, float]) -> dict[str, list[tuple[float, float, float]]]:
    """SWD and KID of a run at its highest resolution, as (kimg, minutes, value)."""
    entries = RunFiles(folder).read_log()
    minutes, before, at = 0.0, 0.0, {}
    swd = []
    for entry in entries:
        minutes += (entry["nimg"] - before) * seconds_per_image[str(entry["resolution"])] / 60
        before = entry["nimg"]
        at[before] = minutes
        for found in entry.get("measures", {}).values():
            if found["resolution"] == entries[-1]["resolution"]:
                swd.append((entry["kimg"], minutes, found["value"]))
    lines = [line for line in results.read([folder / MEASURES]) if line["metric"].startswith("kid")]
    kid = [(line["nimg"] / 1000, at[line["nimg"]], line["value"]) for line in lines]
    return {"sliced Wasserstein distance x 1000": swd, "kernel Inception distance": sorted(kid)}


def draw(args: argparse.Namespace) -> None:
    """Write the table and the curves of all runs present."""
    from matplotlib.figure import Figure  # slow to import

    speed = json.loads((args.out / "speed.json").read_text())
    figure = Figure(figsize=(11, 8), layout="constrained")
    panels = figure.subplots(2, 2, sharex="col", sharey="row")
    rows: dict[str, list[dict[str, float]]] = {}
    colours: dict[str, str] = {}
    for name, seed, folder in runs(args):
        if not last_model(folder, args.kimg):
            continue
        found = curves(folder, speed[name])
        minutes = max(at for points in found.values() for _, at, _ in points)
        rows.setdefault(name, []).append({"minutes": minutes, **measured(folder)})
        colours.setdefault(name, f"C{len(colours)}")
        for (title, points), (left, right) in zip(found.items(), panels, strict=True):
            left.set(ylabel=title, yscale="log")
            kimg, at, values = zip(*points) if points else ((), (), ())
            for axes, x in ((left, kimg), (right, at)):
                axes.plot(x, values, color=colours[name], label=name if seed == 1 else None, marker=".")
    for left, _ in panels:
        left.yaxis.set_major_formatter("{x:g}")
        left.yaxis.set_minor_formatter("{x:g}")
    panels[1, 0].set(xlabel="thousand images shown")
    panels[1, 1].set(xlabel="minutes on one core")
    panels[0, 0].legend(fontsize="small")
    figure.savefig(args.out / "curves.png", dpi=110)
    (args.out / "table.md").write_text(table(rows))


def measured(folder: Path) -> dict[str, float]:
    """The measures of a run's last network, by name."""
    lines = results.read([folder / MEASURES])
    last = max((line["nimg"] for line in lines), default=None)
    return {line["metric"]: line["value"] for line in lines if line["nimg"] == last}


def table(rows: dict[str, list[dict[str, float]]]) -> str:
    """Means over seeds, with half the range if there are several."""
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
