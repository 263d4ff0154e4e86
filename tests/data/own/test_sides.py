"""Folders of pairs and of two unpaired sides, the way people have them."""

import os
import re
import unicodedata

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from gancourse.cli import main
from gancourse.data import check, load
from gancourse.data.own import files, reading
from gancourse.errors import CourseError, DataError
from gancourse.training import runtime


def picture(path, value=0, size=(8, 8), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path, **options)


def halves(path, a, b, side=8, **options):
    """One file with A on the left and B on the right."""
    image = Image.new("L", (2 * side, side), a)
    image.paste(b, (side, 0, 2 * side, side))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def make(folder, *names):
    """Pictures whose value is the number in their name; 100 more where the path says B."""
    for name in names:
        number = int("".join(c for c in os.path.basename(name) if c.isdigit()) or 0)
        is_b = any(part[-1:] in "Bb" or part == "photos" for part in name.split("/")[:-1])
        picture(folder / name, number + 100 * is_b)


@pytest.fixture
def no_test_split(monkeypatch):
    monkeypatch.setattr(files, "TEST_SHARE", 2**64)


def values(side, size=8):
    return side.resized(size).pixels[:, 0, size // 2, size // 2].tolist()


def refusal(name):
    """The first error that loading raises, in the split where the picture is; so does checking."""
    found = []
    for split in ("train", "test"):
        try:
            load(name, split=split, image_size=8).a.images()
        except DataError as problem:
            found.append(str(problem))
    with pytest.raises(DataError) as checked:
        check(name)
    assert str(checked.value).endswith(found[0].splitlines()[-1])
    return found[0]


# Layouts

TWO_FOLDERS = {
    "A-and-B": [f"{side}/{n}.png" for side in "AB" for n in range(12)],
    "any-two": [f"{side}/{n}.png" for side in ("maps", "photos") for n in range(12)],
    "other-endings": [f"A/{n}.png" for n in range(12)] + [f"B/{n}.bmp" for n in range(12)],
    "trainA-trainB": [f"train{side}/{n}.png" for side in "AB" for n in range(12)],
    "letters-in-names": [f"train{side}/{n}_{side}.png" for side in "AB" for n in range(12)],
    "deeper": [f"{side}/set{n % 3}/{n}.png" for side in "ab" for n in range(12)],
}
WITH_PARTS = {
    "part-above": [
        f"{part}/{side}/{n}.png" for side in "AB" for part, n in (("train", 1), ("test", 2))
    ],
    "part-below": [
        f"{side}/{part}/{n}.png" for side in "AB" for part, n in (("train", 1), ("val", 2))
    ],
    "part-in-the-name": [
        f"{part}{side}/{n}.png" for side in "AB" for part, n in (("train", 1), ("test", 2))
    ],
    "part-below-any-two": [
        f"{side}/{part}/{n}.png"
        for side in ("maps", "photos")
        for part, n in (("train", 1), ("test", 2))
    ],
    "beside-the-rest": [
        f"{part}{side}/{n}.png" for side in "AB" for part, n in (("", 1), ("test", 2))
    ],
}


@pytest.mark.parametrize("layout", TWO_FOLDERS)
def test_two_folders_with_the_same_names_are_pairs(tmp_path, layout):
    make(tmp_path, *TWO_FOLDERS[layout])
    seen = []
    for split in ("train", "test"):
        data = load(f"pairs:{tmp_path}", split=split)
        a, b = values(data.a), values(data.b)
        assert b == [value + 100 for value in a]
        seen += a
    assert sorted(seen) == list(range(12))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("IMG_1.JPG", "img_1.jpeg"),
        ("1_A.jpg", "1_b.png"),
        (unicodedata.normalize("NFC", "café.jpg"), unicodedata.normalize("NFD", "café.jpg")),
        ("plan a.jpg", "plan a.jpg"),
        ("plan b.jpg", "plan b.jpg"),
    ],
    ids=["capitals", "letters", "accents", "ends-in-a", "ends-in-b"],
)
def test_names_that_say_the_same_are_a_pair(tmp_path, no_test_split, a, b):
    for name, value in (("x.png", 3), (a, 1)):
        picture(tmp_path / "A" / name, value)
    for name, value in (("x.png", 4), (b, 2)):
        picture(tmp_path / "B" / name, value)
    both = [load(f"pairs:{tmp_path}", split=split) for split in ("train", "test")]
    found = [(values(data.a), values(data.b)) for data in both]
    assert sorted(found) == [([1], [2]), ([3], [4])]
    assert "2 pairs" in check(tmp_path)


@pytest.mark.parametrize("layout", WITH_PARTS)
@pytest.mark.parametrize("kind", ["pairs", "unpaired"])
def test_parts_for_testing_are_found(tmp_path, layout, kind):
    make(tmp_path, *WITH_PARTS[layout])
    for split, value in (("train", 1), ("test", 2)):
        data = load(f"{kind}:{tmp_path}", split=split)
        assert (values(data.a), values(data.b)) == ([value], [value + 100])


def test_a_part_for_validation_does_for_testing_and_the_other_way_round(tmp_path):
    make(
        tmp_path,
        *(f"{part}{side}/{n}.png" for side in "AB" for n, part in ((1, "train"), (3, "val"))),
    )
    assert values(load(f"pairs:{tmp_path}", split="test").a) == [3]
    assert values(load(f"pairs:{tmp_path}", split="valid").a) == [3]
    with pytest.raises(CourseError, match="split 'all'"):
        load(f"pairs:{tmp_path}", split="all")


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_file_that_is_twice_as_wide_as_high_is_a_pair(tmp_path, ending, no_test_split):
    for n in range(4):
        halves(tmp_path / f"{n}{ending}", 50 + n, 200 + n, side=128)
    data = load(f"pairs:{tmp_path}")
    assert data.a.shape == data.shape == (3, 64, 64)
    pixels = data.resized(16)
    a = pixels.a.pixels.flatten(1).sort().values
    b = pixels.b.pixels.flatten(1).sort().values
    assert torch.equal(a[:, 0], a[:, -1])  # nothing of the other half at the seam
    assert torch.equal(b[:, 0] - a[:, 0], torch.full((3,), 150))


def test_files_that_hold_both_have_parts_too(tmp_path):
    halves(tmp_path / "train" / "1.png", 1, 101)
    halves(tmp_path / "val" / "2.png", 2, 102)
    assert values(load(f"pairs:{tmp_path}").b) == [101]
    assert values(load(f"pairs:{tmp_path}", split="test").b) == [102]


def test_two_folders_that_lie_apart(tmp_path, no_test_split):
    make(tmp_path, "here/cats/1.png", "there/2/B/2.png")
    (tmp_path / "a,b").mkdir()
    data = load(f"unpaired:{tmp_path / 'here' / 'cats'},{tmp_path / 'there' / '2' / 'B'}")
    assert (values(data.a), values(data.b)) == ([1], [102])
    with pytest.raises(DataError, match=r"1\.png"):
        load(f"pairs:{tmp_path / 'here' / 'cats'},{tmp_path / 'there'}")
    make(tmp_path, "a,b/A/1.png", "a,b/B/1.png")  # a comma in a name is a comma
    assert len(load(f"pairs:{tmp_path / 'a,b'}")) == 1


def test_unpaired_sides_may_differ_in_number_and_names(tmp_path):
    make(tmp_path, *(f"trainA/{n}.png" for n in range(40)), *(f"trainB/{n}.jpg" for n in range(5)))
    data = load(f"unpaired:{tmp_path}")
    testing = load(f"unpaired:{tmp_path}", split="test")
    assert len(data.a) + len(testing.a) == 40
    assert len(data.b) + len(testing.b) == 5
    assert min(len(testing.b), len(data.b)) >= 1
    assert data.hidden is None
    assert not set(values(data.a)) & set(values(testing.a))


def test_a_pair_stays_on_its_side_when_others_are_added(tmp_path):
    make(tmp_path, *(f"{side}/{n}.png" for side in "AB" for n in range(30)))
    before = {
        split: values(load(f"pairs:{tmp_path}", split=split).a) for split in ("train", "test")
    }
    make(tmp_path, *(f"{side}/{n}.png" for side in "AB" for n in range(30, 60)))
    for split in before:
        assert set(before[split]) <= set(values(load(f"pairs:{tmp_path}", split=split).a))


def test_training_pictures_are_varied_as_in_the_papers_and_test_pictures_are_not(tmp_path):
    make(tmp_path, *TWO_FOLDERS["A-and-B"])
    for kind in ("pairs", "unpaired"):
        training = load(f"{kind}:{tmp_path}")
        testing = load(f"{kind}:{tmp_path}", split="test")
        assert (training.jitter, training.mirror) == (30, True)
        assert (testing.jitter, testing.mirror) == (0, False)


# Reading


def test_each_file_is_read_once_for_both_sides_and_at_the_size_that_is_wanted(
    tmp_path, monkeypatch
):
    for n in range(3):
        halves(tmp_path / "train" / f"{n}.png", n, 100 + n)
    read, sizes = reading.read, []
    monkeypatch.setattr(reading, "read", lambda *given: sizes.append(given[2]) or read(*given))
    monkeypatch.setattr(files, "TEST_SHARE", 2**64)
    data = load(f"pairs:{tmp_path}")
    assert sizes == []
    data = data.resized(16)
    assert sizes == []
    run = runtime.start(device="cpu")
    batch = data.to("cpu").augmented(jitter=0, mirror=False).batch(0, 2, run)
    assert sizes == [16]
    assert torch.allclose(batch["target"] - batch["input"], torch.tensor(100 / 127.5))


def test_sides_may_have_other_pixels_if_they_lie_on_each_other(tmp_path, no_test_split):
    picture(tmp_path / "A" / "1.png", 1, size=(30, 20))
    picture(tmp_path / "B" / "1.png", 2, size=(60, 40))
    picture(tmp_path / "A" / "2.png", 1, size=(30, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    picture(tmp_path / "B" / "2.png", 2, size=(20, 30), exif=exif)
    assert values(load(f"pairs:{tmp_path}").b) == [2]
    assert values(load(f"pairs:{tmp_path}", split="test").b) == [2]
    report = check(f"pairs:{tmp_path}")
    assert "30x20" in report
    assert "sizes       1 " in report
    assert "A/1.png + B/1.png" in report


# What is refused


def save_oblong(folder):
    halves(folder / "1.png", 1, 2)
    picture(folder / "2.png", size=(640, 480))


def save_other_shape(folder):
    picture(folder / "A" / "1.png", size=(30, 20))
    picture(folder / "B" / "1.png", size=(20, 20))


def save_unreadable(folder):
    make(folder, "A/1.png", "B/1.png", "A/2.png", "B/2.png")
    (folder / "B" / "2.png").write_bytes(b"")


def save_empty_half(folder):
    (folder / "1.png").write_bytes(b"")


UNFIT = {
    "no-two-halves": (save_oblong, r"2\.png \(640x480 .* twice as wide"),
    "other-shape": (save_other_shape, r"1\.png \(30x20 and 20x20 .*: cut both"),
    "unreadable": (save_unreadable, r"B/2\.png: empty"),
    "empty-file": (save_empty_half, r"1\.png \(empty"),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_this_pair_is_refused_by_name_before_training(tmp_path, no_test_split, kind):
    save, message = UNFIT[kind]
    save(tmp_path)
    found = refusal(f"pairs:{tmp_path}")
    assert re.search(message, found)
    assert "Remove or replace" in found


LAYOUTS = {
    "empty": ([], "pairs", ["0 pictures", "Expected one file"]),
    "lone-names": (
        ["A/1.png", "A/2.png", "B/1.png", "B/3.png"],
        "pairs",
        ["2 of 4 pictures", "A/2.png, B/3.png", "Rename", "unpaired:"],
    ),
    "lone-names-of-both-sides": (
        [f"{side}/{name}/{n}.png" for side, name in ("Ax", "By") for n in range(5)],
        "pairs",
        ["10 of 10 pictures", "A/x/0.png, B/y/0.png, A/x/1.png, ..."],
    ),
    "same-name-twice": (["A/1.png", "A/1.bmp", "B/1.png"], "pairs", ["A/1.bmp and A/1.png"]),
    "empty-side": (["A/1.png"], "pairs", ["1 pictures of A, but none of B", "folder B"]),
    "empty-side-of-unpaired": (
        ["trainB/1.png"],
        "unpaired",
        ["1 pictures of B for train, but none of A", "folder trainA"],
    ),
    "empty-side-of-a-part": (
        ["trainA/1.png", "trainB/1.png", "testA/1.png"],
        "unpaired",
        ["1 pictures of A for test", "none of B"],
    ),
    "three-folders": (
        ["cats/1.png", "dogs/1.png", "cows/1.png"],
        "unpaired",
        ["cats, cows, dogs", "Expected two folders"],
    ),
    "one-folder": (["cats/1.png"], "pairs", ["cats", "Expected one file"]),
    "loose-beside-folders": (
        ["A/1.png", "B/1.png", "2.png"],
        "pairs",
        ["(2.png)", "beside", "Expected one file"],
    ),
    "one-folder-for-both": (
        ["1.png", "2.png"],
        "unpaired",
        ["(1.png, 2.png)", "Expected two folders"],
    ),
    "no-part-for-training": (
        ["testA/1.png", "testB/1.png", "valA/1.png", "valB/1.png"],
        "unpaired",
        ["no part for training"],
    ),
    "a-part-for-testing-alone": (
        ["testA/1.png", "testB/1.png"],
        "pairs",
        ["no part for training", "test"],
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_this_layout_is_refused_with_a_remedy(tmp_path, layout):
    names, kind, parts = LAYOUTS[layout]
    make(tmp_path, *names)
    message = refusal(f"{kind}:{tmp_path}")
    assert message.startswith(str(tmp_path))
    for part in parts:
        assert part in message


def test_two_folders_apart_must_be_two(tmp_path):
    make(tmp_path, *(f"{name}/1.png" for name in ("cats", "dogs", "cows")))
    cats, dogs, cows = (tmp_path / name for name in ("cats", "dogs", "cows"))
    with pytest.raises(DataError, match=r"3 folders.* two"):
        load(f"unpaired:{cats}, {dogs}, {cows}")
    with pytest.raises(DataError, match=r"one folder.*another for B"):
        load(f"unpaired:{cats},{dogs / '..' / 'cats'}")


PARTIAL = {
    "testA-alone": (["trainA/1.png", "trainB/1.png", "testA/1.png"], ["A for test", "testB"]),
    "testB-alone": (["trainA/1.png", "trainB/1.png", "testB/1.png"], ["B for test", "testA"]),
    "testB-empty": (["trainA/1.png", "trainB/1.png", "testA/1.png", "testB/"], ["testB"]),
    "trainA-alone": (["trainA/1.png"], ["A for train, but none of B", "trainB"]),
    "train-and-test-of-one": (["trainA/1.png", "testA/1.png"], ["trainB"]),
    "no-part-for-training": (["testA/1.png", "testB/1.png"], ["no part for training", "trainA"]),
    "valA-alone": (["trainA/1.png", "trainB/1.png", "valA/1.png"], ["A for valid", "valB"]),
}


@pytest.mark.parametrize("kind", PARTIAL)
def test_a_layout_that_lacks_a_side_is_told_with_what_to_do(tmp_path, kind):
    names, parts = PARTIAL[kind]
    for name in names:
        if name.endswith("/"):
            (tmp_path / name).mkdir()
        else:
            picture(tmp_path / name, 1)
    for written in (tmp_path, f"unpaired:{tmp_path}", f"pairs:{tmp_path}"):
        with pytest.raises(DataError) as caught:
            check(written)
        for part in parts:
            assert part in str(caught.value)


def test_a_side_with_one_picture_is_told_in_the_report(tmp_path):
    for name in ("A/1.png", "B/2.png"):
        picture(tmp_path / name, 1)
    assert "1 for training, 0 for testing; add pictures" in check(f"unpaired:{tmp_path}")


def test_a_split_without_pictures_is_told_with_a_remedy(tmp_path, no_test_split):
    make(tmp_path, "A/1.png", "B/1.png")
    with pytest.raises(DataError, match=r"test split.*Add pictures"):
        load(f"pairs:{tmp_path}", split="test")


@pytest.mark.parametrize("kind", ["pairs", "unpaired"])
@pytest.mark.parametrize("for_testing", [True, False])
def test_small_sides_have_something_in_each_split(tmp_path, kind, for_testing):
    numbers = [n for n in range(100) if files.Record(str(n), ()).for_testing == for_testing][:3]
    make(tmp_path, *(f"{side}/{n}.png" for side in "AB" for n in numbers))
    training, testing = (load(f"{kind}:{tmp_path}", split=split) for split in ("train", "test"))
    for side in "ab":
        train, test = (len(getattr(data, side)) for data in (training, testing))
        assert train + test == 3
        assert min(train, test) >= 1


def test_a_missing_folder_is_told_with_the_nearest_name(tmp_path):
    (tmp_path / "facades").mkdir()
    with pytest.raises(DataError, match=r"Did you mean .*facades"):
        load(f"pairs:{tmp_path / 'facade'}")
    with pytest.raises(DataError, match="unpaired:PATH"):
        load("unpaired: ")


def test_a_folder_of_pairs_that_is_taken_for_plain_pictures_is_pointed_out(tmp_path):
    halves(tmp_path / "train" / "1.png", 1, 2)
    with pytest.raises(DataError, match=f"pairs:{tmp_path}"):
        load(f"folder:{tmp_path}")


# The report


def test_a_folder_of_two_sides_is_known_by_the_names_of_its_folders(tmp_path):
    make(tmp_path, *(f"{side}/{n}.png" for side in "AB" for n in range(12)))
    (tmp_path / "A" / "notes.txt").write_text("x", encoding="utf-8")
    report = check(tmp_path)
    assert f"{tmp_path}: 12 pairs" in report
    assert "kept as     two files each" in report
    assert "no pictures 1: A/notes.txt" in report
    make(tmp_path, "A/99.png")
    report = check(tmp_path)
    assert f"{tmp_path}: 13 pictures of A" in report
    assert f"{tmp_path}: 12 pictures of B" in report
    make(tmp_path / "classes", "cats/1.png", "dogs/1.png")
    assert "classes     2: cats 1, dogs 1" in check(tmp_path / "classes")


def test_the_report_says_which_folder_is_a_where_the_names_do_not(tmp_path):
    make(tmp_path, *(f"{name}/{n}.png" for name in ("before", "after") for n in range(12)))
    assert "12 pairs (A: after, B: before)" in check(f"pairs:{tmp_path}")
    assert "12 pictures of B: before" in check(f"unpaired:{tmp_path}")
    apart = f"pairs:{tmp_path / 'before'},{tmp_path / 'after'}"
    assert "12 pairs (A: before, B: after)" in check(apart)


def test_the_report_counts_what_each_split_gets(tmp_path):
    for n in range(30):
        halves(tmp_path / f"{n}.png", n, n)
    counts = [len(load(f"pairs:{tmp_path}", split=split)) for split in ("train", "test")]
    report = CliRunner().invoke(main, ["data", "check", f"pairs:{tmp_path}"])
    assert report.exit_code == 0, report.output
    assert "{} for training, {} for testing".format(*counts) in report.output
    assert "kept as     one file each" in report.output


def test_noise_survives_the_way_from_the_disk_to_both_sides(tmp_path, no_test_split):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 32, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "1.png")
    data = load(f"pairs:{tmp_path}", image_size=16)
    both = torch.cat([data.a.pixels, data.b.pixels], 3)[0]
    assert torch.equal(both, torch.from_numpy(pixels).permute(2, 0, 1))


# From end to end


@pytest.mark.parametrize(("gan", "kind"), [("pix2pix", "pairs"), ("cyclegan", "unpaired")])
def test_a_translator_trains_on_folders_unless_something_is_wrong_with_them(tmp_path, gan, kind):
    for n in range(40):
        picture(tmp_path / "pics" / "A" / f"{n}.png", 2 * n, size=(40, 30))
        picture(tmp_path / "pics" / "B" / f"{n}.png", 255 - n, size=(80, 60))

    def train(out):
        data = f"{kind}:{tmp_path / 'pics'}"
        command = ["train", gan, "--preset", "smoke", "--data", data, "--steps", "2"]
        return CliRunner().invoke(main, [*command, "--device", "cpu", "--out", str(out)])

    result = train(tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "generator.safetensors").is_file()
    for n in range(40):  # one of them at least is for training
        (tmp_path / "pics" / "B" / f"{n}.png").write_bytes(b"")
    result = train(tmp_path / "again")
    assert result.exit_code == 2
    assert "empty" in result.output
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(
    ("gan", "kind", "fields"),
    [
        ("dcgan", "pairs", "real"),
        ("pix2pix", "folder", "input, target"),
        ("pix2pix", "unpaired", "input, target"),
    ],
)
def test_a_gan_is_told_that_it_cannot_use_such_folders(tmp_path, gan, kind, fields):
    make(tmp_path / "pics", *TWO_FOLDERS["A-and-B"])
    command = ["train", gan, "--preset", "smoke", "--data", f"{kind}:{tmp_path / 'pics'}"]
    result = CliRunner().invoke(main, [*command, "--out", str(tmp_path / "run")])
    assert result.exit_code == 2
    assert f"{gan} needs data with the fields {fields}, such as" in result.output
    assert not (tmp_path / "run").exists()
