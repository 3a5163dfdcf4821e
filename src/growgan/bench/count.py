"""What a piece of work actually does: its operations, the bytes that they read and write, their multiply-adds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry


@dataclass(frozen=True, slots=True)
class Counts:
    """Sums over the operations of a piece of work."""

    operations: int
    """Operations that compute something: on a GPU about as many launches."""
    bytes: float
    """Bytes of the tensors that each operation reads and writes, once each: its least possible traffic."""
    flops: float
    """Operations of convolutions and products (multiply-adds times two) as performed, by whatever algorithm."""


def count(work: Callable[[], object]) -> Counts:
    """Do `work` once and count."""
    counter = _Counter()
    with counter:
        work()
    return Counts(counter.operations, counter.bytes, counter.flops)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations, self.bytes, self.flops = 0, 0.0, 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if not _only_looks(func):
            self.operations += 1
            self.bytes += sum(_traffic(tensor) for tensor in _tensors((args, kwargs)))
            # A tensor changed in place is both argument and result: read and written.
            self.bytes += sum(_traffic(tensor) for tensor in _tensors(out))
            formula = flop_registry.get(func._overloadpacket)
            if formula is not None:
                self.flops += formula(*args, **kwargs, out_val=out)
        return out


def _only_looks(func: Any) -> bool:
    """Whether an operation returns a view of its argument, or memory that it does not write to."""
    if func._overloadpacket.__name__.startswith(("empty", "new_empty", "detach")):
        return True
    aliases = [value.alias_info for value in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)


def _tensors(tree: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor))


def _traffic(tensor: Tensor) -> int:
    """Bytes that a tensor occupies in memory: an expanded one only has those of the tensor it was expanded from."""
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())
