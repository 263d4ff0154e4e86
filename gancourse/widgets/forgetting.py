"""The forgetting explorer: the same faces with and without the filters that draw an object."""

import html

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch

from gancourse.errors import CourseError, choose
from gancourse.latent import Prior
from gancourse.plotting import STYLE, draw_images
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import Explorer, ask, button, seed_box, slider

WIDTH, JUDGE = 744, 244  # CSS pixels: of all, of the judge's table
POOL = 4  # times as many faces are drawn as are shown, for those with the object to come first
ROWS = 6  # objects in the still picture


def forgetting(
    generate,
    latent_dim,
    rankings,
    *,
    prior="uniform",
    filters=None,
    share=0.2,
    n=12,
    seed=0,
    detect=None,
):
    """Drop filters of a generator, and see what it forgets to draw.

    After Radford et al. 2016 (arXiv:1511.06434), section 6.3.1 and figure 6, where the filters
    that draw windows were dropped from a generator of bedrooms.

    Parameters
    ----------
    generate : callable
        ``generate(z, drop)`` with z of shape (n, latent_dim), and drop a tensor of bool over the
        filters of one layer, True for those that are dropped, returns images (n, C, H, W) in
        [-1, 1]; C is 1 or 3.
    latent_dim : int
        Numbers in z.
    rankings : dict of str to sequence of int
        For each object the filters, from the most to the least responsible.
    prior : {"uniform", "normal"} or pair of float
        Where z is drawn from: each number uniform in [-sqrt(3), sqrt(3)], from N(0, 1), or
        uniform between the two numbers given, as (-1, 1) for the DCGAN.
    filters : int, optional
        How many the layer has; by default as many as the longest ranking.
    share : float
        Of the ranked filters that is dropped at first, in [0, 1].
    n : int
        Faces.
    seed : int
        Of the first faces.
    detect : callable, optional
        ``detect(images)`` returns a dict: for the name of each attribute whether each image has
        it, (n,) of bool, or a probability. An object with the name of an attribute can be looked
        at in faces that have it.

    Returns
    -------
    Forgetting
        Shows itself as the last value of a cell.

    Raises
    ------
    CourseError
        If a ranking does not hold different filters of the layer, or the images do not fit.

    Examples
    --------
    >>> forgetting(  # doctest: +SKIP
    ...     generate_without, 100, {"glasses": by_weight.argsort(descending=True)}, prior=(-1, 1),
    ...     detect=lambda images: dict(zip(judge.attributes, judge.predict(images).T)),
    ... )
    """
    return Forgetting(generate, latent_dim, rankings, prior, filters, share, n, seed, detect)


class Forgetting(Explorer):
    """What :func:`forgetting` returns."""

    def __init__(
        self,
        generate,
        latent_dim,
        rankings,
        prior="uniform",
        filters=None,
        share=0.2,
        n=12,
        seed=0,
        detect=None,
    ):
        self.generate, self.latent_dim, self.prior = generate, latent_dim, Prior.of(prior)
        self.rankings = {str(k): torch.as_tensor(v).cpu().long() for k, v in rankings.items()}
        if not self.rankings:
            raise CourseError("rankings is empty: there is nothing to forget")
        self.filters = filters or max(len(ranking) for ranking in self.rankings.values())
        for name, ranking in self.rankings.items():
            valid = ranking.dim() == 1 and len(ranking.unique()) == len(ranking) > 0
            if not valid or ranking.min() < 0 or ranking.max() >= self.filters:
                raise CourseError(
                    f"the ranking of {name!r} must hold different filters, counted from 0 to "
                    f"{self.filters - 1}, not {ranking.tolist()}"
                )
        if not 0 <= share <= 1:
            raise CourseError(f"share is a part of the ranked filters, in [0, 1], not {share}")
        self.share, self.n, self.seed, self.detect = share, n, seed, detect
        self._pools = {}
        self._pool(seed)  # a wrong generator or judge is told here
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
            Of its ranking, from the front; in [0, 1].

        Returns
        -------
        Tensor of bool, (filters,)
        """
        ranking = self.rankings[choose("object", name, self.rankings)]
        drop = torch.zeros(self.filters, dtype=torch.bool)
        drop[ranking[: round(share * len(ranking))]] = True
        return drop

    def _pool(self, seed):
        """Draw faces to choose from; return their z, and what is found in them."""
        if seed not in self._pools:
            z = self.prior.draw(POOL * self.n if self.detect else self.n, self.latent_dim, seed)
            images = ask(self.generate, z, torch.zeros(self.filters, dtype=torch.bool))
            self._pools = {seed: (z, images, self.found(images))}  # the latest alone
        return self._pools[seed]

    def found(self, images):
        """Ask the judge, if there is one.

        Returns
        -------
        dict of str to Tensor, (n,)
            In [0, 1]; empty without a judge.
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
            An attribute of which those faces come first that have it.
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
        return z[chosen], images[chosen], {k: has[chosen] for k, has in found.items()}

    def without(self, z, name, share):
        """Generate images with filters dropped; a Tensor, (n, C, H, W) in [-1, 1]."""
        return ask(self.generate, z, self.dropped(name, share))

    def build(self):
        """Make the choice of the object, the slider, both boards and the judge's table."""
        names = list(self.rankings)
        self.object = widgets.ToggleButtons(
            options=[(_words(name), name) for name in names],
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
            value=round(100 * self.share),
            min=0,
            max=100,
        )
        self.slider.style.description_width = "40px"
        self.count = widgets.Label(layout=widgets.Layout(width="130px", flex="none"))
        self.seed_box = seed_box(self.seed, "Faces", "Seed of the faces", "40px")
        self.new = button("New faces", "Other faces", self.renew, "96px")
        room = (WIDTH - (JUDGE + 16 if self.detect else 0) - 16) // 2
        columns = min(self.n, 3 if self.detect else 4)
        tile = min(96, room // columns - GAP)
        self.before, self.after = (Board([""] * self.n, columns, tile) for _ in range(2))
        self.table = widgets.HTML(layout=widgets.Layout(width=f"{JUDGE}px", margin="0"))
        self.problem = widgets.HTML()
        for control in (self.object, self.with_it, self.slider, self.seed_box):
            control.observe(self.answer, "value")
        self._shown = None
        self.update()

        row = widgets.Layout(flex_flow="row wrap", align_items="center", grid_gap="4px 12px")
        upright = widgets.Layout(overflow="visible", flex="none", max_width="100%")

        def headed(title, board):
            head = widgets.HTML(f"<small>{title}</small>", layout=widgets.Layout(height="22px"))
            return widgets.VBox([head, board], layout=upright)

        parts = [headed("with all filters", self.before.ui), headed("without", self.after.ui)]
        choice = [widgets.Label("Forget"), self.object]
        if self.detect:
            parts.append(self.table)
            choice.append(self.with_it)
        wide = widgets.Layout(flex_flow="row wrap", align_items="flex-start", grid_gap="8px 16px")
        drop = widgets.HBox(
            [self.slider, self.count],
            layout=widgets.Layout(flex="1 1 300px", align_items="center", min_width="0"),
        )
        return widgets.VBox(
            [
                widgets.HBox(choice, layout=row),
                widgets.HBox([drop, self.seed_box, self.new], layout=row),
                widgets.HBox(parts, layout=wide),
                self.problem,
            ],
            layout=widgets.Layout(max_width=f"{WIDTH}px", grid_gap="6px"),
        )

    def update(self):
        """Draw the faces without the filters; those with all of them if they are others."""
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
        """Compare what is found before and after, as HTML with a bar for each."""
        rows = []
        for name in before:
            old, new = before[name].mean().item(), after[name].mean().item()
            weight = "bold" if name == self.object.value else "normal"
            bars = "".join(
                f'<div style="height: 5px; width: {100 * rate:.1f}%; background: {colour}"></div>'
                for rate, colour in ((old, "#8a9099"), (new, "#e0a030"))
            )
            text = html.escape(_words(name))
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

    def renew(self):
        """Show other faces."""
        self.seed_box.value += 1

    def still(self):
        """Draw the faces with all filters, then without those of each object, a row each."""
        names = list(self.rankings)[:ROWS]
        pairs, labels = [], []
        for name in names:
            z, before, found = self.faces(name)
            after = self.without(z, name, self.share)
            pairs += [before, after]
            dropped = int(self.dropped(name, self.share).sum())
            labels += ["all filters", f"{dropped} of {self.filters} dropped:\n{_words(name)}"]
            if name in found:
                rates = found[name].mean().item(), self.found(after)[name].mean().item()
                labels[-1] += f" {_percent(*rates)}"
        images = torch.cat(pairs)
        height = images.shape[2] + 2  # with the line between
        with plt.rc_context(STYLE):
            tile = min(6.6 / self.n, 1.0)  # inches
            figure = plt.Figure(figsize=(1.7 + tile * self.n, 0.15 + tile * len(labels)))
            ax = figure.subplots()
            draw_images(ax, images, ncol=self.n)
            ax.set_anchor("W")  # the layout leaves room for the names beside the left edge
            ax.axis("on")
            ax.grid(False)
            ax.spines[:].set_visible(False)
            ax.tick_params(length=0)
            ax.set_xticks([])
            ax.set_yticks((torch.arange(len(labels)) + 0.5) * height, labels)
            return figure


def _words(name):
    return name.replace("_", " ")


def _percent(before, after):
    return f"{100 * before:.0f} → {100 * after:.0f} %"
