"""Folders of pictures, the way people have them."""

import errno
import itertools
import os
import struct
import sys
import unicodedata
import zipfile
import zlib

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from gancourse.cli import main
from gancourse.data import check, load, own
from gancourse.data.own import absolute, files, layout, reading
from gancourse.data.packed import packed
from gancourse.data.source import Column, ImageData
from gancourse.errors import CourseError, DataError
from gancourse.lesson import setup
from gancourse.training import runtime

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def picture(path, size=(8, 8), mode="RGB", colour=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, RED if colour is None and mode == "RGB" else colour or 0).save(
        path, **options
    )
    return path


def cut(path):
    """Leave the first half of a file, which must hold noise to have one."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def noise(path, **options):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def hashed(records):
    return sorted(records, key=lambda record: record.hash)


@pytest.fixture
def no_test_split(monkeypatch):
    """Every picture is for training, so that a test of three files knows what it gets."""
    monkeypatch.setattr(layout, "divide", lambda records: (hashed(records), []))


def centre(folder, image_size=8):
    """The colour in the middle of the only picture of a folder."""
    data = load(f"folder:{folder}", image_size=image_size)
    assert len(data) == 1
    return data.pixels[0, :, image_size // 2, image_size // 2].tolist()


def refusal(folder):
    """The one error that both loading and checking a folder raise."""
    with pytest.raises(DataError) as loaded:
        load(f"folder:{folder}", image_size=8).images()
    with pytest.raises(DataError) as checked:
        check(f"folder:{folder}")
    last = str(loaded.value).splitlines()[-1]
    assert str(checked.value).endswith(last)
    return str(loaded.value)


# Pictures of every kind


def save_palette(folder):
    Image.new("RGB", (8, 8), RED).quantize().save(folder / "a.png")


def save_transparent_palette(folder):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([*RED, *BLUE])
    image.save(folder / "a.png", transparency=0)


def save_16_bits(folder, name):
    Image.fromarray(np.full((8, 8), 0x8055, np.uint16)).save(folder / name)


def save_animation(folder, name):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    options = {"lossless": True} if name.endswith("webp") else {}
    frames[0].save(folder / name, save_all=True, append_images=frames[1:], **options)


def save_odd_exif(folder):
    picture(folder / "a.jpg", exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff\x12\x01")


def save_two_in_one(folder):
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN)]
    frames[0].save(folder / "a.jpg", "MPO", save_all=True, append_images=frames[1:])


def save_transparent_oblong(folder):
    """Green in the middle third, which is what the square shows."""
    image = Image.new("RGBA", (24, 8), (*RED, 255))
    image.paste((*GREEN, 255), (8, 0, 16, 8))
    image.save(folder / "a.png")


WORKING = {
    "png": (lambda f: picture(f / "a.png"), RED),
    "jpeg": (lambda f: picture(f / "a.jpeg"), RED),
    "jpeg-progressive": (lambda f: picture(f / "a.jpg", progressive=True), RED),
    "webp": (lambda f: picture(f / "a.webp"), RED),
    "bmp": (lambda f: picture(f / "a.bmp"), RED),
    "tiff": (lambda f: picture(f / "a.tif"), RED),
    "ppm": (lambda f: picture(f / "a.ppm"), RED),
    "palette": (save_palette, RED),
    "palette-with-transparency": (save_transparent_palette, WHITE),
    "one-bit": (lambda f: picture(f / "a.png", mode="1", colour=1), WHITE),
    "16-bit-grey-png": (lambda f: save_16_bits(f, "a.png"), (128, 128, 128)),
    "16-bit-grey-tiff": (lambda f: save_16_bits(f, "a.tiff"), (128, 128, 128)),
    "grey": (lambda f: picture(f / "a.jpg", mode="L", colour=77), (77, 77, 77)),
    "grey-half-transparent": (
        lambda f: picture(f / "a.png", mode="LA", colour=(0, 127)),
        (128, 128, 128),
    ),
    "colour-half-transparent": (
        lambda f: picture(f / "a.png", mode="RGBA", colour=(255, 0, 0, 127)),
        (255, 128, 128),
    ),
    "colour-wholly-transparent": (
        lambda f: picture(f / "a.webp", mode="RGBA", colour=(9, 9, 9, 0)),
        WHITE,
    ),
    "cmyk-jpeg": (lambda f: picture(f / "a.jpg", mode="CMYK", colour=(0, 255, 255, 0)), RED),
    "one-pixel": (lambda f: picture(f / "a.png", size=(1, 1)), RED),
    "one-pixel-high": (lambda f: picture(f / "a.png", size=(200, 1)), RED),
    "large": (lambda f: picture(f / "a.jpg", size=(3000, 2000)), RED),
    "oblong": (save_transparent_oblong, GREEN),
    "animated-gif": (lambda f: save_animation(f, "a.gif"), RED),
    "animated-webp": (lambda f: save_animation(f, "a.webp"), RED),
    "animated-png": (lambda f: save_animation(f, "a.png"), RED),
    "tiff-of-several-pages": (lambda f: save_animation(f, "a.tif"), RED),
    "jpeg-of-several-pictures": (save_two_in_one, RED),
    "exif-that-is-damaged": (save_odd_exif, RED),
    "content-of-another-kind-than-the-name-says": (
        lambda f: picture(f / "a.jpg", format="PNG"),
        RED,
    ),
    "upper-case-ending": (lambda f: picture(f / "A.JPG"), RED),
    "name-beyond-ascii": (lambda f: picture(f / "Schlüssel 钥匙 🔑.png"), RED),
    "name-as-long-as-can-be": (lambda f: picture(f / ("n" * 251 + ".png")), RED),
    "name-with-a-line-break": (lambda f: picture(f / "a\nb.png"), RED),
}
ON_WINDOWS_NO_NAME = {"name-with-a-line-break", "name-as-long-as-can-be"}


@pytest.mark.parametrize("kind", WORKING)
def test_this_kind_of_picture_works(tmp_path, no_test_split, kind):
    if kind in ON_WINDOWS_NO_NAME and sys.platform == "win32":
        pytest.skip("no such name on Windows")
    save, colour = WORKING[kind]
    save(tmp_path)
    assert np.abs(np.subtract(centre(tmp_path), colour)).max() <= 2  # JPEG is not exact
    assert ": 1 pictures" in check(tmp_path)


QUARTERS = np.array([[RED, GREEN], [BLUE, WHITE]], np.uint8).repeat(16, 0).repeat(16, 1)
# What a camera stores so that the picture, turned as the tag says, is upright.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_is_turned_as_its_exif_tag_says(tmp_path, no_test_split, orientation, ending):
    upright = Image.fromarray(QUARTERS)
    turn = STORED[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = upright if turn is None else upright.transpose(turn)
    stored.save(tmp_path / f"a.{ending}", exif=exif, quality=100)
    pixels = load(f"folder:{tmp_path}", image_size=32).pixels[0]
    corners = pixels[:, 4::24, 4::24].permute(1, 2, 0).int()
    expected = torch.tensor(QUARTERS[4::24, 4::24].astype(int))
    assert (corners - expected).abs().max() <= 8


def test_sizes_may_differ_and_the_middle_is_scaled_to_the_shorter_side(tmp_path, no_test_split):
    ramp = np.linspace(0, 255, 40).astype(np.uint8)[:, None].repeat(40, 1)
    frames = {"square": 0, "wide": ((0, 0), (25, 26)), "high": ((26, 25), (0, 0))}
    for name, frame in frames.items():
        Image.fromarray(np.pad(ramp, frame, constant_values=200)).save(tmp_path / f"{name}.png")
    data = load(f"folder:{tmp_path}", image_size=20)
    assert data.pixels.shape == (3, 3, 20, 20)
    expected = torch.from_numpy(ramp.reshape(20, 2, 20, 2).mean((1, 3)))
    inner = slice(2, -2)  # half a pixel of the frame shows at the edge
    assert (data.pixels - expected)[:, :, inner, inner].abs().max() < 6


# Files that cannot be read


def chunk(kind, content):
    crc = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + crc


def huge_png(path, side):
    """A PNG of a few bytes that says to have side x side pixels."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b""))


def cut_copy(name, **options):
    return lambda path: cut(noise(path.with_name(name), **options))


UNREADABLE = {
    "empty": ("a.jpg", lambda p: p.write_bytes(b""), "empty"),
    "text": ("a.jpg", lambda p: p.write_text("hello"), "known kind"),
    "web-page": ("a.jpg", lambda p: p.write_text("<!DOCTYPE html><title>404"), "web page"),
    "svg": ("a.svg", lambda p: p.write_text("<svg/>"), "JPEG or PNG"),
    "heic": ("a.HEIC", lambda p: p.write_bytes(b"x"), "JPEG or PNG"),
    "heic-named-jpg": (
        "a.jpg",
        lambda p: p.write_bytes(b"\0\0\0\x18ftypheic" + bytes(40)),
        "HEIC",
    ),
    "git-lfs-placeholder": (
        "a.png",
        lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\n"),
        "git lfs pull",
    ),
    "format-that-is-not-opened": (
        "a.png",
        lambda p: picture(p, mode="L", format="PCX"),
        "known kind",
    ),
    "truncated-png": ("a.png", cut_copy("a.png"), "truncated"),
    "truncated-jpeg": ("a.jpg", cut_copy("a.jpg"), "truncated"),
    "truncated-webp": ("a.webp", cut_copy("a.webp"), ""),
    "truncated-gif": ("a.gif", cut_copy("a.gif"), "truncated"),
    "truncated-bmp": ("a.bmp", cut_copy("a.bmp"), "truncated"),
    "truncated-tiff": ("a.tif", cut_copy("a.tif"), ""),
    "decompression-bomb": ("a.png", lambda p: huge_png(p, 30_000), "scale it down"),
    "large-beyond-memory": ("a.png", lambda p: huge_png(p, 10_100), "scale it down"),
    "floating-point": ("a.tif", lambda p: picture(p, mode="F"), "8 bits"),
    "32-bit": ("a.tif", lambda p: picture(p, mode="I"), "8 bits"),
    "link-to-nowhere": ("a.jpg", lambda p: p.symlink_to("gone.jpg"), "link to nowhere"),
    "link-to-itself": ("a.jpg", lambda p: p.symlink_to("a.jpg"), ""),
    "named-pipe": ("a.jpg", lambda p: os.mkfifo(p), "not a file"),
}
NEED_UNIX = {"link-to-nowhere", "link-to-itself", "named-pipe"}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_this_kind_of_file_is_refused_by_name_with_a_reason(tmp_path, no_test_split, kind):
    if kind in NEED_UNIX and sys.platform == "win32":
        pytest.skip("needs links and pipes")
    name, save, reason = UNREADABLE[kind]
    picture(tmp_path / "good.png")
    save(tmp_path / name)
    message = refusal(tmp_path)
    assert "unreadable  1:" in message
    assert f"    {name} (" in message
    assert reason in message
    assert "good.png" not in message
    assert "Remove or replace" in message


def test_a_file_without_permission_is_refused(tmp_path, no_test_split, monkeypatch):
    """Simulated, since root may read everything."""
    picture(tmp_path / "a.png")

    def forbidden(*args, **options):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(reading.Image, "open", forbidden)
    assert "a.png (no permission" in refusal(tmp_path)


def test_of_many_unreadable_files_ten_are_named_and_all_counted(tmp_path, no_test_split):
    picture(tmp_path / "good.png")
    for i in range(25):
        (tmp_path / f"{i:02}.jpg").write_bytes(b"")
    message = refusal(tmp_path)
    assert "1 pictures can be read" in message
    assert "unreadable  25:" in message
    assert message.count("0 bytes") == 10
    assert "    00.jpg" in message
    assert "and 15 more" in message


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names must be Unicode there")
def test_a_name_that_is_no_unicode_works_and_can_be_printed(tmp_path, no_test_split):
    picture(tmp_path / os.fsdecode(b"caf\xe9.png"))
    (tmp_path / os.fsdecode(b"th\xe9.txt")).write_bytes(b"x")
    report = check(tmp_path)
    report.encode("utf-8")
    assert "th\\udce9.txt" in report
    assert centre(tmp_path) == [*RED]


def test_what_a_limit_leaves_out_is_not_read(tmp_path, no_test_split):
    for i in range(4):
        picture(tmp_path / f"{i}.png")
    last = max(layout.Folder(tmp_path).records, key=lambda record: record.hash)
    last.files[0].path.write_bytes(b"")
    assert len(load(f"folder:{tmp_path}", image_size=8, limit=3).pixels) == 3
    with pytest.raises(DataError, match=rf"{last.files[0]} \(empty"):
        load(f"folder:{tmp_path}", image_size=8, limit=4).images()


# Layouts


def make(folder, *names):
    """Pictures where the name ends in .png, folders where in /, else text."""
    for name in names:
        path = folder / name
        if name.endswith("/"):
            path.mkdir(parents=True)
        elif name.endswith(".png"):
            picture(path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("text", encoding="utf-8")


LAYOUTS = {
    "empty-folder": ([], ["0 pictures", ".png, .jpg"]),
    "no-pictures": (["a.txt", "b/c.csv"], ["0 pictures", "a.txt, b/c.csv", ".png"]),
    "archive-inside": (["photos.zip", "a.txt"], ["photos.zip", "Unpack"]),
    "one-level-too-high": (
        ["train/cat/1.png", "train/dog/2.png", "test/cat/3.png"],
        ["train (2 pictures)", "test (1 pictures)", "Name the folder"],
    ),
    "two-levels-too-high": (["set/train/cat/1.png"], [f"set{os.sep}train (1 pictures)"]),
    "one-sub-folder-too-deep": (["pets/cat/1.png", "pets/dog/1.png"], ["pets (2 pictures)"]),
    "parts-in-place-of-classes": (
        ["Train/1.png", "Train/2.png", "val/3.png"],
        ["Train, val", "folder:", "Train (2 pictures)"],
    ),
    "loose-pictures-beside-classes": (
        ["cat/1.png", "dog/2.png", "3.png", "4.png"],
        ["3.png, 4.png", "cat, dog", "Move"],
    ),
    "class-without-pictures": (["cat/1.png", "dog/"], ["in dog.", "Put some"]),
    "class-with-text-alone": (["cat/1.png", "dog/a.txt"], ["in dog."]),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_this_layout_is_refused_with_a_remedy(tmp_path, kind):
    names, parts = LAYOUTS[kind]
    make(tmp_path, *names)
    message = refusal(tmp_path)
    assert message.startswith(str(tmp_path))
    for part in parts:
        assert part in message


def test_a_folder_that_may_not_be_opened_is_named(tmp_path, monkeypatch):
    """Simulated, since root may open everything."""
    make(tmp_path, "cat/1.png", "dog/2.png")
    scandir = os.scandir

    def forbidden(path):
        if os.path.basename(path) == "dog":
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    assert f"{tmp_path / 'dog'} cannot be opened: Permission" in refusal(tmp_path)


def test_a_missing_folder_is_told_with_the_nearest_name(tmp_path):
    (tmp_path / "pictures").mkdir()
    assert f"Did you mean {tmp_path / 'pictures'}?" in refusal(tmp_path / "picturs")
    assert f"{tmp_path} exists" in refusal(tmp_path / "x" / "y")


@pytest.mark.parametrize("name", ["a.png", "a.zip", "a.tar.gz"])
def test_a_file_in_place_of_a_folder_is_told(tmp_path, name):
    with zipfile.ZipFile(tmp_path / name, "w") as archive:
        archive.writestr("1.png", b"x")
    remedy = "Unpack it" if name != "a.png" else f"folder:{tmp_path}"
    assert remedy in refusal(tmp_path / name)
    with pytest.raises(DataError, match=r"[Nn]ame the folder"):
        check(tmp_path / name)  # without folder: before it


@pytest.mark.parametrize("name", ["folder", "folder:", 'folder:""'])
def test_a_folder_without_a_path_is_told(name):
    with pytest.raises(CourseError, match=r"folder: and the path|folder:PATH"):
        load(name)
    with pytest.raises(CourseError, match="folder:PATH"):
        check(name)


def test_sub_folders_are_classes_and_deeper_ones_belong_to_them(tmp_path, no_test_split):
    make(tmp_path, "dog/1.png", "dog/old/2.png", "cat/3.png", "cat/notes.txt")
    data = load(f"folder:{tmp_path}", image_size=8)
    assert data.classes == ("cat", "dog")
    assert data.labels.bincount().tolist() == [1, 2]
    assert data.labels.dtype == torch.int64


@pytest.mark.parametrize(
    ("field", "remedy"), [("labels", "sub-folder for each class"), ("attributes", "attributes.csv")]
)
def test_a_folder_that_lacks_a_field_is_told_how_it_gets_it(tmp_path, field, remedy):
    make(tmp_path, "1.png", "2.png")
    with pytest.raises(DataError, match=rf"no field '{field}', only real.*{remedy}"):
        load(f"folder:{tmp_path}").take("real", field)


def test_what_is_neither_folder_nor_file_is_told():
    with pytest.raises(DataError, match="neither a folder nor a file"):
        load(f"folder:{os.devnull}")


def test_without_sub_folders_there_are_no_classes(tmp_path, no_test_split):
    make(tmp_path, "1.png", "2.png", "empty/")
    data = load(f"folder:{tmp_path}", image_size=8)
    assert (data.labels, data.classes, data.num_classes) == (None, (), 0)


def test_labels_belong_to_their_pictures(tmp_path, no_test_split):
    for i, colour in enumerate((RED, GREEN, BLUE)):
        for j in range(5):
            picture(tmp_path / f"class {i}" / f"{j}.png", colour=colour)
    data = load(f"folder:{tmp_path}", image_size=8)
    assert data.pixels[:, :, 0, 0].argmax(1).tolist() == data.labels.tolist()


def test_hidden_files_and_those_of_file_managers_are_passed_over(tmp_path, no_test_split):
    make(tmp_path, "cat/1.png", "cat/Thumbs.db", "cat/.DS_Store", "cat/._1.png", "desktop.ini")
    make(tmp_path, ".cache/a.png", "__MACOSX/cat/._1.png")
    report = check(tmp_path)
    assert "1 pictures" in report
    assert "no pictures" not in report
    assert load(f"folder:{tmp_path}").classes == ("cat",)


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_links_are_followed_but_not_in_circles(tmp_path, no_test_split):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    make(root, "cat/1.png")
    make(elsewhere, "2.png", "3.png")
    (root / "dog").symlink_to(elsewhere)  # leads outside: somebody's wish
    (root / "cat" / "4.png").symlink_to(elsewhere / "2.png")
    (root / "cat" / "round").symlink_to(root)
    (root / "up").symlink_to(tmp_path)
    (elsewhere / "again").symlink_to(elsewhere)
    report = check(root)
    assert "4 pictures" in report
    assert "2: cat 2, dog 2" in report
    assert len(load(f"folder:{root}")) == 4


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege")
def test_a_folder_that_many_ways_lead_to_is_read_once(tmp_path, no_test_split):
    make(tmp_path, *(f"root/{n}/{n}.png" for n in range(25)))
    for n in range(24):
        for link in "ab":
            (tmp_path / "root" / str(n) / link).symlink_to(tmp_path / "root" / str(n + 1))
    (tmp_path / "root" / "0link").symlink_to(tmp_path / "root" / "9")  # before 9 in the alphabet
    (tmp_path / "root" / "0" / "round").symlink_to(tmp_path / "root" / "0" / "round")
    pictures, _ = files.pictures_in(tmp_path / "root")
    assert {p.name for p in pictures} == {f"{n}/{n}.png" for n in range(25)}


def test_folders_in_folders_have_a_limit(tmp_path):
    make(tmp_path, "/".join("d" * 40) + "/1.png")
    assert "30 levels deep" in refusal(tmp_path)


def test_the_number_of_files_has_a_limit(tmp_path, monkeypatch):
    make(tmp_path, *(f"{n}.png" for n in range(6)))
    monkeypatch.setattr(files, "MOST_FILES", 5)
    assert "more than 5 files" in refusal(tmp_path)


# Paths as people write them


@pytest.mark.parametrize(
    "written",
    ["{}", "{}" + os.sep, '"{}"', "'{}'", " {} ", "{}/./"],
    ids=["plain", "separator", "double-quotes", "single-quotes", "spaces", "dot"],
)
def test_a_path_may_be_written_this_way(tmp_path, no_test_split, written):
    folder = tmp_path / "my pictures: the best"
    if sys.platform == "win32":
        folder = tmp_path / "my pictures, the best"
    make(folder, "1.png")
    assert load("folder:" + written.format(folder)).name == f"folder:{folder}"
    assert str(folder) in check("folder:" + written.format(folder))


def test_a_path_may_begin_with_the_home_folder_or_be_relative(tmp_path, monkeypatch):
    make(tmp_path, *(f"pics/{i}.png" for i in range(20)))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert len(load("folder:~/pics")) == len(load("folder:pics")) > 10


def test_a_folder_is_the_same_however_its_path_is_written(tmp_path, monkeypatch):
    make(tmp_path, *(f"{side}/{n}.png" for side in "ab" for n in range(20)))
    monkeypatch.chdir(tmp_path / "a")
    here, there = (str((tmp_path / side).resolve()) for side in "ab")
    for written, name in [
        ("folder:../b", f"folder:{there}"),
        ("folder:.", f"folder:{here}"),
        ("pairs:.,../b", f"pairs:{here},{there}"),
        ("unpaired:../b, .", f"unpaired:{there},{here}"),
    ]:
        assert load(written).name == name
    if sys.platform != "win32":
        (tmp_path / "link").symlink_to(tmp_path / "b")
        assert load("folder:../link").name == f"folder:{there}"


def test_a_name_with_a_folder_can_be_made_absolute(tmp_path, monkeypatch):
    make(tmp_path, "a/1.png", "b/1.png", "a,b/1.png")
    monkeypatch.chdir(tmp_path)
    for written, whole in [
        ("folder:a", f"folder:{tmp_path / 'a'}"),
        ("pairs:a,b", f"pairs:{tmp_path / 'a,b'}"),
        ("unpaired:b,a", f"unpaired:{tmp_path / 'b'},{tmp_path / 'a'}"),
        ("digits", "digits"),
        ("ring:12", "ring:12"),
    ]:
        assert absolute(written) == whole


@pytest.mark.skipif(sys.platform == "win32", reason="there, every other test does this")
def test_a_windows_path_keeps_its_colon_and_is_explained_elsewhere(
    tmp_path, monkeypatch, no_test_split
):
    monkeypatch.chdir(tmp_path)
    path = "C:\\Users\\me\\pics"
    assert "by /" in refusal(path)
    make(tmp_path, f"{path}/1.png")  # here this is one name
    assert load(f"folder:{path}").name == f"folder:{tmp_path.resolve() / path}"


# What a model gets


def test_values_order_and_split_are_the_same_every_time_and_wherever_the_folder_lies(tmp_path):
    for i in range(60):
        picture(tmp_path / "one" / "abc"[i % 3] / f"{i}.png", colour=(4 * i, 0, 0))
    first = [load(f"folder:{tmp_path / 'one'}", split=s, image_size=8) for s in ("train", "test")]
    [data.images() for data in first]
    (tmp_path / "one").rename(tmp_path / "two")
    again = [load(f"folder:{tmp_path / 'two'}", split=s, image_size=8) for s in ("train", "test")]
    for one, two in zip(first, again, strict=True):
        assert torch.equal(one.pixels, two.pixels)
        assert torch.equal(one.labels, two.labels)
    seen = [set(data.pixels[:, 0, 0, 0].tolist()) for data in first]
    assert seen[0] | seen[1] == {4 * i for i in range(60)}
    assert not seen[0] & seen[1]
    assert 0 < len(seen[1]) < 20


def test_a_picture_stays_on_its_side_when_others_are_added():
    names = [f"{i}.png" for i in range(2000)]
    for_testing = [files.Record(name, ()).for_testing for name in names]
    assert 160 < sum(for_testing) < 240
    # Pinned: another hash would mix what a model was trained on with what it is tested on.
    assert [i for i in range(50) if for_testing[i]] == [6, 12, 38, 41, 46]


def test_the_two_ways_to_write_an_accent_are_one_name():
    composed, decomposed = (unicodedata.normalize(form, "é/ü.png") for form in ("NFC", "NFD"))
    assert composed != decomposed
    assert files.Record(composed, ()).hash == files.Record(decomposed, ()).hash


def test_the_first_pictures_are_a_fair_sample_of_the_classes(tmp_path, no_test_split):
    for name in "abcd":
        for i in range(30):
            make(tmp_path, f"{name}/{i}.png")
    counts = load(f"folder:{tmp_path}", limit=40).labels.bincount()
    assert counts.min() >= 4


def test_the_size_is_64_unless_another_is_asked_for(tmp_path, no_test_split):
    picture(tmp_path / "a.png", size=(100, 80))
    assert load(f"folder:{tmp_path}").images().shape == (1, 3, 64, 64)
    assert load(f"folder:{tmp_path}", image_size=48).pixels.shape == (1, 3, 48, 48)
    assert load(f"folder:{tmp_path}").resized(16).shape == (3, 16, 16)
    with pytest.raises(DataError, match=r"image_size .* 0"):
        load(f"folder:{tmp_path}", image_size=0)


def test_pictures_are_read_once_and_at_the_size_that_is_wanted(tmp_path, monkeypatch):
    make(tmp_path, *(f"{i}.png" for i in range(20)))
    read, sizes = reading.read, []
    monkeypatch.setattr(reading, "read", lambda *given: sizes.append(given[2]) or read(*given))
    data = load(f"folder:{tmp_path}")
    assert sizes == []
    data = data.resized(32)
    assert sizes == []
    data.images(), data.first(2).images(), data.resized(32), data.to("cpu").images()
    assert sizes == [32]


def test_batches_hold_pictures_and_labels_and_are_repeatable(tmp_path, no_test_split):
    make(tmp_path, *(f"{name}/{i}.png" for name in "ab" for i in range(8)))
    data = load(f"folder:{tmp_path}", image_size=8)
    run = runtime.start(device="cpu")
    batch = data.batch(3, 4, run)
    assert set(batch) == {"real", "labels"}
    assert batch["real"].shape == (4, 3, 8, 8)
    assert batch["real"].aminmax() == (-1.0, 1.0)
    assert torch.equal(batch["real"], data.batch(3, 4, run)["real"])
    with pytest.raises(DataError, match=r"64 .*folder:.* 16 "):
        data.batch(0, 64, run)


def test_a_split_without_pictures_is_told(tmp_path):
    make(tmp_path, "1.png")
    assert len(load(f"folder:{tmp_path}")) == 1
    with pytest.raises(DataError, match=rf"{tmp_path}: .* test split.*Add pictures"):
        load(f"folder:{tmp_path}", split="test")
    with pytest.raises(CourseError, match="split 'valid'"):
        load(f"folder:{tmp_path}", split="valid")


def names_of(for_testing, count):
    """Names of pictures of which the hash says that all are for testing, or none."""
    numbered = (f"{n}.png" for n in itertools.count())
    return list(
        itertools.islice(
            (name for name in numbered if files.Record(name, ()).for_testing == for_testing), count
        )
    )


@pytest.mark.parametrize("count", [2, 3, 15])
@pytest.mark.parametrize("for_testing", [True, False])
@pytest.mark.parametrize("place", ["", "cat/"])
def test_a_small_folder_has_a_picture_in_each_split(tmp_path, for_testing, count, place):
    names = names_of(for_testing, count)
    records = [files.Record(name, ()) for name in names]
    training, testing = files.divide(records)
    assert sorted(r.name for r in training + testing) == sorted(names)
    assert min(len(training), len(testing)) == 1
    assert files.divide(records[::-1]) == (training, testing)
    make(tmp_path, *(place + name for name in names))
    sizes = [len(load(f"folder:{tmp_path}", split=split)) for split in ("train", "test")]
    assert sum(sizes) == count
    assert min(sizes) >= 1


def test_where_the_hash_gives_both_splits_pictures_it_alone_decides():
    records = [files.Record(f"{n}.png", ()) for n in range(100)]
    training, testing = files.divide(records)
    assert testing == hashed(r for r in records if r.for_testing)
    assert training == hashed(r for r in records if not r.for_testing)


# The report


def test_a_folder_is_counted_by_class_size_and_mode(tmp_path):
    for i in range(3):
        picture(tmp_path / "cats" / f"{i}.png", size=(80, 80), colour=(i, 0, 0))
    picture(tmp_path / "dogs" / "1.JPG", size=(16, 4), mode="L")
    (tmp_path / "dogs" / "notes.txt").write_text("nice dog", encoding="utf-8")
    report = check(tmp_path)
    assert f"{tmp_path}: 4 pictures" in report
    assert "2: cats 3, dogs 1" in report
    assert "16 to 80 wide, 4 to 80 high" in report
    assert "L 1, RGB 3" in report
    assert "not square  1:" in report
    assert "small       1 below 64 pixels: dogs/1.JPG" in report
    assert "no pictures 1: dogs/notes.txt" in report
    assert "copies" not in report


def test_copies_are_pointed_out(tmp_path):
    make(tmp_path, "a.png", "b.png")
    picture(tmp_path / "c.png", colour=BLUE)
    report = check(tmp_path)
    assert "copies      1 " in report
    assert "b.png = a.png" in report


def test_files_that_may_be_pairs_are_pointed_out(tmp_path):
    for i in range(20):
        picture(tmp_path / "a" / f"{i}.png", size=(128, 64), colour=(i, 0, 0))
    assert f" pairs:{tmp_path / 'a'}" in check(tmp_path / "a")
    picture(tmp_path / "a" / "odd.png", size=(64, 64))
    assert "wide        20 " in check(tmp_path / "a")
    for i in range(3):
        picture(tmp_path / "a" / f"odd{i}.png", size=(64, 64 + i))
    assert "pairs:" not in check(tmp_path / "a")
    assert "pairs:" not in check(tmp_path)  # a folder of classes


def test_the_report_counts_what_each_split_gets(tmp_path):
    make(tmp_path, *(f"{i}.png" for i in range(30)))
    counts = [len(load(f"folder:{tmp_path}", split=split)) for split in ("train", "test")]
    assert "{} for training, {} for testing".format(*counts) in check(tmp_path)


# From end to end


@pytest.mark.parametrize("gan", ["vanilla", "dcgan"])
def test_a_gan_trains_on_a_folder_unless_something_is_wrong_with_it(tmp_path, gan):
    for i in range(90):
        picture(tmp_path / "pics" / f"{i}.png", size=(40, 30), colour=(2 * i, 255 - 2 * i, 0))

    def train(out):
        data = f"folder:{tmp_path / 'pics'}"
        command = ["train", gan, "--preset", "smoke", "--data", data, "--steps", "2"]
        return CliRunner().invoke(main, [*command, "--device", "cpu", "--out", str(out)])

    result = train(tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "generator.safetensors").is_file()
    (tmp_path / "pics" / "1.png").write_bytes(b"")
    result = train(tmp_path / "again")
    assert result.exit_code == 2
    assert "1.png (empty" in result.output
    assert not (tmp_path / "again").exists()


def test_a_lesson_takes_a_folder_as_data(tmp_path, no_test_split):
    make(tmp_path, "1.png")
    name = f"folder:{tmp_path}"
    lesson = setup(preset="smoke", seed=0, device="cpu", data=name, out_dir="")
    assert load(lesson.data, image_size=8).shape == (3, 8, 8)


# More than the memory shall hold


@pytest.fixture
def large(tmp_path, monkeypatch):
    """A folder of 40 pictures that count as too many for the memory, and the cache folder."""
    monkeypatch.setenv("GANCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(own, "IN_MEMORY", 1000)
    (tmp_path / "mine").mkdir()
    for number in range(40):
        noise(tmp_path / "mine" / f"{number}.png", compress_level=0)
    return tmp_path / "mine", tmp_path / "cache" / "pictures"


def test_what_does_not_fit_in_memory_is_read_from_a_file_and_is_the_same(large, monkeypatch):
    folder, cache = large
    run = runtime.start("cpu", 0)
    streamed = load(f"folder:{folder}", image_size=16)
    batches = [streamed.batch(step, 4, run)["real"] for step in range(3)]
    assert len(list(cache.glob("*.npy"))) == 1
    monkeypatch.setattr(own, "IN_MEMORY", 2**30)
    held = load(f"folder:{folder}", image_size=16)
    assert all(torch.equal(held.batch(n, 4, run)["real"], batches[n]) for n in range(3))
    assert streamed.fingerprint() == held.fingerprint()


def test_a_changed_picture_is_read_anew(large):
    folder, cache = large
    before = load(f"folder:{folder}").pixels.clone()
    picture(folder / "3.png", (64, 64), colour=BLUE)
    after = load(f"folder:{folder}").pixels
    assert (before != after).flatten(1).any(1).sum() <= 1
    assert len(list(cache.glob("*.npy"))) == 2


def test_an_unreadable_picture_leaves_no_file(large):
    folder, cache = large
    cut(folder / "7.png")
    with pytest.raises(DataError, match="unreadable  1"):
        load(f"folder:{folder}").pixels  # noqa: B018
    assert not list(cache.glob("*.npy*"))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_an_epoch_takes_no_more_memory_than_its_batches(tmp_path):
    """60 MB of pictures are read through once; the process keeps only pages of the file."""
    path, shape = tmp_path / "x.npy", (20_000, 3, 32, 32)
    pixels = packed(
        path, shape, lambda: (np.full(shape[1:], i % 251, np.uint8) for i in range(20_000))
    )
    data = ImageData(Column.read(lambda count, size: pixels[:count], 20_000, 32), None, "x")
    run = runtime.start("cpu", 0)

    def own_memory():
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("RssAnon")) / 1000

    data.batch(0, 100, run)
    before, mean = own_memory(), 0.0
    for step in range(200):
        mean += data.batch(step, 100, run)["real"].mean().item() / 200
    assert mean == pytest.approx(np.mean(np.arange(20_000) % 251) / 127.5 - 1, abs=1e-3)
    assert own_memory() - before < 15  # MB


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names there are Unicode")
def test_a_folder_whose_name_is_not_utf8_is_refused(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    os.mkdir(folder)
    with pytest.raises(DataError, match="is not UTF-8"):
        load(f"folder:{folder}")


def test_pictures_of_a_pair_of_sizes_are_checked_like_others(tmp_path):
    for i in range(12):
        noise(tmp_path / f"{i}.png")
    cut(tmp_path / "3.png")
    with pytest.raises(DataError, match=r"(?s)unreadable.*3\.png"):
        check(f"small2large:folder:{tmp_path}")
    (tmp_path / "3.png").unlink()
    assert "pairs" in check(f"small2large:folder:{tmp_path}")


def test_no_more_is_decoded_than_a_slow_reader_will_take_soon():
    made = []
    rows = reading.in_threads(lambda i: made.append(i) or i, list(range(5_000)), "rows")
    assert next(rows) == 0
    assert len(made) <= reading.AHEAD
    assert [*rows] == list(range(1, 5_000))
