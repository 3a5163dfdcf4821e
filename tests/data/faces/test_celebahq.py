"""CelebA-HQ from small deltas of the release's layout, and by the recipe."""

from __future__ import annotations

import base64
import bz2
import hashlib
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_faces import draw, place, write_list
from PIL import Image, ImageFilter

from growgan.cli.main import main
from growgan.core.errors import DataError, ModelError
from growgan.core.progress import Silent
from growgan.data.dataset import open_dataset
from growgan.data.faces import celebahq, deltas
from growgan.data.faces import restore as restoring
from growgan.data.faces.celebahq import make
from growgan.data.faces.crop import crop_face
from growgan.data.faces.deltas import add, add_nearly
from growgan.data.faces.enhance import TILE, Enhancer
from growgan.data.faces.geometry import find_crop
from growgan.data.faces.restore import restore

SIDE = 64


def wild(number: int) -> Any:
    """Landmarks of a picture, whole numbers as in CelebA."""
    return place(90, 80, 14, number * 5).round()


@pytest.fixture
def celeba(tmp_path: Path) -> Path:
    """Six wild pictures, ever more blurred, with landmarks, as CelebA lays them out."""
    folder = tmp_path / "celeba"
    (folder / "img_celeba").mkdir(parents=True)
    landmarks = {}
    for number in range(6):
        name = f"{number + 1:06d}.jpg"
        landmarks[name] = wild(number)
        image = draw((180, 160), landmarks[name], seed=number)
        image = image.filter(ImageFilter.GaussianBlur(number * 0.6)) if number else image
        image.save(folder / "img_celeba" / name, quality=95)
    write_list(folder / "Anno" / "list_landmarks_celeba.txt", landmarks)
    return folder


def write_deltas(celeba: Path, folder: Path, numbers: tuple[int, ...], shift: int = 0) -> dict[int, Any]:
    """Deltas from what `crop_face` makes, plus ``shift`` levels, to random pictures; returns these."""
    fernet = pytest.importorskip("cryptography.fernet")
    folder.mkdir()
    random = np.random.default_rng(0)
    finals, rows = {}, []
    for place_in_list, idx in enumerate(numbers):
        name = f"{place_in_list + 1:06d}.jpg"
        file = celeba / "img_celeba" / name
        with Image.open(file) as image:
            crop = find_crop(wild(place_in_list))
            processed = np.asarray(crop_face(image.convert("RGB"), crop, SIDE)).transpose(2, 0, 1)
        processed = np.clip(processed.astype(int) + shift, 0, 255).astype(np.uint8)
        final = np.clip(processed + random.integers(-60, 60, processed.shape), 0, 255).astype(np.uint8)
        delta = ((final.astype(int) - processed) % 256).astype(np.uint8)
        key = hashlib.pbkdf2_hmac("sha256", file.read_bytes(), name.encode(), 100000, 32)
        sealed = fernet.Fernet(base64.urlsafe_b64encode(key)).encrypt(bz2.compress(delta.tobytes()))
        with zipfile.ZipFile(folder / f"deltas{idx // 1000 * 1000:05d}.zip", "a") as archive:
            archive.writestr(f"delta{idx:05d}.dat", sealed)
        md5s = [hashlib.md5(np.ascontiguousarray(part).tobytes()).hexdigest() for part in (processed, final)]
        rows.append(f"{idx} {place_in_list} {name} {md5s[0]} {md5s[1]}")
        finals[idx] = final
    (folder / "image_list.txt").write_text("\n".join(["idx orig_idx orig_file proc_md5 final_md5", *rows, ""]))
    return finals


def test_deltas_give_the_released_pictures(celeba: Path, tmp_path: Path) -> None:
    finals = write_deltas(celeba, tmp_path / "deltas", (0, 1, 1000, 29999))
    report = restore(celeba, tmp_path / "deltas", tmp_path / "hq.zip", side=SIDE)
    assert (report.count, report.exact, report.considered, report.skipped) == (4, 4, 4, [])
    with open_dataset(tmp_path / "hq.zip") as dataset:
        for index, final in enumerate(finals.values()):
            assert np.array_equal(dataset.read(index), final)


def test_what_does_not_fit_is_listed(celeba: Path, tmp_path: Path) -> None:
    write_deltas(celeba, tmp_path / "deltas", (0, 1, 2, 1000, 2000, 3000))
    file = celeba / "img_celeba" / "000002.jpg"
    file.write_bytes(file.read_bytes() + b"\0")  # the same pixels, another key
    (celeba / "img_celeba" / "000003.jpg").unlink()
    (tmp_path / "deltas" / "deltas01000.zip").unlink()
    (tmp_path / "deltas" / "deltas02000.zip").write_bytes(b"x")
    Image.new("RGB", (180, 160)).save(celeba / "img_celeba" / "000006.jpg")
    report = restore(celeba, tmp_path / "deltas", tmp_path / "hq", side=SIDE)
    assert report.count == report.exact == 1
    assert [reason.partition(" (")[0] for _, reason in report.skipped] == [
        "does not decrypt its delta: not the JPEG the release was made from",
        "cannot be read",
        "deltas01000.zip is missing",
        "deltas02000.zip is damaged",
        "wrong checksum before its delta",
    ]
    with pytest.raises(DataError, match="does not decrypt"):
        restore(celeba, tmp_path / "deltas", tmp_path / "strict", side=SIDE, strict=True)
    assert not (tmp_path / "strict").exists()


def test_other_versions_pixels(celeba: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this machine decodes or resizes a little differently, no checksum comes out: it says so, or comes near."""
    finals = write_deltas(celeba, tmp_path / "deltas", (0, 1, 2, 3), shift=3)
    monkeypatch.setattr(restoring, "FIRST", 3)
    with pytest.raises(DataError, match=r"Pillow 3\.1\.1 with libjpeg 8d; --nearly"):
        restore(celeba, tmp_path / "deltas", tmp_path / "hq", side=SIDE)
    report = restore(celeba, tmp_path / "deltas", tmp_path / "hq", side=SIDE, nearly=True)
    assert report.count == 4 and report.exact == 0
    with open_dataset(tmp_path / "hq") as dataset:
        for index, final in enumerate(finals.values()):
            assert np.abs(dataset.read(index).astype(int) - final).max() <= 3


class Watch(Silent):
    """A progress display that keeps what a kill would leave of a set after so many pictures."""

    def __init__(self, out: Path, after: int, kept: Path) -> None:
        super().__init__(None, "")
        self.out, self.left, self.kept = out, after, kept

    def __call__(self, total: int | None, label: str) -> Watch:
        return self

    def advance(self, count: int = 1) -> None:
        # It is called before a picture is taken.
        self.left -= count
        if self.left == -1:
            for path in self.out.parent.glob(f"{self.out.name}.unfinished*"):
                copy = shutil.copytree if path.is_dir() else shutil.copy
                copy(path, self.kept / path.name)


@pytest.mark.parametrize("name", ["hq.zip", "hq"])
def test_killed_restoring_goes_on(name: str, celeba: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes are those of an unbroken run, and no picture that was whole is made again."""
    write_deltas(celeba, tmp_path / "deltas", (0, 1, 2, 3, 4, 5))
    (celeba / "img_celeba" / "000002.jpg").rename(tmp_path / "000002.jpg")
    left = tmp_path / "left"
    left.mkdir()
    restore(celeba, tmp_path / "deltas", tmp_path / name, side=SIDE, progress=Watch(tmp_path / name, 4, left))
    assert not list(tmp_path.glob("*.unfinished*"))
    journal = (left / f"{name}.unfinished.jsonl").read_bytes()
    assert journal.count(b"\n") == 5
    (left / f"{name}.unfinished.jsonl").write_bytes(journal + b'["0000')  # killed in the middle of a line
    if name == "hq":
        (left / "hq.unfinished" / "00000" / "img00000003.png").write_bytes(b"half")
        (left / "hq.unfinished" / "00000" / "img00000009.png").write_bytes(b"of another time")
    else:
        with (left / "hq.zip.unfinished").open("ab") as file:
            file.write(b"PK\3\4 half a file")

    worked: list[str] = []
    honest = restoring._restore

    def work(*args: Any) -> Any:
        worked.append(args[-1].orig_file)
        return honest(*args)

    def go_on(to: str) -> dict[str, bytes]:
        shutil.copytree(left, tmp_path / to)
        worked.clear()
        report = restore(celeba, tmp_path / "deltas", tmp_path / to / name, side=SIDE)
        assert report.exact == report.count and report.count + len(report.skipped) == 6
        assert not list((tmp_path / to).glob("*.unfinished*"))
        return read_all(tmp_path / to / name)

    monkeypatch.setattr(restoring, "_restore", work)
    assert go_on("again") == read_all(tmp_path / name)
    # The one that was left out is tried again.
    assert sorted(worked) == ["000002.jpg", "000005.jpg", "000006.jpg"]

    file = left / (f"{name}.unfinished" if name == "hq.zip" else "hq.unfinished/00000/img00000002.png")
    data = bytearray(file.read_bytes())
    data[-80] ^= 1
    file.write_bytes(data)  # in the last whole picture
    assert go_on("damaged") == read_all(tmp_path / name)
    assert sorted(worked) == ["000002.jpg", "000004.jpg", "000005.jpg", "000006.jpg"]

    (tmp_path / "000002.jpg").rename(celeba / "img_celeba" / "000002.jpg")
    restore(celeba, tmp_path / "deltas", tmp_path / f"whole{name}", side=SIDE)
    assert go_on("mended") == read_all(tmp_path / f"whole{name}")


def read_all(path: Path) -> dict[str, bytes]:
    """A set's files by name."""
    files = sorted(path.rglob("*.*")) if path.is_dir() else [path]
    return {str(file.relative_to(path)): file.read_bytes() for file in files}


def test_one_process_restores(celeba: Path, tmp_path: Path) -> None:
    """Another waits for nothing, and of other settings nothing is taken up."""
    write_deltas(celeba, tmp_path / "deltas", (0, 1, 2, 3))
    out = tmp_path / "hq.zip"

    class Second(Watch):
        def advance(self, count: int = 1) -> None:
            if count:
                with pytest.raises(DataError, match="another process"):
                    restore(celeba, tmp_path / "deltas", out, side=SIDE)

    report = restore(celeba, tmp_path / "deltas", out, side=SIDE, progress=Second(out, 0, tmp_path), limit=3)
    assert report.count == 3
    left = tmp_path / "left"
    left.mkdir()
    watch = Watch(tmp_path / "near.zip", 3, left)
    restore(celeba, tmp_path / "deltas", tmp_path / "near.zip", nearly=True, side=SIDE, progress=watch)
    assert len(list(left.iterdir())) == 2
    restore(celeba, tmp_path / "deltas", left / "near.zip", side=SIDE, limit=3)
    assert (left / "near.zip").read_bytes() == out.read_bytes()
    assert [path.name for path in left.iterdir()] == ["near.zip"]


def test_a_smaller_count_is_taken_from_what_is_there(celeba: Path, tmp_path: Path) -> None:
    write_deltas(celeba, tmp_path / "deltas", (0, 1, 2, 3))
    left = tmp_path / "left"
    left.mkdir()
    watch = Watch(tmp_path / "hq.zip", 3, left)
    restore(celeba, tmp_path / "deltas", tmp_path / "hq.zip", side=SIDE, progress=watch)
    restore(celeba, tmp_path / "deltas", left / "hq.zip", side=SIDE, limit=2)
    restore(celeba, tmp_path / "deltas", tmp_path / "two.zip", side=SIDE, limit=2)
    assert (left / "hq.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_nearly_never_turns_white_into_black() -> None:
    random = np.random.default_rng(4)
    exact = random.integers(0, 256, 200_000)
    final = np.clip(exact + random.integers(-100, 100, exact.shape), 0, 255)
    delta = ((final - exact) % 256).astype(np.uint8)
    assert np.array_equal(add(exact.astype(np.uint8), delta), final)
    off = np.clip(exact + random.integers(-8, 9, exact.shape), 0, 255).astype(np.uint8)
    assert np.abs(add_nearly(off, delta).astype(int) - final).max() <= 8
    assert np.abs(add(off, delta).astype(int) - final).max() > 200  # which the plain sum does


def test_without_the_package(celeba: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "cryptography", None)
    with pytest.raises(DataError, match="pip install cryptography"):
        restore(celeba, celeba / "Anno", tmp_path / "out")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read"),
        ("idx orig_idx\n", "the first line must name the columns"),
        ("idx orig_idx orig_file proc_md5 final_md5\n", "lists no picture"),
        ("idx orig_idx orig_file proc_md5 final_md5\n0 1 x\n", "line 2"),
        ("idx orig_idx orig_file proc_md5 final_md5\n-1 1 x y z\n", "line 2"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / deltas.IMAGE_LIST).write_text(text)
    with pytest.raises(DataError, match=message):
        deltas.read_image_list(tmp_path)


def test_the_recipe_keeps_the_sharpest(celeba: Path, tmp_path: Path) -> None:
    report = make(celeba, tmp_path / "hq.zip", resolution=SIDE, count=3)
    assert report.count == 3 and report.considered == 6 and report.ranking is not None
    lines = report.ranking.read_text().splitlines()
    sharpness = [float(line.split(",")[1]) for line in lines[2:]]
    assert len(sharpness) == 6 and sharpness == sorted(sharpness, reverse=True)
    with open_dataset(tmp_path / "hq.zip") as dataset, Image.open(celeba / "img_celeba" / "000003.jpg") as image:
        wanted = crop_face(image, find_crop(wild(2)), SIDE)
        assert np.array_equal(dataset.read(2), np.asarray(wanted).transpose(2, 0, 1))


def test_what_failed_once_is_tried_again(celeba: Path, tmp_path: Path) -> None:
    file = celeba / "img_celeba" / "000003.jpg"
    content = file.read_bytes()
    file.write_bytes(content[:100])
    make(celeba, tmp_path / "hq.zip", resolution=SIDE, count=6)
    file.write_bytes(content)
    report = make(celeba, tmp_path / "hq.zip", resolution=SIDE, count=6, overwrite=True)
    assert report.count == 6 and not report.skipped


def test_a_ranking_of_more_pictures_than_there_are(celeba: Path, tmp_path: Path) -> None:
    make(celeba, tmp_path / "hq.zip", resolution=SIDE, count=2)
    table = next(celeba.rglob("list_landmarks_celeba.txt"))
    lines = table.read_text().splitlines()
    table.write_text("\n".join(line for line in lines if not line.startswith("000003.jpg")) + "\n")
    report = make(celeba, tmp_path / "hq.zip", resolution=SIDE, count=6, overwrite=True)
    assert report.count == 5
    (celeba / "img_celeba" / "000002.jpg").unlink()
    shutil.copy(tmp_path / "hq.zip.ranking.csv", tmp_path / "other.zip.ranking.csv")
    with pytest.raises(DataError, match=r"000002.jpg: .*, after it was ranked"):
        make(celeba, tmp_path / "other.zip", resolution=SIDE, count=6)


def test_a_killed_ranking_goes_on(celeba: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(celeba, tmp_path / "whole.zip", resolution=SIDE, count=2)
    ranking = (tmp_path / "whole.zip.ranking.csv").read_text()
    left = tmp_path / "hq.zip.ranking.csv"
    left.write_text(ranking[: ranking.index("000004.jpg") + 14])  # in the middle of a row
    framed: list[str] = []
    honest = celebahq._frame

    def frame(source: Any, resolution: int, enhance: Any, name: str) -> Any:
        framed.append(name)
        return honest(source, resolution, enhance, name)

    monkeypatch.setattr(celebahq, "_frame", frame)
    make(celeba, tmp_path / "hq.zip", resolution=SIDE, count=2)
    # Three were left to measure, and the best two are made.
    assert sorted(framed) == ["000001.jpg", "000002.jpg", "000004.jpg", "000005.jpg", "000006.jpg"]
    assert left.read_text() == ranking
    assert (tmp_path / "hq.zip").read_bytes() == (tmp_path / "whole.zip").read_bytes()
    framed.clear()
    make(celeba, tmp_path / "hq.zip", resolution=32, count=2, overwrite=True)
    assert len(framed) == 8  # another resolution: nothing of it can be used


def test_folders_that_are_not_celeba(tmp_path: Path, celeba: Path) -> None:
    with pytest.raises(DataError, match="does not hold the folder img_celeba"):
        make(tmp_path / "none", tmp_path / "out")
    (celeba / "Anno" / "list_landmarks_celeba.txt").unlink()
    with pytest.raises(DataError, match=r"does not hold Anno/list_landmarks_celeba\.txt"):
        make(celeba, tmp_path / "out")


class Twice(torch.nn.Module):
    """Enlarges 2 times, by a kernel that looks at neighbours, so that seams of tiles would show."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.nn.functional.avg_pool2d(torch.nn.functional.pad(x, (2, 2, 2, 2)), 5, 1, 0)
        return torch.nn.functional.interpolate(x, scale_factor=2.0)


class Invert(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 1 - x


def save_script(module: torch.nn.Module, path: Path) -> Path:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.trace(module, torch.rand(1, 3, 16, 16)), str(path))
    return path


def test_networks_work_before_the_crop(tmp_path: Path) -> None:
    twice, invert = save_script(Twice(), tmp_path / "twice.pt"), save_script(Invert(), tmp_path / "invert.pt")
    image = draw((TILE + 70, 90), seed=1)
    x = torch.from_numpy(np.asarray(image, np.float32).transpose(2, 0, 1)[None].copy() / 255)
    wanted = (Twice()(1 - x)[0] * 255).round().numpy().transpose(1, 2, 0)
    enhancer = Enhancer(invert, twice)
    assert np.abs(np.asarray(enhancer(image, 1.5), float) - wanted).max() <= 1
    assert enhancer(image, 0.9).size == image.size  # nothing to enlarge
    assert enhancer.describe() != Enhancer(invert).describe()
    landmarks = place(90, 80, 14)
    face, crop = draw((180, 160), landmarks), find_crop(landmarks)
    inverted = np.asarray(crop_face(face, crop, SIDE, Enhancer(invert)), float)
    assert inverted == pytest.approx(255 - np.asarray(crop_face(face, crop, SIDE), float), abs=2)
    assert crop_face(face, crop, 256, Enhancer(superres=twice)).size == (256, 256)


def test_networks_that_are_none(tmp_path: Path) -> None:
    twice, invert = save_script(Twice(), tmp_path / "twice.pt"), save_script(Invert(), tmp_path / "invert.pt")
    with pytest.raises(ModelError, match="an artefact remover must not"):
        Enhancer(twice)
    with pytest.raises(ModelError, match="not a super-resolution"):
        Enhancer(superres=invert)
    with pytest.raises(ModelError, match="no such file"):
        Enhancer(tmp_path / "none.pt")
    (tmp_path / "junk.pt").write_bytes(b"junk")
    with pytest.raises(ModelError, match="neither TorchScript"):
        Enhancer(tmp_path / "junk.pt")
    grey = save_script(torch.nn.Conv2d(3, 1, 1), tmp_path / "grey.pt")
    with pytest.raises(ModelError, match="not a scaled RGB picture"):
        Enhancer(grey)


def test_onnx(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    one = helper.make_tensor("one", kind, [1], [1.0])
    shape = [1, 3, "height", "width"]
    graph = helper.make_graph(
        [helper.make_node("Sub", ["one", "x"], ["y"])],
        "invert",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", kind, shape)],
        [one],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(tmp_path / "invert.onnx"))
    image = draw((40, 30))
    inverted = Enhancer(tmp_path / "invert.onnx")(image, 1)
    assert np.abs(np.asarray(inverted, int) - (255 - np.asarray(image, int))).max() <= 1
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    with pytest.raises(ModelError, match="not an ONNX model"):
        Enhancer(tmp_path / "junk.onnx")


def test_the_command(celeba: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "hq.zip"
    assert main(["data", "celebahq", str(celeba), str(out), "--resolution", "32", "--count", "2"]) == 0
    said = capsys.readouterr().out
    assert "2 pictures of 32x32 out of 6" in said and "hq.zip.ranking.csv" in said
    wishes = "--nearly", "--superres none.pt", "--count 0", "--count -1", "--resolution 0", "--resolution 100"
    with_deltas = f"--deltas {tmp_path} --resolution 64", f"--deltas {tmp_path} --count 0"
    for wrong in (wish.split() for wish in wishes + with_deltas):
        assert main(["data", "celebahq", str(celeba), str(tmp_path / "x.zip"), *wrong]) == 2
        assert capsys.readouterr().err.count("\n") == 1
