"""Commands run as the shell runs them, but in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest

from growgan.cli.main import main


class Result(NamedTuple):
    status: int
    out: str
    err: str

    def refusal(self) -> str:
        """The one line of a command that was refused."""
        assert self.status == 2, self
        assert self.out == "" and self.err.endswith("\n") and self.err.count("\n") == 1, self
        assert self.err.startswith("growgan"), self
        return self.err


Growgan = Callable[..., Result]


@pytest.fixture
def growgan(capsys: pytest.CaptureFixture[str]) -> Growgan:
    """``growgan WORDS...``: its exit status, and what it said."""

    def run(*words: object) -> Result:
        capsys.readouterr()
        try:
            status = main([str(word) for word in words])
        except SystemExit as left:
            assert isinstance(left.code, int)
            status = left.code
        return Result(status, *capsys.readouterr())

    return run
