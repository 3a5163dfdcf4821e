"""Labels from CSV, JSON and CelebA's list, and labels given to a set that is finished."""

from __future__ import annotations

import json
import threading
import zipfile
from pathlib import Path

import pytest
from data.making_sets import encode, make_pixels

from growgan.core.errors import DataError
from growgan.data.build import build
from growgan.data.dataset import open_dataset
from growgan.data.label_files import read_label_file
from growgan.data.labelling import find_folder
from growgan.data.labels import format_sidecar
from growgan.data.relabel import relabel


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for n, name in enumerate(["b/x", "a/y", "a/z"]):
        file = tmp_path / "photos" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encode(make_pixels(1, 8, seed=n)[0]))
    return tmp_path / "photos"


def write(tmp_path: Path, text: str, name: str = "labels.csv") -> Path:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize(
    ("text", "name", "labels", "class_names"),
    [
        ("name,kind\nx.png,dog\ny.png,cat\n", "l.csv", {"x.png": "dog", "y.png": "cat"}, ()),
        ("\ufeffkind,file\ndog,x.png\n", "l.csv", {"x.png": "dog"}, ()),
        ("file\tk\nx.png\t3\n", "l.tsv", {"x.png": 3}, ()),
        ("name;kind\nx.png;dog, small\n", "l.csv", {"x.png": "dog, small"}, ()),
        ("name,k\nx,1\ny,07\n", "l.csv", {"x": "1", "y": "07"}, ()),
        ("name,a,b\nx,1,0\ny,-1,0.5\n", "l.csv", {"x": [1, 0], "y": [0, 0.5]}, ("a", "b")),
        ("name,k\nx,dog\ny,\nz, \n", "l.csv", {"x": "dog", "y": None, "z": None}, ()),
        ("name,k\nx,3\ny,\n", "l.csv", {"x": 3, "y": None}, ()),
        ("name;a;b\nx;1;0\ny;;1\n", "l.csv", {"x": [1, 0], "y": None}, ("a", "b")),
        ("2\nHat  Glasses\n000001.jpg -1  1\n000002.jpg  1 1\n", "l.txt", None, ("Hat", "Glasses")),
        ('{"x": "dog"}', "l.json", {"x": "dog"}, ()),
        ('{"x": 2, "y": 0}', "l.json", {"x": 2, "y": 0}, ()),
        ('{"labels": [["x", 1]], "class_names": ["p", "q"]}', "l.json", {"x": 1}, ("p", "q")),
    ],
)
def test_kinds(tmp_path: Path, text: str, name: str, labels: object, class_names: tuple[str, ...]) -> None:
    found = read_label_file(write(tmp_path, text, name))
    assert found.class_names == class_names
    assert found.labels == (labels or {"000001.jpg": [0, 1], "000002.jpg": [1, 1]})


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "l.csv", "line must name at least two columns"),
        ("name,k\n", "l.csv", "no labels found"),
        ("name,k\nx,\ny,\n", "l.csv", "no labels found"),
        ("name,k\nx,\nx,1\n", "l.csv", "line 3 names x a second time"),
        ("x.png,dog\ny.png,cat\n", "l.csv", "first line names a picture, x.png"),
        ("name,k\nx,1,2\n", "l.csv", "line 2 has 3 columns, not 2"),
        ("name,k\nx,1\nx,2\n", "l.csv", "line 3 names x a second time"),
        ("name,a,b\nx,1,dog\n", "l.csv", "line 2: .*dog"),
        ("name,a,b\nx,1,3\n", "l.csv", "line 2: 3 is not from 0 to 1"),
        ('name,k\n"x,1\n', "l.csv", "not a CSV"),
        ("1\nHat Glasses\n000001.jpg 1\n", "l.txt", "line 3 has 2 columns, not 3"),
        ("{", "l.json", "not JSON"),
        ("[1]", "l.json", "must be a JSON object"),
        ('{"x": [2]}', "l.json", "numbers from 0 to 1"),
        ('{"x": [1, 0], "y": 1}', "l.json", r"l\.json: labels must all be integers, or all lists of one length"),
        ('{"x": [1, 0], "y": [1]}', "l.json", "all lists of one length"),
        ('{"labels": [["x", 1], ["y", [1]]]}', "l.json", "all lists of one length"),
        ('{"labels": [["x", 2]], "class_names": ["p", "q"]}', "l.json", "has 2 class_names but 3 classes"),
        ('{"labels": [["x", [1, 1, 0]]], "class_names": ["p", "q"]}', "l.json", "has 2 class_names but 3 classes"),
    ],
)
def test_faults_are_named(tmp_path: Path, text: str, name: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_label_file(write(tmp_path, text, name))
    assert "\n" not in str(caught.value)


def test_names_are_found_by_their_last_part_if_it_is_alone(tmp_path: Path) -> None:
    found = read_label_file(write(tmp_path, "name,k\na/x.jpg,1\nb/x.jpg,2\nc/y.jpg,3\n"))
    names = ("a/x.jpg", "q/x.jpg", "y.jpg", "deep/c/y.png", "z")
    assert [found.find(name) for name in names] == [1, None, 3, 3, None]


def test_a_name_in_another_folder_is_another_picture(tmp_path: Path) -> None:
    found = read_label_file(write(tmp_path, "name,k\nds/train/0.png,1\n000001.jpg,2\n"))
    same = ("ds/train/0.png", "train/0.jpg", "0", "./train/0.png", "/home/me/ds/train/0.png")
    assert [found.find(name) for name in same] == [1] * len(same)
    assert [found.find(name) for name in ("test/0.png", "ds/test/0.png", "in/0.png", "ain/0.png")] == [None] * 4
    assert [found.find(name) for name in ("img_align_celeba/000001.jpg", "000001.png")] == [2, 2]
    celeba = read_label_file(write(tmp_path, "name,k\nimg_align_celeba/000001.jpg,2\n"))
    assert [celeba.find(name) for name in ("000001.jpg", "celeba/img_align_celeba/000001.png")] == [2, 2]


def test_umlauts_of_a_mac_are_those_that_are_typed(photos: Path, tmp_path: Path) -> None:
    typed, decomposed = "K\u00e4se/\u00fc1.png", "Ka\u0308se/u\u03081.png"
    for written, asked in ((typed, decomposed), (decomposed, typed)):
        found = read_label_file(write(tmp_path, f"name,k\n{written},7\n"))
        assert [found.find(name) for name in (asked, asked.partition("/")[2], asked[:-4])] == [7, 7, 7]
    both = read_label_file(write(tmp_path, f"name,k\n{typed},1\n{decomposed},2\n"))
    assert [both.find(name) for name in (typed, decomposed)] == [1, 2]
    classes = read_label_file(write(tmp_path, "name,k\na,K\u00e4se\nb,Ka\u0308se\n"))
    assert classes.find("a") == classes.find("b") == "K\u00e4se"
    assert find_folder(decomposed) == typed.partition("/")[0]
    (photos / "u\u03081.png").write_bytes((photos / "a" / "y.png").read_bytes())
    (photos / "dataset.json").write_text(json.dumps({"labels": [["\u00fc1.png", 0], ["a/y.png", 1]]}))
    assert build(photos, tmp_path / "set.zip", resolution=8).count == 2


def test_an_empty_cell_is_no_other_pictures_label(tmp_path: Path) -> None:
    found = read_label_file(write(tmp_path, "name,k\na/x.jpg,\nb/x.jpg,2\n"))
    assert [found.find(name) for name in ("a/x.jpg", "b/x.jpg", "x.jpg")] == [None, 2, None]


def test_threads_find_the_same(tmp_path: Path) -> None:
    count = 30_000
    found = read_label_file(write(tmp_path, "name,k\n" + "".join(f"a/{n}.jpg,{n % 7}\n" for n in range(count))))
    ask, labels = threading.Barrier(4), [list[object]() for _ in range(4)]

    def look(mine: list[object]) -> None:
        ask.wait()
        mine.extend(found.find(f"{n}.png") for n in range(count - 1, count - 100, -1))

    threads = [threading.Thread(target=look, args=(mine,)) for mine in labels]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert labels == [[n % 7 for n in range(count - 1, count - 100, -1)]] * 4


def test_build_takes_labels_from_a_file(photos: Path, tmp_path: Path) -> None:
    file = write(tmp_path, "name,kind\nx.png,dog\ny.jpg,cat\n")
    report = build(photos, tmp_path / "s.zip", labels=str(file))
    assert report.class_names == ("cat", "dog") and report.skipped == [("a/z.png", "no label in labels.csv")]
    with open_dataset(tmp_path / "s.zip") as dataset:
        assert dataset.labels.tolist() == [0, 1]
    with pytest.raises(DataError, match="must be folders, none or an existing file"):
        build(photos, tmp_path / "t.zip", labels="absent.csv")


def test_build_leaves_out_pictures_whose_row_is_not_filled_in(photos: Path, tmp_path: Path) -> None:
    for text, labels in (
        ("name,kind\nx,dog\ny,\nz,cat\n", [0, 1]),
        ("name,a,b\nx,1,1\ny,1,\nz,0,1\n", [[0, 1], [1, 1]]),
    ):
        report = build(photos, tmp_path / "s.zip", labels=str(write(tmp_path, text)), overwrite=True)
        assert report.skipped == [("a/y.png", "no label in labels.csv")]
        with open_dataset(tmp_path / "s.zip") as dataset:
            assert dataset.labels.tolist() == labels


@pytest.mark.parametrize("text", ['{"x": [1, 0], "y": 1, "z": 1}', '{"x": [1, 0], "y": [1], "z": [1]}'])
def test_no_set_is_built_that_could_not_be_read(photos: Path, tmp_path: Path, text: str) -> None:
    file = write(tmp_path, text, "l.json")
    build(photos, tmp_path / "s.zip", labels="folders")
    before = (tmp_path / "s.zip").read_bytes()
    (photos / "dataset.json").write_text(json.dumps({"labels": list(json.loads(text).items())}))
    for labels in (str(file), None):
        with pytest.raises(DataError, match=r"\.json: labels must all be integers, or all lists of one length"):
            build(photos, tmp_path / "s.zip", labels=labels, overwrite=True)
    assert (tmp_path / "s.zip").read_bytes() == before and not list(tmp_path.glob("*.partial-*"))


def test_labels_that_no_reader_would_take_are_not_written() -> None:
    for labels in ([2**20, 0], [[1.0, 0.0], [1.0]]):
        with pytest.raises(DataError, match=r"is not \[name, class number|all lists of one length"):
            format_sidecar(["a.png", "b.png"], labels, ())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["s.zip", "s"])
def test_a_set_is_relabelled(photos: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    build(photos, path)
    build(photos, tmp_path / "expected.zip", labels="folders")
    with open_dataset(path) as dataset:
        pyramid, before = dataset.ensure_pyramid(), dataset.content_hash
    relabel(path, "folders")
    with open_dataset(path) as dataset:
        assert dataset.labels.tolist() == [0, 0, 1] and dataset.class_names == ("a", "b")
        assert dataset.content_hash != before and dataset.has_pyramid() and dataset.ensure_pyramid() == pyramid
    if name == "s.zip":
        assert path.read_bytes() == (tmp_path / "expected.zip").read_bytes()
    table = write(tmp_path, "name,hat,smile,n\nx,1,0,5\ny,0,1,6\nz,1,1,7\n")
    relabel(path, str(table), ["smile", "hat"])
    with open_dataset(path) as dataset:
        assert dataset.class_names == ("hat", "smile") and dataset.labels.tolist() == [[0, 1], [1, 1], [1, 0]]
    relabel(path, str(table), ["n"])
    with open_dataset(path) as dataset:
        assert dataset.labels.tolist() == [6, 7, 5]
    relabel(path, "none")
    with open_dataset(path) as dataset:
        assert dataset.labels is None and len(dataset) == 3 and dataset.content_hash == before


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["set/b/x", "set/a/y", "set/a/deep/z"], ("a", "b")),
        (["in/set/b/x", "in/set/a/x"], ("a", "b")),
        (["set/x", "set/y"], ("set",)),
        (["b/same/x", "a/same/x"], ("a", "b")),
    ],
)
def test_a_folder_that_holds_all_is_no_class(tmp_path: Path, names: list[str], classes: tuple[str, ...]) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for n, name in enumerate(names):
            archive.writestr(f"{name}.png", encode(make_pixels(1, 8, seed=n)[0]))
    assert build(tmp_path / "photos.zip", tmp_path / "s.zip", labels="folders").class_names == classes
    build(tmp_path / "photos.zip", tmp_path / "later.zip")
    relabel(tmp_path / "later.zip", "folders")
    assert (tmp_path / "later.zip").read_bytes() == (tmp_path / "s.zip").read_bytes()


def test_a_stray_picture_next_to_class_folders_is_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for n, name in enumerate(["set/a/x", "set/b/x", "set/preview"]):
            archive.writestr(f"{name}.png", encode(make_pixels(1, 8, seed=n)[0]))
    message = r"set/preview\.png is next to the class folders \(a, b\), not in one"
    with pytest.raises(DataError, match=message):
        build(tmp_path / "photos.zip", tmp_path / "s.zip", labels="folders")
    build(tmp_path / "photos.zip", tmp_path / "s.zip")
    with pytest.raises(DataError, match=rf"s\.zip: .*{message}.*nothing was changed"):
        relabel(tmp_path / "s.zip", "folders")


def test_numbered_folders_are_no_classes(tmp_path: Path) -> None:
    names = [f"0000{n // 2}/img{n:08d}.png" for n in range(4)]
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        for n, name in enumerate(names):
            archive.writestr(name, encode(make_pixels(1, 8, seed=n)[0]))
        archive.writestr("dataset.json", json.dumps({"labels": [[name, n % 2] for n, name in enumerate(names)]}))
    before = (tmp_path / "s.zip").read_bytes()
    with pytest.raises(DataError, match="numbered folders of a set"):
        relabel(tmp_path / "s.zip", "folders")
    assert (tmp_path / "s.zip").read_bytes() == before
    with pytest.raises(DataError, match="numbered folders of a set"):
        build(tmp_path / "s.zip", tmp_path / "t.zip", labels="folders")


@pytest.mark.parametrize("name", ["s.zip", "s"])
def test_a_set_of_a_set_remembers_the_first_names(photos: Path, tmp_path: Path, name: str) -> None:
    build(photos, tmp_path / name)
    table = str(write(tmp_path, "name,k\nb/x,1\na/y,2\na/z,2\n"))
    for labels in (None, "none", "folders", table):
        build(tmp_path / name, tmp_path / "t.zip", resolution=4, labels=labels, overwrite=True)
        with open_dataset(tmp_path / "t.zip") as dataset:
            assert dataset.sources == ("a/y.png", "a/z.png", "b/x.png")
            assert labels in (None, "none") or dataset.labels.tolist() == (
                [0, 0, 1] if labels == "folders" else [2, 2, 1]
            )
    relabel(tmp_path / "t.zip", "folders")
    with open_dataset(tmp_path / "t.zip") as dataset:
        assert dataset.class_names == ("a", "b")


@pytest.mark.parametrize("name", ["s.zip", "s"])
def test_a_refused_relabelling_changes_nothing(photos: Path, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    build(photos, path, labels="folders")
    before = open_dataset(path).content_hash
    table = write(tmp_path, "name,a,b\nx,1,0\ny,1,0\n")
    for labels, columns, message in (
        (str(table), [], r"labels\.csv has no label for a/z\.png \(1 of 3 lack one\); nothing was changed"),
        (str(write(tmp_path, "name,k\nx,1\ny,\n", "half.csv")), [], r"half\.csv .* a/y\.png, a/z\.png \(2 of 3 lack"),
        (str(write(tmp_path, '{"x": [1, 0], "y": 1, "z": 1}', "l.json")), [], "must all be integers"),
        (str(write(tmp_path, '{"x": [1, 0], "y": [1], "z": [0]}', "m.json")), [], "lists of one length"),
        (str(table), ["c"], "no label column 'c'"),
        ("absent.csv", [], "cannot be read"),
        ("folders", ["a"], "--columns needs a"),
    ):
        with pytest.raises(DataError, match=message):
            relabel(path, labels, columns)
    assert open_dataset(path).content_hash == before
    assert not list(tmp_path.glob("*.partial-*"))


def test_only_the_first_pictures_without_a_label_are_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for n in range(6):
            archive.writestr(f"{n}.png", encode(make_pixels(1, 8, seed=n)[0]))
    build(tmp_path / "photos.zip", tmp_path / "s.zip")
    with pytest.raises(DataError, match=r"has no label for 1\.png, 2\.png, 3\.png, \.\.\. \(5 of 6 lack one\)"):
        relabel(tmp_path / "s.zip", str(write(tmp_path, "name,k\n0,1\n")))
    with pytest.raises(DataError, match=r"no folder contains 0\.png, .* \(6 of 6 lack one\)"):
        relabel(tmp_path / "s.zip", "folders")


@pytest.mark.parametrize("name", ["s.zip", "s"])
@pytest.mark.parametrize(
    "labels", ["3", '[["00000/img00000000.png", 1]]', '[["00000/img00000000.png", 1], ["00000/img00000001.png", [1]]]']
)
def test_a_set_that_is_refused_for_its_labels_gets_others(photos: Path, tmp_path: Path, name: str, labels: str) -> None:
    path = tmp_path / name
    build(photos, tmp_path / "s")
    sources = json.loads((tmp_path / "s" / "dataset.json").read_bytes())["sources"]
    damaged = f'{{"labels": {labels}, "sources": {json.dumps(sources)}}}'
    for new in ("none", "folders", str(write(tmp_path, "name,k\nx,1\ny,0\nz,2\n"))):
        (tmp_path / "s" / "dataset.json").write_text(damaged)
        if name == "s.zip":
            with zipfile.ZipFile(path, "w") as archive:
                for file in (item for item in (tmp_path / "s").rglob("*") if item.is_file()):
                    archive.write(file, file.relative_to(tmp_path / "s"))
        with pytest.raises(DataError, match="label"):
            open_dataset(path)
        relabel(path, new)
        with open_dataset(path) as dataset:
            assert dataset.sources == tuple(sources) and (dataset.labels is None) == (new == "none")
    (tmp_path / "s" / "dataset.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        relabel(tmp_path / "s", "none")  # somebody may mend it yet


def test_sets_of_stylegans_tools_are_relabelled(tmp_path: Path) -> None:
    """They are deflated now and then, and remember no sources."""
    with zipfile.ZipFile(tmp_path / "s.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(3):
            archive.writestr(f"00000/img{n:08d}.png", encode(make_pixels(1, 8, seed=n)[0]))
        archive.writestr("dataset.json", json.dumps({"labels": [[f"00000/img{n:08d}.png", n] for n in range(3)]}))
    relabel(tmp_path / "s.zip", str(write(tmp_path, "name,k\nimg00000000,b\nimg00000001,a\nimg00000002,b\n")))
    with open_dataset(tmp_path / "s.zip") as dataset:
        assert dataset.labels.tolist() == [1, 0, 1] and dataset.class_names == ("a", "b")


def test_a_made_up_name_is_not_taken_for_another_pictures_own(tmp_path: Path) -> None:
    """The set calls its pictures as the source did, but counts without the one that it left out."""
    (tmp_path / "in").mkdir()
    for n in range(4):
        (tmp_path / "in" / f"img{n:08d}.png").write_bytes(encode(make_pixels(1, 4 if n == 1 else 8, seed=n)[0]))
    table = write(tmp_path, "name,kind\n" + "".join(f"img{n:08d}.png,k{n}\n" for n in range(4)))
    build(tmp_path / "in", tmp_path / "s.zip", resolution=8)
    build(tmp_path / "in", tmp_path / "expected.zip", resolution=8, labels=str(table))
    relabel(tmp_path / "s.zip", str(table))
    with open_dataset(tmp_path / "s.zip") as dataset, open_dataset(tmp_path / "expected.zip") as expected:
        assert dataset.class_names == expected.class_names == ("k0", "k2", "k3")
        assert dataset.labels.tolist() == expected.labels.tolist() == [0, 1, 2]
    own = write(tmp_path, "".join(["name,kind\n", *(f"00000/img{n:08d}.png,o{n}\n" for n in range(3))]), "own.csv")
    relabel(tmp_path / "s.zip", str(own))
    with open_dataset(tmp_path / "s.zip") as dataset:
        assert dataset.class_names == ("o0", "o1", "o2")


def test_a_made_up_name_is_not_found_in_short(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for n, name in enumerate(["img00000001.png", "x.png"]):
        (tmp_path / "in" / name).write_bytes(encode(make_pixels(1, 8, seed=n)[0]))
    build(tmp_path / "in", tmp_path / "s.zip")
    with pytest.raises(DataError, match=r"has no label for x.png \(1 of 2 lack one\)"):
        relabel(tmp_path / "s.zip", str(write(tmp_path, "name,kind\nimg00000001.png,k1\n")))


@pytest.mark.parametrize(("other", "refused"), [(".licence/terms.txt", True), ("__MACOSX/._x.png", False)])
def test_what_else_a_zip_holds_is_not_lost(photos: Path, tmp_path: Path, other: str, refused: bool) -> None:
    path = tmp_path / "s.zip"
    build(photos, path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(other, "mine")
    before = path.read_bytes()
    if refused:
        with pytest.raises(DataError, match=r"holds \.licence/terms\.txt, which would be lost"):
            relabel(path, "folders")
        assert path.read_bytes() == before
    else:
        relabel(path, "folders")
        with open_dataset(path) as dataset:
            assert dataset.num_labels == 2


def test_json_that_is_nested_too_deeply(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not JSON"):
        read_label_file(write(tmp_path, "[" * 100_000, "deep.json"))
