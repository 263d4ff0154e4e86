"""Drawn scenes: one layout in all seasons, each factor in its own region, exact maps."""

import numpy as np
import pytest
import torch

from gancourse import data, toons
from gancourse.data.source import ImageData
from gancourse.errors import CourseError, DataError
from gancourse.toons import landscape, quilt, render, shapes
from gancourse.training import runtime

MEDIA = ("images", "quilts", "sketch", "parts")
SEASONS = toons.SCENE_FACTORS["season"]
TIMES = toons.SCENE_FACTORS["time"]
HOUSES = ("house 1", "house 2", "house 3")
# The instances or parts in whose boxes a factor may change pixels; None where it is the whole
# picture. The boxes of instances include the ground that they shade or light up.
REGIONS = {
    "season": None,
    "time": None,
    "hills": ("hill",),
    "clouds": ("cloud 1", "cloud 2", "cloud 3"),
    "water": ("lake",),
    "road": ("road",),
    "houses": HOUSES,
    "house_1": HOUSES[:1],
    "house_2": HOUSES[1:2],
    "house_3": HOUSES[2:],
    "walls": HOUSES,
    "roofs": HOUSES,
    "round_trees": tuple(f"tree {k}" for k in range(1, 7)),
    "fir_trees": tuple(f"tree {k}" for k in range(1, 7)),
    "side": None,
}


@pytest.fixture(scope="module")
def some():
    """Scenes of every kind, each medium drawn once."""
    return toons.scenes(60, size=64, seed=2)


def bare(factors):
    """Return the same landscape without trees and with one house."""
    return factors.replace(round_trees="none", fir_trees="none", houses="one")


def region(scenes, names):
    """Return the pixels that some instances or parts may change, bool (N, size, size)."""
    inside = torch.zeros(len(scenes), scenes.size, scenes.size, dtype=torch.bool)
    unit = scenes.size / 64
    for name in names:
        if name in toons.SCENE_INSTANCES:
            boxes = scenes.boxes[:, toons.SCENE_INSTANCES.index(name)]
            # Shadows, smoke and lit windows reach beyond the thing itself.
            wide, high = (0, 0) if name.startswith("cloud") else (20 * unit, 9 * unit)
        else:
            boxes = render.extent(scenes.parts == toons.SCENE_PARTS.index(name))
            wide, high = 1, 2
        for number, (left, top, right, bottom) in enumerate(boxes.tolist()):
            if left >= 0:
                rows = slice(max(int(top - high) - 1, 0), int(bottom + high) + 1)
                inside[number, rows, max(int(left - wide) - 1, 0) : int(right + wide) + 1] = True
    return inside


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others():
    first, again, other = (toons.scenes(6, size=32, seed=seed) for seed in (5, 5, 6))
    for medium in MEDIA:
        assert torch.equal(getattr(first, medium), getattr(again, medium))
        assert not torch.equal(getattr(first, medium), getattr(other, medium))


@pytest.mark.parametrize("k", [1, 7, 50])
def test_the_first_scenes_are_the_same_however_many_are_drawn(some, k):
    few = toons.scenes(k, size=64, seed=2)
    assert torch.equal(few.factors.codes, some.factors.codes[:k])
    assert torch.equal(few.factors.variation, some.factors.variation[:k])
    for medium in MEDIA:
        assert torch.equal(getattr(few, medium), getattr(some, medium)[:k]), medium


def test_a_scene_is_the_same_whichever_scenes_are_drawn_with_it(some, monkeypatch):
    shuffled = torch.randperm(60, generator=torch.Generator().manual_seed(0))[:20]
    monkeypatch.setattr(render, "CHUNK", 7 * 64**2)
    again = toons.draw_scenes(some.factors[shuffled], 64)
    for medium in MEDIA:
        assert torch.equal(getattr(again, medium), getattr(some, medium)[shuffled]), medium


@pytest.mark.parametrize("medium", ["colour", "quilt", "lines", "parts"])
def test_the_boxes_of_the_painters_cut_nothing_off(medium):
    factors = toons.SceneFactors.sample(48, seed=11)
    factors.variation[:24] = factors.variation[:24].sign()  # the extremes
    factors = factors.replace(time=[1, 2] * 24)  # long shadows, and light in the windows
    boxed = quilt.start(medium, factors, 64)
    landscape.paint(boxed)
    whole = quilt.start(medium, factors, 64)
    whole.window = lambda box, frame: (slice(None), slice(None))
    landscape.paint(whole)
    # What is painted over changes the last bit of a float.
    apart = (boxed.pixels.float() - whole.pixels.float()).abs() > 1e-6
    different = apart.flatten(1).any(1).nonzero()[:, 0].tolist()
    assert not different, [factors.describe()[number] for number in different[:2]]


def test_the_layout_does_not_depend_on_season_and_time(some):
    few = some.factors[:12]
    for season in SEASONS:
        for time in TIMES:
            other = toons.draw_scenes(few.replace(season=season, time=time), 64)
            assert torch.equal(other.parts, some.parts[:12]), (season, time)
            assert torch.equal(other.sketch, some.sketch[:12]), (season, time)


def test_every_season_and_time_has_colours_of_its_own(some):
    looks = [
        toons.draw_scenes(some.factors[:8].replace(season=season, time=time), 64).images.float()
        for season in SEASONS
        for time in TIMES
    ]
    for i, first in enumerate(looks):
        for second in looks[:i]:
            assert ((first - second).abs().mean((1, 2, 3)) > 4).all()
    brightness = [look.mean().item() for look in looks]
    for day, dusk, night in zip(*[iter(brightness)] * 3, strict=True):
        assert day > dusk > night


def test_the_fabrics_of_a_group_have_one_mean_colour_and_other_groups_another():
    scenes = toons.draw_scenes(
        toons.SceneFactors.sample(200, 3).replace(season="summer", time="day")
    )
    pixels, seen = scenes.quilts.float().permute(0, 2, 3, 1), scenes.semantic
    mean = {name: pixels[seen == toons.SCENE_CLASSES.index(name)].mean(0) for name in quilt.FABRICS}
    for name, (group, *_) in quilt.FABRICS.items():
        for other, (its_group, *_) in quilt.FABRICS.items():
            apart = (mean[name] - mean[other]).abs().max()
            assert apart < 20 if group == its_group else apart > 30, (name, other)


def test_a_quilts_patterns_have_the_same_phase_in_every_season_and_another_in_another_scene(some):
    few = some.factors[:8]
    looks = [
        toons.draw_scenes(few.replace(season=s, time=t)).quilts.float().mean(1)
        for s, t in (("summer", "day"), ("winter", "dusk"), ("summer", "day"))
    ]
    sky = (some.semantic[:8] == 0)[:, None, :8].flatten(1)
    for number in range(8):
        one, other = (look[number, :8].flatten()[sky[number]] for look in looks[:2])
        assert torch.corrcoef(torch.stack([one, other]))[0, 1] > 0.99
    moved = toons.draw_scenes(few.replace(season="summer", time="day", specks=0.3)).quilts
    assert (moved.float().mean(1) - looks[0]).abs().mean() > 3


def test_the_layout_is_the_same_at_every_size(some):
    few = some.factors[:12]
    small = toons.draw_scenes(few, 64).semantic
    for size in (32, 128, 256):
        scaled = toons.draw_scenes(few, size).semantic[:, None]
        scaled = torch.nn.functional.interpolate(scaled, size=64, mode="nearest")[:, 0]
        assert (scaled == small).float().mean() > (0.88 if size == 32 else 0.95), size


@pytest.mark.parametrize("factor", toons.SCENE_FACTORS)
def test_a_factor_changes_only_its_own_region(factor):
    values = len(toons.SCENE_FACTORS[factor])
    count = 24 // values
    origin = toons.SceneFactors.sample(count, seed=7).repeat_interleave(values)
    if factor.startswith("house_"):
        origin = origin.replace(houses="three")
    changed = toons.draw_scenes(origin.replace(**{factor: list(range(values)) * count}), 64)
    before = toons.draw_scenes(origin, 64)
    changes = (changed.images != before.images).any(1)
    alters = changes.flatten(1).any(1).view(count, values).sum(1)
    assert alters.max() == values - 1, "no scene shows every value of the factor"
    if REGIONS[factor] is not None:
        allowed = torch.zeros_like(changes)
        for scenes in (before, changed):
            allowed |= region(scenes, REGIONS[factor])
            if factor in ("hills", "water", "road"):
                land = bare(scenes.factors)
                land = land.replace(road="none") if factor == "water" else land
                allowed |= region(toons.draw_scenes(land, 64), REGIONS[factor])
            else:
                alone = scenes.factors.replace(clouds="none")
                if "tree" not in factor:
                    alone = alone.replace(round_trees="none", fir_trees="none")
                if factor != "clouds":
                    allowed |= region(toons.draw_scenes(alone, 64), REGIONS[factor])
        astray = (changes & ~allowed).flatten(1).any(1).nonzero()[:, 0].tolist()
        assert not astray, [origin.describe()[number] for number in astray[:2]]


def test_every_factor_has_a_region():
    assert list(REGIONS) == list(toons.SCENE_FACTORS)


@pytest.mark.parametrize("name", toons.SCENE_VARIATION)
def test_every_small_difference_shows(name):
    factors = toons.SceneFactors.sample(4, seed=1).replace(
        houses="three", round_trees="three", fir_trees="three", clouds="three", water="lake",
        road="curved", hills="peaks", time="night", season="summer",
    )  # fmt: skip
    low, high = (toons.draw_scenes(factors.replace(**{name: end}), 64).images for end in (-1, 1))
    assert (low != high).flatten(1).any(1).sum() >= 3


def test_masks_boxes_and_instances_agree_with_the_parts(some):
    masks, boxes = some.masks, some.boxes
    assert masks.shape == (60, len(toons.SCENE_INSTANCES), 64, 64)
    assert boxes.shape == (60, len(toons.SCENE_INSTANCES), 4)
    assert (masks.sum(1) <= 1).all()
    assert torch.equal(masks.any(1), some.instances > 0)
    parts = np.array(toons.SCENE_PARTS)[some.parts.numpy()]
    for index, name in enumerate(toons.SCENE_INSTANCES):
        kind, _, number = name.partition(" ")
        kinds = ("wall", "roof", "window") if kind == "house" else (kind,)
        own = [f"{each} {number}".strip() for each in kinds]
        assert (masks[:, index].numpy() == np.isin(parts, own)).all(), name
        for row in range(0, 60, 6):
            rows, columns = np.nonzero(masks[row, index].numpy())
            expected = [-1] * 4
            if len(rows):
                expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert boxes[row, index].tolist() == expected, name


def test_every_pixel_belongs_to_the_class_of_its_part(some):
    names = np.array([part.split()[0] for part in toons.SCENE_PARTS])
    assert (np.array(toons.SCENE_CLASSES)[some.semantic.numpy()] == names[some.parts.numpy()]).all()
    assert set(names) == set(toons.SCENE_CLASSES)
    assert some.semantic.dtype == some.instances.dtype == torch.uint8


def test_there_are_as_many_things_as_the_factors_say():
    scenes = toons.scenes(150, size=128, seed=4)
    there = scenes.boxes[:, :, 0] >= 0
    names = toons.SCENE_INSTANCES
    counted = {
        kind: there[:, [i for i, name in enumerate(names) if name.startswith(kind)]].sum(1)
        for kind in ("sun", "cloud", "house", "tree")
    }
    f = scenes.factors
    # Trees and houses may hide what is behind them, but there is never more than the factors say.
    for kind, number in (
        ("cloud", f.clouds), ("house", f.houses + 1), ("tree", f.round_trees + f.fir_trees)
    ):  # fmt: skip
        assert (counted[kind] <= number).all()
        assert (counted[kind] == number).float().mean() > 0.85, kind
    assert (counted["sun"] == 1).float().mean() > 0.95
    for kind, number in (("lake", f.water), ("road", f.road)):
        seen = (scenes.semantic == toons.SCENE_CLASSES.index(kind)).flatten(1).any(1)
        assert torch.equal(seen, number > 0)


def test_another_tree_leaves_the_others_where_they_are():
    few = toons.SceneFactors.sample(20, seed=3).replace(round_trees="one", fir_trees="two")
    more = few.replace(round_trees="three")
    kinds = [quilt.start("parts", f, 32).tree_kind for f in (few, more)]
    assert ((kinds[0] > 0).sum(1) == 3).all() and ((kinds[1] > 0).sum(1) == 5).all()
    assert (kinds[1][kinds[0] > 0] == kinds[0][kinds[0] > 0]).all()


def test_a_palette_image_shows_each_class_in_its_colour(some):
    shown = toons.palette_image(some.semantic[:4])
    assert shown.dtype == torch.uint8 and shown.shape == (4, 3, 64, 64)
    back = (shown[:, None] == toons.SCENE_PALETTE.view(1, -1, 3, 1, 1)).all(2).byte().argmax(1)
    assert torch.equal(back.byte(), some.semantic[:4])
    assert toons.SCENE_PALETTE.shape == (len(toons.SCENE_CLASSES), 3)
    with pytest.raises(DataError, match=r"\(N, H, W\)"):
        toons.palette_image(some.semantic[0])
    with pytest.raises(DataError, match=r"0\.\.10"):
        toons.palette_image(some.semantic[:1] + 11)


def test_sketches_are_mostly_paper_with_dark_lines(some):
    share = (some.sketch < 128).float().mean((1, 2, 3))
    assert some.sketch.shape == (60, 1, 64, 64)
    assert (share > 0.04).all() and (share < 0.4).all()


def test_captions_say_what_the_factors_are():
    scene = toons.SceneFactors.sample(1).replace(
        season="winter", time="night", hills="peaks", clouds="two", water="lake", road="winding",
        houses="three", house_1="cottage", house_2="chalet", house_3="cottage",
        round_trees="one", fir_trees="three",
    )  # fmt: skip
    assert scene.captions == [
        "A winter night with two cottages, a chalet, a round tree, three firs, a winding road and "
        "a lake before pointed mountains, two clouds in the sky."
    ]
    plain = scene.replace(
        season="autumn", time="dusk", clouds="none", water="none", road="none", houses="one",
        round_trees="none", fir_trees="none", hills="ridge",
    )  # fmt: skip
    assert plain.captions == [
        "An autumn evening with a cottage before a long ridge, under a clear sky."
    ]


def test_attributes_say_what_the_factors_are():
    factors = toons.SceneFactors.sample(1_500, seed=4)
    names = list(toons.SCENE_ATTRIBUTES)
    assert factors.attributes.dtype == torch.bool
    for scene, row in zip(factors.describe()[:300], factors.attributes.tolist(), strict=False):
        has = dict(zip(names, row, strict=True))
        for value in (*SEASONS, *TIMES):
            assert has[value.capitalize()] == (value in (scene["season"], scene["time"]))
        assert has["Several_Houses"] == (scene["houses"] != "one")
        assert has["Lake"] == (scene["water"] == "lake")
        assert has["Fir_Trees"] == (scene["fir_trees"] != "none")
        assert has["Road"] == (scene["road"] != "none")
    share = factors.attributes.float().mean(0)
    assert (share > 0.1).all() and (share < 0.95).all()


def test_the_shares_in_the_readme_are_those_of_the_code():
    readme = data.shipped("README.md").read_text(encoding="utf-8")
    for name, values in toons.SCENE_FACTORS.items():
        shares = [f"{100 * share:.3g} %" for share in toons.SCENE_SHARES.get(name, [])]
        assert f"| `{name}` | {', '.join(values)} | {', '.join(shares) or 'equal'} |" in readme


def test_scenes_and_faces_share_no_random_numbers():
    scenes, faces = toons.SceneFactors.sample(50), toons.sample(50)
    assert not torch.equal(scenes.side, faces.side)


def test_scattered_dots_stay_in_their_cells_and_change_with_the_salt():
    axis = torch.linspace(-1, 1, 200)
    x, y = axis.view(1, 1, 1, -1), axis.view(1, 1, -1, 1)
    first, other = (shapes.scatter(x, y, 0.25, 0.05, 0.5, salt) for salt in (3.0, 4.5))
    assert (first < 0).any() and not torch.equal(first < 0, other < 0)
    edges = (axis / 0.25 + 3.0) % 1
    near = (edges < 0.04) | (edges > 0.96)
    assert not (first < 0)[..., near].any() and not (first < 0)[:, :, near].any()


@pytest.mark.parametrize("size", [31, 257, 0, 64.0, "64", True])
def test_a_size_that_cannot_be_drawn_is_an_error(size):
    with pytest.raises(DataError, match=r"scenes.*32 to 256"):
        toons.scenes(2, size)


@pytest.mark.parametrize(
    "call, culprit",
    [
        (lambda: toons.scenes(0), "scenes.*at least 1"),
        (lambda: toons.scenes(2, seed=-1), "seed"),
        (lambda: toons.scenes(2, shares={"season": (1, 1)}), "season.*4 weights"),
        (lambda: toons.scenes(2).factors.replace(season="monsoon"), "spring, summer"),
        (lambda: toons.scenes(2).factors.replace(glasses="sun"), "'glasses'"),
        (lambda: toons.scenes(2).factors.replace(sun_x=2.0), r"sun_x.*-1\.\.1"),
        (lambda: toons.SceneFactors(torch.zeros(2, 3), torch.zeros(2, 16)), "codes"),
    ],
)
def test_what_does_not_exist_is_named_with_what_does(call, culprit):
    with pytest.raises(CourseError, match=culprit):
        call()


def test_load_gives_seasons_as_labels_and_attributes_in_the_batch():
    run = runtime.start(device="cpu", seed=1)
    scenes = data.load("scenes", limit=20, image_size=32)
    assert isinstance(scenes, ImageData)
    assert (len(scenes), scenes.shape, scenes.classes) == (20, (3, 32, 32), SEASONS)
    seen = scenes.batch(3, 8, run)
    assert seen["real"].shape == (8, 3, 32, 32) and seen["real"].abs().max() <= 1
    for row in range(8):
        match = (scenes.images() == seen["real"][row]).flatten(1).all(1).nonzero()
        assert len(match) == 1
        assert seen["labels"][row] == scenes.labels[match[0, 0]]
        assert torch.equal(seen["attributes"][row], scenes.attributes[match[0, 0]])


def test_load_draws_as_many_scenes_as_asked_for_and_the_splits_differ():
    assert len(data.load("scenes")) == 10_000
    assert len(data.load("scenes:123")) == 123
    train, test = (data.load("scenes", split=split, limit=50) for split in ("train", "test"))
    assert not (train.drawing.factors.variation == test.drawing.factors.variation).any()
    with pytest.raises(DataError, match="scenes"):
        data.load("scenes:many")


def test_what_was_drawn_moves_along(some):
    drawn = some.images, some.sketch
    moved = some.to("cpu")
    assert moved.images is drawn[0] and moved.sketch is drawn[1]
