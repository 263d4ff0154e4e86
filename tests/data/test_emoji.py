import base64
import doctest
import hashlib
import io
import json
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from gancourse import data
from gancourse.data import emoji as module
from gancourse.data.emoji import CATEGORIES, STYLES, Emoji, split_of
from gancourse.errors import CourseError, DataError
from gancourse.training import runtime
from tools import build_emoji

COUNT = 1570


@pytest.fixture(scope="module")
def everything():
    return Emoji("all")


def extent(alpha):
    """Return the longer side of what is drawn, in pixels, for each of (N, 1, H, W)."""
    covered = alpha[:, 0] > 127
    width, height = covered.any(1).sum(1), covered.any(2).sum(1)
    return torch.maximum(width, height).float()


# What is there


def test_every_emoji_has_a_picture_in_each_style_and_all_that_is_said_of_it(everything):
    assert len(everything) == COUNT
    for style in STYLES:
        images = everything.images(style)
        assert images.dtype == torch.uint8 and images.shape == (COUNT, 3, 64, 64)
        assert everything.alpha(style).shape == (COUNT, 1, 64, 64)
        assert everything.alpha(style).flatten(1).any(1).all(), "an empty picture"
    said = (everything.names, everything.categories, everything.subcategories, everything.keywords)
    for values in said:
        assert len(values) == COUNT and all(values)
    assert len(set(everything.codepoints)) == COUNT


def test_pictures_use_the_whole_range_and_reach_a_model_in_minus_one_to_one(everything):
    for style in STYLES:
        real = everything.style(style).images()
        assert real.min() == -1 and real.max() == 1


def test_no_skin_tones_and_nothing_that_microsoft_did_not_draw(everything):
    tones = {"1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF"}
    assert not any(tones & set(codepoints.split("-")) for codepoints in everything.codepoints)
    assert not build_emoji.NOT_FLUENT & set(everything.subcategories)
    assert not set(build_emoji.LEFT_OUT) & set(everything.codepoints)


def test_the_same_index_is_the_same_emoji_in_every_style(everything):
    """Red stays red: the colours of the two hearts and the two circles name the row."""
    for name, channel in (
        ("large green circle", 1),
        ("large red circle", 0),
        ("green heart", 1),
        ("blue heart", 2),
    ):
        row = everything.names.index(name)
        for style in STYLES:
            middle = everything.images(style)[row, :, 28:36, 28:36].float().mean((1, 2))
            assert middle.argmax() == channel, (name, style)
    # And over all of them: the outlines of one emoji agree more than those of neighbours.
    shapes = [everything.alpha(style).float() for style in STYLES]
    for one, other in ((0, 1), (0, 2), (1, 2)):
        same = (shapes[one] - shapes[other]).abs().mean()
        shifted = (shapes[one] - shapes[other].roll(1, 0)).abs().mean()
        assert same < 0.6 * shifted


def test_the_three_studios_are_framed_alike(everything):
    sides = [extent(everything.alpha(style)) for style in STYLES]
    for side in sides:
        assert side.median() == 60
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert (sides[one] - sides[other]).abs().mean() < 1.5


def test_no_two_emoji_share_a_picture(everything):
    """It would be a wrong pair, and might stand in both splits."""
    for style in STYLES:
        pictures = everything.images(style)
        assert len({picture.numpy().tobytes() for picture in pictures}) == COUNT


# Splits


def test_the_splits_are_disjoint_and_together_everything(everything):
    train, test = Emoji("train"), Emoji("test")
    assert not set(train.codepoints) & set(test.codepoints)
    assert set(train.codepoints) | set(test.codepoints) == set(everything.codepoints)
    assert (len(train), len(test)) == (1413, 157)


def test_the_split_stays_what_it_is():
    test = "\n".join(sorted(Emoji("test").codepoints))
    assert hashlib.sha256(test.encode()).hexdigest().startswith("c2526ed0300ff56d")


def test_who_does_it_does_not_change_the_split(everything):
    sides = {}
    for codepoints, name in zip(everything.codepoints, everything.names, strict=True):
        for word in ("woman ", "man "):
            if name.startswith(word):
                sides.setdefault(name.removeprefix(word), set()).add(split_of(codepoints))
    roles = [sides[role] for role in ("farmer", "cook", "singer", "judge", "pilot", "astronaut")]
    assert all(len(side) == 1 for side in roles)
    assert split_of("1F3C3-200D-2640-FE0F") == split_of("1F3C3-200D-2642-FE0F") == split_of("1F3C3")


def test_the_first_few_are_a_fair_sample():
    assert len(set(Emoji("train").categories[:60])) >= 7


# As data sets


def test_one_style_is_labelled_by_category():
    fluent = data.load("emoji:fluent")
    emoji = Emoji("train")
    assert fluent.name == "emoji:fluent" and fluent.classes == CATEGORIES
    assert [fluent.classes[label] for label in fluent.labels] == list(emoji.categories)
    assert torch.equal(fluent.pixels, emoji.images("fluent"))


def test_all_styles_are_labelled_by_style_and_follow_each_other():
    domains = data.load("emoji", split="test")
    emoji = Emoji("test")
    assert domains.classes == STYLES and len(domains) == 3 * len(emoji)
    for number, style in enumerate(STYLES):
        assert torch.equal(domains.pixels[number::3], emoji.images(style))
        assert (domains.labels[number::3] == number).all()


def test_load_resizes_and_limits():
    assert data.load("emoji:noto", image_size=32, limit=10).pixels.shape == (10, 3, 32, 32)


def test_pairs_belong_together_row_by_row_and_batch_by_batch():
    emoji = Emoji("test")
    source, target = emoji.pairs("noto", "fluent")
    assert torch.equal(source.pixels, emoji.images("noto"))
    assert torch.equal(target.pixels, emoji.images("fluent"))
    run = runtime.start(device="cpu", seed=3)
    for step in (0, 7, 40):
        first, second = (side.batch(step, 16, run)["real"] for side in (source, target))
        rows = [
            (source.images() == picture).flatten(1).all(1).nonzero().item() for picture in first
        ]
        assert torch.equal(second, target.images(rows))


def test_unpaired_styles_have_no_emoji_in_common():
    emoji = Emoji("train")
    source, target = emoji.unpaired("noto", "fluent")
    noto = {picture.numpy().tobytes(): row for row, picture in enumerate(emoji.images("noto"))}
    fluent = {picture.numpy().tobytes(): row for row, picture in enumerate(emoji.images("fluent"))}
    rows = {noto[picture.numpy().tobytes()] for picture in source.pixels}
    others = {fluent[picture.numpy().tobytes()] for picture in target.pixels}
    assert not rows & others and len(rows) + len(others) == len(emoji)
    assert min(len(rows), len(others)) > 0.4 * len(emoji)


def test_a_category_has_only_its_own():
    food = Emoji("all", "Food & Drink")
    assert set(food.categories) == {"Food & Drink"} and len(food) == 128
    row = food.names.index("taco")
    everything = Emoji("all")
    assert torch.equal(
        food.images("noto")[row], everything.images("noto")[everything.names.index("taco")]
    )


# Backgrounds


@pytest.mark.parametrize("background", [0, 128, (20, 90, 60)])
def test_another_background_shows_where_nothing_is_drawn_and_nowhere_else(background):
    emoji = Emoji("test")
    colour = torch.tensor(background, dtype=torch.uint8).expand(3).reshape(1, 3, 1, 1)
    for style in STYLES:
        alpha = emoji.alpha(style).expand(-1, 3, -1, -1)
        images, on_white = emoji.images(style, background), emoji.images(style)
        assert torch.equal(images[alpha == 0], colour.expand_as(images)[alpha == 0])
        assert torch.equal(images[alpha == 255], on_white[alpha == 255])
        between = (alpha > 0) & (alpha < 255)
        assert (images[between] <= on_white[between]).all()


def test_nothing_drawn_is_exactly_white():
    emoji = Emoji("test")
    for style in STYLES:
        nothing = (emoji.alpha(style) == 0).expand(-1, 3, -1, -1)
        assert (emoji.images(style)[nothing] == 255).all()


def test_images_may_be_changed_without_harm():
    before = Emoji("test").images("noto")
    before.clone().copy_(before)
    Emoji("test").images("noto").zero_()
    Emoji("all").images("noto").zero_()
    assert torch.equal(Emoji("test").images("noto"), before)


# What can go wrong


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: data.load("emoji:fluentt"), "'fluentt'.*Did you mean 'fluent'"),
        (lambda: Emoji(category="Food"), "'Food'.*Food & Drink"),
        (lambda: Emoji("validation"), "'validation'.*train, test, all"),
        (lambda: Emoji("test").pairs("noto", "apple"), "'apple'.*noto"),
        (lambda: Emoji("test").images("noto", 300), "0..255.* 300"),
        (lambda: Emoji("test").images("noto", 0.5), "one whole number or three.* 0.5"),
        (lambda: Emoji("test").images("noto", (1, 2)), r"three.* \(1, 2\)"),
        (lambda: Emoji("test", "Flags"), "'Flags'.* test split.*another split"),
    ],
)
def test_what_there_is_not_is_named(call, message):
    with pytest.raises(CourseError, match=message):
        call()


def test_a_damaged_file_is_named(tmp_path, monkeypatch):
    damaged = tmp_path / "noto.webp"
    damaged.write_bytes(data.shipped("emoji/noto.webp").read_bytes()[:100_000])
    real = module.shipped
    monkeypatch.setattr(
        module, "shipped", lambda name: damaged if name == "emoji/noto.webp" else real(name)
    )
    module._sheet.cache_clear()
    with pytest.raises(DataError, match=r"noto\.webp .*[Ii]nstall"):
        Emoji("test").images("noto")


def test_the_docstring_shows_what_happens():
    assert doctest.testmod(module).failed == 0


# What ships


def test_files_are_those_on_record():
    record = json.loads(data.shipped("emoji.json").read_text(encoding="utf-8"))
    assert record["emoji"] == COUNT and record["packages"] == build_emoji.PACKAGES
    folder = data.shipped("emoji")
    assert {path.name for path in folder.iterdir()} == set(record["files"])
    for name, about in record["files"].items():
        content = (folder / name).read_bytes()
        assert len(content) == about["bytes"] < 4_000_000
        assert hashlib.sha256(content).hexdigest() == about["sha256"]
    assert sum(about["bytes"] for about in record["files"].values()) < 10_000_000
    assert all(record["files"][f"{style}.webp"]["psnr_mean"] > 40 for style in STYLES)


def test_every_file_has_its_licence_and_its_authors():
    notice = data.shipped("licences/emoji.md").read_text(encoding="utf-8")
    for name in (path.name for path in data.shipped("emoji").iterdir()):
        assert f"## {name}" in notice
    for words in (
        "Google LLC",
        "Apache License",
        "Twitter, Inc.",
        "Jason Sofonia & Justine De Caires",
        "creativecommons.org/licenses/by/4.0/",
        "Microsoft",
        "LobeHub",
        "Cal Henderson",
        "Permission is hereby granted, free of charge",
    ):
        assert words in notice
    apache = data.shipped("licences/Apache-2.0.txt").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in apache and "9. Accepting Warranty" in apache
    font = data.shipped("licences/OFL-1.1.txt").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in font and "Google LLC" in font


# The script that builds them, on packages of a few pictures


def entry(codepoints, category="Objects", subcategory="tool"):
    return {
        "name": f"THING {codepoints}",
        "unified": codepoints,
        "image": f"{codepoints.lower()}.png",
        "short_names": ["a_thing", "thing-two"],
        "category": category,
        "subcategory": subcategory,
    }


def disc(size, radius, colour=(200, 30, 40)):
    """Draw a disc on nothing; the nothing is green, which must never be seen."""
    y, x = np.mgrid[:size, :size] + 0.5 - size / 2
    cover = np.clip(radius - np.hypot(x, y) + 0.5, 0, 1)
    pixels = np.where(cover[..., None] > 0, np.array(colour), np.array([0, 255, 0]))
    return Image.fromarray(np.dstack([pixels, cover * 255]).round().astype(np.uint8))


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Lay four tiny packages into a folder, with their true integrity on record."""
    index = [
        entry("1F528"),
        entry("1F6E0-FE0F"),
        entry("1F1E9-1F1EA", "Flags", "country-flag"),
        entry("1F3FB", "Component", "skin-tone"),
        entry("1F431", "Animals & Nature", "animal-mammal"),
        entry("1FABE"),  # Fluent lacks it
    ]
    files = {name: {} for name in build_emoji.PACKAGES}
    files["emoji-datasource@16.0.0"] = {"package/emoji.json": json.dumps(index).encode()}
    for style, (name, path, _) in build_emoji.SOURCES.items():
        suffix = "WEBP" if path.endswith("webp") else "PNG"
        size, radius = {"noto": (64, 30), "twemoji": (64, 32), "fluent": (256, 112)}[style]
        for number, thing in enumerate(index):
            if style == "fluent" and thing["unified"] == "1FABE":
                continue
            content = io.BytesIO()
            disc(size, radius, (200, 30 * number, 40)).save(
                content, suffix, **({"lossless": True, "exact": True} if suffix == "WEBP" else {})
            )
            files[name][path.format(thing["image"][:-4])] = content.getvalue()
    integrity = {}
    for name, members in files.items():
        path = tmp_path / f"{name.removeprefix('@').replace('/', '-').replace('@', '-')}.tgz"
        with tarfile.open(path, "w:gz") as package:
            for member, content in members.items():
                about = tarfile.TarInfo(member)
                about.size = len(content)
                package.addfile(about, io.BytesIO(content))
        digest = hashlib.sha512(path.read_bytes()).digest()
        integrity[name] = "sha512-" + base64.b64encode(digest).decode()
    monkeypatch.setattr(build_emoji, "PACKAGES", integrity)
    return tmp_path


def test_the_script_takes_what_all_three_drew_and_brings_it_to_one_size(packages):
    contents, record = build_emoji.build(packages)
    assert build_emoji.build(packages) == (contents, record), "the same bytes again"
    index = json.loads(contents["index.json"])
    assert {thing["codepoints"] for thing in index} == {"1F528", "1F6E0-FE0F"}
    assert index[0]["keywords"] == ["a", "thing", "two"]
    assert record["emoji"] == 2
    for style in STYLES:
        sheet = Image.open(io.BytesIO(contents[f"{style}.webp"]))
        images, alpha = module.read_sheet(sheet, 2)
        assert extent(torch.tensor(alpha)).tolist() == [60, 60]
        red, green, blue = images[:, :, 20:44, 20:44].mean((0, 2, 3))
        assert abs(red - 200) < 4 and abs(blue - 40) < 4 and green < 40, "the middle's colour"


def test_a_resized_edge_takes_no_colour_from_what_cannot_be_seen():
    for picture, fill in ((disc(64, 32), 1), (disc(256, 112), 56 / 64)):
        framed = build_emoji.framed(picture, fill)
        red = Image.new("RGBA", framed.size, (200, 30, 40, 255))
        red.alpha_composite(framed)
        away = np.asarray(red)[..., :3].astype(int) - (200, 30, 40)
        assert np.abs(away).max() <= 3


def test_a_drawing_that_reaches_further_is_made_smaller_not_cut_off():
    framed = build_emoji.framed(disc(256, 126), 56 / 64)
    alpha = torch.from_numpy(np.array(framed.getchannel("A")))[None, None]
    assert 62 <= extent(alpha) <= 64 and alpha[..., 0, :10].max() == 0


def test_what_already_fits_is_not_touched():
    picture = disc(64, 30)
    assert build_emoji.framed(picture, 60 / 64).tobytes() == picture.tobytes()


def test_a_package_with_other_content_is_refused(packages):
    path = packages / "emoji-datasource-google-16.0.0.tgz"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(SystemExit, match=r"emoji-datasource-google-16\.0\.0\.tgz.*sha512"):
        build_emoji.build(packages)


def test_a_missing_package_is_named_where_there_is_no_npm(packages, monkeypatch):
    (packages / "lobehub-fluent-emoji-3d-1.1.0.tgz").unlink()
    monkeypatch.setattr(build_emoji.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"npm pack @lobehub/fluent-emoji-3d@1.1.0"):
        build_emoji.build(packages)
