"""``growgan train``: grow a pair of networks on a dataset of pictures."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
from pathlib import Path

from growgan.cli.model import kinds
from growgan.cli.settings import add_set, named_by_flag, overrides
from growgan.core.errors import ConfigError
from growgan.core.fields import to_json
from growgan.core.progress import tell

SUMMARY = "train a generator on a folder or zip of pictures; rerun the same command to resume"

FLAGS = {
    "resolution": "network.resolution",
    "kimg": "schedule.total_kimg",
    "minibatch": "schedule.minibatch",
    "seed": "seed",
    "freeze_d": "start.freeze_d",
    "device": "execution.device",
    "precision": "execution.precision",
    "threads": "execution.threads",
}
"""Flags that are shorthand for fields."""

MOST_HOURS = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument(
        "--data", type=_path, metavar="PATH", help="a finished dataset, or any source `data build` accepts"
    )
    parser.add_argument("--out", type=_path, metavar="RUN", required=True, help="run folder, new or to resume")
    parser.add_argument(
        "--preset",
        type=_filled,
        metavar="NAME[,modifier...]",
        help="paper, v2-1gpu, celeba128, laptop ... (default: v2-1gpu on a CUDA GPU, else fast; transfer with --from)",
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=_filled,
        metavar="MODEL",
        help=f"start from trained networks, G and D: {kinds()}",
    )
    parser.add_argument("--freeze-d", metavar="N", help="with --from: freeze the N highest stages of D")
    parser.add_argument(
        "--hours", type=float, metavar="H", help="scale the schedule to take about H hours on this machine"
    )
    parser.add_argument(
        "--resolution",
        metavar="N",
        help="pixels per side (default: the dataset's; for photographs what they reach, up to 64 with fast, laptop or "
        "robust; the model's with --from)",
    )
    parser.add_argument("--kimg", metavar="K", help="length of the run in thousands of images")
    parser.add_argument("--minibatch", metavar="N", help="images per minibatch, e.g. 16 or 16,256:14")
    parser.add_argument("--seed", metavar="S", help="seed of all random numbers (default 1000)")
    parser.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument("--precision", metavar="P", help="auto (bfloat16 where it is fast), float32 or bfloat16")
    parser.add_argument("--threads", metavar="N", help="CPU threads (default: the fastest, measured once)")
    add_set(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the full configuration and exit (builds the dataset if needed)",
    )


def run(args: argparse.Namespace) -> int:
    """Train; 0 when the run has finished, 130 or 143 when it was stopped before."""
    named = overrides(args, FLAGS)
    if args.hours is not None and not 0 < args.hours <= MOST_HOURS:
        raise ConfigError(f"--hours must be above 0 and at most {MOST_HOURS:,}, not {args.hours:g}")
    from growgan.training import job, ranks
    from growgan.training.request import Request

    request = Request(
        data=args.data, out=args.out, start=args.start, preset=args.preset, overrides=named, hours=args.hours
    )
    with ranks.join() as joined:
        with named_by_flag(args, FLAGS):
            prepared = job.prepare(request, joined)
        with prepared.dataset:
            if args.dry_run:
                if joined.first:
                    print(json.dumps(to_json(prepared.config), indent=2))
                return 0
            try:
                outcome = job.train(prepared)
            except KeyboardInterrupt:
                tell("stopped at once; rerun the same command to resume from the last saved state")
                raise
    if outcome.signal is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is saved; a second Ctrl-C must not disturb the exit
    ended = f"finished: {outcome.nimg / 1000:g} kimg in {args.out}"
    ended += f"; growgan generate {shlex.quote(str(args.out))} makes pictures, --kimg extends the run"
    stopped = f"stopped and saved at {outcome.nimg / 1000:g} kimg; rerun the same command to resume"
    if not outcome.nimg:
        stopped = "stopped before the first step; rerun the same command to start"
    if joined.first:
        tell(ended if outcome.ended else stopped)
    status = 0 if outcome.ended else 128 + (outcome.signal or 0)
    return status if joined.world == 1 else ranks.leave(status)


def _filled(text: str) -> str:
    if not text:  # e.g. from a shell variable that is not set
        raise argparse.ArgumentTypeError("is empty")
    return text


def _path(text: str) -> Path:
    return Path(_filled(text))  # Path("") would be the current folder
