"""``growgan serve``: refusals before anything is opened, an answer, and an end by Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from growgan.cli.serve import listen
from growgan.sampling.model import load

Growgan = Callable[..., Any]


def test_refusals(growgan: Growgan, tiny_run: Path, colour_set: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = growgan("serve", tiny_run, "--port", port).refusal()
        assert f"port {port}" in line and "--port" in line
    for words, what in (
        ((tmp_path / "nothing",), "no such file, run folder or shipped model"),
        ((tiny_run, "--port", "70000"), "--port"),
        ((tiny_run, "--port", "-1"), "--port"),
        ((tiny_run, "--host", "no.such.host.invalid"), "cannot listen"),
        ((tiny_run, "--host", ""), "--host"),
        ((tiny_run, "--batch", "0"), "--batch"),
        ((Path(__file__),), "test_serve.py"),  # a file, but no model
        ((colour_set,), "it is a zip, but not one from PyTorch; if it holds pictures, try `growgan data info`"),
        ((tiny_run, "--directions", tmp_path / "none"), "no such file"),
        ((tiny_run, "--latents", tmp_path / "none"), "no such file"),
        ((tiny_run, "--device", "toaster"), "toaster"),
    ):
        assert what in growgan("serve", *words).refusal(), words


def test_without_the_extra(growgan: Growgan, tiny_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert "pip install starlette uvicorn" in growgan("serve", tiny_run).refusal()


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="SIGINT is POSIX's")
def test_it_answers_until_it_is_interrupted(tiny_run: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "growgan", "serve", str(tiny_run), "--port", "0"]
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        about = answer(address + "api/about")
        assert about["models"] == about["runs"] == [str(tiny_run)]
        assert answer(address + "api/run?name=" + str(tiny_run))["nimg"] == 320
        plan = {"model": str(tiny_run), "way": {"seed": 1}, "seconds": 300, "suffix": ".webp"}
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(address + "api/films", json.dumps(plan).encode(), headers)
        number = answer(request)["number"]
        end = time.monotonic() + 60
        while not answer(f"{address}api/films/{number}")["done"] and time.monotonic() < end:
            time.sleep(0.05)
        assert list(tmp_path.glob("growgan-films-*"))
        process.send_signal(signal.SIGINT)  # in the middle of a film
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 0, said
    assert said == "press Ctrl-C to stop\n"
    assert not list(tmp_path.glob("growgan-films-*"))
    assert load(tiny_run)  # nothing of it was touched


def answer(request: Any) -> Any:
    with urllib.request.urlopen(request, timeout=30) as found:
        return json.load(found)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="a machine without IPv6")
def test_all_addresses_of_a_machine_are_all() -> None:
    with listen("::", 0) as listener:
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, listener.getsockname()[1]), timeout=5).close()
