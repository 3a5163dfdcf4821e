"""The direction of imports: a layer imports lower layers only, and siblings never each other (docs/architecture.md).

Imports inside functions count as those at the top do, and so do the "module:attribute" texts of the tables. Only in
the command line is a difference made: its modules load at the top what is light, and the rest where it is used.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import growgan

LAYERS: dict[str, int] = {
    "core": 0,
    "augment": 1,
    "data": 1,
    "demo": 1,
    "devices": 1,
    "losses": 1,
    "metrics": 1,
    "networks": 1,
    "models": 2,
    "sampling": 3,
    "editing": 4,
    "training": 4,
    "bench": 5,
    "evaluation": 5,
    "sharing": 6,
    "studio": 5,
    "cli": 7,
    "__main__": 8,
    "__init__": 8,
}
"""Part of the house -> layer; the front door, last, hands on what others have."""

LIGHT = ("core", "cli", "__init__")
"""What a module of the command line may import at its top, beside the standard library."""

ROOT = Path(growgan.__file__).parent
MODULES = sorted(ROOT.rglob("*.py"))
TARGET = re.compile(r"growgan(\.\w+)+:\w+")


def part(module: str) -> str:
    """The part of the house that a dotted name lies in: ``growgan.data.build`` in ``data``."""
    names = module.split(".")
    return names[1] if len(names) > 1 else "__init__"


def home(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere below `tree`, or named in a text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            # `from growgan import devices` imports a module, `from growgan.devices import choose_device` from one.
            package = node.module == "growgan"
            for alias in node.names:
                yield f"growgan.{alias.name}" if package and alias.name in LAYERS else str(node.module)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and TARGET.fullmatch(node.value):
            yield node.value.partition(":")[0]


def at_the_top(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    """What is imported when the module is loaded: not in functions or methods, not for type checkers only."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from at_the_top(node)
            continue
        checked = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if not checked and not isinstance(node, ast.FunctionDef | ast.Expr | ast.Assign | ast.AnnAssign):
            yield from imports(node)


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def faults_of(path: Path, tree: ast.Module) -> list[str]:
    own = home(path)
    return [
        f"{path.relative_to(ROOT)}: {own} (layer {LAYERS[own]}) imports {module} (layer {LAYERS[part(module)]})"
        for module in imports(tree)
        if module.split(".")[0] == "growgan"
        and own != part(module)
        and module != "growgan"  # the version, which is there before anything is imported
        and LAYERS[part(module)] >= LAYERS[own]
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_layers_import_lower_ones_only(path: Path) -> None:
    assert faults_of(path, parse(path)) == []


def test_every_part_has_a_layer_and_every_layer_a_part() -> None:
    assert {home(path) for path in MODULES} == set(LAYERS)


def test_core_needs_the_standard_library_alone() -> None:
    foreign = {
        f"{path.name}: {module}"
        for path in (ROOT / "core").rglob("*.py")
        for module in imports(parse(path))
        if part(module) != "core" and module.split(".")[0] not in sys.stdlib_module_names
    }
    assert foreign == set()


@pytest.mark.parametrize("path", sorted((ROOT / "cli").rglob("*.py")), ids=lambda path: path.name)
def test_commands_load_nothing_heavy_at_the_top(path: Path) -> None:
    heavy = [
        module
        for module in at_the_top(parse(path))
        if not (module.split(".")[0] == "growgan" and part(module) in LIGHT)
        and module.split(".")[0] not in sys.stdlib_module_names
    ]
    assert heavy == []


@pytest.mark.parametrize(
    ("where", "line"),
    [
        ("losses/x.py", "from growgan.networks.layers import leaky"),
        ("networks/x.py", "def f():\n    import growgan.training.step"),
        ("data/x.py", "from growgan import devices"),
        ("models/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from growgan.sampling import model"),
        ("metrics/x.py", "TABLE = {'a': 'growgan.training.measure:SwdMeasure'}"),
        ("training/x.py", "from growgan.cli import main"),
        ("core/x.py", "from growgan.data import build"),
    ],
)
def test_the_rule_finds_what_it_is_for(where: str, line: str) -> None:
    assert len(faults_of(ROOT / where, ast.parse(line))) == 1


def test_the_top_of_a_module_is_told_from_its_functions() -> None:
    tree = ast.parse(
        "import a\ntry:\n    import b\nexcept ImportError:\n    import c\nif x:\n    import d\n"
        "if TYPE_CHECKING:\n    import e\ndef f():\n    import g\n"
    )
    assert list(at_the_top(tree)) == ["a", "b", "c", "d"]
