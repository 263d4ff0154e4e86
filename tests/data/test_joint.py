"""Label sets side by side: every picture keeps its labels, and of the rest nothing is claimed."""

import doctest
from dataclasses import replace

import pytest
import torch

from gancourse.data import joint, load
from gancourse.data.joint import JointImages
from gancourse.data.pairs import PairedImages
from gancourse.data.source import ImageData
from gancourse.errors import CourseError, DataError
from gancourse.training import runtime


@pytest.fixture
def run():
    return runtime.start(device="cpu", seed=3)


def numbered(begin=0, count=20, labelled=True):
    """Picture i has the value i, the class i % 3, and as attributes whether it is odd, and big."""
    numbers = torch.arange(begin, begin + count)
    pixels = numbers.byte()[:, None, None, None].expand(count, 1, 2, 2).contiguous()
    return ImageData(
        pixels,
        numbers % 3,
        f"from {begin}",
        "xyz",
        attributes=torch.stack([numbers % 2 == 1, numbers >= 10], 1) if labelled else None,
        attribute_names=("Odd", "Big"),
    )


@pytest.fixture
def two():
    return JointImages([(numbered(), ("Odd",)), (numbered(100, 12), "classes")])


def numbers(batch):
    return ((batch["real"][:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_a_batch_has_the_promised_types_and_shapes(two, run):
    batch = two.batch(0, 8, run)
    assert (batch["real"].dtype, batch["real"].shape) == (torch.float32, (8, 1, 2, 2))
    assert (batch["labels"].dtype, batch["labels"].shape) == (torch.float32, (8, 4))
    assert (batch["source"].dtype, batch["source"].shape) == (torch.int64, (8,))
    labels = two.fields["labels"]
    assert labels.sets == (("attributes", ("Odd",)), ("classes", ("x", "y", "z")))
    assert labels.names == ("Odd", "x", "y", "z")
    assert (labels.kinds, labels.sizes) == (("attributes", "classes"), (1, 3))
    assert two.fields["source"].names == ("from 0", "from 100")


def test_every_picture_has_its_own_labels_and_zeros_where_nothing_is_known(two, run):
    for step in range(9):
        batch = two.batch(step, 8, run)
        for number, labels, source in zip(
            numbers(batch), batch["labels"].tolist(), batch["source"].tolist(), strict=True
        ):
            if source == 0:
                expected = [number % 2, 0, 0, 0]
            else:
                expected = [0, *(float(number % 3 == kind) for kind in range(3))]
            assert labels == expected
            assert source == (number >= 100)


def test_the_sets_have_equal_shares_in_every_batch(two, run):
    for size, shares in ((8, [4, 4]), (9, [5, 4])):
        for step in range(5):
            assert two.batch(step, size, run)["source"].bincount().tolist() == shares


def test_each_set_has_epochs_of_its_own(two, run):
    seen = [n for step in range(5) for n in numbers(two.batch(step, 8, run))]
    assert sorted(n for n in seen if n < 100) == list(range(20))
    assert sorted([n for n in seen if n >= 100][:12]) == list(range(100, 112))


def test_a_batch_depends_on_the_seed_and_the_step_alone(two, run):
    there = [numbers(two.batch(step, 8, run)) for step in range(10)]
    back = [numbers(two.batch(step, 8, run)) for step in reversed(range(10))][::-1]
    assert there == back
    assert [numbers(two.batch(step, 8, replace(run, seed=4))) for step in range(10)] != there


def test_two_sets_of_the_same_pictures_do_not_show_the_same_ones_at_once(run):
    data = numbered()
    both = JointImages([data, (data, "classes")])
    same = [numbers(both.batch(step, 10, run)) for step in range(4)]
    assert any(sorted(batch[:5]) != sorted(batch[5:]) for batch in same)


def test_a_single_set_works_alone_and_attributes_come_before_classes(run):
    alone = JointImages([numbered()])
    batch = alone.batch(2, 4, run)
    assert alone.fields["labels"].sets == (("attributes", ("Odd", "Big")),)
    assert numbers(batch) == numbers(numbered().batch(2, 4, run))
    assert batch["source"].tolist() == [0] * 4
    plain = JointImages([numbered(labelled=False)])
    assert plain.fields["labels"].sets == (("classes", ("x", "y", "z")),)


def test_a_part_of_the_data_keeps_its_labels(two, run):
    part = two.first(15).to("cpu")
    assert [len(data) for data in part.members] == [15, 12]
    assert (len(part), len(two)) == (27, 32)
    batch = part.batch(1, 8, run)
    assert batch["labels"][:4, 0].tolist() == [float(n % 2) for n in numbers(batch)[:4]]
    assert part.labels(1, [1]).tolist() == [[0, 0, 0, 1]]
    with pytest.raises(DataError, match="1 to 20"):
        two.first(21)
    assert two.resized(8).shape == (1, 8, 8)


def test_what_does_not_fit_is_named():
    with pytest.raises(DataError, match="at least one"):
        JointImages([])
    with pytest.raises(DataError, match=r"differ in shape.*resized"):
        JointImages([numbered(), numbered().resized(4)])
    bare = ImageData(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), None, "bare")
    with pytest.raises(DataError, match="bare has no classes"):
        JointImages([bare])
    with pytest.raises(DataError, match="bare has no attributes"):
        JointImages([(bare, ("Odd",))])
    with pytest.raises(CourseError, match="Did you mean 'Odd'"):
        JointImages([(numbered(), ("Od",))])
    with pytest.raises(CourseError, match="unknown kind of labels 'class'"):
        JointImages([(numbered(), "class")])
    with pytest.raises(DataError, match="named once"):
        JointImages([(numbered(), ("Odd", "Odd"))])


def test_a_set_and_its_labels_may_come_as_a_list_as_from_a_file():
    labels = JointImages([[numbered(), ["Odd"]]]).fields["labels"]
    assert labels.sets == (("attributes", ("Odd",)),)


def test_pairs_are_no_set_of_pictures_with_labels():
    pairs = PairedImages(numbered(), numbered(), "two sides")
    with pytest.raises(DataError, match="two sides is not a set of pictures with labels"):
        JointImages([pairs])


def test_impossible_batches_are_named(two, run):
    with pytest.raises(DataError, match="no room for 2 sets"):
        two.batch(0, 1, run)
    with pytest.raises(DataError, match="from 100 has 12 pictures"):
        two.batch(0, 40, run)


def test_toons_give_attributes_or_expressions(run):
    faces = load("toons:40", image_size=32)
    both = JointImages([(faces, ("Smiling",)), (faces, "classes")])
    assert both.first(20).batch(0, 8, run)["real"].shape == (8, 3, 32, 32)
    assert torch.equal(both.labels(1)[:, 1:].argmax(1), faces.labels)


def test_the_examples_in_the_docstring_hold():
    assert doctest.testmod(joint).failed == 0
