"""The model file: one .safetensors with the networks' tensors, and what they are in its header.

Tensors are named by network, stage and layer, as ``G_ema.8x8.conv0.weight``. Metadata: ``growgan.format``, ``.spec``,
``.training``, ``.measures`` and ``.card``, JSON each. Reading runs no code from the file.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from growgan.core.config import NetworkSpec
from growgan.core.errors import ConfigError, ModelError
from growgan.core.fields import from_json, to_json
from growgan.core.files import whole
from growgan.core.geometry import LOWEST, is_size
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator

FORMAT = "1"
NETWORKS: dict[str, type[Generator] | type[Discriminator]] = {
    "G_ema": Generator,
    "G": Generator,
    "D": Discriminator,
}
TRUNCATION = "truncation.mean"


@dataclass(frozen=True)
class ModelFile:
    """A model file that has been opened: its description, and its tensors when asked for."""

    path: Path
    spec: NetworkSpec
    training: dict[str, Any] = field(default_factory=dict)
    """How far it was trained: nimg, resolution, alpha, the label distribution, and more for the reader."""
    measures: dict[str, Any] = field(default_factory=dict)
    """What was measured, by measure."""
    card: dict[str, Any] = field(default_factory=dict)
    """Licence, data and remarks."""

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the file."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def has(self, network: str) -> bool:
        """Whether the file holds this network."""
        with _opened(self.path) as file:
            return any(name.startswith(f"{network}.") for name in file.keys())  # noqa: SIM118

    def network(self, name: str) -> Generator | Discriminator:
        """G_ema, G or D, in float32 on the CPU.

        Raises `ModelError` that names the tensor which is missing, of a wrong shape, or has no place.
        """
        try:
            with torch.device("meta"):  # so that a description that lies about its sizes costs no memory
                network = NETWORKS[name](self.spec)
        except (ArithmeticError, RuntimeError, TypeError) as error:
            raise ModelError(f"the description in {self.path} is of a network too large for any machine") from error
        network.resolution = int(self.training.get("resolution", self.spec.resolution))
        network.alpha = float(self.training.get("alpha", 1.0))
        _fill(network, self._tensors(name), f"{self.path}: {name}")
        return network.eval().requires_grad_(False)

    def generator(self) -> Generator:
        """The averaged generator, or the plain one of a file that has no other."""
        network = self.network("G_ema" if self.has("G_ema") or not self.has("G") else "G")
        assert isinstance(network, Generator)
        return network

    def truncation_mean(self) -> Tensor | None:
        """Mean of the first layer's output, [1 or K, width, 4, 4], if the file holds it."""
        with _opened(self.path) as file:
            if TRUNCATION not in file.keys():  # noqa: SIM118
                return None
            mean: Tensor = file.get_tensor(TRUNCATION).float()
        rows = 1 if self.spec.multi_label else max(self.spec.num_labels, 1)
        wanted = [rows, self.spec.width(LOWEST), LOWEST, LOWEST]
        if list(mean.shape) != wanted:
            raise ModelError(f"{self.path} has a tensor {TRUNCATION} of shape {list(mean.shape)}, not {wanted}")
        return mean

    def _tensors(self, network: str) -> dict[str, Tensor]:
        prefix = f"{network}."
        with _opened(self.path) as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            return {name.removeprefix(prefix): file.get_tensor(name).float() for name in names}


def open_model(path: Path) -> ModelFile:
    """Open a model file. Raises `ModelError` with one line for what is none, is cut short, or is too new."""
    with _opened(path) as file:
        metadata = file.metadata() or {}
    if "growgan.spec" not in metadata:
        raise ModelError(f"{path} is a .safetensors file, but not a growgan model")
    if metadata.get("growgan.format") != FORMAT:
        raise ModelError(f"{path} has format {metadata.get('growgan.format')!r}; this growgan reads format {FORMAT}")
    try:
        parts = {key: json.loads(metadata.get(f"growgan.{key}", "{}")) for key in ("training", "measures", "card")}
        spec = from_json(NetworkSpec, json.loads(metadata["growgan.spec"]), "spec")
        _check_parts(parts, spec)
    except (ValueError, ConfigError, RecursionError) as error:
        raise ModelError(f"the description in {path} cannot be read: {error}") from error
    return ModelFile(path, spec, **parts)


def save_model(
    path: Path,
    networks: dict[str, Generator | Discriminator],
    *,
    training: dict[str, Any],
    measures: dict[str, Any] | None = None,
    card: dict[str, Any] | None = None,
    truncation_mean: Tensor | None = None,
    half: bool = False,
) -> None:
    """Write a model file, whole or not at all. half: weights in float16, for shipping."""
    dtype = torch.float16 if half else torch.float32
    tensors = {
        f"{name}.{key}": value.detach().to("cpu", dtype).contiguous()
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    if truncation_mean is not None:
        tensors[TRUNCATION] = truncation_mean.detach().to("cpu", dtype).contiguous()
    spec = next(iter(networks.values())).spec
    metadata = {
        "growgan.format": FORMAT,
        "growgan.spec": json.dumps(to_json(spec)),
        "growgan.training": json.dumps(training),
        "growgan.measures": json.dumps(measures or {}),
        "growgan.card": json.dumps(card or {}),
    }
    write_tensors(path, tensors, metadata)


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a .safetensors file, whole or not at all. Raises `RunError` where it cannot be written."""
    with whole(path) as temporary:
        try:
            temporary.touch()
            permissions = temporary.stat().st_mode
            save_file(tensors, temporary, metadata)
            temporary.chmod(permissions)  # the user's own; the library would let nobody else read the file
        except SafetensorError as error:  # what the library makes of a full disk: it is no OSError
            raise OSError(str(error)) from error


def _check_parts(parts: dict[str, Any], spec: NetworkSpec) -> None:
    """Raise ValueError if what the header says beside the spec is not what its readers rely on."""
    for key, part in parts.items():
        if not isinstance(part, dict):
            raise ValueError(f"{key} should be an object of named values")
    training = parts["training"]
    resolution, alpha = training.get("resolution", spec.resolution), training.get("alpha", 1.0)
    if not (isinstance(resolution, int) and is_size(resolution) and resolution <= spec.resolution):
        raise ValueError(f"training.resolution cannot be {resolution!r}")
    if not (isinstance(alpha, int | float) and 0 <= alpha <= 1):
        raise ValueError(f"training.alpha should lie between 0 and 1, not {alpha!r}")
    names, labels = training.get("class_names", []), training.get("labels", {})
    if names and not (_is_list(names, spec.num_labels) and all(isinstance(name, str) for name in names)):
        raise ValueError(f"training.class_names should be {spec.num_labels} names")
    if not isinstance(labels, dict):
        raise ValueError("training.labels should be an object of named values")
    rows = labels.get("rows", [labels["counts"]] if "counts" in labels else [])
    if labels and not (rows and isinstance(rows, list) and all(_is_row(row, spec.num_labels) for row in rows)):
        raise ValueError(f"training.labels should hold {spec.num_labels} numbers, of which none is negative")
    if "counts" in labels and not sum(labels["counts"]) > 0:
        raise ValueError("training.labels counts no picture")


def _is_list(value: Any, length: int) -> bool:
    return isinstance(value, list) and len(value) == length


def _is_row(value: Any, length: int) -> bool:
    return _is_list(value, length) and all(isinstance(v, int | float) and 0 <= v < math.inf for v in value)


def _opened(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(f"there is no model file {path}")
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is not a whole .safetensors file: {error}") from error


def _fill(network: nn.Module, tensors: dict[str, Tensor], where: str) -> None:
    wanted = network.state_dict()
    for name, value in wanted.items():
        if name not in tensors:
            raise ModelError(f"{where} lacks the tensor {name}")
        if tensors[name].shape != value.shape:
            shapes = f"{list(tensors[name].shape)}, not {list(value.shape)}"
            raise ModelError(f"{where} has a tensor {name} of shape {shapes}")
    surplus = sorted(set(tensors) - set(wanted))
    if surplus:
        raise ModelError(f"{where} has a tensor {surplus[0]} that its description has no place for")
    network.load_state_dict(tensors, assign=True)
