"""The parts of a scene, and its colours and measures as functions of the factors.

A picture reaches from -1 to 1, left to right and top to bottom. Season and time of day change
colours only: no position or size depends on them.
"""

import torch

from gancourse.toons.look import mix, per, rgb, tone
from gancourse.toons.scene_factors import SCENE_FACTORS
from gancourse.toons.sheet import Sheet, span

# The classes of a semantic map. Doors count as windows, and chimneys as roofs.
SCENE_CLASSES = (
    "sky", "sun", "cloud", "hill", "meadow", "lake", "road", "wall", "roof", "window", "tree"
)  # fmt: skip
# A colour for each class, uint8 (number of classes, 3), to show a semantic map.
SCENE_PALETTE = (
    rgb(
        "a9d8f5", "ffd84d", "f4f6fb", "8fa3c4", "8cc65a", "4a8fd6", "d9b98a",
        "f2a27e", "b5483f", "55427a", "2f7d4f",
    )
    * 255
).round().to(torch.uint8)  # fmt: skip

# The instances; the number of a tree is that of its place.
SCENE_INSTANCES = (
    "sun",
    *(f"cloud {k}" for k in (1, 2, 3)),
    *(f"house {k}" for k in (1, 2, 3)),
    *(f"tree {k}" for k in range(1, 7)),
)
# The parts in a map of parts; the number of a part is its index here.
SCENE_PARTS = (
    "sky", "sun", *(f"cloud {k}" for k in (1, 2, 3)), "hill", "meadow", "lake", "road",
    *(f"{part} {k}" for k in (1, 2, 3) for part in ("wall", "roof", "window")),
    *(f"tree {k}" for k in range(1, 7)),
)  # fmt: skip
PART_CLASSES = torch.tensor(
    [SCENE_CLASSES.index(part.split()[0]) for part in SCENE_PARTS], dtype=torch.uint8
)
# 0 for parts without instances, otherwise 1 more than the index into SCENE_INSTANCES.
PART_INSTANCES = torch.tensor(
    [
        SCENE_INSTANCES.index(name) + 1 if name in SCENE_INSTANCES else 0
        for name in (
            f"house {part.split()[1]}" if part.split()[0] in ("wall", "roof", "window") else part
            for part in SCENE_PARTS
        )
    ],
    dtype=torch.uint8,
)
SKY, SUN, HILL, MEADOW, LAKE, ROAD = (
    SCENE_PARTS.index(part) for part in ("sky", "sun", "hill", "meadow", "lake", "road")
)
CLOUDS, WALLS, ROOFS, WINDOWS = (
    tuple(SCENE_PARTS.index(f"{part} {k}") for k in (1, 2, 3))
    for part in ("cloud", "wall", "roof", "window")
)
TREES = tuple(SCENE_PARTS.index(f"tree {k}") for k in range(1, 7))

# The places of things: x, y of the foot, size. The factor `side` mirrors the x of houses.
HOUSE_PLACES = ((-0.43, 0.44, 0.98), (0.47, 0.36, 0.84), (0.06, 0.205, 0.6))
TREE_PLACES = (
    (-0.2, 0.2, 0.5),
    (-0.78, 0.225, 0.56),
    (0.8, 0.22, 0.54),
    (0.05, 0.47, 0.74),
    (0.82, 0.8, 1.1),
    (-0.8, 0.88, 1.2),
)
CLOUD_PLACES = ((-0.48, -0.6, 1.0), (0.44, -0.47, 0.8), (0.0, -0.83, 0.66))

# Colours by season (rows) and time of day (day, dusk, night).
SKY_TOP = rgb(
    "7cc4ee", "5c62b4", "131b48",
    "3fa6ec", "4c519f", "0e1842",
    "72b4d9", "574a8c", "1a1640",
    "86b9e6", "6474c0", "15234e",
)  # fmt: skip
SKY_MIDDLE = rgb(
    "bfe6f5", "dd8fae", "2c3b7c",
    "97d6f7", "e6818f", "22386f",
    "c4e0e4", "d6737a", "362f69",
    "c4dcf2", "d092c4", "31497f",
)  # fmt: skip
SKY_LOW = rgb(
    "fdf0e4", "ffd3a4", "5364a6",
    "e9f7f3", "ffc878", "41639a",
    "fbe9cd", "ffb866", "6d5286",
    "f3f2f4", "ffd8c0", "6e8abb",
)  # fmt: skip
FAR_HILL = rgb("9cc3d6", "84b2cd", "b698ae", "aac0e2")
NEAR_HILL = rgb("86c48a", "5fa872", "c07a4a", "b3c8e6")
FAR_MEADOW = rgb("b9de7c", "a0d160", "e0c26a", "f3f7fc")
MEADOW_TONE = rgb("8ccb5c", "6fb444", "cf9f45", "e6eef8")
NEAR_MEADOW = rgb("6cb950", "4c9a3c", "b27c36", "c9d7ef")
ROAD_TONE = rgb("ecd8ae", "efd9a6", "dfc195", "b4bdd8")
LAKE_TONE = rgb("74c0e2", "45a5dc", "66a3c4", "9cc8ea")
# Crowns of round trees: three tones, of which each tree has one.
CROWN = rgb(
    "f7b8cd", "fbcbd9", "f2a3bf",
    "5aa848", "6db84f", "479a4d",
    "ec8b3a", "dc5c34", "f2b940",
    "e9f1f9", "e2ecf7", "eff4fb",
)  # fmt: skip
CROWN_SHADE = rgb(
    "d983a9", "e39bb5", "cf7aa0",
    "2f7d43", "3f8c45", "286f45",
    "b95a30", "a63c33", "c98428",
    "b3c6e0", "abc0dc", "b9cbe3",
)  # fmt: skip
FIR = rgb("58a86c", "358a58", "467f56", "4c8078")
FIR_SHADE = rgb("35825a", "1f6550", "2f5f4a", "305f63")
BARK = rgb("8a5f48", "7d543c", "74492f", "74605c")
PETAL = rgb("fff4f8", "ffe36e", "e2622f", "ffffff")

# Walls and roofs of the first, the second and the third house.
WALL = rgb(
    "fff3d9", "fbe6bd", "fdf0e2",
    "f9c9c4", "c9e2ee", "fae3a8",
    "d9584a", "f3c14f", "5a8fb8",
    "cf8a68", "c4765a", "dca080",
)  # fmt: skip
ROOF = rgb(
    "d9643f", "c4522f", "e07a4c",
    "5f6f8c", "4e5d7a", "72829c",
    "b98d4e", "a67a42", "c79d5f",
    "8c4a6c", "7a3f66", "9a587a",
)  # fmt: skip
DOOR = rgb("a0603c", "5b8f86", "8c4f36", "4f6f9c")

# Lighting: a colour is multiplied by LIGHT, then mixed with AMBIENT by the share HAZE.
LIGHT = rgb(
    "ffffff", "ffcdb4", "8097cc",
    "ffffff", "ffcdb4", "7c98c8",
    "ffffff", "ffcdb4", "9c8cc8",
    "ffffff", "f6cbe0", "8a94d4",
)  # fmt: skip
AMBIENT = rgb("ffffff", "7c4a94", "22226e")
HAZE = (0.0, 0.13, 0.36)
GLASS = rgb("a9d3e6", "ffd98a", "ffd968")
GLOW = rgb("ffffff", "ffc05c", "ffc04c")
SUN_TONE = rgb("fff0a8", "ffcf7c", "f6f2dc")
SUN_GLOW = rgb("fff6cf", "ffb070", "aebcf0")
CLOUD_TOP = rgb("ffffff", "ffd9cf", "6f7fb6")
CLOUD_LOW = rgb("dfeaf5", "e58fa3", "3f4f8e")


def start(medium, factors, size):
    """Return an empty :class:`Sheet` with the planes and values that the painters use."""
    count, device = len(factors), factors.codes.device
    if medium == "parts":
        pixels = torch.zeros(count, 1, size, size, dtype=torch.uint8, device=device)
    else:
        pixels = torch.ones(count, 1 if medium == "lines" else 3, size, size, device=device)
    axis = (torch.arange(size, device=device, dtype=torch.float32) * 2 + 1) / size - 1
    planes = {
        "x": axis.view(1, 1, 1, -1).expand(count, 1, size, size),
        "y": axis.view(1, 1, -1, 1).expand(count, 1, size, size),
    }
    values = {name: getattr(factors, name) for name in SCENE_FACTORS}
    values.update(_places(factors))
    values.update(_colours(factors))
    values["pixel"] = torch.full((count, 1, 1, 1), 2 / size, device=device)

    def window(box, frame):
        left, top, right, bottom = box
        return span(top, bottom, size), span(left, right, size)

    return Sheet(medium, pixels, planes, values, window)


def _places(f):
    """Return positions and sizes: (N, 1, 1, 1), or (N, K, 1, 1) for K things of a kind."""

    def vary(name, amount):
        return amount * getattr(f, name).view(-1, 1, 1, 1)

    def many(name, count, amount):
        names = [name.format(k) for k in range(1, count + 1)]
        return amount * torch.stack([getattr(f, each) for each in names], 1).view(-1, count, 1, 1)

    def fixed(places):
        table = torch.tensor(places, device=f.codes.device).T[:, None, :, None, None]
        return table.unbind()

    mirror = per(f.side, 1, -1)
    house_x, house_y, house_size = fixed(HOUSE_PLACES)
    tree_x, tree_y, tree_size = fixed(TREE_PLACES)
    cloud_x, cloud_y, cloud_size = fixed(CLOUD_PLACES)
    tree_x, tree_y = tree_x + many("tree_{}_x", 6, 0.09), tree_y.expand(len(f), -1, -1, -1)
    return {
        "horizon": 0.15 + vary("horizon", 0.03),
        "bumps": many("hill_{}", 4, 1.0),
        "sun_x": vary("sun_x", 0.68),
        "sun_y": -0.58 + vary("sun_y", 0.12),
        "sun_size": 0.135 * (1 + vary("sun_size", 0.12)),
        "cloud_x": cloud_x + many("cloud_{}", 3, 0.3),
        "cloud_y": cloud_y.expand(len(f), -1, -1, -1),
        "cloud_size": cloud_size.expand(len(f), -1, -1, -1),
        "road_near": -mirror * (0.12 + vary("road_near", 0.1)),
        "road_far": vary("road_far", 0.3),
        "road_bend": mirror * (1 + vary("road_bend", 0.25)),
        "lake_x": mirror * 0.47,
        "lake_size": 1 + vary("lake_size", 0.12),
        "house_x": mirror * house_x + many("house_{}_x", 3, 0.07),
        "house_y": house_y.expand(len(f), -1, -1, -1),
        "house_size": house_size * (1 + many("house_{}_size", 3, 0.1)),
        "tree_x": tree_x,
        "tree_y": tree_y,
        "tree_size": tree_size * (1 + many("tree_{}_size", 6, 0.13)),
        "tree_kind": f.tree_kinds,
        "tree_tone": f.tree_ranks % 3,
        "salt": vary("specks", 40.0),
    }


def _colours(f):
    """Return colours (N, 3, 1, 1) in [0, 1], or (N, 3 tones, 3, 1, 1), and shares (N, 1, 1, 1)."""
    sky = f.season * 3 + f.time
    light, ambient = tone(sky, LIGHT), tone(f.time, AMBIENT)
    haze = per(f.time, *HAZE)

    def lit(colour):
        return mix(colour * light, ambient, haze)

    def three(codes, palette):
        return lit_three(palette.to(codes.device).view(4, 3, 3)[codes].view(-1, 3, 3, 1, 1))

    def lit_three(colours):
        return mix(colours * light[:, None], ambient[:, None], haze[:, None])

    low = tone(sky, SKY_LOW)
    white = lit(torch.ones_like(low))
    sky_tones = {
        "sky_top": tone(sky, SKY_TOP),
        "sky_middle": tone(sky, SKY_MIDDLE),
        "sky_low": low,
        "sun_tone": tone(f.time, SUN_TONE),
        "sun_glow": tone(f.time, SUN_GLOW),
        "cloud_top": tone(f.time, CLOUD_TOP),
        "cloud_low": tone(f.time, CLOUD_LOW),
    }
    land = {
        "far_hill": mix(lit(tone(f.season, FAR_HILL)), low, 0.3),
        "near_hill": mix(lit(tone(f.season, NEAR_HILL)), low, 0.16),
        "cap": mix(white, low, 0.25),
        "far_meadow": mix(lit(tone(f.season, FAR_MEADOW)), low, 0.12),
        "meadow_tone": lit(tone(f.season, MEADOW_TONE)),
        "near_meadow": lit(tone(f.season, NEAR_MEADOW)),
        "road_tone": lit(tone(f.season, ROAD_TONE)),
        "lake_tone": lit(tone(f.season, LAKE_TONE)),
        "petal": lit(tone(f.season, PETAL)),
    }
    things = {
        "white": white,
        "brick": lit(rgb("cf8f63").to(white.device).view(1, 3, 1, 1).expand_as(white)),
        "snow": lit(rgb("f4f8fd").to(white.device).view(1, 3, 1, 1).expand_as(white)),
        "crown": three(f.season, CROWN),
        "crown_shade": three(f.season, CROWN_SHADE),
        "fir": lit(tone(f.season, FIR)),
        "fir_shade": lit(tone(f.season, FIR_SHADE)),
        "bark": lit(tone(f.season, BARK)),
        "wall": three(f.walls, WALL),
        "roof": three(f.roofs, ROOF),
        "door": lit(tone(f.walls, DOOR)),
        "glass": tone(f.time, GLASS),
        "glow": tone(f.time, GLOW),
        "shadow_tone": mix(tone(f.time, AMBIENT) * 0.5, rgb("2b3560").to(white.device)
                           .view(1, 3, 1, 1), 0.5),
        "shadow": per(f.time, 0.24, 0.3, 0.22),
        "shadow_long": per(f.time, 0.24, 0.6, 0.18),
        "lamps": per(f.time, 0.0, 0.55, 1.0),
        "winter": per(f.season, 0, 0, 0, 1),
        "night": per(f.time, 0, 0, 1),
    }  # fmt: skip
    return {**sky_tones, **land, **things}
