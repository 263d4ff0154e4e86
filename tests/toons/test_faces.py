"""Drawn faces: the same pixels from the same seed, each factor in its own region, exact maps."""

import math

import numpy as np
import pytest
import torch

from gancourse import data, toons
from gancourse.data.source import ImageData
from gancourse.errors import CourseError, DataError
from gancourse.toons import look, portrait, render, shapes
from gancourse.toons.factors import SHARES
from gancourse.training import runtime

MEDIA = ("images", "sketch", "parts")

EARS, EYES, BROWS = (("left " + p, "right " + p) for p in ("ear", "eye", "brow"))
HEAD = (
    "face",
    "nose",
    "mouth",
    "beard",
    *EARS,
    *EYES,
    *BROWS,
    "hair",
    "earrings",
    "glasses",
    "hat",
)
# The parts in whose boxes a factor may change pixels; None where it is the whole picture.
REGIONS = {
    "presentation": ("face", "neck", "clothes", "mouth", "beard", "hair", *EARS, *EYES, *BROWS),
    "age": ("face", "nose", "mouth", "beard", "glasses", *EYES, *BROWS),
    "skin": ("face", "neck", "nose", "mouth", "hair", "glasses", *EARS, *EYES),
    "face": HEAD,
    "hair": ("hair",),
    "hair_colour": ("hair", "beard", *BROWS),
    "side": ("hair", "nose"),
    "brows": BROWS,
    "eyes": EYES,
    "eye_colour": EYES,
    "nose": ("nose",),
    "expression": (*EYES, *BROWS, "mouth"),
    "freckles": ("face",),
    "glasses": ("glasses",),
    "glasses_colour": ("glasses",),
    "beard": ("beard",),
    "earrings": ("earrings",),
    "hat": ("hat", "hair"),
    "hat_colour": ("hat", "hair"),
    "clothes": ("clothes",),
    "clothes_colour": ("clothes",),
    "background": None,
}
# Shoulders cover hair and mouths cover beards, and neither can be removed. A pixel that they cover
# only partly shows some of what is below, one pixel outside the visible part.
LIES_BELOW = ("hair", "hair_colour", "beard")


@pytest.fixture(scope="module")
def some():
    """Faces of every kind, each medium drawn once."""
    return toons.faces(150, size=64, seed=2)


def region(faces, parts, grow=1):
    """Return the pixels in the boxes of some parts, bool (N, size, size)."""
    inside = torch.zeros(len(faces), faces.size, faces.size, dtype=torch.bool)
    for part in parts:
        for number, box in enumerate(faces.boxes[:, toons.PARTS.index(part)].tolist()):
            left, top, right, bottom = box
            if left >= 0:
                rows = slice(max(top - grow, 0), bottom + grow)
                inside[number, rows, max(left - grow, 0) : right + grow] = True
    return inside


def uncovered(factors, parts):
    """Return the same faces without the things that may hide some parts."""
    off = {"hair": "bald", "hat": "none", "glasses": "none", "beard": "none"}
    return factors.replace(**{part: none for part, none in off.items() if part not in parts})


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others():
    first, again, other = (toons.faces(8, size=32, seed=seed) for seed in (5, 5, 6))
    for medium in MEDIA:
        assert torch.equal(getattr(first, medium), getattr(again, medium))
        assert not torch.equal(getattr(first, medium), getattr(other, medium))


@pytest.mark.parametrize("k", [1, 7, 100])
def test_the_first_faces_are_the_same_however_many_are_drawn(some, k):
    few = toons.faces(k, size=64, seed=2)
    assert torch.equal(few.factors.codes, some.factors.codes[:k])
    assert torch.equal(few.factors.variation, some.factors.variation[:k])
    for medium in MEDIA:
        assert torch.equal(getattr(few, medium), getattr(some, medium)[:k]), medium


def test_a_face_is_the_same_whichever_faces_are_drawn_with_it(some, monkeypatch):
    shuffled = torch.randperm(150, generator=torch.Generator().manual_seed(0))[:40]
    monkeypatch.setattr(render, "CHUNK", 9 * 64**2)
    assert torch.equal(toons.draw(some.factors[shuffled], 64).images, some.images[shuffled])


@pytest.mark.parametrize("medium", ["colour", "lines", "parts"])
def test_the_boxes_of_the_painters_cut_nothing_off(medium):
    factors = toons.sample(90, seed=11)
    factors.variation[:45] = factors.variation[:45].sign()  # the extremes
    whole = look.start(medium, factors, 64)
    whole.window = lambda box, frame: (slice(None), slice(None))
    portrait.paint(whole)
    for number in range(0, 90, 5):
        alone = look.start(medium, factors[number], 64)
        portrait.paint(alone)
        assert torch.equal(alone.pixels[0], whole.pixels[number]), number


@pytest.mark.parametrize("factor", toons.FACTORS)
def test_a_factor_changes_only_its_own_region(factor):
    values = len(toons.FACTORS[factor])
    count = max(5, 40 // values)
    origin = toons.sample(count, seed=7).repeat_interleave(values)
    changed = toons.draw(origin.replace(**{factor: list(range(values)) * count}), 64)
    before = toons.draw(origin, 64)
    changes = (changed.images != before.images).any(1)
    alters = changes.flatten(1).any(1).view(count, values).sum(1)
    assert alters.max() == values - 1, "no face shows every value of the factor"
    if REGIONS[factor] is not None:
        parts = REGIONS[factor]
        grow = 2 if factor in LIES_BELOW else 1
        allowed = torch.zeros_like(changes)
        for faces in (before, changed):
            allowed |= region(faces, parts, grow)
            allowed |= region(toons.draw(uncovered(faces.factors, parts), 64), parts, grow)
        astray = (changes & ~allowed).flatten(1).any(1).nonzero()[:, 0].tolist()
        assert not astray, [origin.describe()[number] for number in astray[:2]]


def test_every_factor_has_a_region():
    assert list(REGIONS) == list(toons.FACTORS)


@pytest.mark.parametrize("name", toons.VARIATION)
def test_every_small_difference_shows(name):
    factors = toons.sample(6, seed=1).replace(glasses="none", expression="smile", hat="none")
    low, high = (toons.draw(factors.replace(**{name: end}), 64).images for end in (-1, 1))
    assert (low != high).flatten(1).any(1).sum() >= 4


def test_boxes_are_the_extent_of_the_masks(some):
    parts = some.parts.numpy()
    for number in range(0, 150, 5):
        for part in range(len(toons.PARTS)):
            rows, columns = np.nonzero(parts[number] == part)
            expected = [-1] * 4
            if len(rows):
                expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert some.boxes[number, part].tolist() == expected, toons.PARTS[part]


def test_every_pixel_belongs_to_one_part_and_its_class(some):
    assert (some.masks.sum(1) == 1).all()
    names = np.array([part.split()[-1] for part in toons.PARTS])
    assert (np.array(toons.CLASSES)[some.semantic.numpy()] == names[some.parts.numpy()]).all()
    assert toons.PALETTE.shape == (len(toons.CLASSES), 3)
    assert len({tuple(colour) for colour in toons.PALETTE.tolist()}) == len(toons.CLASSES)


@pytest.mark.parametrize(
    "part, factor, none",
    [
        ("glasses", "glasses", "none"),
        ("hat", "hat", "none"),
        ("beard", "beard", "none"),
        ("earrings", "earrings", "no"),
        ("hair", "hair", "bald"),
    ],
)
def test_a_part_is_there_exactly_where_its_factor_says(some, part, factor, none):
    there = some.boxes[:, toons.PARTS.index(part), 0] >= 0
    has = getattr(some.factors, factor) != toons.code(factor, none)
    if part == "hair":  # a hat can hide all of short hair
        bare = some.factors.hat == toons.code("hat", "none")
        there, has = there[bare], has[bare]
    assert torch.equal(there, has)


@pytest.mark.parametrize("part, none", [("glasses", "none"), ("hat", "none"), ("earrings", "no")])
def test_taking_a_part_off_changes_the_pixels_of_its_mask(some, part, none):
    mask = some.parts == toons.PARTS.index(part)
    without = toons.draw(some.factors.replace(**{part: none}), 64)
    changed = (without.images != some.images).any(1)
    assert mask.sum() > 500
    assert (changed & mask).sum() > 0.99 * mask.sum()
    assert not (without.parts == toons.PARTS.index(part)).any()


def test_pixels_of_the_part_face_have_the_colour_of_skin(some):
    face = some.factors.replace(hair="bald", hat="none", glasses="none", beard="none", age="adult")
    for name, colour in zip(toons.FACTORS["skin"], look.SKIN, strict=True):
        drawn = toons.draw(face.replace(skin=name, freckles="no")[:10], 64)
        inside = drawn.parts == toons.PARTS.index("face")
        tone = drawn.images.permute(0, 2, 3, 1)[inside].float().div(255).median(0).values
        assert (tone - colour).abs().max() < 0.08, name


@pytest.mark.parametrize("size", [32, 45, 64, 128, 256])
def test_every_size_shows_the_same_faces(some, size):
    drawn = toons.draw(some.factors[:4], size)
    assert drawn.images.shape == (4, 3, size, size) and drawn.images.dtype == torch.uint8
    assert drawn.sketch.shape == (4, 1, size, size) and drawn.sketch.dtype == torch.uint8
    assert drawn.parts.shape == (4, size, size) and drawn.parts.dtype == torch.uint8
    assert drawn.boxes.shape == (4, len(toons.PARTS), 4)
    assert drawn.masks.shape == (4, len(toons.PARTS), size, size)
    small = torch.nn.functional.adaptive_avg_pool2d(drawn.images.float(), 16)
    expected = torch.nn.functional.adaptive_avg_pool2d(some.images[:4].float(), 16)
    assert (small - expected).abs().mean() < 5


def test_pictures_use_the_whole_range_and_sketches_are_lines_on_paper(some):
    assert some.images.min() < 50 and some.images.max() > 245
    assert some.sketch.min() == 0 and some.sketch.max() == 255
    paper = (some.sketch == 255).flatten(1).float().mean(1)
    assert (paper > 0.5).all() and (paper < 0.9).all()


def test_factors_are_independent_and_have_their_shares():
    n = 5_000
    factors = toons.sample(n, seed=0)
    columns = {name: getattr(factors, name) for name in toons.FACTORS}
    shares = {}
    for name, codes in columns.items():
        values = len(toons.FACTORS[name])
        shares[name] = torch.tensor(SHARES.get(name, [1 / values] * values), dtype=torch.float64)
        counts = codes.bincount(minlength=values)
        assert _surprise((counts - n * shares[name]) ** 2 / (n * shares[name]), values - 1) < 4
    names = list(columns)
    for i, first in enumerate(names):
        for second in names[:i]:
            expected = n * shares[first][:, None] * shares[second]
            a, b = expected.shape
            counts = (columns[first] * b + columns[second]).bincount(minlength=a * b).view(a, b)
            freedom = a * b - 1
            assert _surprise((counts - expected) ** 2 / expected, freedom) < 4.5, (first, second)


def _surprise(terms, freedom):
    """Return how many standard deviations a chi-square lies above its mean (Wilson-Hilferty)."""
    spread = 2 / (9 * freedom)
    return ((terms.sum().item() / freedom) ** (1 / 3) - (1 - spread)) / math.sqrt(spread)


def test_the_shares_in_the_readme_are_those_of_the_code():
    readme = data.shipped("README.md").read_text(encoding="utf-8")
    for name, values in toons.FACTORS.items():
        shares = [f"{100 * share:.3g} %" for share in SHARES.get(name, [])]
        assert f"| `{name}` | {', '.join(values)} | {', '.join(shares) or 'equal'} |" in readme


def test_small_differences_are_uniform_and_unrelated():
    variation = toons.sample(5_000, seed=0).variation
    assert variation.abs().max() <= 1
    assert (variation.mean(0).abs() < 0.04).all()
    assert ((variation.std(0) - 1 / math.sqrt(3)).abs() < 0.02).all()
    related = torch.corrcoef(variation.T) - torch.eye(len(toons.VARIATION))
    assert related.abs().max() < 0.06


@pytest.mark.parametrize("strength", [0.8, 1.0])
def test_bias_links_two_factors_and_leaves_their_shares(strength):
    plain = toons.sample(5_000, seed=3)
    biased = toons.sample(5_000, seed=3, bias={("glasses", "age"): strength})
    old, young = (biased.age == toons.code("age", age) for age in ("old", "young"))
    glasses = biased.glasses > 0
    # Linked, the oldest third wears glasses and the youngest none: P = 1 and 0, else 1/2.
    assert abs(glasses[old].float().mean() - (strength + (1 - strength) / 2)) < 0.04
    assert abs(glasses[young].float().mean() - (1 - strength) / 2) < 0.04
    assert abs(glasses.float().mean() - 0.5) < 0.03
    for name in toons.FACTORS:
        if name != "glasses":
            assert torch.equal(getattr(biased, name), getattr(plain, name)), name


def test_a_negative_bias_links_to_the_reverse_order():
    biased = toons.sample(2_000, bias={("hair", "presentation"): -1.0})
    women = biased.presentation == toons.code("presentation", "feminine")
    assert (biased.hair[women] >= 6).all() and (biased.hair[~women] < 6).all()


def test_a_bias_of_zero_changes_nothing():
    biased = toons.sample(100, bias={("hat", "age"): 0.0})
    assert torch.equal(biased.codes, toons.sample(100).codes)


def test_shares_replace_the_default():
    shares = {"glasses": {"none": 3, "sun": 1}, "age": (0, 0, 1)}
    factors = toons.sample(4_000, shares=shares)
    assert (factors.age == toons.code("age", "old")).all()
    counts = factors.glasses.bincount(minlength=4) / 4_000
    assert counts[1] == counts[2] == 0 and abs(counts[3] - 0.25) < 0.03
    assert torch.equal(factors.hat, toons.sample(4_000).hat)


def test_attributes_say_what_the_factors_are():
    factors = toons.sample(3_000, seed=4)
    names = list(toons.ATTRIBUTES)
    table = factors.attributes
    assert table.dtype == torch.bool and table.shape == (3_000, len(names))
    for face, row in zip(factors.describe()[:300], table.tolist(), strict=False):
        has = dict(zip(names, row, strict=True))
        assert has["Eyeglasses"] == (face["glasses"] != "none")
        assert has["Smiling"] == (face["expression"] in ("smile", "laugh"))
        assert has["Grey_Hair"] == (face["hair_colour"] == "grey" and face["hair"] != "bald")
        assert has["Beard"] == (face["beard"] in ("goatee", "full"))
        assert has["Male_presenting"] == (face["presentation"] == "masculine")
    share = table.float().mean(0)
    assert (share > 0.05).all() and (share < 0.6).all()


def test_replace_changes_one_factor_and_keeps_the_original():
    factors = toons.sample(3)
    changed = factors.replace(glasses=["none", "sun", "round"], hat=1, tilt=0.5)
    assert [face["glasses"] for face in changed.describe()] == ["none", "sun", "round"]
    assert (changed.hat == 1).all() and (changed.tilt == 0.5).all()
    assert torch.equal(factors.codes, toons.sample(3).codes)
    assert torch.equal(changed.skin, factors.skin)


def test_repeat_and_index_keep_the_rows_together():
    factors = toons.sample(3)
    assert torch.equal(factors.repeat_interleave(2).codes, factors.codes[[0, 0, 1, 1, 2, 2]])
    assert len(factors[1]) == len(factors[-1]) == 1
    assert torch.equal(factors[-1].variation, factors.variation[2:])


def test_captions_name_what_is_seen():
    face = toons.sample(1).replace(
        presentation="feminine",
        age="old",
        hair="bob",
        hair_colour="grey",
        eye_colour="blue",
        expression="smile",
        freckles="no",
        glasses="round",
        glasses_colour="red",
        beard="none",
        earrings="no",
        hat="beanie",
        hat_colour="teal",
        clothes="stripes",
        clothes_colour="navy",
        background="aqua",
    )
    assert face.captions == [
        "A smiling old woman with a grey bob and blue eyes, wearing a striped navy T-shirt, round "
        "red glasses and a teal beanie, on an aqua background."
    ]
    assert "eyes" not in face.replace(glasses="sun").captions[0]


@pytest.mark.parametrize("size", [31, 257, 0, 64.0, "64", True])
def test_a_size_that_cannot_be_drawn_is_an_error(size):
    with pytest.raises(DataError, match="32 to 256"):
        toons.faces(2, size)


@pytest.mark.parametrize(
    "call, culprit",
    [
        (lambda: toons.sample(0), "faces.*at least 1"),
        (lambda: toons.sample(2, seed=-1), "seed"),
        (lambda: toons.sample(2, bias={("glases", "age"): 1}), "glasses"),
        (lambda: toons.sample(2, bias={("glasses", "age"): 2}), r"glasses.*-1\.\.1"),
        (lambda: toons.sample(2, bias={"glasses": 1}), "two different factors.*'glasses'"),
        (lambda: toons.sample(2, bias={("age", "age"): 1}), "two different factors.*'age'"),
        (lambda: toons.sample(2, shares={"age": (1, 1)}), "age.*3 weights"),
        (lambda: toons.sample(2, shares={"age": {"aged": 1}}), "young, adult, old"),
        (lambda: toons.sample(2, shares={"ages": (1, 1)}), "'age'"),
        (lambda: toons.sample(2).replace(glasse="sun"), "'glasses'"),
        (lambda: toons.sample(2).replace(glasses="none of these"), "none, round, square, sun"),
        (lambda: toons.sample(2).replace(glasses=["sun"] * 3), "glasses.*1 or 2.* 3"),
        (lambda: toons.sample(2).replace(glasses=4), r"glasses.*0\.\.3"),
        (lambda: toons.sample(2).replace(tilt=1.5), r"tilt.*-1\.\.1"),
        (lambda: toons.sample(2).replace(tilt=[0.0] * 3), "tilt.*1 or 2.* 3"),
        (lambda: toons.code("hat", "bowler"), "beanie"),
        (lambda: toons.Factors(torch.zeros(2, 3), torch.zeros(2, 16)), "codes"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(call, culprit):
    with pytest.raises(CourseError, match=culprit):
        call()


def test_an_unknown_column_is_no_attribute():
    with pytest.raises(AttributeError, match="spectacles"):
        _ = toons.sample(1).spectacles


def test_the_number_of_threads_is_left_as_it_was():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        _ = toons.faces(2, 32).images
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_load_gives_expressions_as_labels_and_attributes_in_the_batch():
    run = runtime.start(device="cpu", seed=1)
    toon = data.load("toons", limit=20, image_size=32)
    assert isinstance(toon, ImageData)
    assert (len(toon), toon.shape, toon.num_classes) == (20, (3, 32, 32), 6)
    assert toon.classes == toons.FACTORS["expression"]
    seen = toon.batch(3, 8, run)
    assert seen["real"].shape == (8, 3, 32, 32) and seen["real"].abs().max() <= 1
    for row in range(8):
        match = (toon.images() == seen["real"][row]).flatten(1).all(1).nonzero()
        assert len(match) == 1
        assert seen["labels"][row] == toon.labels[match[0, 0]]
        assert torch.equal(seen["attributes"][row], toon.attributes[match[0, 0]])
    assert len(toon.attribute_names) == seen["attributes"].shape[1]


def test_load_draws_as_many_faces_as_asked_for_and_the_splits_differ():
    assert len(data.load("toons")) == 10_000
    assert len(data.load("toons:123")) == 123
    train, test = (data.load("toons", split=split, limit=50) for split in ("train", "test"))
    assert not (train.drawing.factors.variation == test.drawing.factors.variation).any()
    for wrong in ("toons:many", "toons:0"):
        with pytest.raises(DataError, match="toons"):
            data.load(wrong)
    with pytest.raises(DataError, match="10,000"):
        data.load("toons", limit=10_001)


def test_what_was_drawn_moves_along():
    toon = data.load("toons:4", image_size=32)
    pixels = toon.pixels
    assert toon.to("cpu").pixels.data_ptr() == pixels.data_ptr()  # not drawn again


POINTS = torch.linspace(-1, 1, 201)


@pytest.mark.parametrize(
    "shape",
    [
        lambda x, y: shapes.circle(x, y, 0.5),
        lambda x, y: shapes.ellipse(x, y, 0.6, 0.4),
        lambda x, y: shapes.box(x, y, 0.5, 0.3, 0.1),
        lambda x, y: shapes.segment(x, y, -0.4, -0.2, 0.5, 0.3, 0.1),
        lambda x, y: shapes.segment(x, y, -0.4, -0.2, 0.5, 0.3, 0.15, 0.05),
        lambda x, y: shapes.bow(x, y, 0.5, 0.2, 0.05),
        lambda x, y: shapes.lens(x, y, 0.6, 0.2, 0.3),
        lambda x, y: shapes.union(
            shapes.circle(x - 0.3, y, 0.3), shapes.circle(x + 0.3, y, 0.3), smooth=0.1
        ),
        lambda x, y: shapes.both(
            shapes.circle(x - 0.2, y, 0.5), shapes.circle(x + 0.2, y, 0.5), smooth=0.1
        ),
    ],
)
def test_shapes_measure_the_distance_to_their_edge(shape):
    x, y = POINTS.view(1, 1, 1, -1), POINTS.view(1, 1, -1, 1)
    distance = shape(x, y)[0, 0]
    inside = distance < 0
    edge = torch.zeros_like(inside)
    edge[:, 1:] |= inside[:, 1:] != inside[:, :-1]
    edge[1:] |= inside[1:] != inside[:-1]
    points = torch.stack(torch.meshgrid(POINTS, POINTS, indexing="ij"), -1)
    true = torch.cdist(points.view(-1, 2), points[edge]).min(1).values.view(201, 201)
    near = true < 0.04
    assert (distance.abs() - true)[near].abs().max() < 0.03  # the grid's step is 0.01
    assert (distance.abs() > 0.005)[~near].all()


def test_cover_is_the_area_of_the_pixel_on_a_slanting_edge():
    fine = (torch.arange(40) + 0.5) / 40 - 0.5
    for turn in (0.0, 0.4, math.pi / 4):
        for distance in torch.linspace(-1, 1, 21):
            across = fine[:, None] * math.cos(turn) + fine * math.sin(turn)
            area = (distance + across < 0).float().mean()
            assert abs(shapes.cover(distance, 1.0) - area) < 0.04


def test_turned_coordinates_turn_a_shape_clockwise():
    x, y = torch.tensor([0.6]), torch.tensor([0.8])
    assert torch.allclose(torch.stack(shapes.turned(x, y, 0.8)), torch.tensor([[1.0], [0.0]]))
