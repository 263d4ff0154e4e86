"""Pictures with maps, the way people have them, and the maps that nobody can learn from."""

import os
import re
import struct
import zlib
from functools import partial

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from gancourse.cli import main
from gancourse.data import check, load, own
from gancourse.data.own import files, maps, reading
from gancourse.errors import CourseError, DataError
from gancourse.training import runtime

SKY, ROAD, TREE = (169, 216, 245), (217, 185, 138), (47, 125, 79)
COLOURS = [SKY, ROAD, TREE]
LEGEND = "name,colour\nsky,#a9d8f5\nroad,#D9B98A\ntree,#2f7d4f\n"


@pytest.fixture
def no_test_split(monkeypatch):
    monkeypatch.setattr(files, "TEST_SHARE", 2**64)


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint8)).save(path, **options)


def thirds(width=12, height=12):
    """A map with the classes 0, 1 and 2 in three bands, one above the other."""
    return np.arange(height)[:, None] * 3 // height + np.zeros((1, width), int)


def palette(path, pixels, colours=COLOURS, **options):
    image = Image.fromarray(np.asarray(pixels, np.uint8))
    image.putpalette([value for colour in colours for value in colour])
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **options)


def coloured(path, pixels, **options):
    save(path, np.asarray(COLOURS, np.uint8)[pixels], **options)


def make(folder, count=12, draw=save, pixels=None, ending="png"):
    """Pictures of one brightness each, with a map for each."""
    for n in range(count):
        save(folder / "pictures" / f"{n}.jpg", np.full((12, 12), n))
        draw(folder / "maps" / f"{n}.{ending}", thirds() if pixels is None else pixels)


def classes(data, size=12):
    return data.resized(size).columns["map"].values


def refusal(folder, option=None):
    """The first error of loading; checking ends in the same line."""
    name = f"mapped:{option or folder}"
    with pytest.raises(DataError) as loaded:
        for split in ("train", "test"):
            data = load(name, split=split, image_size=8)
            data.columns["map"].values, data.images()
    with pytest.raises(DataError) as checked:
        check(name)
    assert str(checked.value).endswith(str(loaded.value).splitlines()[-1])
    return str(loaded.value)


# Forms of label pictures


def sixteen_bits(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, np.uint16)).save(path)


def grey_with_alpha(path, pixels):
    grey = Image.fromarray(np.asarray(pixels, np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.merge("LA", [grey, Image.new("L", grey.size, 255)]).save(path)


FORMS = {
    "grey": (save, "png"),
    "palette": (palette, "png"),
    "palette-of-two-bits": (partial(palette, bits=2), "png"),
    "sixteen-bits": (sixteen_bits, "png"),
    "grey-with-alpha": (grey_with_alpha, "png"),
    "bmp": (save, "bmp"),
    "gif": (palette, "gif"),
    "tiff": (save, "tif"),
}


@pytest.mark.parametrize("form", FORMS)
def test_numbers_are_read_as_they_are_whatever_the_palette_shows(tmp_path, form):
    draw, ending = FORMS[form]
    make(tmp_path, 2, draw, thirds(), ending)
    data = load(f"mapped:{tmp_path}")
    assert data.columns["map"].field.classes == ("0", "1", "2")
    assert torch.equal(classes(data)[0], torch.from_numpy(thirds()).byte())


def grey_of_few_bits(path, width, bits_each, rows):
    """A grey PNG of 2 or 4 bits, which Pillow writes only for palettes."""

    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    each = 8 // bits_each
    packed = b"".join(
        b"\0"
        + bytes(
            sum(value << (8 - bits_each * (k + 1)) for k, value in enumerate(row[x : x + each]))
            for x in range(0, width, each)
        )
        for row in rows
    )
    head = struct.pack(">IIBBBBB", width, len(rows), bits_each, 0, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(packed))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("bits_each", [2, 4])
def test_greys_of_few_bits_are_not_scaled(tmp_path, bits_each):
    for n in range(2):
        save(tmp_path / "pictures" / f"{n}.png", np.zeros((12, 12)))
        path = tmp_path / "maps" / f"{n}.png"
        grey_of_few_bits(path, 12, bits_each, thirds().tolist())
    data = load(f"mapped:{tmp_path}")
    assert data.columns["map"].field.classes == ("0", "1", "2")
    assert torch.equal(classes(data)[0], torch.from_numpy(thirds()).byte())


def test_black_and_white_are_two_classes(tmp_path):
    for n in range(2):
        save(tmp_path / "pictures" / f"{n}.png", np.zeros((12, 12)))
        path = tmp_path / "masks" / f"{n}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(thirds() > 0).save(path)
    data = load(f"mapped:{tmp_path}")
    assert data.columns["map"].field.classes == ("0", "1")
    assert torch.equal(classes(data)[0], torch.from_numpy(thirds() > 0).byte())


def test_colours_without_a_legend_are_classes_in_the_order_of_their_numbers(tmp_path):
    make(tmp_path, 2, coloured)
    data = load(f"mapped:{tmp_path}")
    assert data.columns["map"].field.classes == ("#2f7d4f", "#a9d8f5", "#d9b98a")
    assert classes(data)[0, :, 0].tolist() == [1] * 4 + [2] * 4 + [0] * 4


@pytest.mark.parametrize("draw", [coloured, palette])
@pytest.mark.parametrize(
    "legend", [LEGEND, LEGEND.replace(",", ";"), LEGEND.partition("\n")[2], "\ufeff" + LEGEND]
)
def test_a_legend_gives_names_and_their_order(tmp_path, draw, legend):
    make(tmp_path, 2, draw)
    (tmp_path / "legend.csv").write_text(legend, encoding="utf-8")
    data = load(f"mapped:{tmp_path}")
    assert data.columns["map"].field.classes == ("sky", "road", "tree")
    assert torch.equal(classes(data)[0], torch.from_numpy(thirds()).byte())


def test_a_legend_of_numbers_may_have_gaps_and_names_greys_kept_as_colours(tmp_path):
    make(tmp_path, 2, lambda path, _: save(path, np.repeat(thirds()[..., None] * 100, 3, 2)))
    (tmp_path / "maps" / "legend.csv").write_text("tree,200\nsky,0\nroad,100\nlake,7\n")
    data = load(f"mapped:{tmp_path}")
    assert data.columns["map"].field.classes == ("tree", "sky", "road", "lake")
    assert classes(data)[0, :, 0].tolist() == [1] * 4 + [2] * 4 + [0] * 4
    report = check(f"mapped:{tmp_path}")
    assert "not seen    1 at 64 pixels: lake" in report
    assert "4: tree 32.8%" in report


def test_labels_that_begin_at_one_are_the_same_classes(tmp_path):
    make(tmp_path, 2, save, thirds() + 1)
    data = load(f"mapped:{tmp_path}")
    assert data.columns["map"].field.classes == ("1", "2", "3")
    assert torch.equal(classes(data)[0], torch.from_numpy(thirds()).byte())


# Reading


def test_a_map_is_cut_and_scaled_as_its_picture_and_never_blended(tmp_path, no_test_split):
    pixels = np.zeros((40, 80), int)
    pixels[:, 20:30], pixels[:, 50:60], pixels[:, :20] = 2, 4, 1
    for n in range(2):
        save(tmp_path / "A" / f"{n}.png", pixels)
        save(tmp_path / "B" / f"{n}.png", pixels * 60)
    data = load(f"mapped:{tmp_path}").resized(8)
    row = data.columns["map"].values[0, 4].tolist()
    assert row == [2, 2, 0, 0, 0, 0, 3, 3]  # the classes are 0, 1, 2, 4
    assert data.columns["map"].field.classes == ("0", "1", "2", "4")
    for size in (8, 64, 7):
        some = data.resized(size).take("real", "map")
        batch = some.batch(0, 1, runtime.start(device="cpu"))
        some.fields["map"].check("map", batch["map"], 1)
        assert batch["map"].shape == (1, size, size)
        assert batch["real"].shape == (1, 3, size, size)


def test_a_map_is_turned_as_its_file_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    for n in range(2):
        save(tmp_path / "maps" / f"{n}.png", thirds(12, 24), exif=exif)
        save(tmp_path / "pictures" / f"{n}.jpg", np.zeros((24, 12)), exif=exif)
    assert classes(load(f"mapped:{tmp_path}"))[0, 0].tolist() == [2] * 2 + [1] * 8 + [0] * 2


def test_rows_of_both_fields_belong_together(tmp_path):
    for n in range(12):
        save(tmp_path / "images" / f"{n}.png", np.full((8, 8), 20 * n))
        save(tmp_path / "labels" / f"{n}.png", np.full((8, 8), n))
    seen = []
    for split in ("train", "test"):
        data = load(f"mapped:{tmp_path}", split=split, image_size=8)
        numbers = data.columns["map"].values[:, 0, 0].tolist()
        assert data.pixels[:, 0, 0, 0].tolist() == [20 * number for number in numbers]
        seen.append(numbers)
    assert sorted([*seen[0], *seen[1]]) == list(range(12))
    assert all(seen)


def test_a_test_split_holds_out_one_of_two(tmp_path):
    make(tmp_path, 2)
    assert [len(load(f"mapped:{tmp_path}", split=split)) for split in ("train", "test")] == [1, 1]


def test_parts_and_folders_that_lie_apart_are_found(tmp_path):
    for part, n in (("training", 1), ("validation", 2)):
        save(tmp_path / "images" / part / "1.jpg", np.full((8, 8), n))
        save(tmp_path / "annotations" / part / "1.png", thirds(8, 9)[:8] + n)
    data = load(f"mapped:{tmp_path}", split="test", image_size=8)
    assert data.columns["map"].field.classes == ("1", "2", "3", "4")  # of both parts
    assert data.columns["map"].values.min() == 1
    apart = f"{tmp_path / 'images' / 'training'},{tmp_path / 'annotations' / 'training'}"
    with pytest.raises(DataError, match="which of training and training holds the maps"):
        load(f"mapped:{apart}")
    os.rename(tmp_path / "annotations" / "training", tmp_path / "Labels")
    apart = f"{tmp_path / 'images' / 'training'},{tmp_path / 'Labels'}"
    save(tmp_path / "images" / "training" / "2.jpg", np.zeros((8, 8)))
    save(tmp_path / "Labels" / "2.png", thirds(8, 9)[:8])
    assert len(load(f"mapped:{apart}")) == 1
    assert own.absolute(f"mapped:{apart}") == f"mapped:{apart}"


def test_large_sets_are_read_from_the_disk_and_anew_when_the_legend_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(own, "IN_MEMORY", 0)
    monkeypatch.setenv("GANCOURSE_CACHE", str(tmp_path / "cache"))
    make(tmp_path / "set", 3)
    name = f"mapped:{tmp_path / 'set'}"
    first = classes(load(name))
    monkeypatch.setattr(reading, "look", None)  # nothing is read again
    assert torch.equal(classes(load(name)), first)
    monkeypatch.undo()
    monkeypatch.setattr(own, "IN_MEMORY", 0)
    monkeypatch.setenv("GANCOURSE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "set" / "legend.csv").write_text("c,2\nb,1\na,0\n")
    assert torch.equal(classes(load(name)), 2 - first)


# What is refused


def off_by_one(folder):
    make(folder, 3, save, thirds() + 1)
    (folder / "legend.csv").write_text("sky,0\nroad,1\ntree,2\n")


def one_pixel(folder):
    make(folder, 3)
    pixels = thirds()
    pixels[7, 5] = 9
    save(folder / "maps" / "1.png", pixels)
    (folder / "legend.csv").write_text("sky,0\nroad,1\ntree,2\n")


def one_colour(folder):
    make(folder, 3, coloured)
    pixels = np.asarray(COLOURS, np.uint8)[thirds()]
    pixels[0, 3] = (1, 2, 3)
    save(folder / "maps" / "1.png", pixels)
    (folder / "legend.csv").write_text(LEGEND)


def other_shape(folder):
    make(folder, 3)
    save(folder / "maps" / "1.png", thirds(12, 18))


def lossy(folder):
    make(folder, 3, coloured, ending="jpg")


def photograph(folder):
    make(folder, 2)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3))
    save(folder / "maps" / "1.png", noise)


def two_forms(folder):
    make(folder, 2)
    coloured(folder / "maps" / "1.png", thirds())


def too_many(folder):
    for n in range(2):
        save(folder / "pictures" / f"{n}.png", np.zeros((16, 16)))
        rgb = np.zeros((16, 16, 3))
        rgb[..., 0], rgb[..., 1] = np.arange(256).reshape(16, 16), n
        save(folder / "maps" / f"{n}.png", rgb)


def transparent(folder):
    make(folder, 2, coloured)
    rgba = np.full((12, 12, 4), 255)
    rgba[2, 1, 3] = 0
    save(folder / "maps" / "1.png", rgba)


def colours_for_numbers(folder):
    make(folder, 2, coloured)
    (folder / "legend.csv").write_text("sky,0\nroad,1\n")


def floats(folder):
    make(folder, 2)
    os.remove(folder / "maps" / "1.png")
    Image.fromarray(np.zeros((12, 12), np.float32)).save(folder / "maps" / "1.tif")


def empty_map(folder):
    make(folder, 2)
    (folder / "maps" / "1.png").write_bytes(b"")


def damaged_picture(folder):
    make(folder, 2)
    (folder / "pictures" / "1.jpg").write_bytes(b"GIF89a")


def other_range(folder):
    make(folder, 2)
    os.remove(folder / "maps" / "1.png")
    (folder / "maps" / "1.pgm").write_bytes(b"P5 12 12 2\n" + bytes(144))


WRONG = {
    "labels-off-by-one": (off_by_one, r"column 0, row 8 .* 3, which is no class: .*0 sky, 1 road"),
    "one-pixel": (one_pixel, r"maps/1\.png: the pixel in column 5, row 7 .* is 9"),
    "one-colour": (one_colour, r"maps/1\.png: .*column 3, row 0 .* #010203, .*#a9d8f5 sky"),
    "other-shape": (other_shape, r"1\.png .*12x18 and 12x12 pixels differ in shape"),
    "saved-with-loss": (lossy, r"a JPEG, which changes .*: save the map as PNG"),
    "a-photograph": (photograph, r"maps/1\.png \(more than 256 values: no map"),
    "two-forms": (two_forms, r"0\.png holds numbers, and maps/1\.png colours.*legend\.csv"),
    "too-many-classes": (too_many, r"512 values, and the limit is 256.*legend\.csv"),
    "transparent": (transparent, r"column 1, row 2 .* transparent: fill"),
    "colours-for-numbers": (colours_for_numbers, r"is a colour, but legend\.csv has numbers"),
    "floats": (floats, r"1\.tif .*floating-point|1\.tif .*kind F"),
    "empty-file": (empty_map, r"maps/1\.png \(empty"),
    "damaged-picture": (damaged_picture, r"pictures/1\.jpg"),
    "other-range": (other_range, r"1\.pgm .*largest value is not 255"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_named_with_its_file_before_any_training(tmp_path, kind):
    draw, message = WRONG[kind]
    draw(tmp_path)
    assert re.search(message, refusal(tmp_path))


@pytest.mark.parametrize(
    ("legend", "message"),
    [
        ("sky,0\nroad\n", "line 2: expected a class and its value"),
        ("sky,0\nroad,1,2\n", "line 2: expected"),
        ("sky,#12345\n", "line 1: expected"),
        ("sky,-1\n", "line 1: expected"),
        ("sky,NaN\n", "line 1: expected"),
        ("sky,0\nsky,1\n", "line 2: the class 'sky' .* line 1"),
        ("sky,0\nroad,0\n", "line 2: the value '0' .* line 1"),
        ("sky,0\nroad,#000001\n", "a number in line 1 and a colour in line 2"),
        ("", "has 0 classes"),
        ("name,colour\n", "has 0 classes"),
        ("".join(f"c{n},{n}\n" for n in range(257)), "has 257 classes"),
        ("sky\x1b[31m,x\n", r"sky\\+x1b\[31m"),
    ],
)
def test_a_legend_that_cannot_be_is_refused_with_its_line(tmp_path, legend, message):
    make(tmp_path, 2)
    (tmp_path / "legend.csv").write_text(legend, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        load(f"mapped:{tmp_path}")


def test_a_legend_that_is_no_text_or_no_file_is_refused(tmp_path):
    make(tmp_path, 2)
    path = tmp_path / "legend.csv"
    path.write_bytes(b"sky,\xff\xfe0")
    with pytest.raises(DataError, match="UTF-8"):
        load(f"mapped:{tmp_path}")
    path.write_text("x" * (maps.MOST_BYTES + 1))
    with pytest.raises(DataError, match="limit is 1 MB"):
        load(f"mapped:{tmp_path}")
    path.write_text("sky,0\n")
    (tmp_path / "maps" / "legend.csv").write_text("sky,0\n")
    with pytest.raises(DataError, match=r"are legends\. Leave one"):
        load(f"mapped:{tmp_path}")
    os.remove(path)
    os.remove(tmp_path / "maps" / "legend.csv")
    os.mkfifo(path)
    with pytest.raises(DataError, match="no file"):
        load(f"mapped:{tmp_path}")


def test_a_legend_may_lie_in_either_of_two_folders_that_lie_apart_but_not_in_both(tmp_path):
    make(tmp_path, 3)
    apart = f"mapped:{tmp_path / 'maps'},{tmp_path / 'pictures'}"
    for side in ("pictures", "maps"):
        path = tmp_path / side / "legend.csv"
        path.write_text("sky,0\nroad,1\ntree,2\n")
        assert load(apart).columns["map"].field.classes == ("sky", "road", "tree")
        os.remove(path)
    for side in ("pictures", "maps"):
        (tmp_path / side / "legend.csv").write_text("sky,0\n")
    with pytest.raises(DataError, match=r"are legends\. Leave one"):
        load(apart)


def test_names_in_a_legend_reach_a_message_in_printable_characters(tmp_path):
    make(tmp_path, 2)
    (tmp_path / "legend.csv").write_text("sky\x1b[31m,0\nroad,1\n")
    found = refusal(tmp_path)
    assert "\x1b" not in found and r"0 sky\x1b[31m, 1 road" in found


LAYOUTS = {
    "no-maps": (["pictures/1.png"], "Expected two folders, maps and pictures"),
    "no-partner": (["maps/1.png", "pictures/1.png", "pictures/2.png"], "1 of 3.*pictures/2.png"),
    "neither-is-called-so": (["a1/1.png", "b1/1.png"], "which of a1 and b1 .* Call that folder"),
    "both-are-called-so": (["labels/1.png", "maps/1.png"], "which of labels and maps"),
    "one-folder": (["1.png", "2.png"], "no folder says which"),
    "empty": ([], "0 pictures"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_another_layout_is_refused_with_what_is_expected(tmp_path, layout):
    names, message = LAYOUTS[layout]
    for name in names:
        save(tmp_path / name, thirds())
    with pytest.raises(DataError, match=message) as found:
        load(f"mapped:{tmp_path}")
    assert "unpaired" not in str(found.value)


def test_links_and_odd_names_are_taken_as_they_are(tmp_path, no_test_split):
    name = "a b, 'c' é\n.png"
    save(tmp_path / "real" / name, thirds())
    for side in ("maps", "pictures"):
        (tmp_path / "set" / side).mkdir(parents=True)
        os.symlink(tmp_path / "real" / name, tmp_path / "set" / side / name)
        save(tmp_path / "set" / side / "2.png", thirds())
    assert len(load(f"mapped:{tmp_path / 'set'}")) == 1
    os.remove(tmp_path / "real" / name)
    found = refusal(tmp_path / "set")
    assert r"é\n.png" in found and "a link to nowhere" in found


def test_the_command_line_checks_maps_and_says_where_they_are_loaded(tmp_path):
    make(tmp_path, 12)
    (tmp_path / "maps" / "notes.txt").write_text("hello")
    result = CliRunner().invoke(main, ["data", "check", f"mapped:{tmp_path}"])
    assert result.exit_code == 0, result.output
    for text in ("12 pictures with maps", "3: 0 32.8%", "all 12x12", "notes.txt", "for testing"):
        assert text in result.output
    off_by_one(tmp_path)
    result = CliRunner().invoke(main, ["data", "check", f"mapped:{tmp_path}"])
    assert result.exit_code == 2 and "which is no class" in result.output
    for refuse in (load, check):
        with pytest.raises(
            DataError, match=r"write maps\. Your own pictures are .*mapped:, boxes:"
        ):
            refuse(f"maps:{tmp_path}")
    with pytest.raises(CourseError, match="mapped:PATH"):
        load(f"folder:{tmp_path / 'pictures'}").take("map")
