"""Every reader with files that chance has spoilt: the one clear error, or success; nothing else, and in bounded time.

GROWGAN_FUZZ=N in the environment tries N files of each kind, from seeds that differ from run to run.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import foreign_files
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from growgan.core.errors import ModelError
from growgan.models.foreign.opening import open_any
from growgan.models.foreign.pickled import STEPS

MANY = os.environ.get("GROWGAN_FUZZ")
fuzzed = settings(
    max_examples=int(MANY or 40),
    derandomize=MANY is None,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@cache
def valid(kind: str) -> bytes:
    return foreign_files.MAKERS[kind]()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "spoilt"


def tried(path: Path, data: bytes) -> bool:
    """Whether a file can be used; raises anything but the clear error."""
    path.write_bytes(data)
    try:
        file = open_any(path)
        for name in ("G", "D", "G_ema"):
            if file.has(name):
                file.network(name)
        file.truncation_mean()
    except ModelError as error:
        message = str(error)
        assert message and "\n" not in message and str(path) in message
        return False
    return True


edits = st.lists(
    st.tuples(
        st.sampled_from(["set", "set", "set", "cut", "drop", "repeat", "insert"]),
        st.one_of(st.floats(0, 1), st.floats(0, 0.02), st.floats(0.98, 1)),
        st.one_of(st.integers(0, 255), st.sampled_from([0, 1, 127, 128, 255])),
        st.integers(1, 24),
    ),
    min_size=1,
    max_size=4,
)
"""Changes: what, where as a part of the file, a byte, and how many."""


def spoilt(data: bytes, changes: list[tuple[str, float, int, int]]) -> bytes:
    for what, where, byte, count in changes:
        at = int(where * len(data))
        if what == "set":
            data = data[:at] + bytes([byte]) * min(count, 8) + data[at + min(count, 8) :]
        elif what == "cut":
            data = data[:at]
        elif what == "drop":
            data = data[:at] + data[at + count :]
        elif what == "repeat":
            data = data[:at] + data[at : at + count] * 2 + data[at + count :]
        else:
            data = data[:at] + bytes([byte]) * count + data[at:]
    return data


@pytest.mark.parametrize("kind", foreign_files.MAKERS)
def test_valid_files_are_read(place: Path, kind: str) -> None:
    assert tried(place, valid(kind))


@pytest.mark.parametrize("kind", foreign_files.MAKERS)
def test_spoilt_files(place: Path, kind: str) -> None:
    outcomes = set()

    @fuzzed
    @given(edits)
    def attempt(changes: list[tuple[str, float, int, int]]) -> None:
        outcomes.add(tried(place, spoilt(valid(kind), changes)))

    attempt()
    assert False in outcomes


def names_of(data: bytes) -> list[bytes]:
    """Texts in a file of which a change is likely to matter: what stands between bytes that are no text."""
    words = "".join(chr(b) if 32 < b < 127 else " " for b in data).split()
    return sorted({word.encode() for word in words if 4 <= len(word) <= 40 and word.isascii()})[:300]


@pytest.mark.parametrize("kind", foreign_files.MAKERS)
def test_files_whose_words_have_changed(place: Path, kind: str) -> None:
    data = valid(kind)
    words = names_of(data)

    @fuzzed
    @given(st.sampled_from(words), st.sampled_from(words), st.integers(0, 3))
    def attempt(old: bytes, new: bytes, nth: int) -> None:
        at = -1
        for _ in range(nth + 1):
            at = data.find(old, at + 1) if data.find(old, at + 1) >= 0 else at
        fitted = new[: len(old)].ljust(len(old), b"x")
        tried(place, data[:at] + fitted + data[at + len(old) :])

    attempt()


globals_ = [b"ctfutil\nNetwork\n", b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", b"ccollections\nOrderedDict\n"]
globals_ += [b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy.core.multiarray\nscalar\n", b"c_codecs\nencode\n"]
globals_ += [b"cnumpy.core.numeric\n_frombuffer\n", b"ccopy_reg\n_reconstructor\n", b"c__builtin__\ngetattr\n"]
pieces = st.one_of(
    st.sampled_from(sorted(STEPS)),
    st.sampled_from(
        [*globals_, b"N", b"]", b"}", b")", b"(", b"t", b"R", b"b", b"\x81", b"\x86", b"\x94", b"h\x00", b"q\x00"]
    ),
    st.binary(max_size=4),
    st.sampled_from(
        [b"K\x04", b"U\x02f4", b"U\x06latin1", b"C\x04abcd", b"U\x01<", b"U\x07version", b"\x88", b"G" + b"\x7f" * 8]
    ),
)


@pytest.mark.parametrize("protocol", [b"\x80\x02", b"\x80\x04", b"("])
def test_pickles_of_nonsense(place: Path, protocol: bytes) -> None:
    @settings(fuzzed, max_examples=int(MANY or 200))
    @example([b"N"])
    @given(st.lists(pieces, max_size=40))
    def attempt(parts: list[bytes]) -> None:
        assert not tried(place, protocol + b"".join(parts) + b".")

    attempt()
