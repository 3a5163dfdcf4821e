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

    def refusal(self, begun: bool = False) -> str:
        """The one line of a command that was refused; begun: after it has said what it works with."""
        assert self.status == 2, self
        said = self.err.splitlines(keepends=True)
        if begun and said and said[0].startswith("cpu, "):
            said = said[1:]
        assert self.out == "" and len(said) == 1 and said[0].endswith("\n"), self
        assert said[0].startswith("growgan"), self
        return said[0]


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
