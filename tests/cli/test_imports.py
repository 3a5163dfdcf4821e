"""Help is instant: it loads nothing that is slow to load."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import pytest

from growgan.cli.data import COMMANDS as DATA_COMMANDS
from growgan.cli.main import COMMANDS

HEAVY = (
    *("torch", "numpy", "PIL", "safetensors", "matplotlib", "tensorboard"),
    *("onnx", "onnxruntime", "onnxscript", "huggingface_hub", "av"),
)
WORDS = ["", *COMMANDS, *(f"data {name}" for name in DATA_COMMANDS)]
SECONDS = 1.0
"""The aim is 0.3; a busy machine gets some grace."""

SCRIPT = f"""
import sys
from growgan.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("loaded:", *({{name.split(".")[0] for name in sys.modules}} & set({HEAVY})))
"""


@pytest.mark.parametrize("words", WORDS)
def test_help_is_light_and_quick(words: str) -> None:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, *words.split(), "--help"], capture_output=True, text=True, check=True
        )
        times.append(time.perf_counter() - began)
    assert "usage: " + " ".join(["growgan", *words.split()]) in done.stdout.replace("-c", "growgan")
    assert done.stdout.splitlines()[-1] == "loaded:"
    assert statistics.median(times) < SECONDS


def test_the_script_would_notice_a_heavy_import() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import numpy\n" + SCRIPT, "--help"], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "loaded: numpy"


def test_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "growgan", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("growgan ")
    failed = subprocess.run([sys.executable, "-m", "growgan", "train"], capture_output=True, text=True, check=False)
    assert failed.returncode == 2 and failed.stderr.count("\n") == 1 and failed.stdout == ""
