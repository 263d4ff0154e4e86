"""The class and style mixer: each class in each style, side by side."""

import html

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from gancourse.errors import CourseError
from gancourse.latent import Prior
from gancourse.plotting import STYLE, draw_images
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import (
    LABEL,
    Explorer,
    ask,
    button,
    is_smooth,
    picture_of,
    seed_box,
    show,
    slider,
)
from gancourse.widgets.latent import REACH, principal_directions

WIDTH = 530  # CSS pixels, of the grid at most
TILES = (26, 72)  # CSS pixels: the smallest and the largest picture of the grid
LARGE = 200  # CSS pixels; all are drawn with twice as many, for dense screens


def class_style_mixer(
    generate,
    latent_dim,
    classes,
    *,
    prior="uniform",
    styles=5,
    directions=None,
    seed=0,
    soft=False,
):
    """Show every class in the same styles: classes are columns, and each row has one z.

    Parameters
    ----------
    generate : Module or callable
        ``generate(z, labels)`` with z of shape (n, latent_dim) returns images (n, C, H, W) in
        [-1, 1]; C is 1 or 3. The labels are class numbers (n,), or with ``soft`` the share of
        each class, (n, classes), in [0, 1], which sum to 1.
    latent_dim : int
        Numbers in z.
    classes : list of str, or int
        The classes' names in their order, or how many there are.
    prior : {"uniform", "normal"} or pair of float
        Where z is drawn from: each number uniform in [-sqrt(3), sqrt(3)], from N(0, 1), or
        uniform between the two numbers given.
    styles : int
        Rows of the grid.
    directions : Tensor, (k, latent_dim), optional
        Unit vectors along which all styles can be moved; by default those that change the images
        of a class most, see :func:`~gancourse.widgets.principal_directions`.
    seed : int
        Of the first styles.
    soft : bool
        The generator takes shares of classes: a last column mixes two of them.

    Returns
    -------
    ClassStyleMixer
        Shows itself as the last value of a cell.

    Raises
    ------
    CourseError
        If there are fewer than 2 classes or no style, or the images do not fit.

    Examples
    --------
    >>> class_style_mixer(  # doctest: +SKIP
    ...     lambda z, labels: sample(gan, len(z), z=z, labels=labels), 64, 10, prior="normal"
    ... )
    """
    return ClassStyleMixer(generate, latent_dim, classes, prior, styles, directions, seed, soft)


class ClassStyleMixer(Explorer):
    """What :func:`class_style_mixer` returns."""

    def __init__(
        self,
        generate,
        latent_dim,
        classes,
        prior="uniform",
        styles=5,
        directions=None,
        seed=0,
        soft=False,
    ):
        names = range(classes) if isinstance(classes, int) else classes
        self.classes = [str(name) for name in names]
        if len(self.classes) < 2 or styles < 1:
            raise CourseError(
                f"there must be 2 classes or more and 1 style or more, not {len(self.classes)} "
                f"and {styles}"
            )
        self.generate, self.latent_dim = generate, latent_dim
        self.prior, self.styles, self.seed, self.soft = Prior.of(prior), styles, seed, soft
        if directions is None:
            directions = principal_directions(self._within_classes, latent_dim, prior=self.prior)
        self.directions = torch.as_tensor(directions).detach().float().cpu()
        if self.directions.dim() != 2 or self.directions.shape[1] != latent_dim:
            raise CourseError(
                f"directions must be (k, latent_dim) = (k, {latent_dim}), not "
                f"{tuple(self.directions.shape)}"
            )
        self.images()  # a wrong generator is told here
        self.summary = (
            f"Generated images of the classes {', '.join(self.classes)}, a column each, in "
            f"{styles} styles, a row each."
        )

    def _labels(self, numbers):
        return F.one_hot(numbers, len(self.classes)).float() if self.soft else numbers

    def _within_classes(self, z):
        """Generate images, class after class, and take the mean image of each class away."""
        numbers = torch.arange(len(z)) % len(self.classes)
        images = ask(self.generate, z, self._labels(numbers))
        for number in range(len(self.classes)):
            images[numbers == number] -= images[numbers == number].mean(0)
        return images

    def images(self, shift=0.0, direction=0, *, seed=None, mix=None):
        """Generate the grid.

        Parameters
        ----------
        shift : float
            By how many standard deviations of the prior all styles are moved.
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
        z = self.prior.draw(self.styles, self.latent_dim, self.seed if seed is None else seed)
        z = z + shift * self.prior.sd * self.directions[direction]
        labels = self._labels(torch.arange(len(self.classes)))
        if mix is not None:
            first, second, share = mix
            labels = torch.cat([labels, (labels[first].lerp(labels[second], share))[None]])
        columns = len(labels)
        labels = labels.repeat(self.styles, *[1] * (labels.dim() - 1))
        return ask(self.generate, z.repeat_interleave(columns, 0), labels)

    def build(self):
        """Make the grid, the enlarged picture and the controls."""
        self.columns = [*self.classes, *(["mix"] if self.soft else [])]
        least, most = TILES
        tile = min(most, max(least, WIDTH // len(self.columns) - GAP))
        names = [
            f"{'class ' if name in self.classes else ''}{name}, style {style + 1}"
            for style in range(self.styles)
            for name in self.columns
        ]
        self.picked = 0
        self.board = Board(names, len(self.columns), tile, self.enlarge)
        heads = "".join(
            f'<div title="{name}" style="overflow: hidden; text-overflow: ellipsis">{name}</div>'
            for name in map(html.escape, self.columns)
        )
        head = widgets.HTML(
            '<div aria-hidden="true" style="display: grid; text-align: center; font-size: 12px; '
            f'grid-template-columns: repeat({len(self.columns)}, minmax(0, 1fr))">{heads}</div>',
            layout=widgets.Layout(width=self.board.ui.layout.width, max_width="100%", margin="0"),
        )
        note = widgets.HTML("<small>columns: class, rows: style (one z each)</small>")
        self.large = widgets.Image(
            layout=widgets.Layout(width=f"{LARGE}px", height=f"{LARGE}px", object_fit="contain")
        )
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
        controls = [self.direction, self.shift, self.seed_box]
        row = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 8px")
        rows = [widgets.HBox([_with_unit(self.shift, "sd"), self.direction], layout=row)]
        if self.soft:
            self.mix = [self._choice(0, "Mix", LABEL), self._choice(1, "of", "24px")]
            self.share = slider(
                widgets.IntSlider,
                "Share",
                "0: the first class alone. 100: the second class alone",
                value=50,
                min=0,
                max=100,
                step=5,
            )
            self.share.style.description_width = "44px"
            controls += [*self.mix, self.share]
            first, second = self.mix
            rows.append(widgets.HBox([first, _with_unit(self.share, "%"), second], layout=row))
        self.problem = widgets.HTML()
        for control in controls:
            control.observe(self.answer, "value")
        self.update()

        upright = widgets.Layout(overflow="visible", max_width="100%", flex="none")
        wide = widgets.Layout(flex_flow="row wrap", align_items="flex-start", grid_gap="12px 24px")
        return widgets.VBox(
            [
                widgets.HBox(
                    [
                        widgets.VBox([head, self.board.ui, note], layout=upright),
                        widgets.VBox([self.large, self.caption], layout=upright),
                    ],
                    layout=wide,
                ),
                *rows,
                widgets.HBox([self.seed_box, self.new, self.reset], layout=row),
                self.problem,
            ],
            layout=widgets.Layout(max_width=f"{WIDTH + LARGE + 24}px", grid_gap="6px"),
        )

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
        show(self.large, picture_of(image, 2 * LARGE), is_smooth(image))
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
        images = self.images()
        height, width = (side + 2 for side in images.shape[2:])  # with the line between
        columns = len(self.classes)
        tile = min(7.4 / columns, 0.9)  # inches
        with plt.rc_context(STYLE):
            figure = plt.Figure(figsize=(1.0 + tile * columns, 0.4 + tile * self.styles))
            ax = figure.subplots()
            draw_images(ax, images, ncol=columns)
            ax.axis("on")
            ax.grid(False)
            ax.spines[:].set_visible(False)
            ax.tick_params(length=0)
            ax.xaxis.tick_top()
            ax.set_xticks((torch.arange(columns) + 0.5) * width, self.classes)
            ax.set_yticks(
                (torch.arange(self.styles) + 0.5) * height,
                [f"style {i + 1}" for i in range(self.styles)],
            )
            return figure


def _with_unit(control, unit):
    label = widgets.Label(unit, layout=widgets.Layout(width="24px", flex="none"))
    layout = widgets.Layout(align_items="center", flex="1 1 240px", min_width="0")
    return widgets.HBox([control, label], layout=layout)
