"""Training and measuring in your own program: python examples/train_and_measure.py PHOTOS RUN faces-64

A run starts from a trained model in a thread, is asked to stop after a minute, and is measured. The same call resumes
it.
"""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from growgan.core.runfiles import RunFiles
from growgan.evaluation.evaluate import Settings, evaluate
from growgan.evaluation.requests import parse_requests
from growgan.training import job
from growgan.training.request import Request
from growgan.training.stop import Stop


def main(photos: str, out: str, model: str, seconds: float = 60, **fields: str) -> float:
    """Train for `seconds`. fields: as for ``--set``. Returns the sliced Wasserstein distance to the photos."""
    request = Request(data=Path(photos), out=Path(out), start=model, overrides=list(fields.items()))
    stop, prepared = Stop(), job.prepare(request)
    timer = threading.Timer(seconds, stop.ask)  # or a button
    with prepared.dataset, ThreadPoolExecutor() as pool:
        work = pool.submit(job.train, prepared, stop)
        timer.start()
        outcome = work.result()  # raises what went wrong, as a growgan.UserError if the user can fix it
        timer.cancel()
    print(f"{outcome.nimg / 1000:.1f} thousand pictures" + ("" if outcome.ended else ", so far"))

    run = RunFiles(Path(out))  # its log.jsonl and pictures show how it went
    wanted = parse_requests("swd", images=2048, curve=False)
    (found,) = evaluate(str(run.snapshots()[-1]), Path(photos), wanted, Settings(device=torch.device("cpu")))
    print(f"sliced Wasserstein distance {found.value:.2f}, of {found.images:,} pictures")
    return found.value


if __name__ == "__main__":
    main(*sys.argv[1:4])
