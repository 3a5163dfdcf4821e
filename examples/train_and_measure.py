"""Training and measures within a program of one's own: python examples/train_and_measure.py PHOTOS RUN faces-64

A run goes on from a trained model in a thread, is asked to stop after a minute, and is measured. The same call goes on
from there.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from growgan.evaluation.evaluate import Settings, evaluate
from growgan.evaluation.requests import parse_requests
from growgan.training import job
from growgan.training.request import Request
from growgan.training.run import RunFolder
from growgan.training.stop import Stop


def main(photos: str, out: str, model: str, seconds: float = 60, **fields: str) -> float:
    """Train for some seconds. fields: as after ``--set``. Returns the sliced Wasserstein distance to the photos."""
    request = Request(data=Path(photos), out=Path(out), start=model, overrides=list(fields.items()))
    stop, planned = Stop(), job.plan(request)
    timer = threading.Timer(seconds, stop.ask)  # or a button
    with planned.dataset, ThreadPoolExecutor() as pool:
        work = pool.submit(job.work, planned, stop)
        timer.start()
        outcome = work.result()  # raises what has gone wrong, as a growgan.UserError where a user can mend it
        timer.cancel()
    print(f"{outcome.nimg / 1000:.1f} thousand pictures" + ("" if outcome.ended else ", so far"))

    run = RunFolder(Path(out))  # log.jsonl and the pictures in it say how it went
    wanted = parse_requests("swd", images=2048, curve=False)
    (found,) = evaluate(str(run.snapshots()[-1]), Path(photos), wanted, Settings(device=torch.device("cpu")))
    print(f"sliced Wasserstein distance {found.value:.2f}, of {found.images:,} pictures")
    return found.value


if __name__ == "__main__":
    main(*sys.argv[1:4])
