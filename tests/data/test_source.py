from dataclasses import replace

import pytest
import torch

from gancourse.data import ImageData, shipped
from gancourse.data.pairs import PairedImages
from gancourse.data.source import Column
from gancourse.errors import DataError
from gancourse.training import runtime


@pytest.fixture
def run():
    return runtime.start(device="cpu", seed=3)


@pytest.fixture
def numbered():
    """Ten pictures of 2x2: picture i has the value i, and the label i % 5."""
    pixels = torch.arange(10, dtype=torch.uint8)[:, None, None, None].expand(10, 1, 2, 2)
    return ImageData(pixels.contiguous(), torch.arange(10) % 5, "numbered", "abcde")


def numbers(batch):
    """Which pictures a batch of ``numbered`` holds."""
    return ((batch["real"][:, 0, 0, 0] + 1) * 127.5).round().int().tolist()


def test_bytes_become_floats_between_minus_one_and_one():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    images = ImageData(pixels, None, "all").images()
    assert images.dtype == torch.float32
    assert images.min().item() == -1.0
    assert images.max().item() == 1.0
    assert torch.equal(((images + 1) * 127.5).round().byte(), pixels)


def test_a_batch_has_the_promised_types_and_shapes(numbered, run):
    batch = numbered.batch(0, 4, run)
    assert (batch["real"].dtype, batch["real"].shape) == (torch.float32, (4, 1, 2, 2))
    assert (batch["labels"].dtype, batch["labels"].shape) == (torch.int64, (4,))


def test_labels_stay_with_their_pictures(numbered, run):
    for step in range(5):
        batch = numbered.batch(step, 4, run)
        assert batch["labels"].tolist() == [number % 5 for number in numbers(batch)]


def test_attributes_stay_with_their_pictures(numbered, run):
    odd = (torch.arange(10) % 2)[:, None]
    pictures = ImageData(numbered.pixels, None, "odd", attributes=odd, attribute_names=("Odd",))
    for data in (pictures, pictures.resized(4), pictures.first(6), pictures.to("cpu")):
        batch = data.batch(1, 3, run)
        assert batch["attributes"][:, 0].tolist() == [number % 2 for number in numbers(batch)]
        assert data.attribute_names == ("Odd",)


def test_without_labels_there_are_none_and_no_classes(numbered, run):
    data = ImageData(numbered.pixels, None, "bare", "abcde")
    assert set(data.batch(0, 4, run)) == {"real"}
    assert (data.num_classes, data.classes) == (0, ())


@pytest.mark.parametrize("size", [1, 2, 5, 10])
def test_an_epoch_visits_every_picture_once(numbered, run, size):
    for epoch in range(3):
        steps = range(epoch * 10 // size, (epoch + 1) * 10 // size)
        seen = [number for step in steps for number in numbers(numbered.batch(step, size, run))]
        assert sorted(seen) == list(range(10))


def test_the_rest_of_an_epoch_is_dropped_and_no_picture_comes_twice_in_it(numbered, run):
    first = [n for step in (0, 1, 2) for n in numbers(numbered.batch(step, 3, run))]
    second = [n for step in (3, 4, 5) for n in numbers(numbered.batch(step, 3, run))]
    assert len(set(first)) == len(set(second)) == 9
    assert first != second


def test_a_batch_depends_on_seed_and_step_alone(numbered, run):
    again = ImageData(numbered.pixels, numbered.labels, "numbered", "abcde")
    backwards = [numbers(again.batch(step, 4, run)) for step in reversed(range(20))]
    torch.manual_seed(99)
    assert [numbers(numbered.batch(step, 4, run)) for step in range(20)] == backwards[::-1]


def test_another_seed_gives_another_order(numbered, run):
    first = numbers(numbered.batch(0, 10, run))
    assert numbers(numbered.batch(0, 10, replace(run, seed=4))) != first
    assert numbers(numbered.batch(0, 10, run)) == first


def test_a_batch_leaves_the_global_random_state_alone(numbered, run):
    before = torch.get_rng_state()
    numbered.batch(0, 4, run)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_batch_larger_than_the_data_is_refused(numbered, run):
    with pytest.raises(DataError, match=r"batch of 11 .* has 10 pictures.*batch_size=10 or"):
        numbered.batch(0, 11, run)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (None, list(range(10))),
        (slice(2, 4), [2, 3]),
        ([7, 1], [7, 1]),
        (torch.tensor([5]), [5]),
    ],
)
def test_pictures_are_picked_by_any_index(numbered, index, expected):
    assert numbers({"real": numbered.images(index)}) == expected


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(3, 1, 2, 2), None, "uint8 pictures"),
        (torch.zeros(3, 2, 2, dtype=torch.uint8), None, r"\(N, C, H, W\)"),
        (torch.zeros(0, 1, 2, 2, dtype=torch.uint8), None, "N > 0"),
        (torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.zeros(2).long(), "as many labels"),
        (torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 2]), r"0\.\.1 for 2 classes"),
    ],
)
def test_what_does_not_fit_together_is_refused(images, labels, message):
    with pytest.raises(DataError, match=message):
        ImageData(images, labels, "bad", "ab")


def test_28_pixels_become_32_by_a_dark_border(numbered):
    pixels = torch.randint(1, 256, (2, 1, 28, 28), dtype=torch.uint8)
    larger = ImageData(pixels, None, "p").resized(32).pixels
    assert torch.equal(larger[:, :, 2:-2, 2:-2], pixels)
    assert larger.sum() == pixels.sum()


def test_other_sizes_are_interpolated_and_keep_the_mean_brightness():
    pixels = torch.full((2, 3, 28, 28), 100, dtype=torch.uint8)
    pixels[:, :, ::2] = 200
    smaller = ImageData(pixels, torch.tensor([0, 1]), "p", "ab").resized(14)
    assert smaller.shape == (3, 14, 14)
    assert smaller.labels.tolist() == [0, 1]
    assert abs(smaller.pixels.float().mean() - 150) < 1
    assert smaller.pixels.float().std() < 30  # without antialiasing, one row of two would be left


@pytest.mark.parametrize("size", [0, -1, 2.5, True, "32"])
def test_a_size_that_is_none_is_refused(numbered, size):
    with pytest.raises(DataError, match="image_size"):
        numbered.resized(size)


def test_the_first_pictures_are_taken_with_their_labels(numbered):
    few = numbered.first(3)
    assert numbers({"real": few.images()}) == [0, 1, 2]
    assert few.labels.tolist() == [0, 1, 2]
    for limit in (0, 11, 2.0):
        with pytest.raises(DataError, match="1 to 10"):
            numbered.first(limit)


def test_data_that_lie_elsewhere_give_the_same_batch_on_the_runs_device(numbered, run):
    moved = numbered.to("cpu")
    assert numbers(moved.batch(1, 4, run)) == numbers(numbered.batch(1, 4, run))
    assert moved.batch(1, 4, run)["real"].device == run.device


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_batch_on_the_gpu_is_the_same_wherever_the_pictures_lie(numbered):
    run = runtime.start(device="cuda", seed=3)
    here, there = numbered.batch(1, 4, run), numbered.to("cuda").batch(1, 4, run)
    assert here["real"].device.type == there["labels"].device.type == "cuda"
    assert torch.equal(here["real"], there["real"])
    assert torch.equal(here["labels"], there["labels"])


def test_a_file_that_should_have_come_along_is_missed_clearly():
    assert shipped("digits.npz").is_file()
    with pytest.raises(DataError, match=r"nothing\.npz should have come with the course"):
        shipped("nothing.npz")


def test_columns_that_show_parts_of_one_are_read_at_once():
    asked = []

    def read(count, size):
        asked.append((count, size))
        return (
            torch.arange(count * 6, dtype=torch.uint8).view(count, 6, 1, 1).repeat(1, 1, size, size)
        )

    both = Column.read(read, 4, 8, channels=6)
    pairs = PairedImages(*(ImageData(both.channels(i, i + 3), None, "side") for i in (0, 3)), "two")
    assert (pairs.a.shape, pairs.shape) == ((3, 8, 8), (3, 8, 8))
    few = pairs.first(2).resized(4).to("cpu")
    assert asked == []
    assert few.a.pixels[:, :, 0, 0].tolist() == [[0, 1, 2], [6, 7, 8]]
    assert few.b.pixels[:, :, 0, 0].tolist() == [[3, 4, 5], [9, 10, 11]]
    assert asked == [(2, 4)]
    assert few.a.pixels.untyped_storage().data_ptr() == few.b.pixels.untyped_storage().data_ptr()


def test_a_picture_and_its_quarter_are_read_once():
    asked = []

    def read(count, size):
        asked.append((count, size))
        return torch.zeros(count, 3, size, size, dtype=torch.uint8)

    large = ImageData(Column.read(read, 4, 16), None, "large")
    both = PairedImages(large.shrunk(4), large, "two sizes").resized(8).first(3)
    assert (both.a.images().shape, both.b.images().shape) == ((3, 3, 2, 2), (3, 3, 8, 8))
    assert asked == [(3, 8)]
