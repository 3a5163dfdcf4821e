"""``growgan train``: grow a pair of networks on a set of pictures."""

from __future__ import annotations

import argparse
import json
import signal
from pathlib import Path

from growgan.cli.model import kinds
from growgan.cli.settings import add_set, overrides
from growgan.core.errors import ConfigError
from growgan.core.fields import to_json
from growgan.core.progress import tell

SUMMARY = "train a generator on a folder or zip of pictures; the same command again resumes"

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
"""Flags that are short names of fields."""

MOST_HOURS = 100_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    parser.add_argument("--data", type=_path, metavar="PATH", help="a finished set, or whatever `data build` takes")
    parser.add_argument("--out", type=_path, metavar="RUN", required=True, help="the run folder, new or to go on with")
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
        help=f"go on from trained networks, G and D: {kinds()}",
    )
    parser.add_argument("--freeze-d", metavar="N", help="with --from: N stages of D, from the images on, stand still")
    parser.add_argument("--hours", type=float, metavar="H", help="scale the schedule to last about H hours here")
    parser.add_argument(
        "--resolution",
        metavar="N",
        help="train at N pixels a side (default: a set's; what photographs reach, but at most 64 with fast, laptop and "
        "robust; the model's with --from)",
    )
    parser.add_argument("--kimg", metavar="K", help="length of the run in thousands of images")
    parser.add_argument("--minibatch", metavar="N", help="images a minibatch, such as 16 or 16,256:14")
    parser.add_argument("--seed", metavar="S", help="seed of everything random (default 1000)")
    parser.add_argument("--device", metavar="D", help="auto, cpu, cuda, cuda:1 or mps")
    parser.add_argument("--precision", metavar="P", help="auto (bfloat16 where it is fast), float32, bfloat16 ...")
    parser.add_argument("--threads", metavar="N", help="processor threads (default: as measured once, and kept)")
    add_set(parser)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the whole configuration and stop (a set is built first)",
    )


def run(args: argparse.Namespace) -> int:
    """Train; 0 when the run has come to its end, 130 or 143 when it was stopped before."""
    named = overrides(args, FLAGS)
    if args.hours is not None and not 0 < args.hours <= MOST_HOURS:
        raise ConfigError(f"--hours must be above 0 and at most {MOST_HOURS:,}, not {args.hours:g}")
    from growgan.training import job, ranks
    from growgan.training.request import Request

    request = Request(
        data=args.data, out=args.out, start=args.start, preset=args.preset, overrides=named, hours=args.hours
    )
    with ranks.join() as joined:
        planned = job.plan(request, joined)
        with planned.dataset:
            if args.dry_run:
                if joined.first:
                    print(json.dumps(to_json(planned.config), indent=2))
                return 0
            try:
                outcome = job.work(planned)
            except KeyboardInterrupt:
                tell("ended at once: the same command goes on from the state that was saved last")
                raise
    if outcome.signal is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is saved; an impatient second one is not to spoil the end
    ended = f"finished: {outcome.nimg / 1000:g} kimg in {args.out}; --kimg makes the run longer"
    stopped = f"stopped and saved at {outcome.nimg / 1000:g} kimg; the same command goes on from there"
    if not outcome.nimg:
        stopped = "stopped before the first step; the same command begins it"
    if joined.first:
        tell(ended if outcome.ended else stopped)
    status = 0 if outcome.ended else 128 + (outcome.signal or 0)
    return status if joined.world == 1 else ranks.leave(status)


def _filled(text: str) -> str:
    if not text:  # as from a shell variable that is not set
        raise argparse.ArgumentTypeError("is empty")
    return text


def _path(text: str) -> Path:
    return Path(_filled(text))  # Path("") would be the current folder
