"""core/allocator.py, in processes of their own: what the C library is told holds for a whole process."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="tells glibc")

SCRIPT = """
import time
import torch
from growgan.core.allocator import keep_memory, resident
base = resident()
keep_memory(base + {freely} * 2**20)
blocks = [torch.ones(2 * 2**20) for _ in range(20)]  # of 8 MiB
del blocks[::2]
time.sleep(1.2)
kept = resident() - base
larger = [torch.ones(3 * 2**20) for _ in range(5)]  # of 12 MiB, for which the holes are too small
deadline = time.monotonic() + {seconds}
while time.monotonic() < deadline and resident() > base + 180 * 2**20:
    time.sleep(0.05)
print(kept // 2**20, (resident() - base) // 2**20)
"""


GIVEN = """
import torch
from growgan.core.allocator import give_back, keep_memory, resident
base = resident()
keep_memory()
blocks = [torch.ones(2 * 2**20) for _ in range(20)]
del blocks[::2]
kept = resident() - base
give_back()
print(kept // 2**20, (resident() - base) // 2**20)
"""


def test_what_is_kept_can_be_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", GIVEN], check=True, capture_output=True, text=True)
    before, after = map(int, done.stdout.split())
    assert before >= 155 and after < 110


def mebibytes(freely: int, seconds: float) -> list[int]:
    """What the process occupies with 80 MiB of blocks in use and as much in holes; then with 60 MiB more in use."""
    words = [sys.executable, "-c", SCRIPT.format(freely=freely, seconds=seconds)]
    return [int(word) for word in subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()]


def test_what_is_freed_is_kept() -> None:
    before, after = mebibytes(freely=1000, seconds=1.5)
    assert before >= 155 and after >= 215


def test_holes_are_given_back_by_a_process_that_occupies_much() -> None:
    before, after = mebibytes(freely=200, seconds=20)
    assert before >= 155 and 135 <= after < 180
