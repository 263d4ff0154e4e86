"""Trained generators: loading them, drawing from them, and whether they are as good as said."""

import json

import pytest
import torch
from torch.nn.utils.parametrizations import spectral_norm

import gancourse
from gancourse import metrics, trained
from gancourse.data import shipped
from gancourse.errors import CheckpointError, CourseError
from gancourse.files import statefile, weights
from gancourse.gans import cyclegan, dcgan, pix2pix, stargan, vanilla
from gancourse.trained import show
from gancourse.training import checkpoint, runtime
from tools import train_pretrained

NAMES = trained.names()
MOST = 4_000_000  # bytes of a file


def test_generators_ship():
    assert NAMES


def save(folder, module=vanilla, **card):
    gan = module.build(module.PRESETS["smoke"], runtime.start("cpu", 0))
    path = folder / "generator.safetensors"
    checkpoint.save_generator(path, gan, **{"model": module.__name__.rpartition(".")[2], **card})
    return gan, path


@pytest.mark.parametrize("module", [vanilla, dcgan])
def test_a_loaded_generator_draws_what_the_run_would_draw(tmp_path, module):
    gan, _ = save(tmp_path, module)
    g = trained.load(tmp_path)  # the run's folder will do
    assert torch.equal(g.sample(5, seed=3), module.sample(gan, 5, seed=3))


def test_half_precision_halves_the_file_and_changes_little(tmp_path):
    gan, path = save(tmp_path)
    whole = path.stat().st_size
    checkpoint.save_generator(path, gan, half=True, model="vanilla")
    assert path.stat().st_size < 0.6 * whole
    g = trained.load(path)
    assert all(p.dtype == torch.float32 for p in g.netG.parameters())
    assert torch.allclose(g.sample(5), vanilla.sample(gan, 5), atol=0.01)


def test_the_average_is_what_is_published(tmp_path):
    gan, path = save(tmp_path)
    with torch.no_grad():
        for p in gan.ema.parameters():
            p.zero_()
    checkpoint.save_generator(path, gan, model="vanilla")
    assert not trained.load(path).sample(2).any()


def test_loading_and_drawing_leave_the_random_numbers_alone(tmp_path):
    _, path = save(tmp_path)
    before = torch.get_rng_state()
    trained.load(path).sample(3)
    assert torch.equal(before, torch.get_rng_state())


def test_spectral_normalisation_iterates_only_where_there_are_numbers():
    def norm(device):
        torch.manual_seed(0)
        return spectral_norm(torch.nn.Linear(8, 8, device=device)).parametrizations.weight[0]

    iterations, method = [], type(norm("cpu"))._power_method
    with pytest.MonkeyPatch.context() as patch:
        noted = lambda norm, weight, n: iterations.append(n) or method(norm, weight, n)  # noqa: E731
        patch.setattr(type(norm("cpu")), "_power_method", noted)
        with weights.shapes_only():
            assert norm(None)._u.is_meta and iterations == []
            inside = norm("cpu")  # as a thread that trains
        assert iterations
        assert torch.equal(inside._u, norm("cpu")._u)


def test_z_may_be_given(tmp_path):
    _, path = save(tmp_path)
    g = trained.load(path)
    z = g.draw_z(4, seed=7)
    assert z.shape == (4, g.latent_dim)
    assert torch.equal(g(z), g.sample(4, seed=7))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda g: g.sample(0), "n is"),
        (lambda g: g.sample(2.5), "n is"),
        (lambda g: g.sample(10**9), "1 to 1,000,000"),
        (lambda g: g.sample(True), "n is"),
        (lambda g: g.sample(2, seed=-1), "seed must be"),
        (lambda g: g.sample(2, seed=2**70), "seed must be"),
        (lambda g: g.sample(2, seed="a"), "seed must be"),
        (lambda g: g.sample(2, z="noise"), "z must be"),
        (lambda g: g.sample(2, z=torch.full((2, 64), torch.nan)), "not finite"),
        (lambda g: g.sample(3, z=torch.zeros(2, 64)), r"\(3, 64\)"),
        (lambda g: g(None), "needs n"),
        (lambda g: g.sample(), "needs n"),
        (lambda g: g.sample(3, labels=1), "labels"),
        (lambda g: g(torch.zeros(3, 2)), r"\(N, 64\)"),
        (lambda g: g.translate(PICTURES), r"sample\(n\)"),
    ],
)
def test_a_wrong_request_is_explained(tmp_path, ask, message):
    _, path = save(tmp_path)
    with pytest.raises(CourseError, match=message):
        ask(trained.load(path))


def test_a_file_of_another_kind_is_refused(tmp_path):
    statefile.save(tmp_path / "a.safetensors", {"x": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="does not say which GAN"):
        trained.load(tmp_path / "a.safetensors")


def test_weights_that_do_not_fit_the_configuration_are_refused(tmp_path):
    _, path = save(tmp_path)
    states, header = statefile.load(path)
    header["card"]["config"]["g_hidden"] = [32, 32]
    statefile.save(path, states, **header)
    with pytest.raises(CheckpointError, match="does not fit"):
        trained.load(path)


def test_samples_are_drawn_in_parts_that_change_nothing(tmp_path):
    _, path = save(tmp_path)
    g = trained.load(path)
    whole = g.sample(20, seed=2)
    g.at_once = 7
    torch.testing.assert_close(g.sample(20, seed=2), whole, rtol=0, atol=1e-5)
    torch.testing.assert_close(g.sample(3, seed=2), whole[:3], rtol=0, atol=1e-5)


def test_a_picture_is_translated_alike_alone_and_among_others():
    g = gancourse.pretrained("pix2pix-noto2fluent")
    x = torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    together = g.translate(x, seed=4)
    alone = torch.cat([g.translate(picture[None], seed=4) for picture in x])
    torch.testing.assert_close(alone, together, rtol=0, atol=1e-4)
    assert (g.translate(x, seed=5) - together).abs().mean() > 0.01


def test_a_generator_says_what_its_classes_are():
    labels = gancourse.pretrained("cgan-fashion").fields["labels"]
    assert "names=('T-shirt/top', 'Trouser'" in repr(labels)


# Translators


def translator(folder, module, **card):
    _, path = save(folder, module, data="nothing", **card)
    return trained.load(path)


def test_a_loaded_translator_does_what_the_run_would_do(tmp_path):
    gan, _ = save(tmp_path, pix2pix)
    g = trained.load(tmp_path)
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    assert g.pictures == "input" and g.cfg == gan.cfg
    assert torch.equal(g.translate(x, seed=3), pix2pix.sample(gan, input=x, seed=3))


def test_both_ways_of_a_cyclegan_are_loaded(tmp_path):
    gan, _ = save(tmp_path, cyclegan)
    g = trained.load(tmp_path)
    x = torch.rand(2, 3, 32, 32) * 2 - 1
    assert torch.equal(g.translate(x), cyclegan.sample(gan, real_A=x))
    assert torch.equal(g.sample(real_B=x), cyclegan.sample(gan, real_B=x))


def test_one_target_may_stand_for_all_pictures(tmp_path):
    gan, _ = save(tmp_path, stargan)
    g = trained.load(tmp_path)
    x = torch.rand(2, 3, g.cfg.image_size, g.cfg.image_size) * 2 - 1
    target = [0] * sum(g.cfg.label_sizes)
    target[1] = 1
    expected = stargan.sample(gan, real=x, labels=torch.tensor([target] * 2).float())
    assert torch.equal(g.translate(x, labels=target), expected)
    assert torch.equal(g.translate(x, target), expected)  # as a widget calls it


PICTURES = torch.zeros(2, 3, 32, 32)


def test_numbers_of_other_precision_are_taken_too(tmp_path):
    g = translator(tmp_path, pix2pix)
    expected = g.translate(PICTURES)
    for images in (PICTURES.double(), PICTURES.half()):  # NumPy's numbers are double
        assert torch.equal(g.translate(images), expected)


@pytest.mark.parametrize(
    ("module", "ask", "message"),
    [
        (pix2pix, lambda g: g.sample(2), "input="),
        (pix2pix, lambda g: g.translate(PICTURES.numpy()), "input"),
        (stargan, lambda g: g.translate(None, [1] * 14), "real"),
        (stargan, lambda g: g.translate(PICTURES, "Smiling"), "Smiling"),
        (stargan, lambda g: g.translate(PICTURES, ["Smiling"]), "Smiling"),
        (pix2pix, lambda g: g.translate(PICTURES[:0]), "input"),
        (pix2pix, lambda g: g.translate(PICTURES[:, :1]), r"\(2, 1, 32, 32\)"),
        (pix2pix, lambda g: g.translate(PICTURES[..., :16]), r"\(2, 3, 32, 16\)"),
        (pix2pix, lambda g: g.translate(PICTURES.byte()), "uint8"),
        (pix2pix, lambda g: g.translate(PICTURES + 255), r"\[255, 255\]"),
        (pix2pix, lambda g: g.translate(PICTURES * torch.nan), "nan"),
        (pix2pix, lambda g: g.translate(PICTURES, direction="BA"), "direction"),
        (cyclegan, lambda g: g.translate(PICTURES, real_B=PICTURES), "real_A or real_B"),
        (stargan, lambda g: g.translate(PICTURES), "labels="),
        (stargan, lambda g: g.translate(PICTURES, labels=[1, 0]), "labels"),
        (stargan, lambda g: g.translate(PICTURES, labels=[0.5] * 14), "labels"),
        (stargan, lambda g: g.translate(PICTURES, labels=[10**400] * 14), "labels"),
        (stargan, lambda g: g.translate(PICTURES, [1] * 14, [1] * 14), "takes real, labels"),
        (stargan, lambda g: g.translate(PICTURES, [1] * 14, labels=[1] * 14), "twice"),
        (pix2pix, lambda g: g.translate(PICTURES, PICTURES), "takes input"),
        (pix2pix, lambda g: g.translate(PICTURES, input=PICTURES), "twice"),
        (pix2pix, lambda g: g.sample(z=torch.zeros(2, 8)), "'z'"),
    ],
)
def test_a_wrong_translation_is_explained(tmp_path, module, ask, message):
    with pytest.raises(CourseError, match=message):
        ask(translator(tmp_path, module))


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(CourseError, match=f"{NAMES[0]}"):
        gancourse.pretrained("dcgan-toon")


@pytest.mark.parametrize("name", NAMES)
class TestShipped:
    def test_its_file_is_small_and_its_card_complete(self, name):
        path = shipped(f"{trained.FOLDER}/{name}.safetensors")
        assert path.stat().st_size <= MOST
        card = gancourse.pretrained(name).card
        ways = gancourse.pretrained(name).module.SAMPLES.values()
        assert card["fields"].keys() == {given for names in ways for given in names} - {"z"}
        known = {
            "model",
            "data",
            "preset",
            "step",
            "seed",
            "device",
            "seconds",
            "commit",
            "quality",
        }
        assert known <= card.keys()
        recipe = train_pretrained.RECIPES[name]
        assert (card["model"], card["data"]) == (recipe.model, recipe.data)
        json.dumps(card)

    def test_its_samples_have_the_form_of_the_data(self, name):
        g = gancourse.pretrained(name)
        if isinstance(show.examples(g, 2), dict):
            pytest.skip("see the next")
        data = show.held_out(g.module, g.card["data"], g.cfg, 16)
        batch, _ = data.preview(16, runtime.start("cpu"))
        given = {field: batch[field] for field in show.needed(g.module, g.fields)}
        images = g.sample(16, seed=1, **given)
        assert images.shape == (16, *data.shape)
        assert images.isfinite().all() and images.abs().max() <= 1
        assert torch.equal(images, gancourse.pretrained(name).sample(16, seed=1, **given))
        assert images.flatten(1).std(0).mean() > 0.1  # it does not draw one picture only

    def test_its_translations_have_the_form_of_the_data(self, name):
        g = gancourse.pretrained(name)
        columns, again = show.examples(g, 8), show.examples(g, 8)
        if not isinstance(columns, dict):
            pytest.skip("takes nothing that can be shown beside its samples")
        made = columns["output"]
        assert len(columns) == 3 and {len(column) for column in columns.values()} == {8}
        assert made.shape == (8, *g.fields[next(iter(g.module.SAMPLES))].shape)
        assert made.isfinite().all() and made.abs().max() <= 1
        assert torch.equal(made, again["output"])
        assert made.std(0).mean() > 0.1  # it does not draw one picture only

    def test_it_translates_as_well_as_its_card_says(self, name):
        g = gancourse.pretrained(name)
        said = g.card["quality"].get("l1")
        if said is None or {"labels", "z"} & {*g.given}:
            pytest.skip("was not held to targets, or its strips show another picture as the target")
        columns = show.examples(g, 100)
        far = (columns["output"] - columns["target"]).abs().mean().item()
        assert abs(far - said) < 0.15 * said

    def test_it_is_as_good_as_its_card_says(self, name):
        g = gancourse.pretrained(name)
        said = g.card["quality"]
        if "class_accuracy" not in said:
            pytest.skip("draws no classes")
        labels = torch.arange(400) % g.cfg.num_classes
        judge = metrics.load_judge(g.card["data"])
        right = judge.predict(g.sample(400, seed=99, labels=labels)) == labels
        # Four standard errors of a share of 400.
        error = 4 * (said["class_accuracy"] * (1 - said["class_accuracy"]) / 400) ** 0.5
        assert abs(right.float().mean() - said["class_accuracy"]) <= error + 0.01

    def test_labels_are_checked(self, name):
        g = gancourse.pretrained(name)
        if "labels" not in g.given or g.pictures:
            pytest.skip("draws no classes")
        assert torch.equal(g.sample(3, labels=2), g.sample(3, labels=[2, 2, 2]))
        for labels in (g.cfg.num_classes, -1, [1, 2], 0.5):
            with pytest.raises(CourseError, match="labels"):
                g.sample(3, labels=labels)
