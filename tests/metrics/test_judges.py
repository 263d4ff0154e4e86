"""A judge is as good as its card says, and refuses what it was not trained on."""

import hashlib

import pytest
import torch
from safetensors import safe_open

from gancourse import toons
from gancourse.data import load, shipped
from gancourse.errors import CheckpointError, CourseError
from gancourse.metrics import (
    JUDGES,
    judge_fid,
    judges,
    load_judge,
    segmentation_scores,
)

# The accuracy of the worst attribute on the card, and of freckles, specks that glasses and beards
# cover. 300 new faces may do a little worse by chance.
LEAST, LEAST_FRECKLES, CHANCE = 0.98, 0.9, 0.025


@pytest.fixture(scope="module")
def judge():
    return load_judge("digits")


@pytest.fixture(scope="module")
def held_out():
    return load("digits", split="test")


@pytest.fixture(scope="module")
def face_judge():
    return load_judge("toons")


@pytest.fixture(scope="module")
def faces():
    """Faces that neither the judge nor its card has seen."""
    return toons.faces(300, seed=4_321)


@pytest.fixture(scope="module")
def portraits(faces):
    return as_floats(faces.images)


def as_floats(pixels):
    return pixels.float() / 127.5 - 1


def noise(*shape):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(("name", "least"), [("digits", 0.975), ("fashion", 0.88), ("emoji", 0.91)])
def test_the_held_out_accuracy_is_the_one_on_the_card(name, least):
    judge, held_out = load_judge(name), load(name, split="test")
    accuracy = (judge.predict(held_out.images()) == held_out.labels).double().mean().item()
    assert accuracy == pytest.approx(judge.card["accuracy"], abs=1e-3)
    assert accuracy >= least
    assert 1 - sum(judge.card["confused"].values()) / len(held_out) == pytest.approx(
        accuracy, abs=1e-3
    )


@pytest.mark.parametrize("name", ["digits", "fashion", "emoji"])
def test_the_card_names_the_pictures_that_ship(name):
    card = load_judge(name).card
    for split, words in (("train", "train"), ("test", "held_out")):
        data = load(name, split=split)
        assert card[f"{words}_pictures"] == len(data)
        digest = hashlib.sha256(data.pixels.numpy().tobytes()).hexdigest()
        assert card[f"{words}_sha256"] == digest
    assert card["classes"] == list(data.classes)


@pytest.mark.parametrize("name", JUDGES)
def test_the_card_records_the_training(name):
    judge = load_judge(name)
    assert {"data", "steps", "seed", "seconds", "torch", "date", "commit"} <= judge.card.keys()
    assert judge.card["data"] == name
    assert f"{name}: {judge.card['accuracy']:.1%} right" in repr(judge)


@pytest.mark.parametrize("name", JUDGES)
def test_the_weights_are_small_on_disk_and_in_full_precision_in_memory(name):
    path = shipped(f"judge-{name}.safetensors")
    assert path.stat().st_size < (1_500_000 if name in ("toons", "scenes", "quilts") else 400_000)
    with safe_open(path, framework="pt") as file:
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16, torch.int64}
    assert {p.dtype for p in load_judge(name).net.parameters()} == {torch.float32}


def test_features_logits_predictions_and_confidence_agree(judge, held_out):
    images = held_out.images(slice(0, 50))
    features, logits = judge.features(images), judge.logits(images)
    assert features.shape == (50, judge.num_features)
    assert logits.shape == (50, 10)
    assert not (features.requires_grad or logits.requires_grad)
    assert torch.equal(judge.net.head(features), logits)
    assert torch.equal(judge.predict(images), logits.argmax(1))
    torch.testing.assert_close(judge.confidence(images), logits.softmax(1).max(1).values)


def test_the_judge_of_clothes_is_sure_of_mirrored_shoes_and_unsure_of_noise():
    judge, shoes = load_judge("fashion"), load("fashion", split="test")
    shoes = shoes.images(shoes.labels == shoes.classes.index("Sneaker"))
    seen = (judge.predict(images) == 7 for images in (shoes, shoes.flip(3)))
    assert all(hits.double().mean() > 0.9 for hits in seen)
    assert judge.confidence(noise(200, 1, 28, 28)).mean() < 0.3


def test_the_judge_is_sure_of_digits_and_unsure_of_noise(judge, held_out):
    assert judge.confidence(held_out.images(slice(0, 200))).mean() > 0.95
    assert judge.confidence(noise(200, 1, 28, 28)).mean() < 0.3


def test_the_studio_of_small_or_mirrored_emoji_is_predicted_and_that_of_noise_is_unsure():
    judge, emoji = load_judge("emoji"), load("emoji", split="test")
    small = judge.predict(emoji.resized(32).images()) == emoji.labels
    assert small.double().mean().item() == pytest.approx(judge.card["accuracy_32"], abs=5e-3)
    assert judge.card["accuracy_32"] >= 0.88
    mirrored = judge.predict(emoji.images().flip(3)) == emoji.labels
    assert mirrored.double().mean().item() >= 0.88
    assert judge.confidence(emoji.images()).mean() > 0.85
    assert judge.confidence(noise(100, 3, 64, 64)).mean() < 0.5


def test_a_picture_is_judged_independently_of_its_batch(judge, held_out, monkeypatch):
    images = held_out.images(slice(0, 50))
    together = judge.logits(images)
    monkeypatch.setattr("gancourse.metrics.judges.CHUNK", 7)
    torch.testing.assert_close(judge.logits(images), together, rtol=1e-4, atol=1e-4)


def test_the_border_of_padded_digits_is_cut_off(judge, held_out):
    padded = load("digits", split="test", image_size=32)
    assert padded.shape == (1, 32, 32)
    index = slice(0, 20)
    assert torch.equal(
        judge.logits(padded.images(index)),
        judge.logits(held_out.images(index)),
    )


@pytest.mark.parametrize(("name", "shape"), [("digits", (1, 28, 28)), ("toons", (3, 64, 64))])
def test_loading_and_predicting_leave_the_random_state_alone(name, shape):
    before = torch.get_rng_state()
    load_judge(name).predict(torch.zeros(10, *shape))
    assert torch.equal(torch.get_rng_state(), before)


def test_an_unknown_judge_is_refused_with_the_known_ones():
    with pytest.raises(CourseError, match=r"'digit'.*'digits'"):
        load_judge("digit")


@pytest.mark.parametrize(
    ("images", "culprit"),
    [
        (torch.zeros(28, 28), r"\(28, 28\)"),
        (torch.zeros(4, 3, 28, 28), r"\(4, 3, 28, 28\)"),
        (torch.zeros(0, 1, 28, 28), r"\(0, 1, 28, 28\)"),
        (torch.zeros(4, 1, 64, 64), "64x64.*resize"),
        (torch.zeros(4, 1, 28, 28, dtype=torch.uint8), "uint8.*127.5"),
        (torch.full((4, 1, 28, 28), 255.0), "255"),
        (torch.full((4, 1, 28, 28), -1.02), "-1.02"),
        (torch.full((4, 1, 28, 28), torch.nan), "nan"),
    ],
)
def test_pictures_that_the_judge_does_not_know_are_refused(judge, images, culprit):
    with pytest.raises(CourseError, match=rf"digits.*{culprit}"):
        judge.features(images)


@pytest.mark.parametrize("size", [64, 32])
def test_the_attributes_of_new_faces_are_predicted(face_judge, faces, size):
    images = as_floats(toons.draw(faces.factors, size).images)
    found = face_judge.predict(images)
    assert found.dtype == torch.bool
    assert found.shape == (300, 20)
    right = (found == faces.attributes).double().mean(0)
    for name, accuracy in zip(face_judge.attributes, right.tolist(), strict=True):
        known = face_judge.card["attributes"][name][f"accuracy_{size}"]
        assert known >= (LEAST_FRECKLES if name == "Freckles" else LEAST), name
        assert accuracy >= known - CHANCE, name


def test_the_attributes_are_those_of_the_data_set_in_its_order(face_judge):
    assert face_judge.attributes == load("toons").attribute_names


def test_the_card_of_faces_names_the_held_out_faces(face_judge):
    data = load("toons", split="test")
    assert face_judge.card["held_out_pictures"] == len(data)
    shares = [entry["share"] for entry in face_judge.card["attributes"].values()]
    assert shares == pytest.approx(data.attributes.mean(0).tolist(), abs=1e-4)
    # The faces of neither split were training pictures.
    assert not {drawn["seed"] for drawn in face_judge.card["drawn_to_train"]} & {0, 1}


def test_features_logits_predictions_and_confidence_of_faces_agree(face_judge, portraits):
    some = portraits[:40]
    features, logits = face_judge.features(some), face_judge.logits(some)
    assert features.shape == (40, face_judge.num_features)
    assert not (features.requires_grad or logits.requires_grad)
    probabilities = logits.sigmoid()
    assert torch.equal(face_judge.predict(some), logits > 0)
    torch.testing.assert_close(
        face_judge.confidence(some), torch.maximum(probabilities, 1 - probabilities).mean(1)
    )
    assert torch.equal(face_judge.logits(some), logits)


def test_the_factors_of_new_faces_are_predicted(face_judge, faces, portraits):
    expression = face_judge.factor(portraits, "expression")
    torch.testing.assert_close(expression.sum(1), torch.ones(300))
    assert (expression.argmax(1) == faces.factors.expression).double().mean() > 0.97
    ground = face_judge.factor(portraits, "background")
    assert ground.shape == (300, 8)
    assert (ground.argmax(1) == faces.factors.background).double().mean() > 0.97
    with pytest.raises(CourseError, match=r"'mood'.*expression"):
        face_judge.factor(portraits, "mood")


def test_faces_are_told_from_noise(face_judge, portraits):
    junk = noise(100, 3, 64, 64)
    assert (face_judge.is_face(portraits) > 0.5).double().mean() > 0.99
    assert (face_judge.is_face(junk) > 0.5).double().mean() < 0.01
    assert face_judge.confidence(portraits).mean() > 0.97
    assert face_judge.confidence(junk).mean() < 0.85


def test_small_faces_are_enlarged(face_judge, faces):
    small = as_floats(toons.draw(faces.factors[:20], 32).images)
    large = torch.nn.functional.interpolate(small, (64, 64), mode="bilinear")
    assert torch.equal(face_judge.logits(small), face_judge.logits(large))


@pytest.mark.parametrize(
    ("images", "culprit"),
    [
        (torch.zeros(3, 64, 64), r"\(3, 64, 64\)"),
        (torch.zeros(4, 1, 64, 64), r"\(4, 1, 64, 64\)"),
        (torch.zeros(4, 3, 28, 28), "28x28.*resize"),
        (torch.zeros(4, 3, 32, 64), "32x64.*resize"),
        (torch.zeros(4, 3, 64, 64, dtype=torch.uint8), "uint8"),
        (torch.full((4, 3, 32, 32), 255.0), "255"),
    ],
)
def test_pictures_that_the_judge_of_faces_does_not_know_are_refused(face_judge, images, culprit):
    with pytest.raises(CourseError, match=rf"toons.*{culprit}"):
        face_judge.predict(images)


def test_the_fid_works_on_features_of_faces(face_judge, portraits):
    one, other = portraits[:150], portraits[150:]
    alike, apart = judge_fid(one, other, face_judge), judge_fid(one, noise(*one.shape), face_judge)
    assert apart > 10 * alike
    assert judge_fid(one, other, face_judge) == alike


@pytest.fixture(scope="module")
def scene_judge():
    return load_judge("scenes")


@pytest.fixture(scope="module")
def scenery():
    """Scenes that neither the judge nor its card has seen."""
    return toons.scenes(100, seed=4_321)


def scene_scores(judge, images, scenes):
    return segmentation_scores(judge.predict(images), scenes.semantic, len(judge.classes))


@pytest.mark.parametrize("size", [64, 32])
def test_the_pixels_of_new_scenes_are_classified(scene_judge, scenery, size):
    scenes = toons.draw_scenes(scenery.factors, size)
    found = scene_scores(scene_judge, as_floats(scenes.images), scenes)
    known = scene_judge.card[f"scores_{size}"]["real"]
    assert found._asdict() == pytest.approx(known, abs=0.03)
    assert known["per_pixel"] >= 0.95
    assert known["iou"] >= 0.85


def test_the_judge_of_quilts_knows_a_fabric_by_its_pattern_and_not_by_shape_or_place():
    judge = load_judge("quilts")
    factors = toons.SceneFactors.sample(60, 4_321).replace(season="summer", time="day")
    scenes = toons.draw_scenes(factors, 32)
    real = scene_scores(judge, as_floats(scenes.quilts), scenes)
    assert real.iou == pytest.approx(judge.card["scores"]["real"]["iou"], abs=0.05)
    phases = [toons.draw_scenes(factors.replace(specks=k / 8), 32).quilts for k in range(-8, 9)]
    mean = as_floats(torch.stack(phases).float().mean(0))
    assert scene_scores(judge, mean, scenes).iou < 0.6 * real.iou


def test_features_logits_predictions_and_confidence_of_scenes_agree(scene_judge, scenery):
    some = as_floats(scenery.images[:7])
    features, logits = scene_judge.features(some), scene_judge.logits(some)
    assert features.shape == (7, scene_judge.num_features)
    assert logits.shape == (7, len(toons.SCENE_CLASSES), 64, 64)
    assert scene_judge.classes == toons.SCENE_CLASSES
    assert not (features.requires_grad or logits.requires_grad)
    predicted = scene_judge.predict(some)
    assert predicted.dtype == torch.int64
    assert torch.equal(predicted, logits.argmax(1))
    confidence = scene_judge.confidence(some)
    torch.testing.assert_close(confidence, logits.softmax(1).amax(1).mean((1, 2)))


def test_the_iou_falls_as_the_pictures_are_degraded(scene_judge, scenery):
    scenery = toons.draw_scenes(scenery.factors[:40])
    images = as_floats(scenery.images)

    def blurred(times):
        less = torch.nn.functional.avg_pool2d(images, times)
        return torch.nn.functional.interpolate(less, scale_factor=times, mode="bilinear")

    kinds = [images, blurred(2), blurred(4), blurred(16), noise(*images.shape)]
    iou = [scene_scores(scene_judge, kind, scenery).iou for kind in kinds]
    assert iou == sorted(iou, reverse=True)
    assert iou[-1] < 0.15
    others = scene_scores(scene_judge, images.roll(1, 0), scenery)
    assert others.iou < iou[0] / 2
    assert scene_judge.confidence(kinds[-1]).mean() < scene_judge.confidence(images).mean() - 0.2


def test_the_fid_works_on_features_of_scenes(scene_judge):
    factors = toons.scenes(220, seed=4_322).factors

    def by_season(season, part):
        scenes = toons.draw_scenes(factors[part].replace(season=season), 32)
        return as_floats(scenes.images)

    summer, other = by_season("summer", slice(110)), by_season("summer", slice(110, 220))
    alike = judge_fid(summer, other, scene_judge)
    assert judge_fid(summer, by_season("winter", slice(110, 220)), scene_judge) > 1.5 * alike
    assert judge_fid(summer, noise(*summer.shape), scene_judge) > 5 * alike


def test_the_card_of_scenes_names_the_held_out_scenes(scene_judge):
    data = load("scenes", split="test")
    assert scene_judge.card["held_out_pictures"] == len(data)
    assert not {drawn["seed"] for drawn in scene_judge.card["drawn_to_train"]} & {0, 1}


@pytest.mark.parametrize(
    ("images", "culprit"),
    [
        (torch.zeros(2, 3, 28, 28), "28x28.*resize"),
        (torch.zeros(2, 3, 64, 32), "64x32.*resize"),
        (torch.zeros(2, 1, 64, 64), r"\(2, 1, 64, 64\)"),
    ],
)
def test_pictures_that_the_judge_of_scenes_does_not_know_are_refused(scene_judge, images, culprit):
    with pytest.raises(CourseError, match=rf"scenes.*{culprit}"):
        scene_judge.predict(images)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda state, card: card.pop("accuracy"), "accuracy"),
        (lambda state, card: card.update(accuracy=7), "accuracy"),
        (lambda state, card: card.update(classes=[1]), "classes.0"),
        (lambda state, card: state.pop("head.bias"), "lacks head.bias"),
        (lambda state, card: state.update({"head.bias": torch.zeros(11)}), r"\(11,\)"),
        (lambda state, card: state["head.bias"].fill_(torch.nan), "NaN"),
    ],
)
def test_a_judge_whose_file_was_changed_is_refused(monkeypatch, change, says):
    state, header = judges.load(judges.shipped("judge-digits.safetensors"))
    change(state, header["card"])
    monkeypatch.setattr(judges, "load", lambda path: (state, header))
    with pytest.raises(CheckpointError, match=rf"judge-digits\.safetensors.*{says}"):
        load_judge("digits")


def test_the_feature_maps_of_a_style_end_in_its_features():
    judge, images = load_judge("emoji"), torch.rand(3, 3, 64, 64) * 2 - 1
    maps = judge.net.encode(images)
    shapes = [(24, 32), (48, 16), (64, 8), (64, 8), (64, 1)]
    assert [tuple(m.shape) for m in maps] == [(3, c, side, side) for c, side in shapes]
    torch.testing.assert_close(maps[-1].flatten(1), judge.features(images))
