"""What is shown of a translator, and which data fit which."""

import pytest
import torch
from PIL import Image

from gancourse import generators, translation
from gancourse.data import load
from gancourse.data.joint import JointImages
from gancourse.data.pairs import PairedImages, UnpairedImages
from gancourse.data.source import ImageData
from gancourse.errors import CourseError, DataError
from gancourse.gans import cyclegan, dcgan, pix2pix, stargan
from gancourse.training import checkpoint, runtime


def pixels(n, channels=3, first=0):
    steps = torch.arange(first, first + n * channels * 32 * 32) % 251
    return steps.reshape(n, channels, 32, 32).byte()


def pairs(n=4, channels=1):
    return PairedImages(
        ImageData(pixels(n, channels), None, "a"), ImageData(pixels(n, 3, 7), None, "b"), "two"
    )


def unpaired(hidden=None):
    a, b = (ImageData(pixels(n, 3, n), None, "x") for n in (4, 6))
    return UnpairedImages(a, b, "apart", hidden=hidden)


def labelled():
    return ImageData(pixels(4), torch.tensor([0, 1, 2, 1]), "kinds", ("x", "y", "z"))


def fitting(module, data):
    return translation.fitting(module, module.__name__.rpartition(".")[2], data)


def test_data_that_fit_are_left_as_they_are():
    for module, data in (
        (pix2pix, pairs()),
        (cyclegan, unpaired()),
        (dcgan, labelled()),
        (stargan, JointImages([labelled()])),
    ):
        assert fitting(module, data) is data


def test_pairs_are_kept_from_a_cyclegan_but_for_measuring():
    data = pairs()
    apart = fitting(cyclegan, data)
    assert not apart.paired and apart.hidden is data


def test_labels_become_a_set():
    data = fitting(stargan, labelled())
    assert (data.label_kinds, data.label_sizes, data.name) == (("classes",), (3,), "kinds")


def test_data_decide_channels_and_labels():
    assert translation.facts(pairs()) == {"channels_A": 1, "channels_B": 3}
    facts = translation.facts(JointImages([labelled()]))
    assert facts == {"label_kinds": ("classes",), "label_sizes": (3,)}
    assert translation.facts(labelled()) == {}


@pytest.mark.parametrize(
    ("module", "data", "message"),
    [
        (pix2pix, labelled(), "needs pairs, such as sketch2face, not kinds"),
        (pix2pix, unpaired(), "needs pairs, such as sketch2face, not apart"),
        (cyclegan, labelled(), "needs two sides, such as studios, not kinds"),
        (stargan, pairs(), "needs pictures with labels"),
        (dcgan, pairs(), "from noise, but two has two sides"),
    ],
)
def test_data_that_do_not_fit_are_named(module, data, message):
    with pytest.raises(CourseError, match=message):
        fitting(module, data)


def built(module, data):
    run = runtime.start("cpu", 0)
    cfg = module.PRESETS["smoke"]
    facts = translation.facts(data)
    return module.build(type(cfg)(**{**vars(cfg), **facts}), run), run


def test_a_strip_is_input_output_target():
    data = pairs()
    gan, run = built(pix2pix, data)
    strips = translation.held_out(pix2pix, data, run)(gan, 64)
    before, after, wanted = strips.split(32, 3)
    batch = data.batch(0, 4, run)
    assert torch.equal(before, batch["real_A"].expand(-1, 3, -1, -1))
    assert torch.equal(after, pix2pix.sample(gan, batch["real_A"]))
    assert torch.equal(wanted, batch["real_B"])


def test_without_targets_the_third_is_the_way_back():
    gan, run = built(cyclegan, unpaired())
    strips = translation.held_out(cyclegan, unpaired(), run)(gan, 64)
    before, after, back = strips.split(32, 3)
    assert len(strips) == 4
    assert torch.equal(after, cyclegan.sample(gan, before))
    assert torch.equal(back, cyclegan.sample(gan, after, direction="BA"))


def test_a_label_is_shown_by_a_picture_that_has_it():
    data = JointImages([labelled()])
    gan, run = built(stargan, data)
    before, after, wanted = translation.held_out(stargan, data, run)(gan, 64).split(32, 3)
    batch = data.batch(0, 4, run)
    assert torch.equal(wanted, before.roll(1, 0))
    assert torch.equal(after, stargan.sample(gan, before, batch["labels"].roll(1, 0)))


def test_what_is_shown_was_held_out_and_hidden_pairs_are_found():
    shown = translation.unseen(pix2pix, "pix2pix", "sketch2face", 32, 3)
    assert len(shown) == 3 and shown.shape == (3, 32, 32)
    wanted = load("sketch2face", split="test", limit=3, image_size=32)
    assert torch.equal(shown.b.pixels, wanted.b.pixels)
    assert translation.unseen(cyclegan, "cyclegan", "studios", 32, 3).paired


def trained(tmp_path, module, data, name):
    gan, _ = built(module, data)
    path = tmp_path / "generator.safetensors"
    checkpoint.save_generator(path, gan, model=module.__name__.rpartition(".")[2], data=name)
    return generators.load(path)


def test_pictures_of_ones_own_are_cut_scaled_and_greyed(tmp_path):
    g = trained(tmp_path, pix2pix, pairs(), "sketch2face")
    for i, size in enumerate([(40, 40), (90, 64)]):
        Image.new("RGB", size, (255, 255, 255)).save(tmp_path / f"{i}.png")
    Image.new("RGB", (8, 8)).save(tmp_path / ".hidden.png")  # and the generator is no picture
    strips = translation.examples(g, 9, tmp_path)
    assert strips.shape == (2, 3, 32, 64)
    assert strips[..., :32].min() > 0.999  # white is 1
    assert len(translation.examples(g, 9, tmp_path / "0.png")) == 1
    assert len(translation.examples(g, 1, tmp_path)) == 1


def test_files_that_are_no_pictures_are_named(tmp_path):
    g = trained(tmp_path, pix2pix, pairs(), "sketch2face")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no pictures\."):
        translation.examples(g, 9, tmp_path / "empty")
    with pytest.raises(DataError, match=r"no pictures among 1 files \(generator\.safetensors\)"):
        translation.examples(g, 9, tmp_path)
    (tmp_path / "bad.png").write_bytes(b"")
    for path in (tmp_path, tmp_path / "bad.png"):
        with pytest.raises(DataError, match=r"bad\.png \(empty: 0 bytes\)"):
            translation.examples(g, 9, path)
    with pytest.raises(DataError, match=r"there is no picture or folder .*nowhere\.png"):
        translation.examples(g, 9, tmp_path / "nowhere.png")


def test_one_that_must_be_told_a_target_takes_no_bare_pictures(tmp_path):
    g = trained(tmp_path, stargan, JointImages([labelled()]), "emoji")
    with pytest.raises(CourseError, match="must be told a target"):
        translation.examples(g, 9, tmp_path)
