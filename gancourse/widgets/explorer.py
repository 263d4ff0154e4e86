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
from IPython import get_ipython
from IPython.display import Markdown, display

from gancourse.plotting import as_display

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
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
            display(Markdown(f"*{CAPTION}*"))
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
            f'src="data:image/png;base64,{source}"><div><em>{CAPTION}</em></div></div>'
        )
        display({"text/html": still, "text/plain": self.summary}, raw=True)
        view = {"version_major": 2, "version_minor": 0, "model_id": live.model_id}
        display({WIDGET_VIEW: view, "text/plain": ""}, raw=True)

    def answer(self, _change=None):
        """Draw again; what goes wrong is said beside the controls, where it is seen."""
        if self._together:
            return
        try:
            self.update()
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


def encode(picture, form):
    """Encode a PIL image as "png" (small, flat pictures) or "jpeg" (soft ones): fast, and sharp."""
    options = {"png": {"compress_level": 1}, "jpeg": {"quality": 95, "subsampling": 0}}[form]
    data = io.BytesIO()
    picture.save(data, form, **options)
    return data.getvalue()
