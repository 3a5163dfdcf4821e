"""Make the demo's training set: faces of nobody, by one of the package's own models.

    python scripts/make_demo_data.py faces-64

writes src/growgan/demo/faces.zip, a finished set, and faces.NOTICE.txt, which says how it was made. The same model and
versions give the same bytes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from growgan.core.errors import UserError, say
from growgan.core.files import write_text
from growgan.core.progress import Progress
from growgan.data.labels import format_sidecar
from growgan.data.sources import SIDECAR
from growgan.data.transform import encode
from growgan.data.writer import open_writer
from growgan.sampling.images import to_picture
from growgan.sampling.model import Model, load

OUT = Path(__file__).parents[1] / "src/growgan/demo/faces.zip"
COUNT = 4000
TRUNCATION = 0.8
"""A little: broken faces become rare, and the set stays varied."""
QUALITY = 80
"""WebP's, 1 to 100."""
MB_LIMIT = 8.0
NOTICE = """\
{count:,} synthetic faces, {size}x{size} pixels: none is a photograph, none shows a real person.

Made by scripts/make_demo_data.py with the model {name}
(SHA-256 {hash})
from seeds 0 to {last}, truncation {truncation:g}; WebP of quality {quality}. "sources" in dataset.json names each
picture's seed.

Licence: {license}. It is that of the model's weights, as the model's output is bound by the terms of its training
data: {data}
"""


def write_set(model: Model, out: Path, count: int, truncation: float, quality: int) -> None:
    """Write a zip of the pictures of seeds 0 .. count - 1."""
    names = [f"{i // 1000:05d}/img{i:08d}.webp" for i in range(count)]
    with open_writer(out, True) as writer, Progress(count, "faces") as progress:
        pictures = (one for pixels in model.batches(range(count), truncation=truncation, batch=50) for one in pixels)
        for name, picture in zip(names, pictures):
            writer.add(name, encode(to_picture(picture), "webp", quality))
            progress.advance()
        writer.add(SIDECAR, format_sidecar(names, None, (), [f"seed{i:04d}" for i in range(count)]))
        writer.finish()


def main() -> int:
    """Write the set and the notice, and say how large it is."""
    parser = argparse.ArgumentParser(description="Write the demo's training set from a model's pictures.")
    parser.add_argument("model", metavar="MODEL", help="a shipped model, or a file with a card")
    parser.add_argument("out", type=Path, nargs="?", default=OUT)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--truncation", type=float, default=TRUNCATION)
    parser.add_argument("--quality", type=int, default=QUALITY)
    args = parser.parse_args()
    try:
        model = load(args.model)
        card = model.file.card
        write_set(model, args.out, args.count, args.truncation, args.quality)
        text = NOTICE.format(
            count=args.count,
            size=model.resolution,
            name=Path(args.model).stem,
            hash=model.file.hash,
            last=args.count - 1,
            truncation=args.truncation,
            quality=args.quality,
            license=card.get("license", "not stated"),
            data=card.get("data", "not stated"),
        )
        write_text(args.out.with_suffix(".NOTICE.txt"), text)
    except UserError as error:
        return say(error)
    megabytes = args.out.stat().st_size / 1e6
    print(f"{args.out}: {args.count} pictures, {megabytes:.2f} MB")
    if megabytes > MB_LIMIT:
        return say(UserError(f"more than {MB_LIMIT:g} MB: lower --count or --quality"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
