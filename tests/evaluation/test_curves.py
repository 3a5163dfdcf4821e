"""Curves of a run: what is drawn is what was measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from growgan.core.errors import ConfigError, RunError
from growgan.core.runfiles import RunFiles
from growgan.evaluation import curves, results


def entry(nimg: int, seconds: float, value: float | None = None, resolution: int = 16) -> dict[str, Any]:
    found = {"name": "swd2k", "value": value, "resolution": resolution, "reference": {"value": 4.0}}
    return {"nimg": nimg, "seconds": seconds} | ({"measures": {"swd2k": found}} if value is not None else {})


def test_lines_that_were_cut_off_are_passed_over_and_what_is_lacking_is_known(tmp_path: Path) -> None:
    """As growgan evaluate does, which goes on with such a file."""
    path = tmp_path / "measures.jsonl"
    assert results.lacking(path, "abc", ("kid",)) == ["kid"]
    path.write_text('{"metric": "swd2k", "subject_hash": "abc"}\n{"metric": "kid2048", "subj')
    assert [line["metric"] for line in results.read([path])] == ["swd2k"]
    path.write_text(path.read_text() + 'ect_hash": "def"}')  # whole, but for its end of line
    assert [line["metric"] for line in results.read([path])] == ["swd2k", "kid2048"]
    assert results.lacking(path, "abc", ("swd", "kid")) == ["kid"] and results.lacking(path, "def", ("swd",)) == ["swd"]
    names = ("swd16k", "fid50k_full", "pr_inception10k_precision", "pr_inception10k_recall", "fid2048_clean")
    path.write_text("".join(f'{{"metric": "{name}", "subject_hash": "abc"}}\n' for name in names))
    assert results.lacking(path, "abc", ("swd16k", "swd", "fid50k_full", "pr_inception10k", "pr_inception")) == []
    lacking = ("swd1", "pr", "fid50k", "fid2048", "fid10k", "pr_inception1")
    assert results.lacking(path, "abc", lacking) == list(lacking)
    path.write_text('{"metric": \n{"metric": "kid2048", "subject_hash": "abc"}\n')
    with pytest.raises(ConfigError, match=r"is not a file of measures \(line 1\)"):
        results.read([path])


def evaluated(metric: str, nimg: int, value: float) -> str:
    return json.dumps({"metric": metric, "nimg": nimg, "value": value, "resolution": 16, "reference": None}) + "\n"


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> RunFiles:
    """A folder with the settings of a run at 16x16, and a log of half an hour a thousand images."""
    (tmp_path / "run").mkdir()
    shutil.copy(tiny_run / "config.json", tmp_path / "run")
    log = [entry(1000, 1800, 50.0, 8), entry(2000, 3600, 30.0), entry(3000, 5400), entry(4000, 7200, 20.0)]
    (tmp_path / "run" / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log), encoding="utf-8")
    return RunFiles(tmp_path / "run")


def test_measures_over_images_and_hours(run: RunFiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    save = curves.save
    monkeypatch.setattr(curves, "save", lambda figure, out: drawn.append(figure) or save(figure, out))
    (run.path / "measures.jsonl").write_text(evaluated("kid2048", 4000, 0.02) + evaluated("kid2048", 2000, 0.05))
    (tmp_path / "more.jsonl").write_text(evaluated("swd2k", 3000, 24.0) + evaluated("fid10k", 4000, 9.0))
    curves.draw_measures(run, tmp_path / "out.png", [tmp_path / "more.jsonl", tmp_path / "none.jsonl"])
    assert (tmp_path / "out.png").stat().st_size > 5000
    swd, swd_hours, kid, kid_hours = drawn[0].axes

    def lines(axes: Any) -> dict[str, list[tuple[float, float]]]:
        return {line.get_label(): [*zip(*map(list, line.get_data()), strict=True)] for line in axes.lines}

    assert lines(swd)["in training"] == [(2, 30), (4, 20)] and lines(swd)["evaluated"] == [(3, 24)]
    assert lines(swd)["reals"][0][1] == 4 and "reals" not in lines(kid)
    assert lines(swd_hours)["in training"] == [(1, 30), (2, 20)] and lines(swd_hours)["evaluated"] == [(1.5, 24)]
    assert lines(kid) == {"evaluated": [(2, 0.05), (4, 0.02)]} and lines(kid_hours) == {
        "evaluated": [(1, 0.05), (2, 0.02)]
    }
    assert [axes.get_ylabel() for axes in (swd, kid)] == ["swd2k", "kid2048"]


def test_nothing_to_draw(run: RunFiles, tmp_path: Path) -> None:
    run.log.write_text(json.dumps(entry(1000, 10, 50.0, 8)) + "\n", encoding="utf-8")
    with pytest.raises(RunError, match="has no measure at 16x16 yet"):
        curves.draw_measures(run, tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()
    (run.path / "measures.jsonl").write_text("no json\n")
    with pytest.raises(ConfigError, match="is not a file of measures"):
        curves.draw_measures(run, tmp_path / "out.png")


@pytest.mark.parametrize("line", ['{"nimg": 5}', '{"nimg": "x", "seconds": 1}', '{"nimg": 1, "seconds": null}', "7"])
def test_lines_of_the_log_that_are_none_of_ours(run: RunFiles, line: str) -> None:
    """A last line may be one that is still being written; any other is refused by its number."""
    run.log.write_text(f'{line}\n{{"nimg": 8, "seconds": 2.0}}\n')
    with pytest.raises(RunError, match="line 1: not an object with nimg and seconds"):
        run.read_log()
    run.log.write_text(f'{{"nimg": 8, "seconds": 2.0}}\n{line}\n')
    assert run.read_log() == [{"nimg": 8, "seconds": 2.0}]
