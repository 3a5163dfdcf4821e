"""A model within somebody else's program: what it gets and gives, and what it leaves alone."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import growgan
from growgan.models.description import Changed
from growgan.models.native import ModelFile, open_model
from growgan.sampling import model as sampling_model
from growgan.sampling import walks
from growgan.sampling.model import Model, load
from growgan.sampling.walks import Walk

MakeModel = Callable[..., Model]
NAMES = {"training": {"class_names": ["cat", "dog", "owl"]}}


@pytest.mark.parametrize("fields", [{}, {"num_labels": 3}, {"num_labels": 2, "multi_label": True}])
def test_what_seeds_stand_for_is_rendered_as_their_pictures(make_model: MakeModel, fields: dict[str, Any]) -> None:
    model = make_model(**fields)
    seeds = [9, 2, 2, 700]
    z, labels = model.draw(seeds)
    wanted = np.concatenate([model.sample(1, seed=seed, kind="numpy", truncation=0.7, batch=4) for seed in seeds])
    found = model.render(z.astype(np.float64), labels, truncation=0.7, batch=4, kind="numpy")
    assert np.abs(found.astype(int) - wanted).max() <= 1 and wanted.std() > 5
    assert [p.size for p in model.render(z, labels)] == [(16, 16)] * 4
    assert model.render(z[:0], None if labels is None else labels[:0], kind="tensor").shape == (0, 3, 16, 16)


@pytest.mark.parametrize("fields", [{}, {"num_labels": 3}])
def test_latents_and_labels_may_be_tensors_and_lists(make_model: MakeModel, fields: dict[str, Any]) -> None:
    model = make_model(**fields)
    z, labels = model.draw([1, 2])
    wanted = model.render(z, labels, kind="numpy")
    as_tensors = torch.from_numpy(z).requires_grad_(), None if labels is None else torch.from_numpy(labels)
    as_lists = z.tolist(), None if labels is None else labels.tolist()
    for these in (as_tensors, as_lists):
        assert np.array_equal(model.render(*these, kind="numpy"), wanted)
    assert model.render(as_tensors[0].bfloat16(), as_tensors[1], kind="numpy").shape == wanted.shape
    with pytest.raises(growgan.ConfigError, match="arrays of numbers"):
        model.render([[1.0, 2.0], [3.0]])


def test_mixtures_of_classes_are_rendered(make_model: MakeModel) -> None:
    model = make_model(num_labels=3)
    z, labels = model.draw([4, 4, 4], label=np.array([0, 0.5, 0.5]))
    assert labels is not None and labels.dtype == np.float32
    mixed, pure, other = model.render(z, np.array([[0, 0.5, 0.5], [0, 1, 0], [0, 0, 1]]), kind="numpy").astype(int)
    assert np.abs(mixed - pure).max() > 2 and np.abs(mixed - other).max() > 2


@pytest.mark.parametrize(
    ("fields", "z", "labels", "said"),
    [
        ({}, (2, 5), None, "this model's latents are 6 numbers each, not 5"),
        ({}, (6,), None, r"this model's latents are \[N, 6\], not \[6\]"),
        ({}, (2, 6), [0, 0], "this model has no classes"),
        ({"num_labels": 3}, (2, 6), None, "take labels: 0 to 2"),
        ({"num_labels": 3}, (2, 6), [-1, 0], "take labels: 0 to 2"),
        ({"num_labels": 3}, (2, 6), [0, 3], "take labels: 0 to 2"),
        ({"num_labels": 3}, (2, 6), [0], "take labels: 0 to 2"),
        ({"num_labels": 3}, (2, 6), [0.0, 1.0], r"or numbers \[2, 3\]"),
        ({"num_labels": 2, "multi_label": True}, (2, 6), [0, 2], r"0 to 1 \[2\], or numbers \[2, 2\]"),
        ({"num_labels": 2}, (2, 6), [[1, 0], [1, 1]], "a mixture of 2 classes is 2 weights that add up to 1"),
        ({"num_labels": 2, "multi_label": True}, (1, 6), [[1, np.inf]], "labels must be finite"),
    ],
)
def test_what_cannot_be_rendered(
    make_model: MakeModel, fields: dict[str, Any], z: tuple[int, ...], labels: list[float] | None, said: str
) -> None:
    with pytest.raises(growgan.ConfigError, match=said):
        make_model(**fields).render(np.zeros(z), np.array(labels) if labels is not None else None)


def test_a_name_is_a_class_wherever_seeds_are_taken(make_model: MakeModel) -> None:
    model = make_model(num_labels=3, **NAMES)
    by_number = model.sample(2, label=1, kind="numpy")
    for label in ("dog", np.int64(1), np.array(1), torch.tensor(1)):
        assert np.array_equal(model.sample(2, label=label, kind="numpy"), by_number)
        assert model.labels([5, 6], label=label) == ["dog", "dog"]
        (pixels,) = model.batches([0, 1], label=label)
        assert np.array_equal(pixels.transpose(0, 2, 3, 1), by_number)


def test_films_that_a_model_cannot_make(make_model: MakeModel) -> None:
    plain, classes = make_model().spec, make_model(num_labels=3)
    walk = walks.still([1, 2], classes.spec, {})
    for wrong in (Walk(walk.z, None), Walk(walk.z, walk.labels + 3), Walk(walk.z[..., :4], walk.labels)):
        with pytest.raises(growgan.ConfigError, match="this model"):
            classes.frames(wrong)
    for wish in ({"columns": 0}, {"first": -1}):
        with pytest.raises(growgan.ConfigError, match="at least one column"):
            classes.frames(walk, **wish)
    with pytest.raises(growgan.ConfigError, match="no classes"):
        walk.check(plain)
    with pytest.raises(growgan.ConfigError, match="sigma"):
        walks.smooth(4, 1, plain, {}, sigma=-3)
    with pytest.raises(growgan.ConfigError, match="at least one seed"):
        walks.still([], plain, {})


def test_errors_have_public_names() -> None:
    for name in ("ConfigError", "DataError", "ModelError", "OutOfMemory", "RunError"):
        assert issubclass(getattr(growgan, name), growgan.UserError)
    with pytest.raises(growgan.ModelError, match="no such file, run folder or shipped model"):
        growgan.load("nowhere")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"precision": "bf16"}, "precision must be auto, float32 or bfloat16, not 'bf16'"),
        ({"precision": "float64"}, "precision must be auto, float32 or bfloat16, not 'float64'"),
        ({"device": "gpu"}, "unknown device 'gpu'"),
    ],
)
def test_what_is_not_there_is_refused(make_model: MakeModel, wish: dict[str, Any], said: str) -> None:
    with pytest.raises(growgan.ConfigError, match=said):
        load(make_model().file.path, **wish)


def test_the_hosts_settings_change_nothing(make_model: MakeModel) -> None:
    model = make_model(num_labels=3)
    wanted, path = model.sample(3, truncation=0.5, kind="numpy"), model.file.path
    with torch.autocast("cpu", torch.bfloat16):
        assert np.array_equal(model.sample(3, truncation=0.5, kind="numpy"), wanted)
    with torch.inference_mode():
        inside = load(path)
    z = torch.zeros(1, 6, dtype=torch.float64).normal_().requires_grad_()
    inside(z, torch.tensor([1])).sum().backward()  # weights made in inference mode could not be used for this
    assert z.grad is not None and z.grad.abs().sum() > 0
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    try:
        assert np.array_equal(load(path).sample(3, truncation=0.5, kind="numpy"), wanted)
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_default_device(None)


def test_a_host_without_a_home_may_load_a_model(make_model: MakeModel) -> None:
    """As in a container whose user has no name: `Path.home` raises there."""
    path = make_model().file.path
    script = (
        "import pathlib, sys\n"
        "def none(*_): raise RuntimeError('Could not determine home directory.')\n"
        "pathlib.Path.home = classmethod(none)\n"
        "import threading, growgan\n"
        "growgan.load(sys.argv[1]).sample(1)\n"
        "print([thread.name for thread in threading.enumerate()])\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("GROWGAN_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA")}
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "['MainThread']\n", done.stderr  # and nothing looks after the host's memory


def test_a_file_that_is_written_anew_is_another_one(make_model: MakeModel) -> None:
    model = make_model()
    known = model.file.hash
    opened = open_model(model.file.path)
    make_model(fmap_max=4)
    assert model.file.hash == known
    for use in (ModelFile.generator, ModelFile.truncation_mean, lambda file: file.has("D"), lambda file: file.hash):
        with pytest.raises(Changed, match="has changed since it was opened"):
            use(opened)


def test_a_model_that_is_written_anew_while_it_is_loaded_is_one_of_both(
    make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_model(training={"nimg": 1}).file.path
    first = path.read_bytes()
    make_model(training={"nimg": 2}, fmap_max=4)
    second = path.read_bytes()
    path.write_bytes(first)
    waiting = [second]

    def swapping(path: Path) -> ModelFile:
        file = open_model(path)
        if waiting:
            (tmp_path / "new").write_bytes(waiting.pop())
            (tmp_path / "new").replace(path)
        return file

    monkeypatch.setattr(sampling_model, "open_any", swapping)
    model = load(path)
    assert model.file.training["nimg"] == 2 and model.spec.fmap_max == 4 and model.sample(1)
