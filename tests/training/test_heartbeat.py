"""Processes find each other in a store that holds the words of the dead, and notice when one falls silent."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import torch.distributed as dist

from growgan.training import heartbeat


@pytest.fixture
def store():
    return dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False, timeout=timedelta(seconds=20))


def meeting(store, world: int) -> set[str]:
    clients = [dist.TCPStore("127.0.0.1", store.port, is_master=False) for _ in range(world)]
    with ThreadPoolExecutor(world) as pool:
        return set(pool.map(heartbeat.meet, clients, range(world), [world] * world))


def test_each_start_agrees_on_a_name_of_its_own(store):
    names = [meeting(store, world) for world in (3, 3, 2, 4)]  # also with fewer and with more than have died
    assert all(len(found) == 1 for found in names)
    assert len(set.union(*names)) == 4


def test_a_roster_with_a_dead_one_s_word_does_not_count(store):
    meeting(store, 2)
    first = threading.Thread(target=heartbeat.meet, args=(store.clone(), 0, 2), daemon=True)
    first.start()
    first.join(0.5)
    assert first.is_alive()  # the second one's word is from the start before
    heartbeat.meet(store.clone(), 1, 2)
    first.join(5)
    assert not first.is_alive()


def test_silence_ends_those_who_listen(store, monkeypatch):
    monkeypatch.setattr(heartbeat, "PERIOD", 0.05)
    monkeypatch.setattr(heartbeat, "SILENCE", 0.6)
    said: list[str] = []
    ended = threading.Event()

    def end(self, reason):
        said.append(reason)
        ended.set()
        self._left.set()

    monkeypatch.setattr(heartbeat.Heartbeat, "_end", end)
    beats = [heartbeat.Heartbeat(store.clone(), rank, 2) for rank in range(2)]
    with beats[0]:
        with beats[1]:
            assert not ended.wait(1.0)  # both beat
        began = time.monotonic()
        assert ended.wait(5)
        assert time.monotonic() - began >= 0.5
    assert said == ["process 1 of 2 has not responded for 0.6 s"]


def test_processes_that_were_all_put_aside_wait_for_each_other_anew(store, monkeypatch):
    """As by a queue that suspends a job: who wakes first finds all the others silent for too long."""
    monkeypatch.setattr(heartbeat, "PERIOD", 0.05)
    monkeypatch.setattr(heartbeat, "SILENCE", 0.8)
    said: list[str] = []
    monkeypatch.setattr(heartbeat.Heartbeat, "_end", lambda self, reason: said.append(reason))
    awake = [threading.Event(), threading.Event()]
    beats = [heartbeat.Heartbeat(store.clone(), rank, 2) for rank in range(2)]
    for beat, gate in zip(beats, awake):
        gate.set()
        monkeypatch.setattr(beat, "_beat", lambda beat=beat, gate=gate: (gate.wait(), type(beat)._beat(beat)))
    with beats[0], beats[1]:
        time.sleep(0.3)
        for gate in awake:
            gate.clear()
        time.sleep(1.2)
        awake[0].set()
        time.sleep(0.4)
        awake[1].set()
        time.sleep(0.3)
        assert not said


def test_a_store_that_is_gone_ends_those_who_listen(store, monkeypatch):
    monkeypatch.setattr(heartbeat, "PERIOD", 0.05)
    said: list[str] = []
    ended = threading.Event()
    monkeypatch.setattr(heartbeat.Heartbeat, "_end", lambda self, reason: (said.append(reason), ended.set()))
    listener = heartbeat.Heartbeat(store.clone(), 0, 1)

    def fail(*_):
        raise RuntimeError("recvValue failed\nand more")

    listener.store = type("Gone", (), {"set": fail, "multi_get": fail})()
    with listener:
        assert ended.wait(5)
    assert said == ["the processes of this run have lost each other (recvValue failed)"]
