"""How the processes of a run find each other at the start, and do not wait for one that has died.

If a dead process's connection breaks, the others know at once. But a machine that loses its power or its network breaks
no connection, NCCL waits for a long time, and no timeout can say how long a live process may take (to measure, to build
a dataset). So each process sends heartbeats from its own thread, and exits if another has been silent for too long.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
import uuid
from datetime import timedelta
from types import TracebackType
from typing import NoReturn, Self

from torch.distributed.distributed_c10d import PrefixStore, Store

PERIOD = 5.0
"""Seconds between two heartbeats."""
SILENCE = 40.0
"""Seconds after which a silent process counts as dead: with all delays the others exit within a minute."""
STATUS = 1
MEETING_PERIOD = 0.05


def meet(store: Store, rank: int, world: int) -> str:
    """Agree on a name, unique to this start, under which the processes use the store.

    torchrun keeps its store across restarts, with the entries of dead processes: their addresses, to which live ones
    would try to connect. So each process stores a random word; the first one lists all words in a roster; and a roster
    is valid once every process has found its own word in it.
    """
    own, place = uuid.uuid4().hex, PrefixStore("growgan/meeting", store)
    place.set(f"here/{rank}", own)
    while True:
        if rank == 0:
            place.set("roster", ",".join(place.get(f"here/{number}").decode() for number in range(world)))
        roster = place.get("roster").decode()
        name = hashlib.sha256(roster.encode()).hexdigest()[:16]
        words = roster.split(",")
        if len(words) == world and words[rank] == own:
            place.set(f"seen/{name}/{rank}", "")
            if place.check([f"seen/{name}/{number}" for number in range(world)]):
                return f"growgan/{name}"
        time.sleep(MEETING_PERIOD)


class Heartbeat:
    """While entered, this process sends heartbeats and listens for the others; all must have been created by then."""

    def __init__(self, store: Store, rank: int, world: int) -> None:
        store.set_timeout(timedelta(seconds=SILENCE / 2))
        self.store = store
        self.rank, self.world = rank, world
        self._keys = [f"beat/{number}" for number in range(world)]
        self._beats = 0
        self._beat()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="growgan-heartbeat", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._left.set()
        self._thread.join(SILENCE)

    def _beat(self) -> None:
        self._beats += 1
        self.store.set(self._keys[self.rank], f"{os.getpid()} {self._beats}")

    def _watch(self) -> None:
        heard: dict[int, tuple[bytes, float]] = {}
        now = time.monotonic()
        while not self._left.wait(PERIOD):
            try:
                self._beat()
                beats = self.store.multi_get(self._keys)
            except RuntimeError as error:
                if not self._left.is_set():
                    self._end(f"the processes of this run have lost each other ({str(error).splitlines()[0][:200]})")
                return
            before, now = now, time.monotonic()
            if now - before > SILENCE / 2:  # this process was suspended, perhaps like all others: restart their timers
                heard.clear()
            for number, beat in enumerate(beats):
                if number not in heard or heard[number][0] != beat:
                    heard[number] = beat, now
                elif now - heard[number][1] > SILENCE and not self._left.is_set():
                    self._end(f"process {number} of {self.world} has not responded for {SILENCE:g} s")

    def _end(self, reason: str) -> NoReturn:
        line = f"growgan: {reason}; stopped; rerun the same command to resume from the last saved state\n"
        sys.stderr.write(line)
        sys.stderr.flush()
        os._exit(STATUS)  # the main thread may be blocked forever where no exception reaches it
