"""Ctrl-C during an import that catches everything, and SIGTERM during a build."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from data.making_sets import slow_build

from growgan.cli.interrupt import held_while_importing
from growgan.cli.main import main

SWALLOWS = """
import signal
try:
    signal.raise_signal(signal.SIGINT)
    for _ in range(1000): pass
    whole = True
except BaseException:
    whole = False
"""


@pytest.fixture
def swallowing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module ``swallows`` whose import gets an interrupt and catches it."""
    (tmp_path / "swallows.py").write_text(SWALLOWS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "swallows", raising=False)


@pytest.mark.usefixtures("swallowing")
def test_an_interrupt_in_an_import_comes_after_it() -> None:
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt), held_while_importing():
        import swallows  # type: ignore[import-not-found]

        assert swallows.whole
        time.sleep(20)
    assert time.monotonic() - started < 10
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.usefixtures("swallowing")
def test_a_command_ends_as_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "import time\nSUMMARY = 'x'\ndef add_arguments(parser): pass\n"
        "def run(args):\n    import swallows\n    time.sleep(20)\n    return 0\n"
    )
    (tmp_path / "slow_command.py").write_text(text)
    monkeypatch.setattr("growgan.cli.main.COMMANDS", {"slow": "slow_command"})
    assert main(["slow"]) == 130
    assert capsys.readouterr().err == "growgan: interrupted\n"


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM")
def test_a_build_that_is_terminated_leaves_nothing(tmp_path: Path) -> None:
    words = slow_build(tmp_path / "in", tmp_path / "s.zip")
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("s.zip.partial-*")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        said = process.communicate(timeout=60)[1]
    assert process.returncode == 143 and said.endswith("growgan: interrupted\n")
    assert [item.name for item in tmp_path.iterdir()] == ["in"]


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM")
def test_a_terminated_command_leaves_the_answer_to_signals_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "import signal\nSUMMARY = 'x'\ndef add_arguments(parser): pass\n"
        "def run(args):\n    signal.raise_signal(signal.SIGTERM)\n    return 0\n"
    )
    (tmp_path / "ended_command.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("growgan.cli.main.COMMANDS", {"ended": "ended_command"})
    assert main(["ended"]) == 143
    assert capsys.readouterr().err == "growgan: interrupted\n"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_outside_of_imports_at_once_and_ignored_stays_ignored() -> None:
    with pytest.raises(KeyboardInterrupt), held_while_importing():
        signal.raise_signal(signal.SIGINT)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held_while_importing():
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
