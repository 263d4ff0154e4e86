"""What the list of data sets says is what a GAN gets."""

import pytest
import torch

from gancourse.data import DATASETS, check, load, own
from gancourse.data.joint import JointImages
from gancourse.errors import DataError
from gancourse.fields import Classes, Flags, Pictures
from gancourse.training import runtime

HERE = [name for name, known in DATASETS.items() if not known.downloads and name not in own.KINDS]
EVERY_FIELD = {field for known in DATASETS.values() for field in known.gives}


@pytest.fixture
def run():
    return runtime.start(device="cpu", seed=3)


def few(name, **options):
    if name in ("ring", "grid"):
        return load(name, **options)
    return load(name, limit=8, image_size=32, **options)


def can_be_taken(data):
    """Return the fields of which batches can be had; two domains are taken together."""
    found = set()
    for field in EVERY_FIELD:
        wanted = ("real_A", "real_B") if field.startswith("real_") else (field,)
        try:
            if set(data.take(*wanted).fields) >= set(wanted):
                found.add(field)
        except DataError as problem:
            assert data.name in str(problem)
    return found


@pytest.mark.parametrize("name", HERE)
def test_the_list_gives_what_can_be_taken(name):
    data = few(name)
    gives = set(DATASETS[name].gives)
    if "input" in gives and name != "small2large":  # pairs of one size do as unpaired pictures
        gives |= {"real_A", "real_B"}
    assert can_be_taken(data) == gives
    assert len(DATASETS[name].gives) == len(set(DATASETS[name].gives))


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("name", HERE)
def test_a_batch_holds_its_fields_and_nothing_else(name, split, run):
    data = few(name, split=split)
    if "real_A" not in data.fields:
        data = data.take(*DATASETS[name].gives)
        assert set(data.fields) == set(DATASETS[name].gives)
    for batch in (data.batch(1, 4, run), data.preview(4, run)[0]):
        assert batch.keys() == data.fields.keys()
        for key, field in data.fields.items():
            checked = field.check(key, batch[key], 4)
            assert torch.equal(checked, batch[key])
            assert (checked.dtype, checked.shape) == (field.dtype, (4, *field.shape))


@pytest.mark.parametrize("name", [name for name in HERE if name not in ("ring", "grid")])
def test_a_preview_shows_the_first_rows_and_says_whether_they_belong_together(name, run):
    data = few(name, split="test")
    batch, together = data.preview(3, run)
    assert together == (name != "apples2tomatoes")  # the only one without hidden pairs
    sides = [data.a, data.b] if hasattr(data, "a") else [data]
    for side, shown in zip(sides, batch.values(), strict=False):
        assert torch.equal(shown, side.images(slice(0, 3)))
    assert len(next(iter(data.preview(99, run)[0].values()))) == 8


@pytest.mark.parametrize("name", ["studios", "seasons", "daynight"])
def test_a_preview_of_unpaired_pictures_for_training_is_of_no_pairs(name, run):
    assert not few(name).preview(3, run)[1]


def test_fields_are_taken_in_the_order_that_is_asked_for(run):
    data = few("scenes").take("map", "real")
    assert [*data.fields] == [*data.batch(0, 2, run)] == ["map", "real"]


def test_a_field_that_is_lacking_is_named_with_those_that_are_there():
    for name, field, known in [
        ("digits", "captions", "real, labels"),
        ("seasons", "labels", "real_A.*real_B"),
        ("ring", "labels", "real"),
    ]:
        with pytest.raises(DataError, match=rf"{name} .*'{field}'.*{known}.*gancourse data list"):
            few(name).take(field)


def test_rows_of_all_fields_are_of_the_same_picture(run):
    data = few("scenes").take("real", "labels", "attributes", "map", "captions")
    whole, _ = data.preview(8, run)
    batch = data.batch(0, 8, run)
    for i in range(8):
        (row,) = [j for j in range(8) if torch.equal(batch["real"][i], whole["real"][j])]
        for key in whole:
            assert torch.equal(batch[key][i], whole[key][row])


# Labels of several sets


def test_labels_of_a_data_set_can_be_taken_as_one_set_of_several(run):
    faces = few("toons").take("real", "labels", "source")
    assert isinstance(faces, JointImages)
    assert faces.fields["labels"] == Flags(sets=(("attributes", few("toons").attribute_names),))
    digits = few("digits").take("real", "labels", "source")
    assert digits.fields["labels"].kinds == ("classes",)
    assert digits.batch(0, 4, run)["labels"].sum(1).tolist() == [1] * 4


def test_labels_are_taken_as_another_data_set_has_them(run):
    both = few("toons")
    like = JointImages([(both, ("Smiling",)), (both, "classes")]).fields
    again = few("toons", split="test").take("real", "labels", "source", like=like)
    assert again.fields["labels"] == like["labels"]
    batch = again.batch(0, 4, run)
    assert {*batch} == {"real", "labels", "source"}
    like["labels"].check("labels", batch["labels"], 4)


# A picture and the same at a quarter of its size


@pytest.mark.parametrize("times", [2, 3000])
@pytest.mark.parametrize("call", [load, check])
def test_small2large_of_itself_is_refused(times, call):
    with pytest.raises(
        DataError, match=r"small2large takes one data set .* write small2large:toons"
    ):
        call("small2large:" * times + "toons:20")


@pytest.mark.parametrize(("name", "channels"), [("small2large", 3), ("small2large:digits", 1)])
def test_the_small_picture_is_the_mean_of_the_large_one(name, channels, run):
    data = load(name, limit=6, image_size=32)
    assert (data.a.shape, data.shape, len(data)) == ((channels, 8, 8), (channels, 32, 32), 6)
    blocks = data.b.pixels.float().unflatten(2, (8, 4)).unflatten(4, (8, 4))
    assert torch.equal(data.a.pixels, blocks.mean((3, 5)).round().byte())
    batch = data.batch(0, 4, run)
    assert (batch["input"].shape, batch["target"].shape) == (
        (4, channels, 8, 8),
        (4, channels, 32, 32),
    )
    small = torch.nn.functional.avg_pool2d(batch["target"], 4)
    assert (batch["input"] - small).abs().max() <= 0.5 / 127.5 + 1e-6


def test_sizes_and_counts_of_both_stay_in_step():
    data = load("small2large:toons:12")
    assert data.name == "small2large:toons"
    assert [data.fields[key].side for key in ("input", "target")] == [16, 64]
    other = data.resized(32).first(5).to("cpu")
    assert [other.fields[key].side for key in ("input", "target")] == [8, 32]
    assert (len(other), len(other.a), len(other.b)) == (5, 5, 5)
    assert not data.a.columns["real"].made
    with pytest.raises(DataError, match=r"small2large:toons: .*64x64 .* 16x16"):
        data.swapped()


def test_what_has_no_quarter_or_is_no_set_of_pictures_is_refused():
    with pytest.raises(DataError, match=r"digits: 28 .* 8"):
        load("digits").shrunk(8)
    for name in ("ring", "seasons"):
        with pytest.raises(DataError, match=rf"small2large .*{name}|{name} .*'real'"):
            load(f"small2large:{name}")


def test_of_pairs_the_targets_are_enlarged():
    data, pairs = load("small2large:map2quilt:4"), load("map2quilt:4")
    assert data.name == "small2large:map2quilt" and data.a.shape == (3, 16, 16)
    assert torch.equal(data.b.pixels, pairs.b.pixels)


def test_a_column_is_made_once_and_again_only_at_another_size():
    data = few("toons").resized(64)
    column = data.take("real").columns["real"]
    assert column is data.columns["real"]
    assert not column.made
    values = data.pixels
    assert data.first(3).columns["real"].made
    assert data.to("cpu").columns["real"].values.data_ptr() == values.data_ptr()
    assert not data.resized(32).columns["real"].made
    assert data.resized(32).columns["real"].field == Pictures(shape=(3, 32, 32))


def test_fields_of_a_smaller_picture_are_smaller_too():
    data = few("scenes").take("real", "map", "masks", "sketch", "boxes", "labels")
    small = data.resized(48)
    sizes = {key: field.side for key, field in small.fields.items()}
    pictures = {"real": 48, "map": 48, "masks": 48, "sketch": 48}
    assert sizes == pictures | {"boxes": None, "labels": None}
    assert small.fields["labels"] == Classes(count=4, names=data.classes)
    for key, field in small.fields.items():
        assert small.columns[key].rows().shape == (8, *field.shape)
