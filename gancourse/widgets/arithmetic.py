"""The arithmetic explorer: mean of some faces, minus others, plus others again, in z."""

import html
import math
from itertools import chain

import ipywidgets as widgets
import matplotlib.pyplot as plt
import numpy as np
import torch

from gancourse.errors import CourseError
from gancourse.plotting import STYLE, draw_blocks
from gancourse.plotting.tiles import Tiles, in_rows, to_pixels
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import (
    NoiseExplorer,
    ask,
    button,
    headed,
    in_row,
    seed_box,
    slider,
)

COLUMNS, TILE = 10, 64  # of the board; all sizes in CSS pixels
SUM_TILE = 64  # in the groups and in their sum
NAMES = 112  # width of the groups' names
LETTERS, SIGNS = "ABC", ("", "−", "+")
NOISE = 0.25  # around the sum, as in the paper's figure 7


class Arithmetic(NoiseExplorer):
    """Calculate with faces: the mean z of group A, minus that of B, plus that of C.

    Radford et al. 2016 (arXiv:1511.06434), section 6.3.2 and figure 7, took three faces for each
    group, since sums of single faces were unstable. The middle of the 3 x 3 result is the sum; the
    eight around it have uniform noise added to z. The noise is +-0.25 where z is uniform in
    [-1, 1], and is scaled with the standard deviation of other z.

    Parameters
    ----------
    generator : object
        A :class:`~gancourse.trained.TrainedGenerator`, or another object with ``latent_dim``,
        ``draw_z(n, seed)``, which returns (n, latent_dim), and a call ``generator(z)``, which
        returns images (n, C, H, W) in [-1, 1]; C is 1 or 3.
    candidates : int
        Faces to choose from at a time.
    groups : (str, str, str)
        What A, B and C are.
    per_group : int
        Faces in a group at most; one more replaces the oldest.
    seed : int
        Of the first candidates: those of ``generator.draw_z(candidates, seed)``.
    suggest : three lists of int, optional
        Candidates, counted from 0, that are in the groups from the start. Without them the still
        picture shows the candidates with their numbers.

    Raises
    ------
    CourseError
        If the groups, the suggestions, the generator or its images do not fit.

    Examples
    --------
    >>> Arithmetic(  # doctest: +SKIP
    ...     pretrained("dcgan-toons"), suggest=([3, 8, 31], [0, 1, 7], [2, 4, 5])
    ... )
    """

    def __init__(
        self,
        generator,
        *,
        candidates=48,
        groups=("with glasses", "without", "other person"),
        per_group=3,
        seed=0,
        suggest=None,
    ):
        super().__init__(generator, seed)
        self.candidates = candidates
        self.groups, self.per_group = [str(name) for name in groups], per_group
        suggest = [[], [], []] if suggest is None else [[int(i) for i in of] for of in suggest]
        if len(self.groups) != 3 or len(suggest) != 3:
            raise CourseError(
                "groups must hold three names and suggest three lists, for A, B and C, not "
                f"{len(self.groups)} and {len(suggest)}"
            )
        flat = [index for group in suggest for index in group]
        if not all(0 <= index < candidates for index in flat) or len(set(flat)) < len(flat):
            raise CourseError(
                f"suggest must hold different candidates, counted from 0 to {candidates - 1}, "
                f"not {suggest}"
            )
        if max(map(len, suggest)) > per_group:
            raise CourseError(f"suggest must hold {per_group} faces a group at most, not {suggest}")
        self.z = self.draw_z(candidates)
        self.chosen = [[(seed, index, self.z[index]) for index in group] for group in suggest]
        ask(generator, self.z[:1])  # an error shows before the widget
        terms = [f"{s} {name}".strip() for s, name in zip(SIGNS, self.groups, strict=True)]
        self.summary = (
            f"Faces of three groups with the mean of each, and the sum: {' '.join(terms)}."
            if all(self.chosen)
            else f"{candidates} generated faces with their numbers."
        )

    @property
    def indices(self):
        """Numbers of the chosen faces, a list of int for each group; a value for ``suggest``.

        Faces of other seeds than the present one are left out.
        """
        seed = self.seed_box.value if self._ui else self.seed
        return [[index for origin, index, _ in group if origin == seed] for group in self.chosen]

    def total(self, noise=NOISE):
        """Calculate mean A - mean B + mean C with the faces that are chosen.

        Parameters
        ----------
        noise : float
            Largest change of each number of z, in units of sqrt(3) standard deviations; for a
            uniform z the unit is half of the range.

        Returns
        -------
        Tensor, (9, latent_dim)
            The sum itself is the fifth; the others have noise.

        Raises
        ------
        CourseError
            If a group is empty.
        """
        missing = [
            f"{letter} ({name})"
            for letter, name, group in zip(LETTERS, self.groups, self.chosen, strict=True)
            if not group
        ]
        if missing:
            raise CourseError(f"choose a face or more for {' and '.join(missing)}")
        a, b, c = self.means()
        change = 2 * torch.rand(9, len(a), generator=torch.Generator().manual_seed(0)) - 1
        change[4] = 0.0
        return a - b + c + noise * math.sqrt(3) * self.sd * change.to(a.device)

    def means(self):
        """Return the mean z of each group, three vectors; that of an empty group is 0."""
        return [
            torch.stack([z for *_, z in group]).mean(0) if group else torch.zeros_like(self.z[0])
            for group in self.chosen
        ]

    def build(self):
        """Make the board, the groups, their sum and the controls."""
        self.active = widgets.ToggleButtons(
            options=[
                (f"{letter}: {name}", i)
                for i, (letter, name) in enumerate(zip(LETTERS, self.groups, strict=True))
            ],
            tooltips=[f"A click on a face puts it into group {letter}" for letter in LETTERS],
            style={"button_width": "auto"},
        )
        columns = min(COLUMNS, self.candidates)
        names = [f"face {i}" for i in range(self.candidates)]
        self.board = Board(names, columns, TILE, self.choose)
        self.seed_box = seed_box(self.seed, "Faces", "Seed of the faces", "40px")
        self.new = button("New faces", "Other faces; the groups keep theirs", self.renew, "96px")
        self.clear = button("Clear", "Empty all three groups", self.empty, "72px")
        self.noise = slider(
            widgets.FloatSlider,
            "Noise ±",
            "Largest change of each number of z; 1 is half the range of a uniform z",
            value=NOISE,
            min=0.0,
            max=1.0,
            step=0.05,
            readout_format=".2f",
        )
        faces = [
            f"face {i + 1} of group {letter}: click to take it out"
            for letter in LETTERS
            for i in range(self.per_group)
        ]
        self.faces = Board(faces, self.per_group, SUM_TILE, self.remove)
        means = [f"mean of {letter}: click to choose faces for it" for letter in LETTERS]
        self.averages = Board(means, 1, SUM_TILE, self.activate)
        self.sum = Board([""] * 9, 3, SUM_TILE)
        self.note = widgets.HTML()
        self.follow(self.seed_box, self.noise)
        self._drawn = self._grouped = None
        self.update()

        terms = "".join(
            f'<div style="height: {SUM_TILE + GAP}px; display: flex; flex-direction: column; '
            f'justify-content: center; line-height: 1.25"><div><b>{sign} {letter}</b></div>'
            f"<div>{html.escape(name)}</div></div>"
            for sign, letter, name in zip(SIGNS, LETTERS, self.groups, strict=True)
        )
        terms = widgets.HTML(terms, layout=widgets.Layout(width=f"{NAMES}px", margin="0"))
        equals = widgets.HTML(
            f'<div style="line-height: {3 * (SUM_TILE + GAP)}px; font-size: 22px; width: 20px; '
            'text-align: center">=</div>',
            layout=widgets.Layout(margin="0"),
        )
        equation = [
            headed("&nbsp;", terms),
            headed("faces", self.faces.ui),
            headed("mean", self.averages.ui),
            headed("&nbsp;", equals),
            headed("sum, and eight with noise", self.sum.ui),
        ]
        parts = [
            in_row([widgets.Label("Clicks go to"), self.active]),
            self.board.ui,
            in_row([self.seed_box, self.new, self.clear, self.noise]),
            in_row(equation, "4px 8px", "flex-start"),
            self.note,
        ]
        return self.stacked(parts, COLUMNS * (TILE + GAP) + 20)

    def update(self):
        """Draw the sum; the board and the groups too, if their faces are others."""
        seed = self.seed_box.value
        if seed != self._drawn:
            self.z = self.draw_z(self.candidates, seed)
            self.board.show(ask(self.generator, self.z))
            self._drawn = seed
        marks = {
            index: letter.lower()
            for letter, group in zip(LETTERS, self.indices, strict=True)
            for index in group
        }
        self.board.mark(marks)
        faces = [[face[:2] for face in group] for group in self.chosen]
        if faces != self._grouped:
            self._show_groups()
            self._grouped = faces

        try:
            total = self.total(self.noise.value)
        except CourseError as missing:
            self.sum.ui.layout.visibility = "hidden"
            self.note.value = (
                f'<div role="status">To see the sum, {html.escape(str(missing))}.</div>'
            )
            return
        self.sum.show(ask(self.generator, total))
        self.sum.ui.layout.visibility = "visible"
        self.note.value = (
            f'<div role="status">Length of z: <b>{total[4].norm():.2f}</b> for the sum, about '
            f"{self.lengths.mean():.2f} for a sample.</div>"
        )

    def _show_groups(self):
        """Draw the faces of the groups, and the mean of each."""
        zero = torch.zeros_like(self.z[0])
        places = [
            [z for *_, z in group] + [zero] * (self.per_group - len(group)) for group in self.chosen
        ]
        n = 3 * self.per_group
        images = ask(self.generator, torch.stack([*chain(*places), *self.means()]))
        self.faces.show(images[:n])
        self.averages.show(images[n:])
        empty = {
            row * self.per_group + i: "empty"
            for row, group in enumerate(self.chosen)
            for i in range(len(group), self.per_group)
        }
        self.faces.mark(empty)
        self.averages.mark({row: "empty" for row, group in enumerate(self.chosen) if not group})

    def choose(self, index):
        """Put a face of the board into the active group; if it is there, take it out."""
        self.attempt(lambda: self._choose(index))

    def _choose(self, index):
        seed, group = self.seed_box.value, self.chosen[self.active.value]
        was_here = any(face[:2] == (seed, index) for face in group)
        for other in self.chosen:
            other[:] = [face for face in other if face[:2] != (seed, index)]
        if not was_here:
            del group[: max(0, len(group) + 1 - self.per_group)]
            group.append((seed, index, self.z[index]))
        self.update()

    def remove(self, index):
        """Take a face out of its group."""
        row, place = divmod(index, self.per_group)
        del self.chosen[row][place : place + 1]
        self.redraw()

    def activate(self, row):
        """Make this group the active one."""
        self.active.value = row

    def empty(self):
        """Empty all groups."""
        self.chosen = [[], [], []]
        self.redraw()

    def still(self):
        """Draw the groups over their means, and the sum; or the candidates with their numbers."""
        if not all(self.chosen):
            return self._still_board()
        means = ask(self.generator, torch.stack(self.means()))
        columns = {}
        for i, chosen in enumerate(self.chosen):
            faces = ask(self.generator, torch.stack([z for *_, z in chosen]))
            columns[f"{SIGNS[i]} {self.groups[i]}".strip()] = [
                *to_pixels(faces),
                *[np.full_like(to_pixels(means)[0], 255)] * (self.per_group - len(faces)),
                to_pixels(means)[i],
            ]
        rows = list(zip(*columns.values(), strict=True))
        labels = [""] * self.per_group + ["mean"]
        around = in_rows(to_pixels(ask(self.generator, self.total())), 3)
        with plt.rc_context(STYLE):
            return draw_blocks(
                {
                    "the groups": Tiles(rows, columns, labels),
                    "their sum (middle), and with noise": Tiles(around),
                }
            )

    def _still_board(self):
        rows = in_rows(to_pixels(ask(self.generator, self.z)), 8)
        labels = [f"{8 * i} to {8 * i + len(row) - 1}" for i, row in enumerate(rows)]
        with plt.rc_context(STYLE):
            return draw_blocks({"": Tiles(rows, labels=labels)})
