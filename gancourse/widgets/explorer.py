"""What the explorers share: live controls where somebody is there, a still picture elsewhere.

A notebook is run by people and by batch programs (papermill, nbconvert, nbval), and is then read
in places that have no kernel. A widget without a kernel is an error message, so

- a batch program gets only the still picture and no widget at all, which also keeps the
  widgets' state out of the notebook's metadata;
- a person gets the still picture and the widget. The widget brings a style sheet that hides the
  picture for as long as the widget is on the page; the picture brings one that hides what
  JupyterLab shows in place of a widget that it no longer has.
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

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
LABEL = "76px"  # width of the controls' names
CAPTION = "A still picture. Run this cell to move the sliders."
STYLE = """
.gancourse-live, .gancourse-live .widget-container { overflow: visible !important; }
.gancourse-live .widget-image { border-radius: 4px; margin: 0; }
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


def somebody_is_there():
    """Tell whether the cell that is running was started by a front end with a person before it.

    Every request to run a cell says whether the sender can answer ``input()``. JupyterLab,
    Notebook, VS Code and Colab can; nbclient (and so papermill, nbconvert and Jupyter Book) and
    nbval cannot.

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

    A subclass gives ``build()``, which makes the widget, ``still()``, which makes a matplotlib
    figure, and ``summary``, which says in words what the figure shows. Nothing of ipywidgets is
    made before ``ui`` is asked for.
    """

    summary = ""
    caption_without_kernel = CAPTION
    _ui = None
    _together = False

    @property
    def ui(self):
        """The live widget, made when it is first asked for."""
        if self._ui is None:
            self._ui = self.build()
        return self._ui

    def _ipython_display_(self):
        picture = as_display(self.still())
        if not somebody_is_there():
            bundle = {"image/png": picture.data, "text/plain": self.summary}
            display(bundle, metadata={"image/png": {"width": picture.width}}, raw=True)
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
            f'src="data:image/png;base64,{source}"><div><em>{self.caption_without_kernel}</em></div></div>'
        )
        display({"text/html": still, "text/plain": self.summary}, raw=True)
        view = {"version_major": 2, "version_minor": 0, "model_id": live.model_id}
        display({WIDGET_VIEW: view, "text/plain": ""}, raw=True)

    def answer(self, _change=None):
        """Draw again; what goes wrong is said beside the controls, where it is seen."""
        if not self._together:
            self.attempt(self.update)

    def attempt(self, action):
        """Do something; if it fails, say why beside the controls until something works."""
        try:
            action()
            self.problem.value = ""
        except Exception as problem:
            text = html.escape(f"{type(problem).__name__}: {problem}")
            self.problem.value = f'<b style="color: var(--jp-error-color1, #b00020)">{text}</b>'

    @contextlib.contextmanager
    def together(self):
        """Let several controls change inside, and draw once afterwards."""
        self._together = True
        try:
            yield
        finally:
            self._together = False
        self.answer()


def slider(kind, name, tooltip, **range_):
    """Make a slider that fills its row and says what it moves."""
    return kind(
        description=name,
        tooltip=tooltip,
        style={"description_width": LABEL},
        layout=widgets.Layout(flex="1 1 auto", width="auto", min_width="0"),
        **range_,
    )


def seed_box(value, name="Seed", tooltip="Another seed, other samples", label=LABEL):
    """Make a box for a seed."""
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
    """Make a button; ``click()`` is called without arguments."""
    made = widgets.Button(
        description=name, tooltip=tooltip, layout=widgets.Layout(width=width, flex="none")
    )
    made.on_click(lambda _: click())
    return made


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
def ask(generate, z, *more, signature=("generate", "z")):
    """Ask a generator for images, in eval mode and on its own device.

    Parameters
    ----------
    generate : Module or callable
        ``generate(z, *more)`` returns images, (n, C, H, W) in [-1, 1], C being 1 or 3.
    z : Tensor, (n, latent_dim)
    *more : Tensor
        What else it takes, such as labels.
    signature : pair of str
        How the message calls the function and its first argument.

    Returns
    -------
    Tensor, (n, C, H, W)
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


def is_smooth(images):
    """Tell whether images are fine enough to be enlarged smoothly; others show their pixels."""
    return max(images.shape[-2:]) >= 48


def picture_of(image, side):
    """Draw one image so that its longer side is ``side`` pixels.

    Parameters
    ----------
    image : Tensor, (C, H, W)
        In [-1, 1]; C is 1 or 3.
    side : int

    Returns
    -------
    PIL.Image.Image
    """
    pixels = ((image.clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    picture = Image.fromarray(pixels.squeeze(-1) if pixels.shape[2] == 1 else pixels)
    scale = side / max(picture.size)
    size = [round(scale * edge) for edge in picture.size]
    if scale < 2:
        return picture.resize(size, Image.Resampling.LANCZOS)
    smooth = is_smooth(image)
    return picture.resize(size, Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST)


def show(widget, picture, smooth):
    """Put a PIL image into an Image widget: soft ones as JPEG, flat ones as PNG."""
    form = "jpeg" if smooth and picture.mode in ("L", "RGB") else "png"
    with widget.hold_sync():
        widget.format, widget.value = form, encode(picture, form)


def encode(picture, form):
    """Encode a PIL image as "png" (small, flat pictures) or "jpeg" (soft ones): fast, and sharp."""
    options = {"png": {"compress_level": 1}, "jpeg": {"quality": 95, "subsampling": 0}}[form]
    data = io.BytesIO()
    picture.save(data, form, **options)
    return data.getvalue()
