"""The class and style mixer: each class in each style, side by side."""

import html

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from gancourse.errors import CourseError
from gancourse.plotting import STYLE, draw_rows
from gancourse.widgets.board import GAP, Board, fitting
from gancourse.widgets.explorer import (
    LABEL,
    NoiseExplorer,
    ask,
    button,
    in_row,
    large_image,
    picture_of,
    seed_box,
    show,
    slider,
    with_unit,
    words,
)
from gancourse.widgets.latent import REACH, as_directions, principal_directions

WIDTH = 530  # CSS pixels, of the grid at most
LARGE = 192  # CSS pixels; all are drawn with twice as many, for dense screens


class ClassStyleMixer(NoiseExplorer):
    """Show every class in the same styles: a column is a class, and each row has one z.

    Parameters
    ----------
    generator : object
        A :class:`~gancourse.trained.TrainedGenerator`, or another object with ``latent_dim``,
        ``draw_z(n, seed)``, which returns (n, latent_dim), and a call ``generator(z, labels)``,
        which returns images (n, C, H, W) in [-1, 1] of class numbers (n,); C is 1 or 3.
    classes : list of str, or int
        The classes' names in their order, or how many there are.
    generate : callable, optional
        ``generate(z, shares)`` returns images of mixed classes; the shares, (n, classes), are in
        [0, 1] and sum to 1. It draws the whole grid then, and a last column mixes two classes.
    styles : int
        Rows of the grid.
    directions : Tensor, (k, latent_dim), optional
        Unit vectors along which all styles can be moved; by default those that change the images
        of a class most, see :func:`~gancourse.widgets.principal_directions`.
    seed : int
        Of the styles that are shown at first.

    Raises
    ------
    CourseError
        If there are fewer than 2 classes or no style, or the generator or its images do not fit.

    Examples
    --------
    >>> ClassStyleMixer(pretrained("acgan-digits"), 10)  # doctest: +SKIP
    """

    def __init__(self, generator, classes, *, generate=None, styles=5, directions=None, seed=0):
        super().__init__(generator, seed)
        names = range(classes) if isinstance(classes, int) else classes
        self.classes = [str(name) for name in names]
        if len(self.classes) < 2 or styles < 1:
            raise CourseError(
                f"classes must be 2 or more and styles 1 or more, not {len(self.classes)} and "
                f"{styles}"
            )
        self.styles, self.soft = styles, generate is not None
        self.generate = generate or generator
        if directions is None:
            directions = principal_directions(generator, generate=self._within_classes)
        self.directions = as_directions(directions, generator.latent_dim)
        self.images()  # an error shows before the widget
        self.summary = (
            f"Generated images of the classes {', '.join(self.classes)}, a column each, in "
            f"{styles} styles, a row each."
        )

    def _labels(self, numbers):
        return F.one_hot(numbers, len(self.classes)).float() if self.soft else numbers

    def _within_classes(self, z):
        """Generate images, the classes in turn, and subtract from each the mean of its class."""
        numbers = torch.arange(len(z)) % len(self.classes)
        images = self._ask(z, self._labels(numbers))
        for number in range(len(self.classes)):
            images[numbers == number] -= images[numbers == number].mean(0)
        return images

    def images(self, shift=0.0, direction=0, *, seed=None, mix=None):
        """Generate the grid.

        Parameters
        ----------
        shift : float
            By how many standard deviations of z all styles are moved.
        direction : int
            Along which of the directions.
        seed : int, optional
            Of the styles; by default the explorer's.
        mix : (int, int, float), optional
            The last column: two classes, and the share of the second in [0, 1].

        Returns
        -------
        Tensor, (styles * columns, C, H, W)
            Row by row; on the CPU, in [-1, 1]. The columns are the classes, and the mix.
        """
        z = self.draw_z(self.styles, seed)
        z = z + shift * self.sd * self.directions[direction].to(z.device)
        labels = self._labels(torch.arange(len(self.classes)))
        if mix is not None:
            first, second, share = mix
            labels = torch.cat([labels, (labels[first].lerp(labels[second], share))[None]])
        columns = len(labels)
        labels = labels.repeat(self.styles, *[1] * (labels.dim() - 1))
        return self._ask(z.repeat_interleave(columns, 0), labels)

    def _ask(self, z, labels):
        name = "generate" if self.soft else "generator"
        return ask(self.generate, z, labels, signature=(name, "z"))

    def build(self):
        """Make the grid, the enlarged picture and the controls."""
        self.columns = [*self.classes, *(["mix"] if self.soft else [])]
        tile = fitting(WIDTH // len(self.columns) - GAP)
        names = [
            f"{'class ' if name in self.classes else ''}{name}, style {style + 1}"
            for style in range(self.styles)
            for name in self.columns
        ]
        self.picked = 0
        self.board = Board(names, len(self.columns), tile, self.enlarge)
        self.large = large_image(LARGE)
        self.caption = widgets.HTML()
        self.direction = widgets.Dropdown(
            options=[(f"Direction {i + 1}", i) for i in range(len(self.directions))],
            tooltip="Which way to move, the strongest first",
            layout=widgets.Layout(width="128px"),
        )
        self.shift = slider(
            widgets.FloatSlider,
            "Move",
            "Move every style along the direction, in standard deviations",
            value=0.0,
            min=-REACH,
            max=REACH,
            step=0.1,
            readout_format="+.1f",
        )
        self.seed_box = seed_box(self.seed, "Styles", "Seed of the styles")
        self.new = button("New styles", "Other styles, not moved", self.renew, "104px")
        self.reset = button("Reset", "Move the styles back; the seed stays", self.put_back)
        self.follow(self.direction, self.shift, self.seed_box)
        rows = [in_row([with_unit(self.shift, "sd"), self.direction])]
        if self.soft:
            self.mix = [self._choice(0, "Mix", LABEL), self._choice(1, "of", "24px")]
            self.share = slider(
                widgets.IntSlider,
                "Share",
                "0: the first class alone. 100: the second class alone",
                "44px",
                value=50,
                min=0,
                max=100,
                step=5,
            )
            self.follow(*self.mix, self.share)
            first, second = self.mix
            rows.append(in_row([first, with_unit(self.share, "%"), second]))
        self.update()

        upright = widgets.Layout(overflow="visible", max_width="100%", flex="none")
        note = widgets.HTML("<small>columns: class, rows: style (one z each)</small>")
        grid = [self.board.heads(self.columns), self.board.ui, note]
        sides = [widgets.VBox(side, layout=upright) for side in (grid, [self.large, self.caption])]
        parts = [
            in_row(sides, "12px 24px", "flex-start"),
            *rows,
            in_row([self.seed_box, self.new, self.reset]),
        ]
        return self.stacked(parts, WIDTH + LARGE + 24)

    def _choice(self, number, name, label):
        return widgets.Dropdown(
            options=[(name, i) for i, name in enumerate(self.classes)],
            value=number,
            description=name,
            tooltip=f"{('First', 'Second')[number]} class of the mix",
            style={"description_width": label},
            layout=widgets.Layout(width=f"calc({label} + 100px)"),
        )

    def update(self):
        """Draw the grid where the controls stand."""
        mix = (*(box.value for box in self.mix), self.share.value / 100) if self.soft else None
        self._images = self.images(
            self.shift.value, self.direction.value, seed=self.seed_box.value, mix=mix
        )
        self.board.show(self._images)
        self.enlarge(self.picked)

    def enlarge(self, index):
        """Show one picture of the grid large."""
        self.picked = index
        image = self._images[index]
        show(self.large, picture_of(image, 2 * LARGE))
        style, column = divmod(index, len(self.columns))
        what = f"class <b>{html.escape(self.columns[column])}</b>"
        if column == len(self.classes):
            first, second = (html.escape(self.classes[box.value]) for box in self.mix)
            what = (
                f"<b>{100 - self.share.value} %</b> {first}, <b>{self.share.value} %</b> {second}"
            )
        self.caption.value = f'<div role="status">{what}, style <b>{style + 1}</b></div>'
        self.board.mark({index: "here"})

    def renew(self):
        """Draw other styles, and show them as they are drawn."""
        with self.together():
            self.shift.value = 0.0
            self.seed_box.value += 1

    def put_back(self):
        """Move the styles back to where they were drawn; the seed stays."""
        self.shift.value = 0.0

    def still(self):
        """Draw the grid, classes as columns and styles as rows."""
        images = self.images().unflatten(0, (self.styles, -1))
        rows = {f"style {i + 1}": row for i, row in enumerate(images)}
        with plt.rc_context(STYLE):
            return draw_rows(rows, heads=[words(name) for name in self.classes])
