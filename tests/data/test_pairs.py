"""Two sets of pictures: what belongs together stays together, and nothing else does."""

import doctest
from dataclasses import replace

import pytest
import torch

from gancourse import data
from gancourse.data import pairs
from gancourse.data.emoji import Emoji
from gancourse.data.pairs import PairedImages, UnpairedImages
from gancourse.data.source import ImageData
from gancourse.errors import CourseError, DataError
from gancourse.training import runtime


@pytest.fixture
def run():
    return runtime.start(device="cpu", seed=3)


def numbered(count=20, channels=1, size=4, name="numbered"):
    """Pictures of one brightness each: picture i has the value i."""
    values = torch.arange(count, dtype=torch.uint8)[:, None, None, None]
    return ImageData(values.expand(count, channels, size, size).contiguous(), None, name)


def textured(count=6, channels=1, size=16):
    """Pictures in which every column has another brightness, and each picture its own."""
    columns = torch.arange(size, dtype=torch.uint8) * 8
    values = columns + torch.arange(count, dtype=torch.uint8)[:, None, None, None] * 16
    return ImageData(values.expand(count, channels, size, size).contiguous(), None, "textured")


def numbers(images):
    return ((images[:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_a_batch_of_pairs_has_the_promised_types_and_shapes(run):
    paired = PairedImages(numbered(), numbered(channels=3), "both")
    batch = paired.batch(0, 5, run)
    assert set(batch) == set(paired.fields) == {"input", "target"}
    assert batch["input"].shape == (5, 1, 4, 4)
    assert batch["target"].shape == (5, 3, 4, 4)
    assert batch["input"].dtype == batch["target"].dtype == torch.float32
    assert paired.shape == (3, 4, 4)


def test_row_i_of_one_side_belongs_to_row_i_of_the_other(run):
    paired = PairedImages(numbered(), numbered(channels=3), "both")
    for step in range(12):
        batch = paired.batch(step, 4, run)
        assert numbers(batch["input"]) == numbers(batch["target"])


BOTH_KINDS = [(PairedImages, "input", "target"), (UnpairedImages, "real_A", "real_B")]


@pytest.mark.parametrize(("kind", "one", "two"), BOTH_KINDS)
def test_an_epoch_visits_every_picture_of_each_side_once(kind, one, two, run):
    data = kind(numbered(20), numbered(20), "both")
    for side in (one, two):
        seen = [n for step in range(5, 10) for n in numbers(data.batch(step, 4, run)[side])]
        assert sorted(seen) == list(range(20))


def test_unpaired_sides_have_orders_and_epochs_of_their_own(run):
    unpaired = UnpairedImages(numbered(20), numbered(8, channels=3), "both")
    assert len(unpaired) == 20
    for epoch in range(3):
        steps = range(epoch * 2, epoch * 2 + 2)
        seen = [n for step in steps for n in numbers(unpaired.batch(step, 4, run)["real_B"])]
        assert sorted(seen) == list(range(8))
    same = UnpairedImages(numbered(), numbered(), "same")
    batches = [same.batch(step, 4, run) for step in range(5)]
    together = [
        a == b
        for batch in batches
        for a, b in zip(numbers(batch["real_A"]), numbers(batch["real_B"]), strict=True)
    ]
    assert sum(together) < 10


@pytest.mark.parametrize(("kind", "one", "two"), BOTH_KINDS)
@pytest.mark.parametrize("jitter", [0, 64])
def test_a_batch_depends_on_the_seed_and_the_step_alone(kind, one, two, jitter, run):
    def make():
        return kind(textured(), textured(channels=3), "both", jitter=jitter, mirror=jitter > 0)

    first, again = make(), make()
    there = [first.batch(step, 2, run) for step in range(6)]
    back = [again.batch(step, 2, run) for step in reversed(range(6))][::-1]
    other_seed = [make().batch(step, 2, replace(run, seed=4)) for step in range(6)]
    for side in (one, two):
        for before, after in zip(there, back, strict=True):
            assert torch.equal(before[side], after[side])
        assert not torch.equal(*(torch.cat([b[side] for b in x]) for x in (there, other_seed)))


def test_both_sides_of_a_pair_are_cut_and_mirrored_alike_and_rows_are_not(run):
    paired = PairedImages(textured(), textured(channels=3), "both", jitter=64, mirror=True)
    batch = paired.batch(0, 6, run)
    assert torch.equal(batch["input"].expand(-1, 3, -1, -1), batch["target"])
    plain = paired.augmented(jitter=0, mirror=False).batch(0, 6, run)
    rises = (batch["input"][:, 0, 0].diff(dim=1) > 0).float().mean(1)
    assert set(rises.tolist()) == {0.0, 1.0}  # some are mirrored, and some are not
    assert not torch.equal(batch["input"], plain["input"])
    # Cuts of a picture that was scaled up show less of it.
    spread = batch["input"].amax((1, 2, 3)) - batch["input"].amin((1, 2, 3))
    assert (spread < 15 * 8 / 127.5 - 1e-4).all()


def test_every_crop_of_the_larger_picture_can_come_out(run):
    paired = PairedImages(textured(1), textured(1), "one", jitter=32)  # 2 pixels of 16
    larger = torch.nn.functional.interpolate(
        paired.a.images(), [18, 18], mode="bilinear", align_corners=False
    )
    batches = [paired.batch(step, 1, run)["input"] for step in range(40)]

    def row(images):  # rounded: the interpolation of another row may differ in the last digit
        return tuple((images[0, 0, 0] * 1000).round().int().tolist())

    expected = {row(larger[..., left : left + 16]) for left in range(3)}
    assert {row(images) for images in batches} == expected


def test_without_variation_the_pictures_come_as_they_are(run):
    paired = PairedImages(textured(), textured(channels=3), "both")
    values = {tuple(image.flatten().tolist()) for image in paired.a.images()}
    assert {tuple(i.flatten().tolist()) for i in paired.batch(1, 6, run)["input"]} == values


def test_unequal_sides_are_refused_with_what_to_do():
    with pytest.raises(DataError, match=r"odd: 20 .* 8 .*unpaired"):
        PairedImages(numbered(20), numbered(8), "odd")
    for kind, size in ((PairedImages, 6), (PairedImages, 2), (UnpairedImages, 8)):
        with pytest.raises(DataError, match=rf"odd: .*4x4 .* {size}x{size}.*resized"):
            kind(numbered(), numbered(size=size), "odd")
    with pytest.raises(DataError, match="jitter"):
        PairedImages(numbered(), numbered(), "odd", jitter=-1)
    with pytest.raises(DataError, match="jitter"):
        PairedImages(numbered(), numbered(), "odd").augmented(jitter=2.5)
    with pytest.raises(DataError, match="jitter"):
        PairedImages(numbered(), numbered(size=8), "odd", jitter=30)


def test_too_large_a_batch_is_an_error(run):
    with pytest.raises(DataError, match="batch of 9"):
        UnpairedImages(numbered(20), numbered(8), "both").batch(0, 9, run)


def test_a_part_or_another_size_keeps_all_that_was_said(run):
    a, b = numbered(), numbered(channels=3)
    hidden = PairedImages(a, b, "hidden")
    unpaired = UnpairedImages(a, b, "both", hidden=hidden, jitter=30, mirror=True)
    part = unpaired.first(6).resized(8).to("cpu")
    assert (len(part.a), len(part.b), len(part.hidden)) == (6, 6, 6)
    assert part.shape == part.hidden.shape == (3, 8, 8)
    assert (part.jitter, part.mirror, part.name) == (30, True, "both")
    assert (len(unpaired), unpaired.shape) == (20, (3, 4, 4))
    assert len(UnpairedImages(a, numbered(8), "both").first(12).b) == 8
    with pytest.raises(DataError, match="1 to 20"):
        hidden.first(21)


def test_pairs_can_be_forgotten_and_stay_hidden(run):
    paired = PairedImages(numbered(), numbered(channels=3), "both", jitter=30, mirror=True)
    unpaired = paired.unpaired()
    assert (unpaired.hidden, set(unpaired.fields)) == (paired, {"real_A", "real_B"})
    assert paired.take("real_B", "real_A").hidden is paired
    assert (unpaired.jitter, unpaired.mirror, unpaired.name) == (30, True, "both")
    batch = unpaired.augmented(jitter=0, mirror=False).batch(0, 10, run)
    assert numbers(batch["real_A"]) != numbers(batch["real_B"])


def test_data_can_be_turned_round(run):
    a, b = numbered(), numbered(channels=3)
    turned = UnpairedImages(a, b, "both", hidden=PairedImages(a, b, "hidden")).swapped()
    assert (turned.a, turned.b, turned.hidden.a) == (b, a, b)
    assert turned.shape == (1, 4, 4)


# What ships


def test_a_sketch_belongs_to_the_face_that_was_drawn_over_it():
    paired = data.load("sketch2face", limit=40, image_size=32)
    assert (paired.a.shape, paired.shape, len(paired)) == ((1, 32, 32), (3, 32, 32), 40)
    faces = data.load("toons", limit=40, image_size=32)
    assert torch.equal(paired.b.pixels, faces.pixels)
    assert torch.equal(paired.a.pixels, faces.drawing.sketch)
    assert torch.equal(paired.b.drawing.attributes, faces.drawing.attributes)


def test_sketches_are_counted_before_any_is_drawn():
    assert len(data.load("sketch2face")) == 10_000
    assert len(data.load("sketch2face", split="test")) == 2_000
    assert len(data.load("sketch2face:123")) == 123
    with pytest.raises(DataError, match="sketch2face:500"):
        data.load("sketch2face:many")
    with pytest.raises(CourseError, match="unknown split"):
        data.load("sketch2face", split="all")


def test_pairs_of_emoji_show_the_same_emoji():
    paired = data.load("noto2fluent")
    assert (len(paired), paired.a.shape, paired.shape) == (1413, (3, 64, 64), (3, 64, 64))
    assert torch.equal(paired.a.pixels, Emoji("train").images("noto"))
    assert torch.equal(paired.b.pixels, Emoji("train").images("fluent"))
    assert len(data.load("noto2fluent", split="test")) == 157


def test_studios_share_no_emoji_in_training_and_hide_pairs_for_testing():
    training = data.load("studios")
    assert training.hidden is None
    assert len(training.a) + len(training.b) == 1413
    testing = data.load("studios", split="test")
    assert (len(testing), len(testing.hidden)) == (157, 157)
    assert torch.equal(testing.hidden.b.pixels, Emoji("test").images("fluent"))


def test_the_check_says_what_is_there():
    report = data.check("studios")
    assert "test  <studios: 157 and 157 unpaired pictures" in report


def test_the_examples_in_the_docstring_hold():
    assert doctest.testmod(pairs).failed == 0
