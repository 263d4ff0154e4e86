"""The forgetting explorer: the same faces with and without the filters that draw an object."""

import html

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch

from gancourse.errors import CourseError, choose
from gancourse.plotting import STYLE, draw_rows
from gancourse.widgets.board import GAP, Board, fitting
from gancourse.widgets.explorer import (
    NoiseExplorer,
    ask,
    button,
    headed,
    in_row,
    seed_box,
    slider,
    with_unit,
    words,
)

WIDTH, JUDGE = 744, 244  # CSS pixels: of all, of the judge's table
POOL = 4  # times as many faces are drawn as are shown; those that have the object come first
ROWS, SHOWN = 2, 2  # objects and faces in the still picture


class Forgetting(NoiseExplorer):
    """Drop filters of a generator, and see what it forgets to draw.

    After Radford et al. 2016 (arXiv:1511.06434), section 6.3.1 and figure 6, where the filters
    that draw windows were dropped from a generator of bedrooms.

    Parameters
    ----------
    generator : object
        A :class:`~gancourse.trained.TrainedGenerator`, or another object with ``latent_dim``,
        ``draw_z(n, seed)``, which returns (n, latent_dim), and a call.
    generate : callable
        ``generate(z, drop)`` returns the generator's images, (n, C, H, W) in [-1, 1], without some
        filters of one layer; C is 1 or 3. ``drop``, (filters,) of bool, is True for those that are
        dropped.
    rankings : dict of str to sequence of int
        For each object the filters, from the most to the least responsible.
    filters : int, optional
        How many the layer has; by default as many as the longest ranking.
    share : float
        Share of the ranked filters that is dropped at first, in [0, 1].
    n : int
        Faces.
    seed : int
        Of the faces that are shown at first.
    detect : callable, optional
        ``detect(images)`` returns a dict: by the name of each attribute whether each image has it,
        (n,) of bool, or its probability. Faces that have an object come first, if the object has
        the name of an attribute.

    Raises
    ------
    CourseError
        If a ranking does not hold different filters of the layer, or the generator or its images
        do not fit.

    Examples
    --------
    >>> Forgetting(  # doctest: +SKIP
    ...     g, generate_without, {"glasses": by_weight.argsort(descending=True)},
    ...     detect=lambda images: dict(zip(judge.attributes, judge.predict(images).T)),
    ... )
    """

    def __init__(
        self,
        generator,
        generate,
        rankings,
        *,
        filters=None,
        share=0.2,
        n=12,
        seed=0,
        detect=None,
    ):
        super().__init__(generator, seed)
        self.generate = generate
        self.rankings = {str(k): torch.as_tensor(v).cpu().long() for k, v in rankings.items()}
        if not self.rankings:
            raise CourseError("rankings must hold one object or more, but is empty")
        self.filters = filters or max(len(ranking) for ranking in self.rankings.values())
        for name, ranking in self.rankings.items():
            valid = ranking.dim() == 1 and len(ranking.unique()) == len(ranking) > 0
            if not valid or ranking.min() < 0 or ranking.max() >= self.filters:
                raise CourseError(
                    f"the ranking of {name!r} must hold different filters, counted from 0 to "
                    f"{self.filters - 1}, not {ranking.tolist()}"
                )
        if not 0 <= share <= 1:
            raise CourseError(f"share must lie in [0, 1], not {share}")
        self.share, self.n, self.detect = share, n, detect
        self._pools = {}
        self._pool(seed)  # an error shows before the widget
        self.summary = (
            f"{n} generated images, and the same with {share:.0%} of the filters dropped that are "
            f"ranked for {', '.join(self.rankings)}."
        )

    def dropped(self, name, share):
        """Choose the filters to drop.

        Parameters
        ----------
        name : str
            One of the objects.
        share : float
            How much of its ranking, from the front; in [0, 1].

        Returns
        -------
        Tensor of bool, (filters,)
        """
        ranking = self.rankings[choose("object", name, self.rankings)]
        drop = torch.zeros(self.filters, dtype=torch.bool)
        drop[ranking[: round(share * len(ranking))]] = True
        return drop

    def _pool(self, seed):
        """Return z of faces to choose from, their images, and what the judge finds in them."""
        if seed not in self._pools:
            z = self.draw_z(POOL * self.n if self.detect else self.n, seed)
            images = self._ask(z, torch.zeros(self.filters, dtype=torch.bool))
            self._pools = {seed: (z, images, self.found(images))}  # keeps the latest only
        return self._pools[seed]

    def found(self, images):
        """Ask ``detect``, if it was given, which attributes images have.

        Parameters
        ----------
        images : Tensor, (n, C, H, W)
            In [-1, 1].

        Returns
        -------
        dict of str to Tensor, (n,)
            In [0, 1]; empty without ``detect``.
        """
        if self.detect is None:
            return {}
        with torch.no_grad():
            found = self.detect(images)
        found = {str(name): torch.as_tensor(has).float().cpu() for name, has in found.items()}
        for name, has in found.items():
            if has.shape != (len(images),):
                raise CourseError(
                    f"detect must give one value for each of the {len(images)} images; for "
                    f"{name!r} it gave {tuple(has.shape)}"
                )
        return found

    def faces(self, name=None, seed=None):
        """Choose the faces to look at.

        Parameters
        ----------
        name : str, optional
            An attribute; faces that have it come first.
        seed : int, optional
            By default the explorer's.

        Returns
        -------
        z : Tensor, (n, latent_dim)
        images : Tensor, (n, C, H, W)
            With all filters, in [-1, 1].
        found : dict of str to Tensor, (n,)
        """
        z, images, found = self._pool(self.seed if seed is None else seed)
        chosen = torch.arange(self.n)
        if name in found:
            chosen = found[name].argsort(descending=True, stable=True)[: self.n].sort().values
        return z[chosen.to(z.device)], images[chosen], {k: v[chosen] for k, v in found.items()}

    def without(self, z, name, share):
        """Generate images with filters dropped; a Tensor, (n, C, H, W) in [-1, 1]."""
        return self._ask(z, self.dropped(name, share))

    def _ask(self, z, drop):
        return ask(self.generate, z, drop, signature=("generate", "z"))

    def build(self):
        """Make the choice of the object, the slider, both boards and the judge's table."""
        names = list(self.rankings)
        self.object = widgets.ToggleButtons(
            options=[(words(name), name) for name in names],
            tooltips=[f"Drop filters in the order of their share in {name}" for name in names],
            style={"button_width": "auto"},
        )
        self.with_it = widgets.Checkbox(
            value=True,
            description="faces that have it first",
            indent=False,
            layout=widgets.Layout(width="190px"),
        )
        self.slider = slider(
            widgets.IntSlider,
            "Drop",
            "Share of the ranked filters that is dropped, the most responsible first",
            "40px",
            value=round(100 * self.share),
            min=0,
            max=100,
        )
        self.count = widgets.Label()
        self.seed_box = seed_box(self.seed, "Faces", "Seed of the faces", "40px")
        self.new = button("New faces", "Other faces", self.renew, "96px")
        room = (WIDTH - (JUDGE + 16 if self.detect else 0) - 16) // 2
        columns = min(self.n, 3 if self.detect else 4)
        tile = fitting(room // columns - GAP)
        self.before, self.after = (Board([""] * self.n, columns, tile) for _ in range(2))
        self.table = widgets.HTML(layout=widgets.Layout(width=f"{JUDGE}px", margin="0"))
        self.follow(self.object, self.with_it, self.slider, self.seed_box)
        self._shown = None
        self.update()

        boards = [headed("with all filters", self.before.ui), headed("without", self.after.ui)]
        choice = [widgets.Label("Forget"), self.object]
        if self.detect:
            boards.append(self.table)
            choice.append(self.with_it)
        drop = with_unit(self.slider, self.count, "130px", "1 1 300px")
        parts = [
            in_row(choice),
            in_row([drop, self.seed_box, self.new]),
            in_row(boards, "8px 16px", "flex-start"),
        ]
        return self.stacked(parts, WIDTH)

    def update(self):
        """Draw the faces without the filters; those with all filters too, if faces changed."""
        name, seed = self.object.value, self.seed_box.value
        self.with_it.disabled = name not in self._pool(seed)[2]
        first = name if self.with_it.value else None
        z, before, found = self.faces(first, seed)
        if self._shown != (first, seed):
            self.before.show(before)
            self._shown = (first, seed)
        share = self.slider.value / 100
        after = self.without(z, name, share)
        self.after.show(after)
        dropped = int(self.dropped(name, share).sum())
        self.count.value = f"% = {dropped} of {self.filters} filters"
        if self.detect:
            self.table.value = self.rates(found, self.found(after))

    def rates(self, before, after):
        """Return what the judge finds before and after, as HTML with a bar for each attribute."""
        rows = []
        for name in before:
            old, new = before[name].mean().item(), after[name].mean().item()
            weight = "bold" if name == self.object.value else "normal"
            bars = "".join(
                f'<div style="height: 5px; width: {100 * rate:.1f}%; background: {colour}"></div>'
                for rate, colour in ((old, "#8a9099"), (new, "#e0a030"))
            )
            text = html.escape(words(name))
            rows.append(
                f'<div title="{text}" style="overflow: hidden; text-overflow: ellipsis; '
                f'white-space: nowrap; font-weight: {weight}">{text}</div>'
                '<div style="align-self: center; background: var(--jp-layout-color2, #ddd)">'
                f'{bars}</div><div style="text-align: right">{_percent(old, new)}</div>'
            )
        return (
            f"<small>the judge finds, of {self.n} faces:<br>"
            '<span style="color: #8a9099">■</span> with all filters → '
            '<span style="color: #e0a030">■</span> without</small>'
            '<div role="status" style="display: grid; font-size: 11px; line-height: 16px; '
            "grid-template-columns: 98px 1fr 76px; column-gap: 6px; "
            f'font-variant-numeric: tabular-nums">{"".join(rows)}</div>'
        )

    def still(self):
        """Draw the faces with all filters, then without those of each object, a row each."""
        rows = {}
        for name in list(self.rankings)[:ROWS]:
            z, before, found = self.faces(name)
            after = self.without(z, name, self.share)
            dropped = int(self.dropped(name, self.share).sum())
            label = f"{dropped} of {self.filters} dropped: {words(name)}"
            if name in found:
                rates = found[name].mean().item(), self.found(after)[name].mean().item()
                label += f" {_percent(*rates)}"
            rows |= {f"{words(name)}, all filters": before[:SHOWN], label: after[:SHOWN]}
        with plt.rc_context(STYLE):
            return draw_rows(rows)


def _percent(before, after):
    return f"{100 * before:.0f} → {100 * after:.0f} %"
