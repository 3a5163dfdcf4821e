"""``growgan train``: what it refuses, in one line and without a trace, and what it takes as it comes."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from discs import SHORT, TINY, save_discs
from PIL import Image
from safetensors import SafetensorError, safe_open

from growgan.core.config import RunConfig
from growgan.core.fields import from_json
from growgan.core.runfiles import RunFiles
from growgan.data.build import build
from growgan.training import checkpoint

Growgan = Callable[..., Any]


@pytest.fixture
def run(tiny_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to go on with."""
    return shutil.copytree(tiny_run, tmp_path / "run")


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# Words and settings


def test_dry_run_prints_the_whole_and_writes_nothing(growgan: Growgan, colour_set: Path, tmp_path: Path) -> None:
    words = [*TINY, "--seed", "7", "--minibatch", "8,16:4", "--set", "loss.name=lsgan", "--set", "seed=8"]
    result = growgan("train", "--data", colour_set, "--out", tmp_path / "run", *words, "--dry-run")
    assert (result.status, result.err) == (0, "")
    said = json.loads(result.out)
    config = from_json(RunConfig, said)
    assert set(said) == {
        "preset",
        "seed",
        "start",
        "network",
        "loss",
        "augment",
        "optim",
        "schedule",
        "data",
        "snapshots",
        "health",
        "execution",
    }
    assert (config.preset, config.seed, config.loss.name) == ("tiny", 8, "lsgan")
    assert (config.network.resolution, config.network.channels, config.network.num_labels) == (16, 3, 0)
    assert said["schedule"]["minibatch"] == {"base": 8, "16": 4} and config.schedule.total_kimg == 0.32
    assert config.data.path == str(colour_set.resolve()) and len(config.data.content_hash) == 64
    assert list(tmp_path.iterdir()) == []


def test_a_cpu_takes_fast_without_a_preset(
    growgan: Growgan, colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for gpu in (False, True):
        monkeypatch.setattr("torch.cuda.is_available", lambda found=gpu: found)
        result = growgan("train", "--data", colour_set, "--out", tmp_path / "run", "--device", "cpu", "--dry-run")
        assert (result.status, json.loads(result.out)["preset"]) == (0, "fast")


def test_dry_run_of_a_run_shows_it_and_leaves_it(growgan: Growgan, run: Path) -> None:
    before = files(run)
    result = growgan("train", "--out", run, "--kimg", "0.5", "--dry-run")
    assert (result.status, result.err) == (0, "")
    assert json.loads(result.out) == json.loads((run / "config.json").read_text()) | {
        "schedule": json.loads((run / "config.json").read_text())["schedule"] | {"total_kimg": 0.5}
    }
    assert files(run) == before


def test_labels_come_from_the_data(growgan: Growgan, labelled_set: Path, tmp_path: Path) -> None:
    words = ["train", "--data", labelled_set, "--out", tmp_path / "run", "--preset", "tiny", "--dry-run"]
    assert json.loads(growgan(*words).out)["network"]["num_labels"] == 3
    assert json.loads(growgan(*words, "--set", "data.labels=no").out)["network"]["num_labels"] == 0
    assert json.loads(growgan(*words, "--resolution", "8").out)["network"]["resolution"] == 8


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "huge"], "unknown preset 'huge'; choose from: paper, v1-1gpu"),
        (["--preset", "fasst"], "unknown preset 'fasst'; did you mean fast? choose from: paper"),
        (["--preset", "tiny,no-fad"], "unknown modifier 'no-fad'; did you mean no-fade? choose from: no-growing"),
        (["--set", "g_lr=0.1"], "unknown field 'g_lr'; did you mean optim.g_lr? choose from: augment, data"),
        (["--set", "optim.glr=0.1"], "unknown field 'optim.glr'; did you mean optim.g_lr? choose from: beta1"),
        (["--minibatch", "16,100:4"], "--minibatch should map resolutions, powers of two from 4, not 100"),
        (["--preset", ""], "argument --preset: is empty"),
        (["--preset", "tiny,no-sense"], "unknown modifier 'no-sense'; choose from: no-growing"),
        (["--preset", "tiny,row-d"], "'row-d' is a row of Table 1 and works only with celeba128 and lsun"),
        (["--set", "seed"], "--set takes SECTION.FIELD=VALUE, not 'seed'"),
        (["--set", "nonsense.x=1"], "unknown field 'nonsense.x'; choose from: augment, data, execution"),
        (["--set", "network.depth=3"], "; choose from: channels, d_down"),
        (["--set", "network=3"], "'network' is a section: set one of its fields"),
        (["--set", "seed.x=3"], "'seed' is a value, not a section"),
        (["--set", "network.fmap_max=many"], "fmap_max should be a whole number, not 'many'"),
        (["--set", "network.fmap_max=0"], "network.fmap_max must be at least 1"),
        (["--set", "data.mirror=perhaps"], "mirror should be true or false, not 'perhaps'"),
        (["--set", "loss.name=gan"], "name should be one of wgan_gp, lsgan, logistic, relativistic, not 'gan'"),
        (["--set", "loss.gp_weight=-1"], "loss weights cannot be negative"),
        (["--set", "optim.g_lr=0.1,x"], "g_lr should be a number, or e.g. 16,256:14"),
        (["--set", "network.num_labels=2"], "has num_labels = 0, not 2"),
        (["--set", "network.channels=1"], "has channels = 3, not 1"),
        (["--set", "data.build_resolution=20"], "data.build_resolution must be a power of two, at least 4, not 20"),
        (["--resolution", "32"], "its pictures reach 16x16, below the 32x32 requested"),
        (["--set", "network.resolution=64"], "its pictures reach 16x16, below the 64x64 requested"),
        (["--resolution", "12"], "--resolution must be a power of two, at least 4, not 12"),
        (["--resolution", "2"], "--resolution must be a power of two, at least 4, not 2"),
        (["--resolution", "big"], "resolution should be a whole number, not 'big'"),
        (["--kimg", "0"], "--kimg must be between"),
        (["--kimg", "nan"], "--kimg should be a finite number"),
        (["--minibatch", "0"], "--minibatch must be whole numbers from 1 to 65,536"),
        (["--minibatch", "16,8"], "minibatch should be a number, or e.g. 16,256:14"),
        (["--seed", "one"], "seed should be a whole number, not 'one'"),
        (["--seed", "-1"], "seed must be a whole number from 0 to 9223372036854775807, not -1"),
        (["--set", "seed=-1"], "seed must be a whole number from 0 to 9223372036854775807, not -1"),
        (["--threads", "0"], "--threads must be between 1 and 4096"),
        (["--precision", "float8"], "precision should be one of "),
        (["--device", "abacus"], "unknown device 'abacus'"),
        (["--device", "cuda:99"], "this machine has no device 'cuda:99'"),
        (["--hours", "0"], "--hours must be above 0 and at most 100,000, not 0"),
        (["--hours", "-2"], "--hours must be above 0"),
        (["--hours", "nan"], "--hours must be above 0"),
        (["--hours", "inf"], "--hours must be above 0"),
    ],
)
def test_bad_words(growgan: Growgan, colour_set: Path, tmp_path: Path, words: list[str], message: str) -> None:
    line = growgan("train", "--data", colour_set, "--out", tmp_path / "run", *SHORT, *words).refusal()
    assert message in line
    assert list(tmp_path.iterdir()) == []


# Data


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent", "absent: no such file or folder"),
        ("text.txt", "not a dataset (known kinds: "),
        ("empty", "no usable picture"),
        ("texts", "no usable picture"),
        ("broken", "no usable picture"),
        ("empty.zip", "no usable picture"),
        ("cut.zip", "cut.zip"),
    ],
)
def test_no_usable_picture(growgan: Growgan, colour_set: Path, tmp_path: Path, name: str, message: str) -> None:
    data = tmp_path / "data"
    for folder in ("empty", "texts", "broken"):
        (data / folder).mkdir(parents=True)
    for path in (data / "text.txt", data / "texts" / "a.txt"):
        path.write_text("no picture")
    (data / "broken" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")
    zipfile.ZipFile(data / "empty.zip", "w").close()
    (data / "cut.zip").write_bytes(colour_set.read_bytes()[:5000])
    before = files(data)
    line = growgan("train", "--data", data / name, "--out", tmp_path / "run", *SHORT).refusal()
    assert message in line
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"] and files(data) == before


def test_no_data_at_all(growgan: Growgan, tmp_path: Path) -> None:
    line = growgan("train", "--out", tmp_path / "run", *SHORT).refusal()
    assert "a new run needs --data: a folder or zip of pictures" in line


@pytest.mark.parametrize("zipped", [True, False])
def test_a_finished_set_of_mixed_sizes(growgan: Growgan, tmp_path: Path, zipped: bool) -> None:
    data = tmp_path / "set"
    build(save_discs(tmp_path / "pictures", 6), data)
    Image.new("RGB", (32, 32)).save(data / "00000" / "img00000003.png")
    if zipped:
        data = Path(shutil.make_archive(str(data), "zip", data))
    line = growgan("train", "--data", data, "--out", tmp_path / "run", *SHORT).refusal()
    assert "img00000003.png" in line and "32x32" in line
    assert not (tmp_path / "run").exists()


def test_a_finished_set_with_a_broken_picture(growgan: Growgan, tmp_path: Path) -> None:
    data = tmp_path / "set"
    build(save_discs(tmp_path / "pictures", 6), data)
    (data / "00000" / "img00000002.png").write_bytes(b"")
    line = growgan("train", "--data", data, "--out", tmp_path / "run", *SHORT).refusal()
    assert "img00000002.png" in line and "`growgan data build` leaves such pictures" in line


def test_a_folder_of_mixed_sizes_is_taken_and_said_in_one_line(growgan: Growgan, tmp_path: Path) -> None:
    photos = save_discs(tmp_path / "photos", 24, sizes=((16, 20), (40, 18), (33, 33)))
    before = files(photos)
    result = growgan("train", "--data", photos, "--out", tmp_path / "run", *SHORT)
    assert result.status == 0
    said = [
        line
        for line in result.err.splitlines()
        if not line.startswith(("cpu, ", "warning: 24 ", "tick ", "finished: "))
    ]
    assert len(said) == 1
    assert said[0].startswith(f"{photos}: 24 pictures cropped to the centre square, resized to 16x16 and cached as ")
    assert (tmp_path / "run" / "models" / "stage-0016x0016.safetensors").is_file()
    assert files(photos) == before
    again = growgan("train", "--out", tmp_path / "run", "--kimg", "0.064")
    assert again.status == 0 and "cropped" not in again.err and "resuming from 0.032 kimg" in again.err


def test_broken_pictures_are_left_out_and_listed(growgan: Growgan, tmp_path: Path) -> None:
    photos = save_discs(tmp_path / "photos", 8, sizes=((20, 16),))
    (photos / "cut.png").write_bytes((photos / "000.png").read_bytes()[:60])
    (photos / "none.png").write_bytes(b"")
    (photos / "notes.txt").write_text("holidays")
    result = growgan("train", "--data", photos, "--out", tmp_path / "run", "--preset", "tiny", "--dry-run")
    assert result.status == 0 and json.loads(result.out)["network"]["resolution"] == 16
    first, *rest = result.err.splitlines()
    assert first.startswith(f"{photos}: 8 pictures cropped")
    assert sorted(line.partition(":")[0] for line in rest) == [
        "skipped cut.png",
        "skipped none.png",
        "skipped notes.txt",
    ]


def test_pictures_smaller_than_asked_for(growgan: Growgan, tmp_path: Path) -> None:
    photos = save_discs(tmp_path / "photos", 4, sizes=((20, 18),))
    line = growgan(
        "train", "--data", photos, "--out", tmp_path / "run", "--preset", "tiny", "--resolution", "32"
    ).refusal()
    assert "no usable picture (4 of 4 files" in line
    assert not (tmp_path / "run").exists()


def test_a_size_that_most_pictures_lack_is_kept_to(
    growgan: Growgan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The preset would make 8x8 of them; the run has 16x16, and has it again without the word, from an empty cache."""
    photos = save_discs(tmp_path / "photos", 32, sizes=((9, 10), (18, 16), (18, 16), (18, 16)))
    out = tmp_path / "run"
    plain = growgan("train", "--data", photos, "--out", out, "--preset", "tiny", "--dry-run")
    assert json.loads(plain.out)["network"]["resolution"] == 8
    assert growgan("train", "--data", photos, "--out", out, *SHORT, "--resolution", "16").status == 0
    monkeypatch.setenv("GROWGAN_CACHE", str(tmp_path / "elsewhere"))
    measured = growgan("evaluate", out / "models" / "stage-0016x0016.safetensors", "--data", photos, "--images", 16)
    assert measured.status == 0 and "swd16" in measured.out
    again = growgan("train", "--out", out, "--kimg", "0.064")
    assert again.status == 0 and "resuming from 0.032 kimg" in again.err


# The run folder


@pytest.mark.parametrize("out", ["file", "file/run", "file/deep/run"])
def test_a_file_in_the_way(growgan: Growgan, colour_set: Path, tmp_path: Path, out: str) -> None:
    (tmp_path / "file").write_text("mine")
    line = growgan("train", "--data", colour_set, "--out", tmp_path / out, *SHORT).refusal()
    assert str(tmp_path / out) in line
    assert files(tmp_path) == {"file": b"mine"}


def test_a_folder_with_something_else_in_it(growgan: Growgan, colour_set: Path, tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    line = growgan("train", "--data", colour_set, "--out", tmp_path, *SHORT).refusal()
    assert f"{tmp_path} is not empty and holds no run; choose a new folder for --out" in line
    assert files(tmp_path) == {"letters.txt": b"mine"}


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names are UTF-8")
def test_a_folder_whose_name_no_writer_knows(growgan: Growgan, colour_set: Path, tmp_path: Path) -> None:
    out = os.fsdecode(os.fsencode(tmp_path) + b"/q\xff")
    assert (
        "is not valid UTF-8; choose another --out" in growgan("train", "--data", colour_set, "--out", out, *SHORT).err
    )
    assert files(tmp_path) == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"sede": 1}', '{"network": {"resolution": 12}}', "\x00"])
def test_a_config_that_cannot_be_read(growgan: Growgan, run: Path, text: str) -> None:
    (run / "config.json").write_text(text)
    assert f"{run / 'config.json'} cannot be read" in growgan("train", "--out", run).refusal()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--preset", "laptop"], "this run was started with preset 'tiny', not 'laptop'; use a new --out"),
        (["--preset", "tiny,no-fade"], "this run was started with preset 'tiny', not 'tiny,no-fade'"),
        (["--seed", "1001"], "this run was started with seed = 1000, not 1001; use a new --out"),
        (["--minibatch", "16,64:4"], "started with schedule.minibatch = 8, not 16,64:4; use a"),
        (["--resolution", "8"], "started with network.resolution = 16, not 8"),
        (["--set", "optim.g_lr=0.5"], "started with optim.g_lr ="),
        (["--set", "loss.name=lsgan"], "started with loss.name = wgan_gp, not lsgan"),
        (["--set", "seed=nonsense"], "seed should be a whole number, not 'nonsense'"),
    ],
)
def test_another_run_s_settings(growgan: Growgan, run: Path, words: list[str], message: str) -> None:
    before = files(run)
    assert message in growgan("train", "--out", run, *words).refusal()
    assert files(run) == before


def test_other_data(growgan: Growgan, run: Path, labelled_set: Path, colour_set: Path, tmp_path: Path) -> None:
    before = files(run)
    line = growgan("train", "--out", run, "--data", labelled_set).refusal()
    assert f"{labelled_set} is not the dataset this run was started with" in line
    build(labelled_set, tmp_path / "smaller.zip", resolution=8)
    line = growgan("train", "--out", run, "--data", tmp_path / "smaller.zip").refusal()
    assert "smaller.zip is not the dataset this run was started with" in line
    assert files(run) == before
    moved = shutil.copy(colour_set, tmp_path / "moved.zip")
    assert growgan("train", "--out", run, "--data", moved, "--dry-run").status == 0


def test_data_that_went_away(growgan: Growgan, run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    config["data"]["path"] += ".gone"
    (run / "config.json").write_text(json.dumps(config))
    assert "no longer exists: set --data to its new path" in growgan("train", "--out", run).refusal()


def test_the_same_settings_go_on(growgan: Growgan, run: Path, colour_set: Path) -> None:
    result = growgan("train", "--data", colour_set, "--out", run, *TINY, "--seed", "1000", "--kimg", "0.352")
    assert result.status == 0 and result.out == ""
    assert "resuming from 0.32 kimg" in result.err
    assert f"finished: 0.352 kimg in {run}; growgan generate {run} makes pictures" in result.err
    log = [json.loads(line)["nimg"] for line in (run / "log.jsonl").read_text().splitlines()]
    assert log == [64, 128, 192, 256, 320, 352]


HOLDER = """
import sys
import time
from pathlib import Path
from growgan.training.run import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(run: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that trains `run`."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLDER, run], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_run_that_another_process_trains(growgan: Growgan, run: Path, holder: subprocess.Popen[str]) -> None:
    before = files(run)
    line = growgan("train", "--out", run, "--kimg", "0.5").refusal()
    assert f"{run} is being trained by process {holder.pid} on " in line
    assert files(run) == before
    holder.kill()
    holder.wait()
    assert growgan("train", "--out", run).status == 0  # the dead hold no lock


def test_states_that_were_cut(growgan: Growgan, run: Path) -> None:
    states = sorted((run / "state").glob("*.safetensors"))
    for state in states:
        state.write_bytes(state.read_bytes()[: state.stat().st_size // 2])
    result = growgan("train", "--out", run, "--kimg", "0.5")
    *warnings, last = [line for line in result.err.splitlines() if not line.startswith("cpu, ")]
    assert result.status == 2 and last == f"growgan: no training state in {run / 'state'} can be read"
    assert [line.partition(" ")[0] for line in warnings] == [str(state) for state in reversed(states)]
    assert all("is damaged and was skipped" in line for line in warnings)


@pytest.mark.parametrize("error", [OSError(116, "Stale file handle"), torch.OutOfMemoryError("out of memory")])
def test_a_state_that_cannot_be_read_just_now_is_not_passed_over(
    growgan: Growgan, run: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A run that went on from an older one would remove what came after it."""
    before = files(run)

    def fail(path: Path) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "_read", fail)
        assert growgan("train", "--out", run, "--kimg", "0.5").status == 2
    after = files(run)  # config.json has the new length
    assert all(after[name] == value for name, value in before.items() if name not in ("config.json", "lock"))
    assert growgan("train", "--out", run, "--kimg", "0.5").status == 0


def test_a_run_whose_configuration_has_earlier_names_goes_on(growgan: Growgan, run: Path) -> None:
    config = json.loads((run / "config.json").read_text())
    health = config["health"]
    health |= {"policy": "back", "back_rate": 0.25, "most_backs": health.pop("max_rollbacks")}
    del health["rollback_rate"]
    (run / "config.json").write_text(json.dumps(config))
    read = RunFiles(run).read_config().health
    assert (read.policy, read.rollback_rate, read.max_rollbacks) == ("rollback", 0.25, 3)
    assert growgan("train", "--out", run, "--kimg", "0.5").status == 0


@pytest.mark.skipif(os.name == "nt", reason="pipes and terminals of POSIX")
@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_nobody_reads_what_is_said(colour_set: Path, tmp_path: Path, kind: str) -> None:
    """A `tee` that has died, or a terminal that is gone, costs no run its state (SIGHUP, which stops it, is apart)."""
    ours, theirs = os.pipe() if kind == "pipe" else os.openpty()
    words = ["train", "--data", colour_set, "--out", tmp_path / "run", *SHORT, "--kimg", "0.4"]
    command = [sys.executable, "-m", "growgan", *map(str, words)]
    with subprocess.Popen(command, stderr=theirs, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL) as process:
        os.close(theirs)
        os.close(ours)
        assert process.wait(timeout=120) == 0
    log = [json.loads(line)["nimg"] for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert log[-1] == 416 and (tmp_path / "run" / "state" / "state-000000000416.safetensors").is_file()


def test_a_start_that_was_killed_while_it_measured(growgan: Growgan, colour_set: Path, tmp_path: Path) -> None:
    for name in ("models", "state"):
        (tmp_path / "run" / name).mkdir(parents=True)
    for name in ("lock", "plan.json"):
        (tmp_path / "run" / name).write_text("")
    assert growgan("train", "--data", colour_set, "--out", tmp_path / "run", *SHORT).status == 0


# The disk


def full(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def full_for_tensors(*_: object, **__: object) -> NoReturn:
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize("what", ["state", "picture"])
def test_a_disk_that_is_full_before_the_first_step(
    growgan: Growgan, colour_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    with monkeypatch.context() as patch:
        if what == "state":
            patch.setattr("safetensors.torch.serialize_file", full_for_tensors)
        else:
            patch.setattr(Image.Image, "save", full)
        line = growgan("train", "--data", colour_set, "--out", tmp_path / "run", *SHORT).refusal(begun=True)
    assert "cannot write" in line and "No space left on device" in line
    assert list((tmp_path / "run").rglob("*.safetensors")) == []
    assert growgan("train", "--data", colour_set, "--out", tmp_path / "run", *SHORT).status == 0  # with room again


@pytest.mark.parametrize("small_disk", ["64k"], indirect=True)
def test_a_disk_that_really_is_full(growgan: Growgan, colour_set: Path, small_disk: Path) -> None:
    line = growgan("train", "--data", colour_set, "--out", small_disk / "run", *SHORT).refusal(begun=True)
    assert "cannot write" in line and "No space left on device" in line
    line = growgan("train", "--out", small_disk / "run").refusal(begun=True)
    assert "cannot write" in line and "No space left on device" in line


@pytest.mark.parametrize("small_disk", ["64k"], indirect=True)
def test_generating_onto_a_full_disk(growgan: Growgan, tiny_run: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(60_000))
    line = growgan("generate", tiny_run, "--grid", "16x8", "--out", small_disk).refusal()
    assert "cannot write" in line and "No space left on device" in line
    assert [entry.name for entry in small_disk.iterdir()] == ["filler"]


def test_the_same_words_with_hours_resume(growgan: Growgan, colour_set: Path, tmp_path: Path) -> None:
    words = ["train", "--data", colour_set, "--out", tmp_path / "run", "--preset", "tiny", "--hours", "0.0005"]
    words += ["--kimg", "0.4", "--set", "schedule.training_kimg=0.1", "--threads", "1"]
    assert growgan(*words).status == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["schedule"]["total_kimg"] == 0.4
    assert config["schedule"]["scale"] != 1
    again = growgan(*words)
    assert again.status == 0
    assert "the run's length is already set to" in again.err
    assert json.loads((tmp_path / "run" / "config.json").read_text()) == config


def test_a_length_that_is_named_later_is_meant_as_it_is(growgan: Growgan, colour_set: Path, tmp_path: Path) -> None:
    words = ["train", "--data", colour_set, "--out", tmp_path / "run", "--preset", "tiny", "--threads", "1"]
    assert growgan(*words, "--hours", "0.0001").status == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())["schedule"]
    scaled = config["total_kimg"] * config["scale"]
    more = round(scaled + 0.1, 2)
    assert more < config["total_kimg"]
    for _ in range(2):  # named again, it is the same
        done = growgan(*words, "--kimg", more)
        found = re.search(r"finished: ([\d.]+) kimg", done.err)
        assert done.status == 0 and found and 0 <= float(found[1]) - more < 0.032  # a round of minibatches
    same = json.loads(growgan(*words, "--kimg", config["total_kimg"], "--dry-run").out)["schedule"]
    assert same["total_kimg"] * same["scale"] == pytest.approx(config["total_kimg"], abs=1e-6)


def test_a_run_inside_its_own_data_is_refused(growgan: Growgan, tmp_path: Path) -> None:
    photos = save_discs(tmp_path / "photos", 8)
    line = growgan("train", "--data", photos, "--out", photos / "run", *SHORT).refusal()
    assert "is inside --data" in line
    assert not (photos / "run").exists()


def test_a_plain_folder_is_built_once_for_a_run_and_its_resumes(
    growgan: Growgan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = save_discs(tmp_path / "photos", 12, sizes=((20, 24), (24, 20)))
    words = ["train", "--data", photos, "--out", tmp_path / "run", *SHORT]
    assert growgan(*words).status == 0
    monkeypatch.setattr("growgan.data.prepare.build", pytest.fail)
    assert growgan(*words, "--kimg", "0.064").status == 0
    assert growgan("train", "--out", tmp_path / "run", "--kimg", "0.096").status == 0


def test_models_and_states_have_the_users_own_permissions(tiny_run: Path) -> None:
    usual = (tiny_run / "config.json").stat().st_mode
    for folder in ("models", "state"):
        assert {path.stat().st_mode for path in (tiny_run / folder).iterdir()} == {usual}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_stopped_or_killed_goes_on_as_if_nothing_had_happened(
    growgan: Growgan, colour_set: Path, tmp_path: Path, number: signal.Signals
) -> None:
    words = ["train", "--data", str(colour_set), *TINY, "--kimg", "1.6"]
    assert growgan(*words, "--out", tmp_path / "whole").status == 0
    parts = tmp_path / "parts"
    process = subprocess.Popen(
        [sys.executable, "-m", "growgan", *words, "--out", str(parts)], stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not len(list((parts / "state").glob("state-*"))) > 1:
        time.sleep(0.01)
    process.send_signal(number)
    told = process.communicate(timeout=60)[1]
    if number == signal.SIGKILL:
        assert process.returncode == -9
    else:
        assert process.returncode == 128 + number
        assert "stopped and saved" in told
    (parts / "state" / ".state.123.tmp").write_bytes(b"left by a writer that was killed")
    assert growgan(*words, "--out", parts).status == 0
    for folder in ("models", "state"):
        ours, theirs = (sorted(path.name for path in (run / folder).iterdir()) for run in (parts, tmp_path / "whole"))
        assert ours == theirs
    logs = []
    for run in (parts, tmp_path / "whole"):
        newest = max((run / "state").iterdir())
        with safe_open(newest, "pt") as file:
            tensors = {name: file.get_tensor(name).numpy().tobytes() for name in file.keys()}  # noqa: SIM118
        logs.append(tensors)
    assert logs[0] == logs[1]


def test_a_run_that_ends_before_it_has_grown_is_warned_of(growgan: Growgan, colour_set: Path, tmp_path: Path) -> None:
    words = ["train", "--data", str(colour_set), "--preset", "tiny", "--threads", "1"]
    said = growgan(*words, "--out", tmp_path / "short", "--kimg", "0.1").err
    assert "warning: the run ends after 0.1 kimg, at 4x4 of 16x16: raise --kimg, or use --hours" in said
    assert "the run ends" not in growgan(*words, "--out", tmp_path / "long", "--kimg", "1.2").err


def save_photos(folder: Path) -> Path:
    """Three pictures of 64x64."""
    folder.mkdir()
    for number in range(3):
        Image.new("RGB", (64, 64), (70 * number, 9, 9)).save(folder / f"{number}.png")
    return folder


def fitted(folder: Path) -> list[str | Path]:
    """The words that show how a run on such pictures is fitted to them."""
    photos = save_photos(folder / "photos")
    return ["train", "--data", photos, "--out", folder / "run", "--resolution", "64", "--dry-run"]


def test_a_run_without_a_length_finishes_its_pictures_size(growgan: Growgan, tmp_path: Path) -> None:
    words = [*fitted(tmp_path), "--preset", "tiny"]  # tiny's 1.2 kimg would end in the middle of 32x32
    done = growgan(*words)
    assert json.loads(done.out)["schedule"]["total_kimg"] == pytest.approx(1.8)
    assert "1.8 kimg instead of the preset's 1.2, to finish 64x64" in done.err
    named = growgan(*words, "--kimg", "1.2")
    assert json.loads(named.out)["schedule"]["total_kimg"] == 1.2 and "instead of" not in named.err


def test_a_run_is_no_set_of_pictures(growgan: Growgan, run: Path, tmp_path: Path) -> None:
    said = growgan("train", "--data", run, "--out", tmp_path / "new")
    assert said.status == 2 and "is a run folder; use --from to start from its model" in said.err
    assert not (tmp_path / "new").exists()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "config.json").write_text("{}")  # of some other program
    assert "is a run" not in growgan("train", "--data", tmp_path / "photos", "--out", "new").err


def test_a_scaled_run_without_a_length_is_as_long_as_its_stages(growgan: Growgan, tmp_path: Path) -> None:
    words = fitted(tmp_path)
    for scale in ("0.5", "2"):
        done = growgan(*words, "--preset", "tiny", "--set", f"schedule.scale={scale}")
        assert json.loads(done.out)["schedule"]["total_kimg"] == pytest.approx(1.8)  # times the scale, as stages are
    done = growgan(*words, "--preset", "tiny,no-growing")
    assert json.loads(done.out)["schedule"]["total_kimg"] == pytest.approx(1.8)  # as long as what it is compared with
