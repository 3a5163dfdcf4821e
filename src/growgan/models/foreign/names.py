"""The names that pickled networks may use, and what each resolves to. Nothing here imports, opens or runs anything.

A name that is not listed is refused. Classes of the programs that networks come from are read as `Thing`s: their
constructor arguments and their state, as data.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from growgan.models.foreign import arrays
from growgan.models.foreign.machine import Name, Refused, Thing

OF_PROGRAMS = re.compile(
    r"tfutil\.Network"
    r"|network\.Network"
    r"|(\w+\.)*utils\.config\.BaseConfig"
    r"|(mmengine|mmcv|mmgen|mmagic|addict)(\.\w+)+"
    r"|(pathlib(\._local)?|datetime|numpy\.dtypes)\.\w+"
    r"|(argparse\.Namespace|types\.SimpleNamespace|collections\.deque)",
    re.ASCII,
)
"""Classes of the programs (the two releases, pytorch_GAN_zoo, OpenMMLab), and of what they store alongside networks."""


def find(module: str, name: str) -> Name:
    """What a module and a name resolve to. Raises `Refused` for names that no genuine file uses."""
    path = f"{MOVED.get(module, module)}.{name}"
    if path in KNOWN:
        return Name(path, KNOWN[path])
    if OF_PROGRAMS.fullmatch(path):
        return Name(path, lambda *arguments: Thing(path, arguments))
    shown = path if path.isprintable() else ascii(path)
    raise Refused(f"it asks for {shown[:100]}, which no genuine file does; nothing in it was run")


MOVED = {
    "copy_reg": "copyreg",
    "__builtin__": "builtins",
    "numpy.core.multiarray": "numpy._core.multiarray",
    "numpy.core.numeric": "numpy._core.numeric",
}
"""Current names of renamed modules, by former name."""


def _reconstructed(kind: Any, base: Any = None, state: Any = None) -> Any:
    """`copyreg._reconstructor`: an object of a class, as protocols 0 and 1 create it."""
    if not isinstance(kind, Name) or not isinstance(base, Name):
        raise Refused("it makes an object without a class")
    return kind.call(())


def _attribute(owner: Any, name: Any) -> Name:
    """`getattr` on a program's class: the attribute, known by name only."""
    if not isinstance(owner, Name) or not isinstance(name, str) or not OF_PROGRAMS.fullmatch(owner.path):
        raise Refused("it asks for an attribute of an unknown class")
    return Name(f"{owner.path}.{name}")


def _dictionary(pairs: Any = ()) -> dict[Any, Any]:
    """`OrderedDict`: empty, or from the pairs that Python 2 passes."""
    if not isinstance(pairs, list | tuple) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
        raise Refused("it makes a dictionary from something other than pairs")
    if not all(key is None or isinstance(key, str | int | float | bytes) for key, _ in pairs):
        raise Refused("it has a dictionary whose keys are neither text nor numbers")
    return dict(pairs)


KNOWN: dict[str, Callable[..., Any] | None] = {
    "builtins.object": None,
    "builtins.dict": None,
    "builtins.list": None,
    "builtins.int": None,
    "builtins.float": None,
    "builtins.bytes": lambda *nothing: arrays.encode("") if not nothing else arrays.encode(None),
    "builtins.bytearray": lambda raw=b"", *_: raw,
    "builtins.set": lambda values=(): list(values) if isinstance(values, list | tuple) else [],
    "builtins.frozenset": lambda values=(): tuple(values) if isinstance(values, list | tuple) else (),
    "builtins.getattr": _attribute,
    "copyreg._reconstructor": _reconstructed,
    "collections.OrderedDict": _dictionary,
    "collections.defaultdict": lambda *_: {},
    "_codecs.encode": arrays.encode,
    "numpy.ndarray": None,
    "numpy.dtype": arrays.make_type,
    "numpy._core.multiarray._reconstruct": lambda *_: arrays.Array(),
    "numpy._core.multiarray.scalar": arrays.make_scalar,
    "numpy._core.numeric._frombuffer": arrays.from_buffer,
}
"""Names of Python and NumPy; None for a class that is named but never called."""
