"""What the explorers share: a live widget for a person, a still picture for everything else.

A notebook is run by people and by batch programs (papermill, nbconvert, nbval), and is then read
in places that have no kernel, where a widget is shown as an error message. Therefore

- a batch program gets the still picture alone, and the notebook's metadata stays free of the
  widgets' state;
- a person gets the still picture and the widget. The widget brings a style sheet that hides the
  picture while the widget is on the page; the picture brings one that hides the error message
  which JupyterLab shows for a widget that is gone.
"""

import base64
import contextlib
import html
import io
import itertools
import os

import ipywidgets as widgets
import torch
from IPython import get_ipython
from IPython.display import Markdown, display
from PIL import Image
from torch import nn

from gancourse.errors import CourseError
from gancourse.plotting import as_display
from gancourse.plotting.tiles import to_pixels

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LABEL = "76px"  # width of the controls' names
DRAWS = 4000  # of z, to measure how widely a generator's noise is spread
CAPTION = "A still picture. Run this cell to move the sliders."
STYLE = """
.gancourse-live, .gancourse-live .widget-container { overflow: visible !important; }
.gancourse-live .widget-image { border-radius: 4px; margin: 0; }
.gancourse-live .gancourse-pixels { image-rendering: pixelated; }
.gancourse-live .widget-readout { min-width: 40px !important; text-align: right; }
.gancourse-live .widget-html-content
  { color: var(--jp-ui-font-color1, inherit); line-height: 1.45; }
.gancourse-live td { padding: 0 12px 0 0; text-align: right; }
.gancourse-live td:first-child { text-align: left; }
.gancourse-live :focus-visible { outline: 2px solid #1b6ca8; outline-offset: 2px; }
.gancourse-live .jupyter-button.mod-active { box-shadow: inset 0 -3px 0 #e0a030; }
.gancourse-live small { color: var(--jp-ui-font-color2, inherit); }
"""

_displays = itertools.count()


def is_interactive():
    """Tell whether a person, and not a batch program, runs the current cell.

    A request to run a cell says whether its sender can answer ``input()``. JupyterLab, Notebook,
    VS Code and Colab can. nbval cannot, nor can nbclient, which papermill, nbconvert and Jupyter
    Book use.

    Returns
    -------
    bool
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return False
    return bool(kernel.get_parent().get("content", {}).get("allow_stdin"))


class Explorer:
    """A tool that draws itself in a notebook.

    A subclass defines ``build()``, which makes the widget; ``update()``, which draws it again when
    a control has moved; ``still()``, which returns a matplotlib figure; and ``summary``, which
    describes that figure in words. ipywidgets makes nothing before :attr:`ui` is read.

    Attributes
    ----------
    problem : HTML
        Shows the last error, see :meth:`attempt`.
    """

    summary = ""
    caption_without_kernel = CAPTION
    _ui = None
    _together = False

    @property
    def ui(self):
        """The live widget, a Widget; it is made when it is first read."""
        if self._ui is None:
            self.problem = widgets.HTML()
            self._ui = self.build()
        return self._ui

    def stacked(self, parts, width):
        """Put parts of the widget below each other, and the last error below them.

        Parameters
        ----------
        parts : list of Widget
        width : int
            The largest width of all, in CSS pixels.

        Returns
        -------
        VBox
        """
        layout = widgets.Layout(max_width=f"{width}px", grid_gap="8px")
        return widgets.VBox([*parts, self.problem], layout=layout)

    def follow(self, *controls):
        """Call :meth:`redraw` whenever the value of one of these controls changes."""
        for control in controls:
            control.observe(self.redraw, "value")

    def _ipython_display_(self):
        picture = as_display(self.still())
        if not is_interactive():
            kind = f"image/{picture.format}"
            bundle = {kind: picture.data, "text/plain": self.summary}
            shown = picture.metadata | {"width": picture.width}
            display(bundle, metadata={kind: shown}, raw=True)
            display(Markdown(f"*{self.caption_without_kernel}*"))
            return
        name = f"gancourse-still-{os.getpid()}-{next(_displays)}"
        hide_picture = widgets.HTML(
            f"<style>.{name} {{ display: none; }}"
            f".jp-OutputArea-child:has(.{name}) {{ display: none; }}{STYLE}</style>",
            layout=widgets.Layout(display="none"),
        )
        live = widgets.VBox([hide_picture, self.ui]).add_class("gancourse-live")
        source = base64.b64encode(picture.data).decode()
        still = (
            f"<style>.jp-OutputArea-child:has(.{name}) + .jp-OutputArea-child"
            f":not(:has(.gancourse-live)) {{ display: none; }}</style>"
            f'<div class="{name}"><img alt="{html.escape(self.summary)}" width="{picture.width}" '
            f'src="data:image/{picture.format};base64,{source}">'
            f"<div><em>{self.caption_without_kernel}</em></div></div>"
        )
        display({"text/html": still, "text/plain": self.summary}, raw=True)
        view = {"version_major": 2, "version_minor": 0, "model_id": live.model_id}
        display({WIDGET_VIEW: view, "text/plain": ""}, raw=True)

    def redraw(self, _change=None):
        """Call ``update()``, and show its error beside the controls."""
        if not self._together:
            self.attempt(self.update)

    def attempt(self, action):
        """Call ``action()``; show its error beside the controls until a later call succeeds."""
        try:
            action()
            self.problem.value = ""
        except Exception as problem:
            text = html.escape(f"{type(problem).__name__}: {problem}")
            self.problem.value = f'<b style="color: var(--jp-error-color1, #b00020)">{text}</b>'

    @contextlib.contextmanager
    def together(self):
        """Return a context in which controls change without drawing; it draws once at its end."""
        self._together = True
        try:
            yield
        finally:
            self._together = False
        self.redraw()


class NoiseExplorer(Explorer):
    """An explorer of a generator that draws images from noise.

    Parameters
    ----------
    generator : object
        A :class:`~gancourse.trained.TrainedGenerator`, or another object with ``latent_dim``,
        with ``draw_z(n, seed)``, which returns z, (n, latent_dim), and with a call
        ``generator(z)``, or ``generator(z, labels)``, which returns images.
    seed : int
        Of the z that are shown at first.

    Attributes
    ----------
    mean, sd : float
        Mean and standard deviation of the numbers of z, over 4,000 draws.
    lengths : Tensor, (4000,)
        Lengths of those z.

    Raises
    ------
    CourseError
        If the generator lacks one of the three.
    """

    def __init__(self, generator, seed):
        missing = [name for name in ("latent_dim", "draw_z") if not hasattr(generator, name)]
        if missing or not callable(generator):
            raise CourseError(
                f"generator must have {' and '.join(missing) or 'a call'}, and "
                f"{type(generator).__name__} has not: pass pretrained(name), or "
                "TrainedGenerator(gan, module) for a GAN of your own"
            )
        self.generator, self.seed = generator, seed
        z = generator.draw_z(DRAWS, seed=0).float()
        self.mean, self.sd = z.mean().item(), z.std().item()
        self.lengths = z.norm(dim=1).cpu()

    def draw_z(self, n, seed=None):
        """Let the generator draw z, (n, latent_dim); by default with the explorer's seed."""
        return self.generator.draw_z(n, seed=self.seed if seed is None else seed).float()

    def renew(self):
        """Go to the next seed."""
        self.seed_box.value += 1


def slider(kind, name, tooltip, label=LABEL, **range_):
    """Make a slider that fills its row.

    Parameters
    ----------
    kind : type
        A class of ipywidgets, such as FloatSlider.
    name, tooltip : str
    label : str
        Width of the name, in CSS.
    **range_
        ``value``, ``min``, ``max`` and further arguments of ``kind``.

    Returns
    -------
    Widget
    """
    return kind(
        description=name,
        tooltip=tooltip,
        style={"description_width": label},
        layout=widgets.Layout(flex="1 1 auto", width="auto", min_width="0"),
        **range_,
    )


def seed_box(value, name="Seed", tooltip="Another seed, other samples", label=LABEL):
    """Make a box for a seed.

    Parameters
    ----------
    value : int
    name, tooltip : str
    label : str
        Width of the name, in CSS.

    Returns
    -------
    BoundedIntText
    """
    return widgets.BoundedIntText(
        value=value,
        min=0,
        max=2**31 - 1,
        description=name,
        tooltip=tooltip,
        style={"description_width": label},
        layout=widgets.Layout(width=f"calc({label} + 94px)"),
    )


def button(name, tooltip, click, width="90px"):
    """Make a button.

    Parameters
    ----------
    name, tooltip : str
    click : callable
        Called without arguments.
    width : str
        In CSS.

    Returns
    -------
    Button
    """
    made = widgets.Button(
        description=name, tooltip=tooltip, layout=widgets.Layout(width=width, flex="none")
    )
    made.on_click(lambda _: click())
    return made


def large_image(side):
    """Make an empty image, ``side`` CSS pixels across and down."""
    size = f"{side}px"
    return widgets.Image(layout=widgets.Layout(width=size, height=size, object_fit="contain"))


def in_row(children, gap="4px 12px", align="center"):
    """Put widgets beside each other, in several rows where the page is narrow.

    Parameters
    ----------
    children : sequence of Widget
    gap, align : str
        ``grid-gap`` and ``align-items`` of CSS.

    Returns
    -------
    HBox
    """
    layout = widgets.Layout(flex_flow="row wrap", align_items=align, grid_gap=gap)
    return widgets.HBox(children, layout=layout)


def with_unit(control, unit, width="24px", flex="1 1 240px"):
    """Put a unit behind a control.

    Parameters
    ----------
    control : Widget
    unit : str or Label
    width : str
        Of the unit, in CSS.
    flex : str
        Of the pair, in CSS.

    Returns
    -------
    HBox
    """
    if isinstance(unit, str):
        unit = widgets.Label(unit)
    unit.layout = widgets.Layout(width=width, flex="none")
    layout = widgets.Layout(align_items="center", flex=flex, min_width="0")
    return widgets.HBox([control, unit], layout=layout)


def headed(title, content, flex="none", max_width="100%"):
    """Put a title over a widget.

    Parameters
    ----------
    title : str
        HTML.
    content : Widget
    flex, max_width : str
        Of both together, in CSS.

    Returns
    -------
    VBox
    """
    head = widgets.HTML(f"<small>{title}</small>", layout=widgets.Layout(height="22px"))
    layout = widgets.Layout(overflow="visible", flex=flex, max_width=max_width, min_width="0")
    return widgets.VBox([head, content], layout=layout)


def as_images(images, name="images", channels=(1, 3)):
    """Check images that were handed to an explorer.

    Parameters
    ----------
    images : Tensor, (n, C, H, W)
        float in [-1, 1], or uint8.
    name : str
        The argument's name, for the message.
    channels : tuple of int
        What C may be.

    Returns
    -------
    float32 Tensor, (n, C, H, W)
        On the CPU, in [-1, 1].

    Raises
    ------
    CourseError
        If they are something else.
    """
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or not shape[0] or shape[1] not in channels:
        kinds = " or ".join(map(str, channels))
        raise CourseError(
            f"{name} must be a tensor (n, {kinds}, height, width) with n > 0, not "
            f"{shape or type(images).__name__}"
        )
    images = torch.as_tensor(images).detach().cpu()
    return images / 127.5 - 1 if images.dtype == torch.uint8 else images.float()


@torch.no_grad()
def ask(generate, z, *more, signature=("generator", "z")):
    """Ask a function or a module for images; a module in evaluation mode, on its own device.

    Parameters
    ----------
    generate : Module or callable
        ``generate(z, *more)`` returns images, (n, C, H, W) in [-1, 1], C being 1 or 3.
    z : Tensor, (n, latent_dim) or (n, C, H, W)
        Noise or images; a function gets it on the device where it is.
    *more : Tensor
        Further arguments, such as labels; they are moved to the device of ``z``.
    signature : pair of str
        Names of the function and of its first argument, for the message.

    Returns
    -------
    float32 Tensor, (n, C, H, W)
        On the CPU.

    Raises
    ------
    CourseError
        If it returns something else.
    """
    parameter = next(generate.parameters(), None) if isinstance(generate, nn.Module) else None
    device = z.device if parameter is None else parameter.device
    training = getattr(generate, "training", False)
    if training:
        generate.eval()
    try:
        images = generate(*(given.to(device) for given in (z, *more)))
    finally:
        if training:
            generate.train()
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or shape[0] != len(z) or shape[1] not in (1, 3):
        function, first = signature
        takes = ", ".join([first, *(f"{tuple(given.shape)}" for given in more)])
        raise CourseError(
            f"{function}({takes}) with {first} of shape {tuple(z.shape)} must return images "
            f"({len(z)}, 1 or 3, height, width), not {shape or type(images).__name__}"
        )
    return images.detach().float().cpu()


def picture_of(image, side):
    """Draw one image so that its longer side is ``side`` pixels.

    A picture that is enlarged keeps its pixels as squares: no pixel between two is made up.

    Parameters
    ----------
    image : Tensor, (C, H, W)
        In [-1, 1]; C is 1 or 3.
    side : int

    Returns
    -------
    PIL.Image.Image
        In colour.
    """
    picture = Image.fromarray(to_pixels(image[None])[0])
    scale = side / max(picture.size)
    size = [round(scale * edge) for edge in picture.size]
    squares = scale >= 2 or scale == 1
    return picture.resize(size, Image.Resampling.NEAREST if squares else Image.Resampling.LANCZOS)


def show(widget, picture):
    """Put a picture into an Image widget, as a PNG: every pixel arrives."""
    with widget.hold_sync():
        widget.format, widget.value = "png", encode(picture, "png")


def encode(picture, form):
    """Encode a picture quickly, and without visible loss.

    Parameters
    ----------
    picture : PIL.Image.Image
    form : {"png", "jpeg"}

    Returns
    -------
    bytes
    """
    options = {"png": {"compress_level": 1}, "jpeg": {"quality": 95, "subsampling": 0}}[form]
    data = io.BytesIO()
    picture.save(data, form, **options)
    return data.getvalue()


def levels(one, other):
    """Return the mean absolute difference of two images in [-1, 1], in levels of 255."""
    return 127.5 * (one - other).abs().mean().item()


def words(name):
    """Return the name of an attribute with spaces in place of underscores."""
    return str(name).replace("_", " ")
