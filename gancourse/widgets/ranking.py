"""A blind ranking: the reader orders sheets of samples, and sees which measures agree."""

import itertools
import random

import ipywidgets as widgets
import matplotlib.pyplot as plt

from gancourse.errors import CourseError
from gancourse.plotting import STYLE, draw_grids, table
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import Explorer, as_images, button, headed, in_row

TILE, COLUMNS, SHOWN = 64, 4, 12  # CSS pixels; columns and pictures of a sheet
NAMES = "ABCDEFGH"


class BlindRanking(Explorer):
    """Sheets of samples under letters; the reader gives each a place.

    Parameters
    ----------
    sheets : dict of str to Tensor, (n, C, H, W)
        Samples in [-1, 1] or uint8, by the name of what made them, which stays hidden; two to
        eight, of which twelve samples each are shown.
    seed : int
        Of the order in which they are shown.

    Attributes
    ----------
    letters : dict of str to str
        The letter of each name.
    order : list of str or None
        The names from best to worst, as the reader sees it.

    Raises
    ------
    CourseError
        If there are fewer than two sheets or more than eight.

    Examples
    --------
    >>> ranking = BlindRanking({"real": real, "ours": fakes})  # doctest: +SKIP
    >>> ranking.agreement({"FID": {"real": -0.3, "ours": -9.0}})  # doctest: +SKIP
    """

    caption_without_kernel = "A still picture. Run this cell to rank the sheets."

    def __init__(self, sheets, *, seed=0):
        if not 2 <= len(sheets) <= len(NAMES):
            raise CourseError(f"sheets must be 2 to {len(NAMES)}, not {len(sheets)}")
        names = list(sheets)
        random.Random(seed).shuffle(names)
        self.sheets = {name: as_images(sheets[name], name)[:SHOWN] for name in names}
        self.letters = dict(zip(names, NAMES, strict=False))
        self.order = None
        self.summary = f"{len(names)} sheets of samples, named {', '.join(self.letters.values())}."

    def build(self):
        """Make the sheets, a choice of its place under each, and the button."""
        count = len(self.sheets)
        options = [("place", 0), *((f"{i + 1}{' (best)' * (i == 0)}", i + 1) for i in range(count))]
        self.places, boxes = {}, []
        for name, images in self.sheets.items():
            letter = self.letters[name]
            board = Board([f"{letter} {i + 1}" for i in range(len(images))], COLUMNS, TILE)
            board.show(images)
            self.places[name] = widgets.Dropdown(
                options=options,
                tooltip=f"The place of sheet {letter}",
                layout=widgets.Layout(width="110px"),
            )
            below = widgets.VBox([board.ui, self.places[name]])
            width = f"{COLUMNS * (TILE + GAP)}px"
            boxes.append(headed(f"<b>{letter}</b>", below, "0 1 auto", width))
        self.status = widgets.HTML()
        done = button("Keep", "Keep this order", lambda: self.attempt(self.update), "90px")
        return self.stacked([in_row(boxes, "12px 20px", "flex-start"), done, self.status], 900)

    def update(self):
        """Keep the order, if each place is given once."""
        places = {name: box.value for name, box in self.places.items()}
        self.order = None
        if sorted(places.values()) != list(range(1, len(places) + 1)):
            self.status.value = ""
            raise CourseError(f"give each place from 1 to {len(places)} to one sheet")
        self.order = sorted(places, key=places.get)
        kept = " ".join(self.letters[name] for name in self.order)
        self.status.value = f'<div role="status">Kept, from best to worst: <b>{kept}</b></div>'

    def agreement(self, scores):
        """Compare the orders of measures with the reader's.

        Parameters
        ----------
        scores : dict of str to dict of str to float
            By measure, the value of each name; the larger the better.

        Returns
        -------
        gancourse.plotting.Table
            A row for each measure: the letters from best to worst, and in how many pairs of
            sheets it prefers the one that the reader prefers. A tie counts half.
        """
        pairs = list(itertools.combinations(self.order or (), 2))
        rows = []
        for measure, values in scores.items():
            order = sorted(self.letters, key=lambda name: -values[name])
            agree = sum((values[a] > values[b]) + (values[a] == values[b]) / 2 for a, b in pairs)
            told = f"{agree:g} of {len(pairs)}" if pairs else "rank them first"
            rows.append([measure, " ".join(self.letters[name] for name in order), told])
        key = ", ".join(f"{letter} {name}" for name, letter in self.letters.items())
        return table(["measure", "its order, best first", "pairs as you see them"], rows, key)

    def still(self):
        """Draw the sheets under their letters."""
        grids = {self.letters[name]: images for name, images in self.sheets.items()}
        with plt.rc_context(STYLE):
            return draw_grids(grids, COLUMNS, across=2)
