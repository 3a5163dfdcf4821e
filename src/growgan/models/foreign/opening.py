"""Opens any model file, ours or another program's, telling them apart by their content."""

from __future__ import annotations

import mmap
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from growgan.core.errors import ModelError
from growgan.core.text import counted
from growgan.models.foreign import gan_zoo, mmgen, names, pickled, pro_gan_pth, release, theano, torchfile
from growgan.models.foreign.kinds import LEGACY, PICKLES, ZIP, is_foreign
from growgan.models.foreign.layout import Imported
from growgan.models.foreign.machine import Machine, Refused
from growgan.models.inspect import Inspected, inspected
from growgan.models.native import ModelFile, open_model

DAMAGE = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, MemoryError, NotImplementedError),
    *(RecursionError, RuntimeError, TypeError, ValueError, struct.error, zipfile.BadZipFile, zipfile.LargeZipFile),
)
"""Unforeseen errors from reading a damaged file; none of them comes from running the file."""


@dataclass(frozen=True)
class ImportedFile(ModelFile):
    """A model file of another program: networks in our layout, held in memory."""

    states: dict[str, dict[str, Tensor]] = field(default_factory=dict, repr=False)
    origin: str = ""
    remarks: tuple[str, ...] = ()
    """Messages for the user, such as why D was left out."""

    def has(self, network: str) -> bool:
        """Whether the file holds this network."""
        return network in self.states

    def truncation_mean(self) -> Tensor | None:
        """None: no other program stores it."""
        return None

    def inspect(self) -> Inspected:
        """Its layers, as in a model file of ours."""
        shapes = {
            f"{net}.{key}": list(value.shape) for net, state in self.states.items() for key, value in state.items()
        }
        return inspected(self, shapes, ["F32"])

    def _tensors(self, network: str) -> dict[str, Tensor]:
        return self.states.get(network, {})


def open_any(path: Path) -> ModelFile:
    """Open a model file of growgan or of another program. Raises `ModelError` with one line if it is neither."""
    return open_foreign(path) if is_foreign(path) else open_model(path)


def open_foreign(path: Path, swap_colours: bool = False) -> ImportedFile:
    """Open a model file of another program. swap_colours: convert BGR to RGB.

    Nothing in the file is run. Raises `ModelError` with one line if it is damaged, unknown, or not supported.
    """
    if not path.is_file():
        raise ModelError(f"no such model file: {path}")
    try:
        found = _read(path)
        if swap_colours:
            _swap_colours(found)
    except Refused as error:
        raise ModelError(f"{path} cannot be imported: {error}") from error
    except DAMAGE as error:
        said = " ".join(str(error).split())[:100]
        raise ModelError(f"{path} cannot be imported: it is damaged ({type(error).__name__}: {said})") from error
    card = {"imported": {"origin": found.origin, "file": path.name, "remarks": found.remarks}}
    return ImportedFile(
        path, found.spec, found.training, {}, card, states=found.states, origin=found.origin, remarks=(*found.remarks,)
    )


def _read(path: Path) -> Imported:
    with path.open("rb") as file:
        if not path.stat().st_size:
            raise Refused("it is empty")
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if whole[:4] == ZIP or LEGACY.match(whole):
        content = torchfile.read_zip(whole) if whole[:4] == ZIP else torchfile.read_legacy(memoryview(whole))
        readers: dict[Callable[[Any], bool], Callable[[Any], Imported]] = {
            gan_zoo.matches: gan_zoo.read,
            pro_gan_pth.matches: lambda content: pro_gan_pth.read(content, path.name),
            mmgen.matches: mmgen.read,
        }
        known = "pytorch_GAN_zoo, pro-gan-pth 3, mmgeneration or MMagic"
    elif whole[:1] in PICKLES:
        machine = Machine(memoryview(whole), names.find)
        content = pickled.run(machine)
        if machine.position < len(whole):
            raise Refused("it has data after its end")
        readers = {release.matches: release.read, theano.matches: theano.read}
        known = "the authors' releases"
    else:
        raise Refused("it is not of a supported kind; see docs/importing.md")
    for matches, read in readers.items():
        if matches(content):
            return read(content)
    raise Refused(f"it holds no progressive GAN from {known}")


def _swap_colours(found: Imported) -> None:
    if found.spec.channels != 3:
        raise Refused(f"its pictures have {counted(found.spec.channels, 'channel')}: no colours to swap")
    for state in found.states.values():
        for name, value in state.items():
            if ".torgb." in name:
                state[name] = value.flip(0).contiguous()
            elif name.endswith(".fromrgb.weight"):
                state[name] = value.flip(1).contiguous()
