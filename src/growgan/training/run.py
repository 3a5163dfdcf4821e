"""The run folder: who writes to it, and what a resumed run may change."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from growgan.core.config import RunConfig
from growgan.core.errors import RunError, UserError
from growgan.core.fields import PerResolution, replaced, to_json
from growgan.core.files import take_lock, write_text
from growgan.core.runfiles import RunFiles, images_shown

Override = tuple[str, str]
"""A dotted field and the text of its value, as the command line names them."""

LENGTH = "schedule.total_kimg"
FREE = (LENGTH, "snapshots.", "health.", "execution.", "data.path")
"""What a resumed run may change: its length, what it writes, how it handles failures, and how the work is done."""


class Moved(UserError):
    """A run folder that is not where it was when its training began."""


class RunFolder(RunFiles):
    """A run's files, and who may write them."""

    _place: os.stat_result | None = None
    """The folder's identity, if this process holds its lock."""

    def check(self) -> None:
        """Raise `RunError` if the folder holds something other than a run; nothing is written."""
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path} is a file; --out must be a folder")
        try:
            str(self.path).encode()
        except UnicodeEncodeError:  # torch's and safetensors' writers accept only that
            raise RunError(f"{self.path} is not valid UTF-8; choose another --out") from None
        if not self.exists() and self.path.is_dir() and any(self.path.iterdir()):
            # A start that was killed early leaves some of these; anything else is not ours.
            early = {path.name for path in (self.lock, self.state, self.models, self.reals, self.data, self.plan)}
            names = {entry.name for entry in self.path.iterdir() if not entry.name.startswith(".")}
            if not names <= early or self.states():
                raise RunError(f"{self.path} is not empty and holds no run; choose a new folder for --out")

    def create(self) -> None:
        """Create the folder if it does not exist. Raises `RunError` if that fails."""
        self.check()
        try:
            for folder in (self.path, self.models, self.state):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"cannot write the run folder {self.path}: {error.strerror}") from error

    def write_config(self, config: RunConfig) -> None:
        """Write config.json."""
        write_text(self.config, json.dumps(to_json(config), indent=2) + "\n")

    def keep_changes(self, config: RunConfig) -> None:
        """Write into config.json what a resume must not forget: the run's new length, and the path of its data."""
        stored = self.read_config()
        schedule = replace(stored.schedule, total_kimg=config.schedule.total_kimg)
        changed = replace(stored, schedule=schedule, data=replace(stored.data, path=config.data.path))
        if changed != stored:
            self.write_config(changed)

    def write_data(self, fingerprint: dict[str, int | str]) -> None:
        """Write data.json: what the run's dataset consisted of when it was started."""
        write_text(self.data, json.dumps(fingerprint, indent=2) + "\n")

    def name_changes(self, fingerprint: dict[str, int | str]) -> str:
        """How a dataset differs from the one that the run was started with."""
        try:
            before = json.loads(self.data.read_text(encoding="utf-8"))
            then, now = before["pictures"], fingerprint["pictures"]
            changed = [part for part in ("names", "contents", "labels") if before.get(part) != fingerprint[part]]
        except (OSError, ValueError, KeyError, TypeError):  # from an earlier version, or missing
            return "names, sizes, times or labels differ"
        if then != now:
            return f"it had {then:,} pictures and now has {now:,}"
        contents = "the files' sizes or checksums (in a folder: times, which cp -p and rsync -t keep)"
        words = {"names": "names", "contents": contents, "labels": "labels"}
        return f"{', '.join(words[part] for part in changed) or 'something'} differ"

    def check_untrained(self) -> None:
        """Raise `RunError` if the run has been trained: without a state it could only overwrite its own files."""
        logged = self.log.is_file() and self.log.stat().st_size > 0
        if logged or self.all_models():
            raise RunError(
                f"{self.path} has been trained, but {self.state} holds no state to resume from; use a new --out"
            )

    def cut_log(self, nimg: int) -> None:
        """Drop log entries after `nimg`, and an incomplete last line."""
        if not self.log.is_file():
            return
        text = self.log.read_text(encoding="utf-8")
        kept = "".join(f"{line}\n" for line in text.splitlines() if _clock(line) <= nimg)
        if kept != text:  # an unchanged log needs no free space on the disk
            write_text(self.log, kept)

    def clear_leftovers(self) -> None:
        """Remove the half-written files of killed writers; only under the lock."""
        for folder in (self.path, self.models, self.state):
            for path in folder.glob(".*.tmp"):
                path.unlink(missing_ok=True)

    def forget_after(self, nimg: int) -> None:
        """Drop what was written after `nimg`, to which a run has gone back: log entries and files.

        What is left is what an uninterrupted run would have by now, except that later milestones and the best stay.
        """
        self.cut_log(nimg)
        for path in (*self.states(), *self.snapshots(), *self.grids()):
            if images_shown(path) > nimg:
                path.unlink(missing_ok=True)

    def append_log(self, entries: Sequence[dict[str, Any]]) -> None:
        """Append lines to log.jsonl, synced to disk. Raises `OSError`, in which case none was added."""
        with self.log.open("ab") as file:
            before = file.tell()
            try:
                file.write("".join(json.dumps(entry) + "\n" for entry in entries).encode())
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                with contextlib.suppress(OSError):
                    os.truncate(self.log, before)  # half a line would corrupt the next one
                raise

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other trainer out; the system releases the lock when its process dies."""
        try:
            file = self.lock.open("a+", encoding="utf-8")
        except OSError as error:
            raise RunError(f"cannot write the run folder {self.path}: {error.strerror}") from error
        with file:
            if take_lock(file.fileno()) is False:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise RunError(f"{self.path} is being trained by {holder}")
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
            self._place = self.path.stat()
            yield  # the file stays: if it were removed, two processes could hold a lock of that name

    def check_place(self) -> None:
        """Raise `Moved` if this is no longer the folder that was locked: the wrong one would be written.

        A disk that does not respond proves nothing.
        """
        try:
            if self._place is None or os.path.samestat(self._place, self.path.stat()):
                return
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError:
            return
        raise Moved(
            f"{self.path} has been moved or replaced: nothing more is written there; "
            "to resume from the last saved state, set --out to its new path"
        )


def resumed(stored: RunConfig, overrides: Sequence[Override], preset: str | None, scaled: bool = False) -> RunConfig:
    """The stored configuration with the changes that the command may make.

    The length of a run that was scaled to some hours differs from the stored one. scaled: a length that the command
    sets is scaled too, as at the first start and as with a scale; otherwise it is taken literally. Only fields that the
    command sets are compared. Raises `RunError`, with the first difference, if they would make it another run.
    """
    if preset is not None and preset != stored.preset:
        raise RunError(f"this run was started with preset {stored.preset!r}, not {preset!r}; use a new --out")
    config, scaled = stored, scaled or any(path == "schedule.scale" for path, _ in overrides)
    for path, text in overrides:
        changed = replaced(config, path, text)
        if changed != config and not path.startswith(FREE):
            before, after = _value(config, path), _value(changed, path)
            raise RunError(f"this run was started with {path} = {before}, not {after}; use a new --out")
        if path == LENGTH and not scaled:
            total = float(f"{changed.schedule.total_kimg / config.schedule.scale:.9g}")
            changed = replace(changed, schedule=replace(changed.schedule, total_kimg=total))
        config = changed
    return config


def _value(config: Any, path: str) -> str:
    """A field's value as written on the command line."""
    for name in path.split("."):
        config = getattr(config, name)
    return str(config) if isinstance(config, str | PerResolution) else json.dumps(to_json(config))


def _clock(line: str) -> float:
    try:
        return float(json.loads(line)["nimg"])
    except (ValueError, KeyError, TypeError):
        return float("inf")
