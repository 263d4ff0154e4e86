"""Pictures with a list of boxes: what is read of it, and what cannot be meant."""

import json
import os
import re

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from gancourse.cli import main
from gancourse.data import check, load, own
from gancourse.data.own import boxes
from gancourse.errors import DataError
from gancourse.training import runtime

CATEGORIES = [{"id": 90, "name": "dog"}, {"id": 3, "name": "Traffic Light"}, {"id": 4, "name": "x"}]


def picture(path, value=0, size=(80, 60), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).save(path, **options)


def listed(folder, annotations, count=4, name="boxes.json", **changes):
    """Pictures, and a list of boxes (image, category, bbox) for them."""
    for n in range(count):
        picture(folder / f"{n}.png", n)
    images = [{"id": n, "file_name": f"{n}.png", "width": 80, "height": 60} for n in range(count)]
    content = {
        "images": images,
        "annotations": [
            {"id": place, "image_id": image, "category_id": category, "bbox": bbox, "iscrowd": 0}
            for place, (image, category, bbox) in enumerate(annotations)
        ],
        "categories": CATEGORIES,
        "licenses": [],
    }
    (folder / name).write_text(json.dumps(content | changes))
    return folder


ALL = [(n, 3, [10, 0, 60, 60]) for n in range(4)]


def both(folder, **options):
    """The rows of both splits, by the value of the picture."""
    found = {}
    for split in ("train", "test"):
        data = load(f"boxes:{folder}", split=split, **options)
        rows = zip(
            data.pixels[:, 0, 0, 0].tolist(),
            data.columns["boxes"].values,
            data.columns["kinds"].values.tolist(),
            strict=True,
        )
        found |= {value: (places, kinds) for value, places, kinds in rows}
    return found


def refusal(folder):
    with pytest.raises(DataError) as loaded:
        for split in ("train", "test"):
            load(f"boxes:{folder}", split=split, image_size=8).images()
    with pytest.raises(DataError) as checked:
        check(f"boxes:{folder}")
    assert str(checked.value).endswith(str(loaded.value).splitlines()[-1])
    return str(loaded.value)


# What is read


def test_boxes_are_shares_of_the_middle_square_and_cut_to_it(tmp_path):
    listed(
        tmp_path,
        [
            (0, 90, [10, 0, 60, 60]),
            (0, 3, [40, 30, 30, 15]),
            (1, 3, [0, 0, 40, 30]),
            (2, 90, [0, 0, 80, 60]),
            (3, 4, [70, 0, 10, 60]),
            (3, 4, [25, 15, 30, 30]),
        ],
    )
    found = both(tmp_path)
    assert sorted(found) == [0, 1, 2, 3]
    places, kinds = found[0]
    assert kinds == [3, 1] + [0] * 6  # the largest first; 3, 4 and 90 are the kinds 1, 2 and 3
    assert torch.allclose(places[0], torch.tensor([0.0, 0, 1, 1]))
    assert torch.allclose(places[1], torch.tensor([0.5, 0.5, 1, 0.75]))
    assert (places[2:] == -1).all()
    assert torch.allclose(found[1][0][0], torch.tensor([0.0, 0, 0.5, 0.5]))
    assert torch.allclose(found[2][0][0], torch.tensor([0.0, 0, 1, 1]))
    assert torch.allclose(found[3][0][0], torch.tensor([0.25, 0.25, 0.75, 0.75]))
    assert found[3][1] == [2] + [0] * 7  # what lies beside the middle is left out


def test_the_fields_are_those_of_drawn_layouts(tmp_path):
    listed(tmp_path, ALL)
    data = load(f"boxes:{tmp_path}", image_size=32).take("real", "boxes", "kinds")
    drawn = load("layouts", limit=4, image_size=32).take("real", "boxes", "kinds")
    assert {name: (type(field), field.shape) for name, field in data.fields.items()} == {
        name: (type(field), field.shape) for name, field in drawn.fields.items()
    }
    batch = data.batch(0, 2, runtime.start(device="cpu"))
    for name, field in data.fields.items():
        assert torch.equal(field.check(name, batch[name], 2), batch[name])
    assert data.fields["kinds"].words == ("traffic-light", "x", "dog")
    assert data.fields["kinds"].check("kinds", "dog Traffic-Light")[0].tolist() == [3, 1] + [0] * 6
    assert load(data.name).name == data.name


def test_the_largest_eight_things_are_kept_and_small_ones_are_not(tmp_path):
    sides = [10, 30, 12, 14, 16, 18, 20, 22, 24, 26, 28]
    listed(
        tmp_path,
        [*ALL[1:], *((0, 3, [10, 0, side, side]) for side in sides), (0, 4, [20, 20, 5, 5])],
    )
    places, kinds = both(tmp_path)[0]
    widths = ((places[:, 2] - places[:, 0]) * 60).round().int().tolist()
    assert widths == [30, 28, 26, 24, 22, 20, 18, 16]
    assert kinds == [1] * 8
    report = check(f"boxes:{tmp_path}")
    assert "small       1 boxes below 2%" in report
    assert "more        3 boxes beside the 8 largest" in report


def test_boxes_without_area_and_pictures_without_a_box_are_left_out_and_counted(tmp_path):
    listed(tmp_path, [*ALL[:2], (1, 90, [5, 5, 0, 10]), (2, 90, [5, 5, 0, 0])])
    picture(tmp_path / "extra.png")
    assert sorted(both(tmp_path)) == [0, 1]
    report = check(f"boxes:{tmp_path}")
    for text in (
        "2 pictures with boxes",
        "small       2 ",
        "no boxes    2 pictures",
        "not listed  1: extra.png",
        "kinds       3: traffic-light 2",
    ):
        assert text in report


def test_a_test_split_holds_out_one_of_two_and_a_single_picture_is_for_training(tmp_path):
    listed(tmp_path / "two", ALL[:2])
    name = f"boxes:{tmp_path / 'two'}"
    assert [len(load(name, split=split)) for split in ("train", "test")] == [1, 1]
    listed(tmp_path / "one", ALL[:1])
    assert len(load(f"boxes:{tmp_path / 'one'}")) == 1
    with pytest.raises(DataError, match="none is in the test split"):
        load(f"boxes:{tmp_path / 'one'}", split="test")


def test_pictures_are_found_by_their_path_or_by_a_name_that_is_alone(tmp_path):
    listed(
        tmp_path,
        [(0, 3, [0, 0, 60, 60]), (1, 3, [0, 0, 60, 60])],
        count=0,
        images=[
            {"id": 0, "file_name": "x\\1.png", "width": 80, "height": 60},
            {"id": 1, "file_name": "elsewhere/2.png", "width": 80, "height": 60},
        ],
    )
    for name, value in (("a/x/1.png", 7), ("x/1.png", 1), ("deep/in/2.png", 2)):
        picture(tmp_path / name, value)
    assert sorted(both(tmp_path)) == [1, 2]


def test_one_of_several_lists_is_named_after_a_comma(tmp_path):
    listed(tmp_path, ALL, name="train.json")
    listed(tmp_path, ALL[:2], name="val.json")
    with pytest.raises(DataError, match=r"train\.json, val\.json .*comma: boxes:.*train\.json"):
        load(f"boxes:{tmp_path}")
    name = f"boxes:{tmp_path},{tmp_path / 'val.json'}"
    assert len(load(name)) == 1
    assert own.absolute(name) == name
    assert own.absolute(f"boxes:{tmp_path}") == f"boxes:{tmp_path}"
    with pytest.raises(DataError, match=r"no list .*vall\.json"):
        load(f"boxes:{tmp_path},{tmp_path / 'vall.json'}")


def test_a_comma_may_be_part_of_the_names_of_folder_and_list(tmp_path):
    folder = listed(tmp_path / "a,b", ALL, name="c,d.json")
    data = load(f"boxes:{folder}")
    assert data.name == f"boxes:{folder},{folder / 'c,d.json'}"
    assert load(data.name).name == own.absolute(data.name) == data.name


def test_links_and_odd_names_are_taken_as_they_are(tmp_path):
    name = "a b, é\n.png"
    picture(tmp_path / "real" / name)
    folder = listed(tmp_path / "set", ALL[:3], count=2)
    os.symlink(tmp_path / "real" / name, folder / name)
    content = json.loads((folder / "boxes.json").read_text())
    content["images"].append({"id": 2, "file_name": name, "width": 80, "height": 60})
    (folder / "boxes.json").write_text(json.dumps(content))
    assert "3 pictures with boxes" in check(f"boxes:{folder}")
    os.remove(tmp_path / "real" / name)
    assert r"é\n.png (a link to nowhere)" in refusal(folder)


def test_what_a_list_names_outside_of_the_folder_is_never_opened(tmp_path):
    folder = listed(tmp_path / "set", ALL)
    picture(tmp_path / "secret.png")
    content = json.loads((folder / "boxes.json").read_text())
    for name in ("../secret.png", str(tmp_path / "secret.png")):
        content["images"][0]["file_name"] = name
        (folder / "boxes.json").write_text(json.dumps(content))
        assert "1 of 4 pictures that are not below" in refusal(folder)


# What is refused


def changed(folder, **changes):
    listed(folder, ALL, **changes)


IMAGE = {"id": 0, "file_name": "0.png", "width": 80, "height": 60}
WRONG = {
    "outside": ([*ALL, (0, 3, [50, 0, 40, 10])], {}, r"annotation 4, .* 0\.png, which has 80x60"),
    "corners-for-sizes": ([(0, 3, [30, 20, 70, 50])], {}, r"\[30, 20, 70, 50\] reaches out"),
    "below-zero": ([(0, 3, [-3, 0, 40, 10])], {}, "reaches out of"),
    "negative-size": ([(0, 3, [30, 0, -20, 10])], {}, "width or a height below 0"),
    "shares": ([(0, 3, [0.1, 0.1, 0.5, 0.5])], {}, "no box covers 2%.* not in shares"),
    "nothing-large": ([(0, 3, [1, 1, 2, 2])], {}, "no box covers 2%"),
    "no-annotations": ([], {}, "annotations: .*at least 1"),
    "no-images": (ALL, {"images": []}, "images: .*at least 1"),
    "unknown-image": ([*ALL, (9, 3, [0, 0, 9, 9])], {}, "annotation 4.* no image 9"),
    "unknown-category": ([*ALL, (0, 0, [0, 0, 9, 9])], {}, "annotation 4.* no category 0"),
    "image-twice": (ALL, {"images": [IMAGE, IMAGE]}, "the image 0 2 times"),
    "picture-twice": (
        ALL[:1],
        {"images": [IMAGE, IMAGE | {"id": 1}]},
        r"images 0 and 1 are one picture, 0\.png",
    ),
    "category-twice": (ALL, {"categories": [*CATEGORIES, CATEGORIES[0]]}, "category 90 2 times"),
    "name-twice": (
        ALL,
        {"categories": [*CATEGORIES, {"id": 5, "name": "traffic light"}]},
        "category of the name traffic-light 2 times",
    ),
    "no-name": (ALL, {"categories": [*CATEGORIES, {"id": 5, "name": "..."}]}, "category 5 is"),
    "missing-picture": (
        ALL,
        {"images": [IMAGE, IMAGE | {"id": 1, "file_name": "9.png"}]},
        r"1 of 2 pictures .*: 9\.png",
    ),
    "nan": ([(0, 3, [0, 0, float("nan"), 9])], {}, r"annotations\.0\.bbox\.2: .*finite"),
    "infinite": ([(0, 3, [0, 0, float("inf"), 9])], {}, r"annotations\.0\.bbox\.2: .*finite"),
    "three-numbers": ([(0, 3, [0, 0, 9])], {}, r"annotations\.0\.bbox"),
    "words": ([(0, 3, ["0", 0, 9, 9])], {}, r"annotations\.0\.bbox\.0: .*number"),
    "no-size": (ALL, {"images": [{"id": 0, "file_name": "0.png"}]}, r"images\.0\.width: .*requ"),
    "size-zero": (ALL, {"images": [IMAGE | {"width": 0}]}, r"images\.0\.width: .*equal to 1"),
    "endless-number": (ALL, {"images": [IMAGE | {"id": 10**4_000}]}, r"images\.0\.id: .*less"),
    "truth-for-a-number": (ALL, {"images": [IMAGE | {"id": True}]}, r"images\.0\.id: .*integer"),
    "categories-by-name": (ALL, {"categories": {"dog": 1}}, "categories: "),
    "other-size": (
        ALL,
        {"images": [IMAGE | {"id": n, "file_name": f"{n}.png", "width": 90} for n in range(4)]},
        r"0\.png \(80x60 pixels, but 90x60 in the list",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_named_before_any_training(tmp_path, kind):
    annotations, changes, message = WRONG[kind]
    if "images" in changes and kind != "other-size":
        annotations = [box for box in annotations if box[0] < 2]
    listed(tmp_path, annotations, **changes)
    found = refusal(tmp_path)
    assert re.search(message, found, re.DOTALL), found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "JSON"),
        (b"[]", "object"),
        (b"null", "object"),
        (b'{"images": [', "JSON"),
        (b"\xff\xfe{}", "JSON|UTF-8"),
        (b'{"images": 3}', "images: "),
        (b"[" * 100_000, "JSON|recursion"),
        (b'{"images": [' + b"1," * 100_000 + b"1]}", r"images\.0: "),
    ],
)
def test_json_of_another_form_is_refused_in_a_sentence(tmp_path, content, message):
    listed(tmp_path, ALL)
    (tmp_path / "boxes.json").write_bytes(content)
    with pytest.raises(DataError, match=message) as found:
        load(f"boxes:{tmp_path}")
    assert len(str(found.value)) < 600
    assert "boxes.json" in str(found.value)


def test_a_list_that_is_too_large_or_no_file_is_not_read(tmp_path, monkeypatch):
    listed(tmp_path, ALL)
    monkeypatch.setattr(boxes, "MOST_BYTES", 100)
    with pytest.raises(DataError, match=r"the limit is 0 MB\. Leave out pictures or segmentations"):
        load(f"boxes:{tmp_path}")
    os.remove(tmp_path / "boxes.json")
    with pytest.raises(DataError, match=r"no list of boxes.*\.json"):
        load(f"boxes:{tmp_path}")
    os.mkfifo(tmp_path / "boxes.json")
    with pytest.raises(DataError, match="no file"):
        load(f"boxes:{tmp_path}")


def test_many_wrong_boxes_are_counted_and_ten_are_named(tmp_path):
    listed(tmp_path, [(0, 3, [70, 0, 30, 30])] * 40)
    found = refusal(tmp_path)
    assert "wrong boxes 40:" in found and "and 30 more" in found
    assert found.count("annotation ") == 10


def test_a_box_may_reach_out_by_a_pixel_of_rounding(tmp_path):
    listed(tmp_path, [(0, 3, [-0.6, 0, 81, 60.9]), *ALL[1:]])
    assert torch.allclose(both(tmp_path)[0][0][0], torch.tensor([0.0, 0, 1, 1]))


def test_the_command_line_checks_a_list(tmp_path):
    listed(tmp_path, ALL)
    result = CliRunner().invoke(main, ["data", "check", f"boxes:{tmp_path}"])
    assert result.exit_code == 0, result.output
    for text in ("4 pictures with boxes", "boxes       4, 1 to 1 a picture", "all 80x60"):
        assert text in result.output
    listed(tmp_path, [(0, 3, [70, 0, 30, 30])])
    result = CliRunner().invoke(main, ["data", "check", f"boxes:{tmp_path}"])
    assert result.exit_code == 2 and "reaches out of" in result.output


def test_boxes_stay_valid_for_every_shape_of_picture(tmp_path):
    random = np.random.default_rng(0)
    images, annotations = [], []
    for n in range(30):
        width, height = (int(side) for side in random.integers(5, 90, 2))
        picture(tmp_path / f"{n}.png", n, (width, height))
        images.append({"id": n, "file_name": f"{n}.png", "width": width, "height": height})
        for _ in range(12):
            left, top = random.uniform(0, width), random.uniform(0, height)
            wide, high = random.uniform(0, width - left), random.uniform(0, height - top)
            annotations.append((n, 3, [left, top, wide, high]))
    listed(tmp_path, annotations, count=0, images=images)
    data = load(f"boxes:{tmp_path}").take("boxes", "kinds")
    for name, field in data.fields.items():
        field.check(name, data.columns[name].values)
    there = data.columns["kinds"].values > 0
    assert torch.equal(there, data.columns["boxes"].values[..., 0] >= 0)
    assert (there.long().diff(dim=1) <= 0).all()  # empty slots come last
