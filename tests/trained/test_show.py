"""What is shown of a generator that is given something, and what a run is planned from."""

import pytest
import torch
from PIL import Image

from gancourse import runs, trained
from gancourse.data import load
from gancourse.data.joint import JointImages
from gancourse.data.pairs import PairedImages, UnpairedImages
from gancourse.data.source import ImageData
from gancourse.errors import CourseError, DataError
from gancourse.fields import Flags
from gancourse.gans import cyclegan, dcgan, pix2pix, stargan
from gancourse.trained import show
from gancourse.training import checkpoint, runtime


def pixels(n, channels=3, first=0):
    steps = torch.arange(first, first + n * channels * 32 * 32) % 251
    return steps.reshape(n, channels, 32, 32).byte()


def pairs(n=4, channels=1):
    a, b = ImageData(pixels(n, channels), None, "a"), ImageData(pixels(n, 3, 7), None, "b")
    return PairedImages(a, b, "two")


def unpaired(hidden=None):
    a, b = (ImageData(pixels(n, 3, n), None, "x") for n in (4, 6))
    return UnpairedImages(a, b, "apart", hidden=hidden)


def labelled():
    return ImageData(pixels(4), torch.tensor([0, 1, 2, 1]), "kinds", ("x", "y", "z"))


def built(module, data):
    run = runtime.start("cpu", 0)
    return module.build(module.configure("smoke", data.fields), run), run


# What a run is planned from


def test_pairs_are_kept_from_a_cyclegan_but_for_measuring():
    plan = runs.prepare("cyclegan", "noto2fluent", "smoke")
    assert list(plan.data.fields) == ["real_A", "real_B"]
    assert len(plan.data.hidden) == 1413


def test_labels_become_a_set_of_their_own():
    plan = runs.prepare("stargan", "emoji", "smoke")
    assert (plan.cfg.label_kinds, plan.cfg.label_sizes) == (("classes",), (3,))


def test_the_form_of_a_field_may_be_chosen():
    sets = (("attributes", ("Eyeglasses", "Young")), ("classes", load("toons:4").classes))
    plan = runs.prepare("stargan", "toons:40", "smoke", like={"labels": Flags(sets=sets)})
    assert plan.cfg.label_sizes == (2, 6)
    assert plan.data.fields["labels"].sets == sets
    again = show.held_out(stargan, "toons", plan.cfg, 8, like=plan.data.fields)
    assert again.fields["labels"].sets == sets


def test_pictures_are_brought_to_the_size_of_the_config():
    plan = runs.prepare("pix2pix", "sketch2face:8", "smoke", image_size=64)
    assert plan.cfg.channels_A == 1 and plan.data.fields["target"].side == 64


@pytest.mark.parametrize(
    ("name", "data", "culprit", "remedy"),
    [
        ("pix2pix", "digits", "input", "sketch2face"),
        ("pix2pix", "seasons:8", "input", "sketch2face"),
        ("cyclegan", "digits", "real_A", "studios"),
        ("stargan", "sketch2face:8", "real", "celeba"),
        ("dcgan", "studios", "real", "toons"),
        ("dcgan", "ring", "real", "points"),
        ("pix2pix", "small2large:toons:8", "input", "8"),
        ("cyclegan", "sketch2face:8", "channels", "lambda_idt"),
    ],
)
def test_data_that_do_not_fit_are_refused(name, data, culprit, remedy):
    with pytest.raises(CourseError, match=f"(?s){culprit}.*{remedy}"):
        plan = runs.prepare(name, data, "smoke")
        plan.build(runtime.start("cpu", 0))


# Rows of pictures


def columns(module, data):
    gan, run = built(module, data)
    shown = show.watch(module, data, run)(gan, 64)
    return gan, run, list(shown), list(shown.values())


def test_a_row_is_input_output_target():
    data = pairs()
    gan, run, titles, (before, after, wanted) = columns(pix2pix, data)
    batch, _ = data.preview(4, run)
    assert titles == ["input", "output", "target"]
    assert torch.equal(before, batch["input"])
    assert torch.equal(after, pix2pix.sample(gan, input=batch["input"]))
    assert torch.equal(wanted, batch["target"])


def test_without_targets_the_third_is_the_way_back():
    gan, _, titles, (before, after, back) = columns(cyclegan, unpaired())
    assert titles == ["real_A", "output", "translated back"] and len(before) == 4
    assert torch.equal(after, cyclegan.sample(gan, real_A=before))
    assert torch.equal(back, cyclegan.sample(gan, real_B=after))


def test_hidden_pairs_are_shown_as_the_truth():
    hidden = pairs(channels=3)
    _, _, titles, (before, _, wanted) = columns(cyclegan, unpaired(hidden))
    assert titles == ["real_A", "output", "target"]
    assert torch.equal(before, hidden.a.images()) and torch.equal(wanted, hidden.b.images())


def test_a_label_is_shown_by_a_picture_that_has_it():
    data = JointImages([labelled()])
    gan, run, titles, (before, after, wanted) = columns(stargan, data)
    batch, _ = data.preview(4, run)
    assert titles == ["input", "output", "has the asked labels"]
    assert torch.equal(wanted, before.roll(1, 0))
    labels = batch["labels"].roll(1, 0)
    assert torch.equal(after, stargan.sample(gan, real=before, labels=labels))


def test_a_gan_that_is_given_noise_alone_needs_no_held_out_rows():
    gan, _ = built(dcgan, labelled())
    assert torch.equal(show.watch(dcgan, None, None)(gan, 5), dcgan.sample(gan, 5))


def test_what_is_shown_was_held_out():
    shown = show.held_out(pix2pix, "sketch2face", pix2pix.PRESETS["smoke"], 3)
    assert len(shown) == 3 and shown.shape == (3, 32, 32)
    wanted = load("sketch2face", split="test", limit=3, image_size=32)
    assert torch.equal(shown.b.pixels, wanted.b.pixels)


# Pictures of one's own


def trained_on(tmp_path, module, data, name):
    gan, _ = built(module, data)
    path = tmp_path / "generator.safetensors"
    checkpoint.save_generator(path, gan, model=module.__name__.rpartition(".")[2], data=name)
    return trained.load(path)


def test_pictures_of_ones_own_are_cut_scaled_and_greyed(tmp_path):
    g = trained_on(tmp_path, pix2pix, pairs(), "sketch2face")
    for i, size in enumerate([(40, 40), (90, 64)]):
        Image.new("RGB", size, (255, 255, 255)).save(tmp_path / f"{i}.png")
    Image.new("RGB", (8, 8)).save(tmp_path / ".hidden.png")  # and the generator is no picture
    shown = show.examples(g, 9, path=tmp_path)
    assert {title: images.shape for title, images in shown.items()} == {
        "input": (2, 1, 32, 32),
        "output": (2, 3, 32, 32),
    }
    assert shown["input"].min() > 0.999  # white is 1
    assert len(show.examples(g, 9, path=tmp_path / "0.png")["output"]) == 1
    assert len(show.examples(g, 1, path=tmp_path)["output"]) == 1


def test_files_that_are_no_pictures_are_named(tmp_path):
    g = trained_on(tmp_path, pix2pix, pairs(), "sketch2face")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty"):
        show.examples(g, 9, path=tmp_path / "empty")
    with pytest.raises(DataError, match=r"generator\.safetensors"):
        show.examples(g, 9, path=tmp_path)
    (tmp_path / "bad.png").write_bytes(b"")
    for path in (tmp_path, tmp_path / "bad.png"):
        with pytest.raises(DataError, match=r"bad\.png.*0 bytes"):
            show.examples(g, 9, path=path)
    with pytest.raises(DataError, match=r"nowhere\.png"):
        show.examples(g, 9, path=tmp_path / "nowhere.png")


def test_labels_are_given_in_words(tmp_path):
    data = JointImages([labelled()])
    gan, _ = built(stargan, data)
    path = tmp_path / "generator.safetensors"
    fields = {name: field.card() for name, field in data.fields.items()}
    checkpoint.save_generator(path, gan, model="stargan", data="kinds", fields=fields)
    Image.new("RGB", (32, 32), "red").save(tmp_path / "one.png")
    g = trained.load(path)
    with pytest.raises(CourseError, match="kinds"):  # whose held-out labels it would take
        show.examples(g, 9, path=tmp_path)
    after = show.examples(g, 9, path=tmp_path, given={"labels": "y"})["output"]
    red = show.read_pictures(tmp_path / "one.png", 32, 3)
    assert torch.equal(after, stargan.sample(gan, real=red, labels=torch.tensor([[0.0, 1, 0]])))


def test_what_is_not_given_is_held_out(tmp_path):
    data = load("emoji", image_size=32).take("real", "labels", "source")
    gan, _ = built(stargan, data)
    path = tmp_path / "generator.safetensors"
    fields = {name: field.card() for name, field in data.fields.items()}
    checkpoint.save_generator(path, gan, model="stargan", data="emoji", fields=fields)
    g = trained.load(path)
    random = torch.get_rng_state()
    before, after = show.examples(g, 3, given={"labels": "noto"}).values()
    assert torch.equal(random, torch.get_rng_state())
    noto = torch.tensor([[1.0, 0, 0]]).expand(3, -1)
    assert torch.equal(after, stargan.sample(gan, real=before, labels=noto))


def test_noise_takes_no_pictures(tmp_path):
    g = trained_on(tmp_path, dcgan, labelled(), "toons")
    with pytest.raises(CourseError, match="--input"):
        show.examples(g, 9, path=tmp_path)
