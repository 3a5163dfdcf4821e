"""A run as it is looked at."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from growgan.core.errors import RunError
from growgan.core.runfiles import RunFiles, is_run
from growgan.studio import watch
from growgan.training.run import RunFolder


def test_a_run_that_has_ended(tiny_run: Path) -> None:
    found = json.loads(json.dumps(watch.watch(str(tiny_run))))
    assert found["nimg"] == found["total"] == 320 and found["left"] == 0
    assert [stage["resolution"] for stage in found["stages"]] == [4, 8, 16]
    assert found["curve"]["nimg"] == [64, 128, 192, 256, 320]
    assert all(isinstance(value, float) for value in found["curve"]["D/loss"])
    assert found["curve"]["augment_p"] == [None] * 5  # it has none
    assert [one["nimg"] for one in found["fakes"]][-1] == 320 and "16x16" in found["fakes"][-1]["words"]
    assert found["reals"] and watch.grid(str(tiny_run), None).name == "reals.png"
    assert watch.grid(str(tiny_run), 320).name == "fakes000000320.png"
    (name, points), *others = found["measures"].items()
    assert not others and name.startswith("swd") and {one["resolution"] for one in points} == {16}
    assert points[-1]["reals"] > 0


def test_a_run_that_has_come_further_than_it_is_told_to(tiny_run: Path, tmp_path: Path) -> None:
    run = RunFolder(shutil.copytree(tiny_run, tmp_path / "run"))
    config = run.read_config()
    run.write_config(replace(config, schedule=replace(config.schedule, total_kimg=0.2)))
    found = watch.watch(str(run.path))
    assert found["total"] == found["nimg"] == found["stages"][-1]["end"] == 320 and found["left"] == 0


def test_a_run_that_has_hardly_begun(tiny_run: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "models").mkdir()
    assert not is_run(run) and not is_run(tmp_path / "nothing")
    shutil.copy(tiny_run / "config.json", run)
    assert is_run(run)
    found = watch.watch(str(run))
    assert found["nimg"] == 0 and found["fakes"] == [] and not found["reals"] and found["left"] is None
    assert found["total"] == 320 and found["written"] is None
    with pytest.raises(RunError, match="does not exist"):
        watch.grid(str(run), 5)


def test_what_cannot_be_read_is_said(tiny_run: Path, tmp_path: Path) -> None:
    run = RunFiles(Path(shutil.copytree(tiny_run, tmp_path / "run")))
    lines = run.log.read_text().splitlines()
    run.log.write_text("\n".join([*lines, '{"nimg": 38']))  # a line that is being written
    assert watch.watch(str(run.path))["nimg"] == 320
    run.log.write_text("\n".join([*lines[:2], "{", *lines[2:]]))
    with pytest.raises(RunError, match="line 3"):
        watch.watch(str(run.path))
    for line in (b"null", b"\xff"):
        run.log.write_bytes(line + b"\n" + "\n".join(lines).encode())
        with pytest.raises(RunError, match="line 1"):
            watch.watch(str(run.path))
    run.config.write_text("[]")
    with pytest.raises(RunError, match="cannot be read"):
        watch.watch(str(run.path))


@pytest.mark.parametrize("count", [0, 1, 999, 1000, 1001, 5432])
def test_long_logs_are_thinned(count: int) -> None:
    log = [{"nimg": n} for n in range(count)]
    thin = watch.thinned(log)
    assert len(thin) <= watch.MOST_POINTS and thin[-1:] == log[-1:]
    assert len(thin) > min(count, watch.MOST_POINTS) // 2 - 1
    assert thin == sorted(thin, key=lambda entry: entry["nimg"])
