"""growgan beside pro-gan-pth, in one run and in alternation: train steps, pictures, memory, cold starts, with ratios.

    python benchmarks/peers.py --peer PYTHON [--only WORDS] [--threads N] [--device D] [--quick] [--json FILE]

Rows are named as the table shows them, and `--only` takes those whose name holds one of its words, separated by commas:
``--only train`` or ``--only "memory generate,cold"``. A memory row is the peak of a fresh process (of it PyTorch alone
about 230 MB); a cold row is one picture, from a process that does not yet exist to the PNG: by `growgan generate`, and
by the shortest script that does the same with pro-gan-pth and weights of its own. The memory of a train step at
1024x1024 is measured with 1 and 2 images as well: where pro-gan-pth does not fit with 4, they tell what an image adds.
With ``--device cuda`` steps are those of every size at the release's minibatches, memory is the most that the device's
allocator gave out, and cold starts are left out.

PYTHON is an interpreter of a virtual environment that holds pro-gan-pth, made by

    python -m venv peer && peer/bin/pip install torch==2.13.0 numpy pillow
    peer/bin/pip install --no-deps pro-gan-pth==3.4

What both do is in peer_work.py. Each of the two works in a process of its own and waits without computing while the
other one works. Rows in bfloat16 are left out where the device has no units for it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WORK = Path(__file__).with_name("peer_work.py")
STEPS = ((8, 16), (32, 8), (128, 2))
"""Resolution and minibatch of the train steps on a CPU."""
PEAKS = ((32, 8), (1024, 1), (1024, 2), (1024, 4))
"""The same for those whose memory is measured."""


class Worker:
    """A process that works when asked, and waits otherwise."""

    def __init__(self, python: str, which: str, args: argparse.Namespace) -> None:
        words = [python, str(WORK), "serve", which, "--threads", str(args.threads), "--device", args.device]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, **request: Any) -> Any:
        """Seconds of one piece of work, or its memory; None if the process died from it."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        return json.loads(answer) if answer else None

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def beside(theirs: list[float], mine: list[float]) -> dict[str, Any]:
    """Medians of both, and of the pairwise ratio."""
    ratios = [a / b for a, b in zip(theirs, mine)]
    return {
        "peer": statistics.median(theirs),
        "growgan": statistics.median(mine),
        "ratio": statistics.median(ratios),
        "ratio_range": [min(ratios), max(ratios)],
    }


def compare_times(args: argparse.Namespace, workers: list[Worker], request: dict[str, Any]) -> dict[str, Any]:
    """Seconds of both, warm and alternating."""
    if not workers:
        workers += [Worker(args.peer, "peer", args), Worker(sys.executable, "growgan", args)]
    for worker in workers:
        if worker.ask(do="set up", **request) is None:
            sys.exit(f"the process for {request} has exited; see above")
    pairs = [[worker.ask(do="work") for worker in workers] for _ in range(args.rounds)]
    return beside(*map(list, zip(*pairs)))


def compare_memory(args: argparse.Namespace, request: dict[str, Any]) -> dict[str, Any]:
    """Peak bytes of both, each in a fresh process, one after another; None if the process died."""
    found: dict[str, Any] = {}
    for name, python in (("peer", args.peer), ("growgan", sys.executable)):
        worker = Worker(python, name, args)
        answer = worker.ask(do="peak", **request)
        worker.close()
        found[name] = answer["peak"] if answer else None
        found[f"{name}_base"] = answer["base"] if answer else None
    found["ratio"] = found["peer"] / found["growgan"] if found["peer"] and found["growgan"] else None
    return found


def compare_cold(args: argparse.Namespace, request: dict[str, Any]) -> dict[str, Any]:
    """Seconds of both from a cold process to a picture on disk, alternating; the first pair does not count."""
    from growgan.bench.startup import save_random_model
    from growgan.core.config import NetworkSpec

    with tempfile.TemporaryDirectory(prefix="growgan-peers-") as folder:
        model, weights = Path(folder) / "model.safetensors", Path(folder) / "weights.pt"
        save_random_model(model, NetworkSpec(resolution=request["resolution"]))
        size = ["--size", str(request["resolution"])]
        subprocess.run([args.peer, str(WORK), "write", str(weights), *size], check=True)
        theirs = [args.peer, str(WORK), "read", str(weights), *size]
        mine = [sys.executable, "-m", "growgan", "generate", str(model), "--seeds", "0", "--out", folder]
        pairs = [[_seconds(theirs), _seconds(mine)] for _ in range(args.rounds + 1)][1:]
    return beside(*map(list, zip(*pairs)))


def _seconds(words: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(words, check=True, capture_output=True)
    return time.perf_counter() - began


def steps(device: str) -> list[tuple[int, int]]:
    """Resolutions and minibatches of the train steps."""
    from growgan.core.presets import preset

    if device == "cpu":
        return list(STEPS)
    minibatch = preset("v2-1gpu").schedule.minibatch
    return [(2**k, int(minibatch(2**k))) for k in range(2, 11)]


def rows(quick: bool, device: str) -> list[dict[str, Any]]:
    """All comparisons: what is measured, and for which work."""
    from growgan.devices import choose_device, has_fast_bfloat16

    units = has_fast_bfloat16(choose_device(device))
    both = [{"precision": precision} for precision in (("float32", "bfloat16") if units else ("float32",))]
    size = 64 if quick else 1024
    found = [
        {"measure": "time", "work": "train", "resolution": resolution, "minibatch": n, **precision, "d_down": down}
        for resolution, n in steps(device)[: 1 if quick else None]
        for precision in both
        for down in ("act_pool", "pool_act")
    ]
    found += [{"measure": "time", "work": "generate", "resolution": size, "minibatch": 1, **p} for p in both]
    found += [
        {"measure": "memory", "work": "train", "resolution": resolution, "minibatch": n, **p, "d_down": "act_pool"}
        for resolution, n in PEAKS[: 1 if quick else None]
        for p in both
    ]
    found += [{"measure": "memory", "work": "generate", "resolution": size, "minibatch": 1, **p} for p in both]
    sizes = () if device != "cpu" else (64,) if quick else (128, 1024)
    return found + [{"measure": "cold", "work": "generate", "resolution": s, "minibatch": 1} for s in sizes]


def name(row: dict[str, Any]) -> str:
    """A row's name in the table and for ``--only``."""
    size, n = row["resolution"], row["minibatch"]
    words = (row["measure"], row["work"], f"{size}x{size}", f"b{n}", row.get("precision"), row.get("d_down"))
    return " ".join(word for word in words if word)


def said(row: dict[str, Any]) -> str:
    """A row's figures."""

    def figure(value: float | None) -> str:
        if value is None:
            return "-"
        return f"{value / 1e6:,.0f} MB" if row["measure"] == "memory" else f"{value:.3f} s"

    ratio = f"{row['ratio']:.2f}" if row["ratio"] else "-"
    spread = "" if "ratio_range" not in row else "({:.2f} to {:.2f})".format(*row["ratio_range"])
    return f"{name(row):<52} {figure(row['peer']):>12} {figure(row['growgan']):>12} {ratio:>7} {spread}"


def main() -> None:
    """Run the comparisons and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="Python of the environment with pro-gan-pth")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="comma-separated words; keep rows whose name contains one")
    parser.add_argument("--quick", action="store_true", help="8x8 and small pictures only")
    parser.add_argument("--json", help="write the figures to this file")
    args = parser.parse_args()
    if not args.peer:
        parser.error("--peer is required")
    offered = rows(args.quick, args.device)
    chosen = [row for row in offered if any(word in name(row) for word in args.only.split(","))]
    if not chosen:
        parser.error(f"--only {args.only!r} matches nothing; choose from: {'; '.join(map(name, offered))}")
    workers: list[Worker] = []
    found = []
    print(f"{'':<52} {'pro-gan-pth':>12} {'growgan':>12} {'ratio':>7}")
    for row in chosen:
        match row["measure"]:
            case "time":
                figures = compare_times(args, workers, row)
            case "memory":
                figures = compare_memory(args, row)
            case _:
                figures = compare_cold(args, row)
        found.append(row | figures)
        print(said(found[-1]), flush=True)
        if args.json:
            Path(args.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    for worker in workers:
        worker.close()


if __name__ == "__main__":
    main()
