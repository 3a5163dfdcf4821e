"""Runs that go on from trained networks: what they take over, where their schedule begins, and what they refuse."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from discs import SHORT, TINY, save_discs
from making import joined, make_nets, make_spec, normal
from training import sharing
from training.test_job import request

from growgan.cli.main import main
from growgan.core.config import RunConfig, Variant
from growgan.core.errors import ConfigError, ModelError, RunError, UserError
from growgan.core.fields import from_json, per
from growgan.core.schedule import Schedule
from growgan.data.build import build
from growgan.models.native import ModelFile, open_model, save_model
from growgan.networks.discriminator import Discriminator
from growgan.sampling.sources import find
from growgan.training import job, start
from growgan.training.optim import ema_factor
from growgan.training.state import TrainState

QUIET = ("--threads", "1", "--precision", "float32", "--set", "snapshots.measure=none")


@pytest.fixture(scope="module")
def big_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished set of 32x32, of another colour."""
    folder = tmp_path_factory.mktemp("big")
    build(save_discs(folder / "pictures", 24, (0, 255, 90), sizes=((32, 32),)), folder / "set.zip")
    return folder / "set.zip"


@pytest.fixture(scope="module")
def grey_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("grey")
    build(save_discs(folder / "pictures", 24), folder / "set.zip", channels=1)
    return folder / "set.zip"


def prepared(data: Path, source: Path | str, out: Path, *named: tuple[str, str], preset: str | None = "tiny"):
    """The configuration, and the state that its first step would find."""
    named = (("execution.precision", "float32"), *named)
    done = job.prepare(replace(request(data, out, *named, preset=preset), start=str(source)))
    with done.dataset:
        state = TrainState(done.config, done.machine)
        said: list[str] = []
        start.begin(state, done.dataset.class_names, said.append)
    return done.config, state, said


def tensors(file: ModelFile, network: str) -> dict[str, torch.Tensor]:
    return file.network(network).state_dict()


def assert_taken(state: TrainState, file: ModelFile, top: int, factor: float = 1.0) -> None:
    """Up to `top` the state's networks are the file's; factor: of D's scores."""
    for name, network in (("G", state.G), ("D", state.D), ("G_ema", state.G_ema)):
        theirs = tensors(file, name if file.has(name) else "G_ema")
        for key, value in network.state_dict().items():
            if int(key.partition("x")[0]) <= top:
                wanted = theirs[key] * factor if name == "D" and "dense1" in key else theirs[key]
                assert torch.equal(value, wanted), (name, key)


# Sizes


def test_of_equal_size_everything_is_taken_and_trained_at_once(colour_set, tiny_run, tmp_path):
    config, state, said = prepared(colour_set, tiny_run, tmp_path / "run")
    file = open_model(find(tiny_run))
    assert_taken(state, file, 16)
    assert config.network == file.spec
    assert [s.resolution for s in Schedule(config.schedule, config.optim, 16).stages] == [16]
    assert (config.start.model, config.start.content_hash) == (str(tiny_run.resolve()), file.hash)
    assert state.nimg == 0 and not state.opt_D.adam.state
    assert said == [f"starts from {tiny_run} ({file.describe()}): stages up to 16x16 transferred"]


def test_a_larger_run_grows_on_from_the_models_size(big_set, tiny_run, tmp_path):
    assert prepared(big_set, tiny_run, tmp_path / "run")[0].network.resolution == 16
    config, state, said = prepared(big_set, tiny_run, tmp_path / "run", ("network.resolution", "32"))
    file = open_model(find(tiny_run))
    assert_taken(state, file, 16, factor=2)
    first, second = Schedule(config.schedule, config.optim, 32).stages
    assert (first.resolution, first.start, first.faded) == (16, 0, 0) and second.resolution == 32
    assert second.faded > second.start
    fresh = TrainState(replace(config, start=RunConfig().start), job.set_up(config.execution))
    for ours, new in ((state.G, fresh.G), (state.D, fresh.D), (state.G_ema, fresh.G_ema)):
        for key, value in ours.stage(32).state_dict().items():
            assert torch.equal(value, new.stage(32).state_dict()[key])
    assert "those above 16x16 fade in" in said[0]


def test_the_penalty_of_a_run_of_another_size_is_that_of_the_models_own(big_set, colour_set, tiny_run, tmp_path):
    """At one stage the penalty's norm is divided by what the run has still to grow: D's scores make up for it."""
    reals = torch.rand(8, 3, 16, 16) * 2 - 1
    penalties = []
    for data, size in ((colour_set, "16"), (big_set, "32")):
        config, state, _ = prepared(data, tiny_run, tmp_path / "run", ("network.resolution", size))
        phase = Schedule(config.schedule, config.optim, config.network.resolution).at(0)
        draws = state.draws("D", replace(phase, minibatch=8))
        terms = joined(state.loss.d_terms(state.D, reals, reals.flip(0), None, draws, state.step_info(phase)))
        penalties.append(terms.parts["penalty"].item())
    assert penalties[1] == pytest.approx(penalties[0], rel=1e-5)


def test_a_smaller_run_takes_the_stages_that_fit(colour_set, tiny_run, tmp_path):
    config, state, said = prepared(colour_set, tiny_run, tmp_path / "run", ("network.resolution", "8"))
    assert_taken(state, open_model(find(tiny_run)), 8, factor=0.5)
    assert [s.resolution for s in Schedule(config.schedule, config.optim, 8).stages] == [8]
    assert (config.start.resolution, config.schedule.initial_resolution) == (8, 8)
    assert "toRGB and fromRGB of 8x8 as last trained at that size" in said[0]


@pytest.mark.parametrize(("reached", "alpha", "begins"), [(16, 0.5, 8), (8, 1.0, 8), (4, 1.0, 4)])
def test_a_model_that_has_not_ended_goes_on_from_its_last_whole_stage(colour_set, tmp_path, reached, alpha, begins):
    G, D = make_nets(make_spec(), torch.float32)
    training = {"resolution": reached, "alpha": alpha}
    save_model(tmp_path / "m.safetensors", {"G_ema": G, "D": D}, training=training)
    assert prepared(colour_set, tmp_path / "m.safetensors", tmp_path / "run")[0].network.resolution == reached
    config, state, _ = prepared(colour_set, tmp_path / "m.safetensors", tmp_path / "run", ("network.resolution", "16"))
    assert Schedule(config.schedule, config.optim, 16).stages[0].resolution == begins
    assert_taken(state, open_model(tmp_path / "m.safetensors"), reached)
    assert torch.equal(state.G.stage(16).conv0.weight, G.stage(16).conv0.weight) == (reached == 16)


def test_a_wider_run_begins_as_the_model_acts(colour_set, tiny_run, tmp_path):
    config, state, said = prepared(colour_set, tiny_run, tmp_path / "run", ("network.fmap_max", "32"))
    file = open_model(find(tiny_run))
    assert file.spec.width(4) == file.spec.width(8) == config.network.width(8) == 16 and config.network.width(4) == 32
    assert config.network.z_size == file.spec.z_size
    assert said[0].endswith("stages up to 16x16 transferred; 4x4 widened")
    z, x = normal(8, file.spec.z_size).float(), normal(8, 3, 16, 16).float()
    with torch.no_grad():
        for ours, name in ((state.G, "G"), (state.G_ema, "G_ema")):
            torch.testing.assert_close(ours(z), file.network(name)(z), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(state.D(x)[0], file.network("D")(x)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("preset", "kimg"), [("fast", 20), ("robust", 20), ("laptop", 5)])
def test_the_models_average_is_not_thrown_away(colour_set, tiny_run, tmp_path, preset, kimg):
    """A half-life that rises from nothing would make G_ema the raw G after one step."""
    config, _, _ = prepared(colour_set, tiny_run, tmp_path / "run", preset=preset)
    phase = Schedule(config.schedule, config.optim, 16).at(0)
    assert ema_factor(config.optim, phase, phase.minibatch) == pytest.approx(0.5 ** (phase.minibatch / (kimg * 1000)))
    config, _, _ = prepared(colour_set, tiny_run, tmp_path / "run", ("optim.ema_rampup", "0.1"), preset=preset)
    assert config.optim.ema_rampup == 0.1


def test_pictures_are_brought_to_the_models_size(tiny_run, tmp_path):
    photos = save_discs(tmp_path / "photos", 12, sizes=((70, 80),))
    config, _, _ = prepared(photos, tiny_run, tmp_path / "run", preset="laptop")
    assert config.network.resolution == 16
    config, _, _ = prepared(photos, tiny_run, tmp_path / "run", ("network.resolution", "64"))
    assert config.network.resolution == 64 and config.schedule.initial_resolution == 16


# Files


def test_a_shipped_file_in_float16(colour_set, tiny_run, tmp_path):
    """It holds G_ema and D: G begins as the average."""
    assert main(["export", str(tiny_run), str(tmp_path / "small.safetensors")]) == 0
    file = open_model(tmp_path / "small.safetensors")
    assert not file.has("G")
    _, state, _ = prepared(colour_set, tmp_path / "small.safetensors", tmp_path / "run")
    assert_taken(state, file, 16)
    assert state.G.stage(8).conv0.weight.dtype == torch.float32
    whole = tensors(open_model(find(tiny_run)), "G_ema")
    assert all(torch.allclose(v, whole[k], rtol=1e-3, atol=1e-3) for k, v in state.G.state_dict().items())


def test_a_network_of_another_kind_carries_over_and_grows_by_halves(big_set, tmp_path):
    variant = Variant(widths=per(6, {4: 10, 8: 8}), slope=0.1, tanh=True, stddev_groups="contiguous")
    G, D = make_nets(make_spec(variant=variant), torch.float32)
    save_model(tmp_path / "m.safetensors", {"G_ema": G, "D": D}, training={})
    config, state, _ = prepared(big_set, tmp_path / "m.safetensors", tmp_path / "run", ("network.resolution", "32"))
    assert_taken(state, open_model(tmp_path / "m.safetensors"), 16)  # of a loss that nothing is known of
    assert [config.network.width(size) for size in (4, 8, 16, 32)] == [10, 8, 6, 3]
    assert config.network.variant == replace(variant, widths=config.network.variant.widths)


@pytest.mark.parametrize("reached", [{"resolution": 16, "alpha": 0.5}, {"resolution": 8}])
def test_a_network_of_another_kind_keeps_the_widths_that_it_has_not_reached_yet(big_set, tmp_path, reached):
    G, D = make_nets(make_spec(variant=Variant(widths=per(6, {4: 10, 8: 8}))), torch.float32)
    save_model(tmp_path / "m.safetensors", {"G_ema": G, "D": D}, training=reached)
    config, state, _ = prepared(big_set, tmp_path / "m.safetensors", tmp_path / "run", ("network.resolution", "32"))
    assert [config.network.width(size) for size in (4, 8, 16, 32)] == [10, 8, 6, 3]
    assert_taken(state, open_model(tmp_path / "m.safetensors"), 8)


@pytest.mark.parametrize("named", [(), (("network.channels", "3"),)])
def test_a_frozen_d_is_not_shown_other_channels(grey_set, colour_set, tiny_run, tmp_path, named):
    G, D = make_nets(make_spec(channels=1), torch.float32)
    save_model(tmp_path / "m.safetensors", {"G_ema": G, "D": D}, training={})
    freeze = ("start.freeze_d", "1")
    with pytest.raises(ConfigError, match=r"freezes D's fromRGB, trained on 1 channel: .* the 3 of these pictures"):
        prepared(colour_set, tmp_path / "m.safetensors", tmp_path / "run", freeze, *named)
    prepared(grey_set, tmp_path / "m.safetensors", tmp_path / "run", freeze)
    prepared(grey_set, tiny_run, tmp_path / "run", freeze)  # grey is three equal colours, which it knows


def test_photographs_of_mixed_sizes_stay_the_runs_own(tiny_run, tmp_path, capsys):
    """Most are smaller than the run: by what most reach they would be another set."""
    photos = save_discs(tmp_path / "photos", 24, sizes=((16, 16),))
    save_discs(photos / "large", 12, sizes=((32, 32),))
    words = [*TINY, *QUIET, "--from", str(tiny_run), "--resolution", "32"]
    words += ["--set", "schedule.transition_kimg=0.032", "--set", "schedule.training_kimg=0.032"]
    run = str(tmp_path / "run")
    assert main(["train", "--data", str(photos), "--out", run, *words, "--kimg", "0.096"]) == 0
    assert main(["train", "--out", run, "--kimg", "0.128"]) == 0, capsys.readouterr().err
    measured = ["evaluate", run, "--data", str(photos), "--metrics", "swd8", "--out", str(tmp_path / "found.jsonl")]
    assert main(measured) == 0, capsys.readouterr().err


def test_the_loss_is_the_models_own_unless_a_preset_is_named(colour_set, tmp_path):
    G, D = make_nets(make_spec(), torch.float32)
    for settings, known in (
        ({"loss_settings": {"name": "logistic", "label_weight": 3}}, 3.0),
        ({"loss": "lsgan"}, 1.0),
    ):
        save_model(tmp_path / "m.safetensors", {"G_ema": G, "D": D}, training=settings)
        config, _, _ = prepared(colour_set, tmp_path / "m.safetensors", tmp_path / "run", preset=None)
        assert (config.preset, config.loss.label_weight) == ("transfer", known)
        assert config.loss.name == ("logistic" if known == 3 else "lsgan")
    config, _, _ = prepared(colour_set, tmp_path / "m.safetensors", tmp_path / "run", preset="laptop")
    assert config.loss.name == "wgan_gp"


# Pictures of another kind


def test_grey_pictures(grey_set, tiny_run, tmp_path):
    config, state, said = prepared(grey_set, tiny_run, tmp_path / "run")
    assert config.network.channels == 1
    assert "toRGB and fromRGB adapted from 3 to 1 channels" in said[0]
    G = open_model(find(tiny_run)).network("G")
    z = torch.randn(4, G.spec.z_size)
    torch.testing.assert_close(state.G(z), G(z).mean(1, keepdim=True))


def test_classes_are_known_by_their_names(labelled_run, tmp_path):
    for name, colour in (("white", (255, 255, 255)), ("blue", (0, 0, 99)), ("red", (255, 0, 0))):
        save_discs(tmp_path / "pictures" / name, 8, colour)
    build(tmp_path / "pictures", tmp_path / "set.zip", labels="folders")
    _, state, said = prepared(tmp_path / "set.zip", labelled_run, tmp_path / "run")
    file = open_model(find(labelled_run))
    assert file.training["class_names"] == ["green", "red", "white"]
    z = torch.randn(4, state.spec.z_size)
    for new, old in ((1, 1), (2, 2)):  # red, white of blue, red, white
        now, before = (net(z, torch.full((4,), k)) for net, k in ((state.G, new), (file.network("G"), old)))
        torch.testing.assert_close(now, before)
    assert not state.D.stage(4).dense1.weight[1].any()
    assert "2 of 3 labels are among its 3" in said[0]


def test_labels_that_come_or_go(labelled_set, colour_set, labelled_run, tiny_run, tmp_path):
    config, _, said = prepared(labelled_set, tiny_run, tmp_path / "run")
    assert config.network.num_labels == 3 and "0 of 3 labels are among its 0" in said[0]
    config, _, said = prepared(colour_set, labelled_run, tmp_path / "run")
    assert config.network.num_labels == 0 and "no labels, instead of its 3" in said[0]


# Refusals


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--from", "{no_d}"], "no_d.safetensors holds no D: --from needs a G and its D"),
        (["--from", "{onnx}"], "is an ONNX file, which holds only G"),
        (["--from", "{here}/absent"], "absent: no such file, run folder or shipped model"),
        (["--from", ""], "argument --from: is empty"),
        (["--from", "{model}", "--freeze-d", "3"], "cannot be 3: D has 2 transferred stages above 4x4"),
        (["--from", "{model}", "--resolution", "8", "--freeze-d", "2"], "D has 1 transferred stages above 4x4"),
        (["--from", "{model}", "--freeze-d", "-1"], "--freeze-d (start.freeze_d) cannot be -1"),
        (["--from", "{model}", "--freeze-d", "few"], "--freeze-d should be a whole number, not 'few'"),
        (["--freeze-d", "1"], "needs --from: fresh networks have nothing to freeze"),
        (["--from", "{model}", "--set", "network.fmap_max=4"], "first dense layer has 16 feature maps in it, not 4"),
        (["--from", "{model}", "--set", "network.fmap_max=24"], "not 24; a width must stay, or become a multiple"),
        (["--from", "{model}", "--set", "network.fmap_max=32", "--freeze-d", "1"], "so none can be widened"),
        (["--from", "{model}", "--set", "network.latent_size=4"], "do not fit {model}: its G.4x4.dense.weight is"),
        (["--from", "{model}", "--set", "network.stddev_group=0"], "D.4x4.conv.weight is [16, 17, 3, 3], not [16, 16"),
        (["--from", "{model}", "--set", "start.model=x"], "start.model cannot be set: use --from"),
        (["--from", "{model}", "--preset", "tiny,no-pixelnorm"], "changes the networks, which --from takes from"),
        (["--from", "{model}", "--set", "network.channels=1"], "has channels = 3, not 1"),
    ],
)  # fmt: skip
def test_refusals(colour_set, tiny_run, tmp_path, capsys, words, message):
    model = open_model(find(tiny_run))
    save_model(tmp_path / "no_d.safetensors", {"G_ema": model.network("G_ema")}, training={})
    (tmp_path / "g.onnx").write_bytes(b"")
    places = {"model": model.path, "no_d": tmp_path / "no_d.safetensors", "onnx": tmp_path / "g.onnx", "here": tmp_path}
    out, before = tmp_path / "run", sorted(tmp_path.iterdir())
    try:
        status = main(
            ["train", "--data", str(colour_set), "--out", str(out), *SHORT, *(w.format(**places) for w in words)]
        )
    except SystemExit as left:
        status = left.code
    said = capsys.readouterr().err
    assert status == 2 and message.format(**places) in said and "Traceback" not in said
    assert sorted(tmp_path.iterdir()) == before


# Going on


def train(data: Path, out: Path, *words: object) -> None:
    assert main(["train", "--data", str(data), "--out", str(out), *map(str, words)]) == 0


def test_a_run_says_where_it_comes_from_and_needs_the_model_no_more(colour_set, tiny_run, tmp_path, capsys):
    source = shutil.copytree(tiny_run, tmp_path / "source")
    run, words = tmp_path / "run", [*TINY, *QUIET, "--from", source, "--freeze-d", "1", "--kimg", "0.064"]
    train(colour_set, run, *words)
    config = json.loads((run / "config.json").read_text())
    content_hash = open_model(find(source)).hash
    wanted = {"model": str(source), "content_hash": content_hash, "license": "", "resolution": 16, "freeze_d": 1}
    assert config["start"] == wanted
    file = open_model(find(run))
    assert file.training["parent"] == {"model": "source", "sha256": content_hash}
    assert file.training["loss_settings"]["name"] == "wgan_gp" and file.training["nimg"] == 64
    held = {key: value for key, value in tensors(file, "D").items() if key.startswith("16x16")}
    assert all(torch.equal(value, tensors(open_model(find(source)), "D")[key]) for key, value in held.items())

    def go_on(*more: object) -> tuple[int, str]:
        capsys.readouterr()
        return main(["train", "--out", str(run), *map(str, more)]), capsys.readouterr().err

    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    other = shutil.copy(find(tiny_run).with_name("stage-0008x0008.safetensors"), tmp_path / "other.safetensors")
    for more, message in (
        (("--from", other), f"this run was started from {source}, not {other}"),
        (("--freeze-d", "0"), "this run was started with start.freeze_d = 1, not 0"),
        (("--set", "start.resolution=8"), "this run was started with start.resolution = 16, not 8"),
    ):
        status, said = go_on(*more)
        assert status == 2 and message in said
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before

    same = shutil.copy(find(source), tmp_path / "same.safetensors")
    assert go_on("--from", same, "--kimg", "0.08")[0] == 0  # under another name
    for model in (source / "models").iterdir():
        shutil.copy(other, model)
    status, said = go_on(*words, "--kimg", "0.096")
    assert status == 0 and "source is no longer the model this run was started from" in said
    shutil.rmtree(source)
    status, said = go_on(*words, "--kimg", "0.112")
    assert status == 0 and str(source) not in said
    assert go_on("--kimg", "0.128")[0] == 0


def test_a_run_of_nothing_takes_no_model_later(colour_set, tiny_run, tmp_path):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    with pytest.raises(RunError, match=r"was started from scratch, not from .*"):
        job.prepare(replace(request(None, run, preset=None), start=str(tiny_run)))


def test_a_run_that_was_killed_before_its_first_state_starts_from_the_model_after_all(colour_set, tiny_run, tmp_path):
    source = shutil.copy(find(tiny_run), tmp_path / "model.safetensors")
    words = [*TINY, *QUIET, "--kimg", "0.064"]
    for run in ("whole", "killed"):
        train(colour_set, tmp_path / run, *words, "--from", source)
    killed = tmp_path / "killed"
    wanted = open_model(find(tmp_path / "whole"))

    def forget() -> None:
        for path in (*(killed / "state").iterdir(), *(killed / "models").iterdir(), killed / "log.jsonl"):
            path.unlink()

    forget()
    assert main(["train", "--out", str(killed)]) == 0
    for network in ("G_ema", "G", "D"):
        for key, value in tensors(open_model(find(killed)), network).items():
            assert torch.equal(value, tensors(wanted, network)[key])
    forget()
    shutil.copy(find(tiny_run).with_name("stage-0008x0008.safetensors"), source)
    with pytest.raises(UserError, match="has changed since this run was started from it"):
        done = job.prepare(request(None, killed, preset=None))
        with done.dataset:
            job.train(done)


@pytest.mark.slow
def test_two_processes_start_as_one(big_set, tiny_run, tmp_path):
    """Through a fade to a new stage, with a stage that stands still: the processes hold the same, as one alone does."""
    stages = [word for name in ("training", "transition") for word in ("--set", f"schedule.{name}_kimg=0.032")]
    words = [*TINY, *QUIET, "--from", tiny_run, "--freeze-d", "1", *stages, "--kimg", "0.096", "--resolution", "32"]
    words += ["--precision", "float64"]
    train(big_set, tmp_path / "one", *words)
    command = ["-m", "growgan", "train", "--data", big_set, "--out", tmp_path / "two", *words]
    processes = sharing.launch(list(map(str, command)), 2)
    said = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert said[0].count("starts from") == 1 and said[1] == ""
    one, two = (open_model(find(tmp_path / name)) for name in ("one", "two"))
    for network in ("G_ema", "G", "D"):
        for key, value in tensors(one, network).items():
            torch.testing.assert_close(tensors(two, network)[key], value, rtol=1e-6, atol=1e-6)
    configs = [json.loads((tmp_path / name / "config.json").read_text()) for name in ("one", "two")]
    assert configs[0] == configs[1]


def test_the_model_card_names_the_parent(colour_set, tiny_run, tmp_path):
    from growgan.sharing.card import to_markdown

    train(colour_set, tmp_path / "run", *TINY, *QUIET, "--from", tiny_run, "--kimg", "0.016")
    file = open_model(find(tmp_path / "run"))
    text = to_markdown(file, "hf://me/discs", {}, {}, "samples.png")
    assert f"| started from | run, SHA-256 `{open_model(find(tiny_run)).hash}` |" in text


def test_the_licence_of_the_parent_goes_on_into_the_child(colour_set, tiny_run, tmp_path, capsys):
    from growgan.sharing.card import to_markdown

    parent = tmp_path / "parent.safetensors"
    assert main(["export", str(tiny_run), str(parent), "--license", "cc-by-nc-4.0"]) == 0
    train(colour_set, tmp_path / "run", *TINY, *QUIET, "--from", parent, "--kimg", "0.016")
    assert "model licence: cc-by-nc-4.0" in capsys.readouterr().err
    file = open_model(find(tmp_path / "run"))
    assert file.training["parent"]["license"] == "cc-by-nc-4.0"
    text = to_markdown(file, "hf://me/discs", {"license": "mit"}, {}, "samples.png")
    assert "mit\n\nIt started from parent.safetensors, licensed: cc-by-nc-4.0." in text
    train(colour_set, tmp_path / "grandchild", *TINY, *QUIET, "--from", tmp_path / "run", "--kimg", "0.016")
    assert "model licence: cc-by-nc-4.0" in capsys.readouterr().err
    assert open_model(find(tmp_path / "grandchild")).training["parent"]["license"] == "cc-by-nc-4.0"


def test_config_of_a_run_that_says_nothing_of_a_start():
    assert from_json(RunConfig, {"preset": "tiny"}).start.model == ""


def test_d_of_another_file_is_no_d_at_all(tiny_run, tmp_path):
    D = open_model(find(tiny_run)).network("D")
    assert isinstance(D, Discriminator)
    save_model(tmp_path / "d.safetensors", {"D": D}, training={})
    with pytest.raises(ModelError, match="holds no G"):
        start.open_pair(str(tmp_path / "d.safetensors"))
    with pytest.raises(ConfigError, match=r"start.resolution must be a power of two"):
        from_json(RunConfig, {"start": {"resolution": 12}})
