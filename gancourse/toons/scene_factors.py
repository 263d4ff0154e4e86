"""The factors of a drawn scene: their values, attributes and captions."""

import torch

from gancourse.toons.table import Table, listed

NUMBERS = ("none", "one", "two", "three")

# Values with a natural order stand in that order, because `bias` links factors by it.
SCENE_FACTORS = {
    "season": ("spring", "summer", "autumn", "winter"),
    "time": ("day", "dusk", "night"),
    "hills": ("rolling", "peaks", "ridge"),
    "clouds": NUMBERS,
    "water": ("none", "lake"),
    "road": ("none", "straight", "curved", "winding"),
    "houses": NUMBERS[1:],
    "house_1": ("cottage", "townhouse", "chalet"),
    "house_2": ("cottage", "townhouse", "chalet"),
    "house_3": ("cottage", "townhouse", "chalet"),
    "walls": ("cream", "pastel", "nordic", "brick"),
    "roofs": ("terracotta", "slate", "thatch", "plum"),
    "round_trees": NUMBERS,
    "fir_trees": NUMBERS,
    "side": ("left", "right"),
}

# How one layout can look: each season at each time of day.
SCENE_LOOKS = tuple(
    f"{season} {time}" for season in SCENE_FACTORS["season"] for time in SCENE_FACTORS["time"]
)

# The probabilities of values, for factors whose values aren't equally likely.
SCENE_SHARES = {
    "clouds": (0.15, 0.3, 0.35, 0.2),
    "water": (0.6, 0.4),
    "road": (0.1, 0.3, 0.3, 0.3),
    "round_trees": (0.15, 0.25, 0.35, 0.25),
    "fir_trees": (0.15, 0.25, 0.35, 0.25),
}

# Small differences between scenes with the same factors, each uniform in [-1, 1].
SCENE_VARIATION = {
    "sun_x": "place of the sun or moon, left to right",
    "sun_y": "place of the sun or moon, top to bottom",
    "sun_size": "of the sun or moon",
    **{f"cloud_{k}": f"place of cloud {k}, left to right" for k in (1, 2, 3)},
    "horizon": "height of the meadow's edge, lower if positive",
    **{f"hill_{k}": f"shape of the hills, {place}" for k, place in
       enumerate(("left", "middle", "right", "far"), 1)},
    "road_near": "where the road begins, left to right",
    "road_far": "where the road ends, left to right",
    "road_bend": "how strongly the road bends",
    "lake_size": "of the lake",
    **{f"house_{k}_x": f"place of house {k}, left to right" for k in (1, 2, 3)},
    **{f"house_{k}_size": f"of house {k}" for k in (1, 2, 3)},
    # Trees take the six places in ascending order of these numbers.
    **{f"place_{k}": f"how soon a tree takes place {k}" for k in range(1, 7)},
    **{f"tree_{k}_x": f"of the tree in place {k}, left to right" for k in range(1, 7)},
    **{f"tree_{k}_size": f"of the tree in place {k}" for k in range(1, 7)},
    "specks": "where stars, flowers and leaves lie",
}  # fmt: skip


# Binary attributes, each as a function of the factors.
SCENE_ATTRIBUTES = {
    **{
        name.capitalize(): lambda f, factor=factor, name=name: (
            getattr(f, factor) == SceneFactors.code(factor, name)
        )
        for factor in ("season", "time")
        for name in SCENE_FACTORS[factor]
    },
    "Peaks": lambda f: f.hills == SceneFactors.code("hills", "peaks"),
    "Clouds": lambda f: f.clouds > 0,
    "Lake": lambda f: f.water > 0,
    "Road": lambda f: f.road > 0,
    "Several_Houses": lambda f: f.houses > 0,
    "Round_Trees": lambda f: f.round_trees > 0,
    "Fir_Trees": lambda f: f.fir_trees > 0,
}


class SceneFactors(Table):
    """The factors of N scenes: a table of codes, and a table of small differences.

    See :class:`~gancourse.toons.table.Table`: ``factors.season`` is int64 (N,),
    ``factors.sun_x`` float32 (N,). Season and time of day change only colours, not the layout.

    Examples
    --------
    >>> village = SceneFactors.sample(1)
    >>> village.replace(season="winter").describe()[0]["season"]
    'winter'
    """

    kind = "scenes"
    stream = "scene "
    columns = SCENE_FACTORS
    differences = SCENE_VARIATION
    shares = SCENE_SHARES
    has = SCENE_ATTRIBUTES

    @property
    def captions(self):
        """A caption of each scene, list of str."""
        return [scene_caption(scene) for scene in self.describe()]

    @property
    def look(self):
        """The season and the time of day of each scene, int64 (N,): an index into SCENE_LOOKS."""
        return self.season * len(SCENE_FACTORS["time"]) + self.time

    def in_every_look(self):
        """Return every scene in all of SCENE_LOOKS: 12 N scenes, those of one layout in a row."""
        times = len(SCENE_FACTORS["time"])
        looks = torch.arange(len(SCENE_LOOKS)).repeat(len(self)).tolist()
        return self.repeat_interleave(len(SCENE_LOOKS)).replace(
            season=[look // times for look in looks], time=[look % times for look in looks]
        )

    @property
    def tree_ranks(self):
        """In which order trees take the six places, int64 (N, 6).

        The places of rank 0, 1, 2 are for round trees, those of rank 3, 4, 5 for firs.
        """
        return self._tree_order.argsort(dim=1, stable=True).argsort(dim=1, stable=True)

    @property
    def tree_kinds(self):
        """What stands in each of the six places, int64 (N, 6): 0 nothing, 1 round tree, 2 fir."""
        rank = self.tree_ranks
        number = rank % 3
        there = torch.where(
            rank < 3, number < self.round_trees[:, None], number < self.fir_trees[:, None]
        )
        return torch.where(there, 1 + (rank >= 3).long(), 0)

    @property
    def _tree_order(self):
        return torch.stack([getattr(self, f"place_{k}") for k in range(1, 7)], 1)

    def with_other_trees(self):
        """Return the scenes with a fir for each round tree, in its place, and the reverse.

        Nothing else changes: places, sizes and tones of the trees are the same.
        """
        order = self._tree_order
        ranks = (self.tree_ranks + 3) % 6
        places = order.sort(dim=1).values.gather(1, ranks)
        return self.replace(
            round_trees=self.fir_trees.tolist(),
            fir_trees=self.round_trees.tolist(),
            **{f"place_{k + 1}": places[:, k] for k in range(6)},
        )


def scene_caption(scene):
    """Return a caption of one scene.

    Parameters
    ----------
    scene : dict of str to str
        Each factor's value, as :meth:`SceneFactors.describe` gives it.

    Returns
    -------
    str

    Examples
    --------
    >>> village = SceneFactors.sample(1).replace(season="winter", time="night")
    >>> scene_caption(village.describe()[0])[:14]
    'A winter night'
    """
    styles = [scene[f"house_{k + 1}"] for k in range(NUMBERS.index(scene["houses"]))]
    things = [
        f"{NUMBERS[styles.count(style)]} {style}s" if styles.count(style) > 1 else f"a {style}"
        for style in dict.fromkeys(styles)
    ]
    things += _counted(scene["round_trees"], "round tree") + _counted(scene["fir_trees"], "fir")
    if scene["road"] != "none":
        things.append(f"a {scene['road']} road")
    if scene["water"] == "lake":
        things.append("a lake")
    when = {"day": "day", "dusk": "evening", "night": "night"}[scene["time"]]
    article = "An" if scene["season"][0] in "aeiou" else "A"
    hills = {
        "rolling": "rolling hills",
        "peaks": "pointed mountains",
        "ridge": "a long ridge",
    }[scene["hills"]]
    sky = _counted(scene["clouds"], "cloud")
    over = f", {sky[0]} in the sky" if sky else ", under a clear sky"
    return f"{article} {scene['season']} {when} with {listed(things)} before {hills}{over}."


def _counted(number, thing):
    return {
        "none": [],
        "one": [f"a {thing}"],
    }.get(number, [f"{number} {thing}s"])
