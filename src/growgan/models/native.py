"""The model file: one .safetensors with the networks' tensors, and their description in its header.

Tensors are named by network, stage and layer, such as ``G_ema.8x8.conv0.weight``; for the header see `description`.
Reading runs no code from the file.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from growgan.core.errors import ModelError
from growgan.core.files import whole
from growgan.core.geometry import LOWEST
from growgan.models.description import DescribedFile, read_metadata, stamp_of, to_metadata, unreadable
from growgan.networks.discriminator import Discriminator
from growgan.networks.generator import Generator

NETWORKS: dict[str, type[Generator] | type[Discriminator]] = {
    "G_ema": Generator,
    "G": Generator,
    "D": Discriminator,
}
TRUNCATION = "truncation.mean"


class ModelFile(DescribedFile):
    """An open model file: its description, and its tensors on demand."""

    def has(self, network: str) -> bool:
        """Whether the file holds this network."""
        with self._opened() as file:
            return any(name.startswith(f"{network}.") for name in file.keys())  # noqa: SIM118

    def network(self, name: str) -> Generator | Discriminator:
        """G_ema, G or D, in float32 on the CPU.

        Raises `ModelError` naming the tensor that is missing, has the wrong shape, or is unexpected.
        """
        try:
            with torch.device("meta"):  # so that false sizes in a description cost no memory
                network = NETWORKS[name](self.spec)
        except (ArithmeticError, RuntimeError, TypeError) as error:
            raise ModelError(f"the description in {self.path} is of an impossibly large network") from error
        network.resolution, network.alpha = self.resolution, self.alpha
        _fill(network, self._tensors(name), f"{self.path}: {name}")
        return network.eval().requires_grad_(False)

    def generator(self) -> Generator:
        """The averaged generator, or the plain one if the file has no other."""
        network = self.network("G_ema" if self.has("G_ema") or not self.has("G") else "G")
        assert isinstance(network, Generator)
        return network

    def truncation_mean(self) -> Tensor | None:
        """Mean of the first layer's output, [1 or K, width, 4, 4], if the file holds it."""
        with self._opened() as file:
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
        with self._opened() as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
            # Copied: kernels sum in a different order where memory is not aligned, as within a file.
            return {name.removeprefix(prefix): file.get_tensor(name).to(torch.float32, copy=True) for name in names}

    def _opened(self) -> Any:
        """The file as it is now. Raises `Changed` if it has been replaced."""
        opened = _opened(self.path)
        self.check_same(_stat(self.path))  # after opening: a replacement from now on does not matter
        return opened


def open_model(path: Path) -> ModelFile:
    """Open a model file. Raises `ModelError` with one line if it is not one, is truncated, or is too new."""
    stamp = stamp_of(_stat(path))
    with _opened(path) as file:
        metadata = file.metadata() or {}
    return ModelFile(path, **read_metadata(path, metadata), stamp=stamp)


def save_model(
    path: str | Path,
    networks: dict[str, Generator | Discriminator],
    *,
    training: dict[str, Any],
    measures: dict[str, Any] | None = None,
    card: dict[str, Any] | None = None,
    truncation_mean: Tensor | None = None,
    half: bool = False,
) -> None:
    """Write a model file, whole or not at all.

    networks: some or all of G_ema, G and D, by these names. half: weights in float16, for sharing. Raises `ModelError`
    for other names, and `RunError` if the file cannot be written.
    """
    if unknown := networks.keys() - set(NETWORKS):
        raise ModelError(f"a model file holds {', '.join(NETWORKS)}, not {', '.join(sorted(unknown))}")
    dtype = torch.float16 if half else torch.float32
    tensors = {
        f"{name}.{key}": value.detach().to("cpu", dtype).contiguous()
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }
    if truncation_mean is not None:
        tensors[TRUNCATION] = truncation_mean.detach().to("cpu", dtype).contiguous()
    spec = next(iter(networks.values())).spec
    write_tensors(Path(path), tensors, to_metadata(spec, training, measures, card))


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    """Write a .safetensors file, whole or not at all. Raises `RunError` if it cannot be written."""
    with whole(path) as temporary:
        try:
            temporary.touch()
            permissions = temporary.stat().st_mode
            save_file(tensors, temporary, metadata)
            _sort_metadata(temporary)
            temporary.chmod(permissions)  # the user's own; the library makes the file unreadable for others
        except SafetensorError as error:  # how the library reports a full disk: not as an OSError
            number = re.search(r"\(os error (\d+)\)", str(error))
            if number is None:
                raise OSError(str(error)) from error
            code, windows = int(number[1]), os.name == "nt"  # Windows codes, which Python itself converts to errno
            raise OSError(code, str(error) if windows else os.strerror(code), None, code) from error


def _sort_metadata(path: Path) -> None:
    """Sort the header's metadata, whose order the library leaves to chance, so that equal models have equal bytes."""
    with path.open("rb+") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header.get("__metadata__", {}).items()))
        ordered = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        if len(ordered) <= length:
            file.seek(8)
            file.write(ordered.ljust(length))


def _stat(path: Path) -> os.stat_result:
    if not path.is_file():
        raise ModelError(f"no such model file: {path}")
    return path.stat()


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise unreadable(path, error) from error


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
        raise ModelError(f"{where} has an unexpected tensor {surplus[0]}")
    network.load_state_dict(tensors, assign=True)
