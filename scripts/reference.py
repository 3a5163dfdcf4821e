"""A reference model from raw pictures to its card, with one command; repeating the command resumes it.

    python scripts/reference.py faces-64 --pictures CELEBA --out DIR

builds DIR/train.zip and DIR/test.zip, trains in DIR/run (some models first in DIR/before), chooses the best snapshot
there by KID, measures it, and writes DIR/MODEL.safetensors (float16, with its card), DIR/measures.jsonl and figures.
DIR/private holds the nearest training pictures: inspect them, but do not share them. With --run an existing run
replaces building and training. --rehearse runs all steps at toy size. Every step is a `growgan` command, which is
printed.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import shlex
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from reference_card import card_texts
from reference_models import MINIBATCH, RECIPES, WIDTHS, Recipe

from growgan.cli.main import main as command
from growgan.core.errors import ConfigError, UserError, say
from growgan.core.files import write_text
from growgan.core.runfiles import RunFiles
from growgan.devices import choose_device
from growgan.evaluation import curves, results
from growgan.evaluation.subjects import list_snapshots
from growgan.models.native import open_model
from growgan.training import plots

HELD_OUT = "7"
"""The last letter of the file names (without suffix) that are held out."""
IMAGES = {"cpu": "10k", "gpu": "50k"}
"""Fakes for the final FID and KID, by kind of device; a GPU also has the time for FID's features of every real."""
CHOICE = ("kid", "fid", "swd")
"""Measures of every snapshot; the choice is by the first that all have, except FID, which is for the curve."""
FINAL = "1"
"""Seed of the final measures, different from that of the measures by which the snapshot was chosen."""


def growgan(*words: object) -> str:
    """Run a growgan command and return its output. Exits with its status if it fails or is stopped."""
    texts = [str(word) for word in words]
    print(f"$ growgan {shlex.join(texts)}", file=sys.stderr, flush=True)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = command(texts)
    if status:
        raise SystemExit(status)
    return said.getvalue()


class Reference:
    """One model in its folder, which is the working directory."""

    def __init__(self, name: str, args: argparse.Namespace) -> None:
        self.name, self.args = name, args
        self.recipe: Recipe = RECIPES[name]
        self.kind = "cpu" if choose_device(args.device).type == "cpu" else "gpu"
        self.images, self.few = IMAGES[self.kind], "2048"
        self.swd = "swd16k"
        self.kimg = str(self.recipe.kimg[self.kind])
        if args.rehearse:
            self.recipe = replace(self.recipe, resolution=16, train=("--preset", "tiny"))
            self.images, self.few, self.swd, self.kimg = "64", "64", "swd64", "3"
        self.run = RunFiles(args.run or Path("run"))
        self.train = Path(self.run.read_config().data.path) if args.run else Path("train.zip")
        self.test: Path | None = Path("test.zip")

    def make(self) -> None:
        """Run every step in order; existing results are not made again."""
        if self.args.pictures is not None:
            self.build()
        if not self.args.run:
            self.grow()
        self.test = self.test if self.test and self.test.exists() else None
        chosen, by = self.choose()
        self.measure(chosen)
        made = self.ship(chosen, by)
        self.draw(made)
        print(growgan("info", made), end="")

    def build(self) -> None:
        """Build the training set and the held-out set."""
        pictures, words = self.args.pictures, self.recipe.pictures
        for part in ("train", "test"):
            out = Path(f"{part}.zip")
            if out.exists() or (part == "train" and self.args.run):
                continue
            if not words.by_folder:
                source, more = split(pictures, Path(f"pictures-{part}"), held_out=part == "test"), []
            elif (pictures / part).is_dir():
                source, more = pictures / part, []
            else:
                source, more = pictures, ["--split", part]
            growgan("data", "build", source, out, "--resolution", self.recipe.resolution, *words.build, *more)

    def grow(self) -> None:
        """Train, or resume."""
        base, most = WIDTHS[self.kind]
        parent = self.args.parent or self.recipe.parent
        start = ["--from", parent, "--resolution", self.recipe.resolution] if parent else []
        if self.recipe.before and not self.args.rehearse:
            first = RunFiles(Path("before"))
            more = (*self.recipe.before, "--device", self.args.device, *MINIBATCH[self.kind])
            growgan("train", "--data", self.train, "--out", first.path, *start, *more)
            start = ["--from", first.snapshots()[-1]]
        widths = ["--set", f"network.fmap_base={base}", "--set", f"network.fmap_max={most}"]
        if parent or self.args.rehearse:
            widths = []  # a parent has its own widths
        hours = ["--hours", self.args.hours] if self.args.hours else []
        words = ["--data", self.train, "--out", self.run.path, "--device", self.args.device, "--kimg", self.kimg]
        minibatch = () if self.args.rehearse else MINIBATCH[self.kind]
        growgan("train", *words, *start, *self.recipe.train, *minibatch, *widths, *hours)

    def choose(self) -> tuple[Path, str]:
        """The full-size snapshot with the lowest KID (without Inception weights, the lowest SWD), and the measure used.

        FID of so few pictures is only for the curve.
        """
        out, full = Path("choice.jsonl"), self.run.read_config().network.resolution
        models = [model for model in list_snapshots(self.run.path) if model.resolution == full and model.alpha == 1]
        for model in models:
            missing = results.lacking(out, model.hash, CHOICE)
            if missing:
                try:
                    self.evaluate(model.path, ",".join(f"{name}{self.few}" for name in missing), ["--out", str(out)])
                except SystemExit as ended:  # without Inception weights there is only SWD, the next time as well
                    if ended.code != 2 or len(missing) == len(CHOICE):
                        raise
        for metric in ("kid", "swd"):
            lines = [line for line in results.read([out]) if line["metric"].startswith(metric)]
            values = {line["subject_hash"]: line["value"] for line in lines}
            if models and all(model.hash in values for model in models):
                return min(models, key=lambda model: values[model.hash]).path, metric.upper()
        raise ConfigError(f"{self.run.path} has no measurable snapshot of {full}x{full}")

    def measure(self, chosen: Path) -> None:
        """Take the final measures missing from measures.jsonl, on other fakes than those used for the choice."""
        n = self.images
        fid = f"fid{n}_full" if self.kind == "gpu" else f"fid{n}"
        wanted = [self.swd, f"msssim{n}", fid, f"kid{n}", f"pr_inception{n}"]
        if missing := results.lacking(Path("measures.jsonl"), open_model(chosen).hash, wanted):
            self.evaluate(chosen, ",".join(missing), ["--seed", FINAL, "--out", "measures.jsonl"])

    def evaluate(self, subject: Path, metrics: str, more: list[str]) -> None:
        """Measure against all training pictures, and print the table."""
        inception = ["--inception", self.args.inception] if self.args.inception else []
        device = ["--device", self.args.device]
        print(
            growgan("evaluate", subject, "--data", self.train, "--metrics", metrics, *more, *inception, *device), end=""
        )

    def ship(self, chosen: Path, by: str) -> Path:
        """Write the file to be shared."""
        out = Path(f"{self.name}.safetensors")
        texts = card_texts(self.name, self.recipe, self.run, open_model(chosen), by, self.train, self.args)
        words = [word for field, text in texts.items() for word in ("--card", f"{field}={text}")]
        growgan("export", chosen, out, "--measures", "measures.jsonl", *words)
        return out

    def draw(self, made: Path) -> None:
        """Draw grids, growth and curves; and, for private inspection, the nearest training pictures."""
        for name, truncation in (("grid.png", "1"), ("grid-truncated.png", "0.7")):
            growgan("generate", made, "--seeds", "0", "--grid", "16x9", "--truncation", truncation, "--out", name)
        plots.draw_growth(self.run, Path("growth.png"))
        plots.draw_losses(self.run, Path("losses.png"))
        curves.draw_measures(self.run, Path("curves.png"), [Path("choice.jsonl"), Path("measures.jsonl")])
        held_out = ["--held-out", self.test] if self.test else []
        sheet = Path("private") / "neighbours.png"
        words = ["--data", self.train, *held_out, "--out", sheet, "--json", "--device", self.args.device]
        write_text(sheet.with_suffix(".json"), growgan("neighbours", made, *words))


def split(pictures: Path, out: Path, held_out: bool) -> Path:
    """A folder of links to the held-out pictures, or to all others."""
    files = [path for path in sorted(pictures.rglob("*")) if path.is_file()]
    out.mkdir(exist_ok=True)
    for path in files:
        link = out / path.name
        if path.stem.endswith(HELD_OUT) == held_out and not link.exists():
            try:
                link.symlink_to(path)
            except OSError:  # Windows, without the permission to
                shutil.copyfile(path, link)
    return out


def main() -> int:
    """Make one reference model."""
    parser = argparse.ArgumentParser(description="Make a reference model, from raw pictures to model card.")
    parser.add_argument("model", choices=RECIPES)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="output folder")
    parser.add_argument(
        "--pictures", type=Path, metavar="DIR", help="the raw pictures; with --run, for the held-out ones only"
    )
    parser.add_argument("--run", type=Path, metavar="RUN", help="an already trained run")
    parser.add_argument("--parent", metavar="MODEL", help="the model to grow from (default: the shipped one)")
    parser.add_argument("--hours", metavar="H", help="fit the schedule to this many hours")
    parser.add_argument("--device", default="auto", metavar="D", help="cpu, cuda, mps or auto (default)")
    parser.add_argument("--inception", type=Path, metavar="FILE", help="Inception weights, a TorchScript file")
    parser.add_argument("--seen", metavar="TEXT", help="how the pictures look and fail, for the card's limits")
    parser.add_argument("--machine", metavar="TEXT", help="where it was trained (default: this machine)")
    parser.add_argument("--rehearse", action="store_true", help="rehearse every step at 16x16 with 3,000 images")
    args = parser.parse_args()
    if args.parent and Path(args.parent).exists():
        args.parent = str(Path(args.parent).resolve())
    for name in ("pictures", "run", "inception"):
        if (path := getattr(args, name)) is not None:
            if not path.exists():
                parser.error(f"--{name}: no such file or folder: {path}")
            setattr(args, name, path.resolve())
    if args.pictures is None and args.run is None:
        parser.error("--pictures or --run is required")
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        with contextlib.chdir(args.out):
            Reference(args.model, args).make()
    except UserError as error:
        return say(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
