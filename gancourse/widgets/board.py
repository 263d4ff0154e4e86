"""A board: pictures in rows and columns, each of which can be clicked, or reached with Tab."""

import html
from urllib.parse import quote

import ipywidgets as widgets
from PIL import Image

from gancourse.widgets.explorer import picture_of, show

GAP = 4  # CSS pixels between pictures
TILES = (96, 64, 48, 32)  # CSS pixels: twice as many are a multiple of 32, and of 64 if not 48
MARKS = {"a": "#a8641a", "b": "#2f7d5e", "c": "#7d5ba6"}  # letters on pictures, white on these


def _style():
    letters = "".join(
        f".gancourse-{mark}::after {{ content: '{mark.upper()}'; background: {colour}; }}"
        f".gancourse-{mark} {{ box-shadow: inset 0 0 0 3px {colour} !important; }}"
        for mark, colour in MARKS.items()
    )
    return f"""
.gancourse-board > * {{ margin: 0; grid-area: 1 / 1; }}
.gancourse-board .widget-image {{ width: 100%; height: 100%; border-radius: 0; }}
.gancourse-cell {{ position: relative; font-size: 0; background: none !important;
  border: none; border-radius: 6px; box-shadow: none !important; cursor: pointer; }}
.gancourse-cell:hover {{ box-shadow: inset 0 0 0 2px var(--jp-ui-font-color2, #888) !important; }}
.gancourse-here {{ box-shadow: inset 0 0 0 3px #e0a030 !important; }}
.gancourse-empty {{ padding: {GAP // 2}px !important;
  background: var(--jp-layout-color2, #ddd) content-box !important; }}
.gancourse-cell::after {{ position: absolute; left: 2px; top: 2px; font: bold 11px/16px sans-serif;
  width: 16px; border-radius: 4px; color: white; }}
{letters}"""


def fitting(room):
    """Return the largest of :data:`TILES` that fits into ``room`` CSS pixels, or else the room."""
    return next((tile for tile in TILES if tile <= room), room)


class Board:
    """Pictures in a grid, each of them a button.

    The pictures are one image under transparent buttons: it is sent to the browser as one file,
    and the buttons keep their places while it changes.

    Parameters
    ----------
    names : list of str
        Names of the pictures, row by row, for tooltips and screen readers.
    columns : int
    tile : int
        Side of a picture, in CSS pixels; it is drawn with twice as many, for dense screens.
    click : callable, optional
        ``click(index)`` is called for a click on a picture, and for Enter on it. Without it there
        are no buttons.

    Attributes
    ----------
    ui : Widget
    image : Image
        The widget that holds the pictures.
    cells : list of Button
    """

    def __init__(self, names, columns, tile, click=None):
        self.columns, self.rows = columns, -(-len(names) // columns)
        self.tile = tile
        self.image = widgets.Image()
        whole = widgets.Layout(
            width="auto", height="auto", min_width="0", margin="0", padding="0", border="none"
        )
        self.cells = []
        for index, name in enumerate(names if click else ()):
            cell = widgets.Button(description=name, tooltip=name, layout=whole)
            cell.add_class("gancourse-cell")
            cell.on_click(lambda _, index=index: click(index))
            self.cells.append(cell)
        cells = widgets.GridBox(
            self.cells,
            layout=widgets.Layout(
                grid_template_columns=f"repeat({columns}, minmax(0, 1fr))",
                grid_template_rows=f"repeat({self.rows}, minmax(0, 1fr))",
                overflow="visible",
            ),
        )
        # The mask makes the gaps transparent: they have the page's colour in every theme.
        inset = 50 * GAP / (tile + GAP)
        rect = (
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 100 100' "
            f"preserveAspectRatio='none'><rect x='{inset:.2f}' y='{inset:.2f}' rx='4' "
            f"width='{100 - 2 * inset:.2f}' height='{100 - 2 * inset:.2f}'/></svg>"
        )
        mask = (
            f'url("data:image/svg+xml,{quote(rect)}") 0 0 / '
            f"calc(100% / {columns}) calc(100% / {self.rows})"
        )
        left = 100 * (len(names) - columns * (self.rows - 1)) / columns  # % of the last row
        above = 100 * (self.rows - 1) / self.rows
        clip = (
            f"polygon(0 0, 100% 0, 100% {above:.3f}%, {left:.3f}% {above:.3f}%, {left:.3f}% 100%, "
            "0 100%)"
        )
        name = f"gancourse-board-{len(names)}-{columns}-{tile}"
        style = widgets.HTML(
            f"<style>{_style()} .{name} {{ aspect-ratio: {columns} / {self.rows}; }} "
            f".{name} .widget-image {{ clip-path: {clip}; -webkit-mask: {mask}; mask: {mask}; }}"
            "</style>",
            layout=widgets.Layout(display="none"),
        )
        layout = widgets.Layout(
            width=f"{columns * (tile + GAP)}px",
            max_width="100%",
            grid_template_columns="100%",
            grid_template_rows="100%",
            margin="0",
            overflow="visible",
        )
        self.ui = widgets.GridBox([style, self.image, cells], layout=layout)
        self.ui.add_class("gancourse-board").add_class(name)

    def heads(self, names):
        """Return names for the columns, an HTML widget as wide as the board."""
        cells = "".join(
            f'<div title="{name}" style="overflow: hidden; text-overflow: ellipsis">{name}</div>'
            for name in map(html.escape, names)
        )
        return widgets.HTML(
            '<div aria-hidden="true" style="display: grid; text-align: center; font-size: 12px; '
            f'grid-template-columns: repeat({self.columns}, minmax(0, 1fr))">{cells}</div>',
            layout=widgets.Layout(width=self.ui.layout.width, max_width="100%", margin="0"),
        )

    def show(self, images):
        """Replace the pictures by images, (n, C, H, W) in [-1, 1]."""
        show(self.image, self.picture(images))

    def picture(self, images):
        """Draw images in a grid, with gaps that the mask makes transparent.

        Parameters
        ----------
        images : Tensor, (n, C, H, W)
            In [-1, 1].

        Returns
        -------
        PIL.Image.Image
        """
        pitch, tile = 2 * (self.tile + GAP), 2 * self.tile
        sheet = Image.new("RGB", (self.columns * pitch, self.rows * pitch))
        for i, image in enumerate(images):
            picture = picture_of(image, tile)
            left, top = (pitch - picture.width) // 2, (pitch - picture.height) // 2
            sheet.paste(picture, (i % self.columns * pitch + left, i // self.columns * pitch + top))
        return sheet

    def mark(self, marks):
        """Mark pictures; marks from before are removed.

        Parameters
        ----------
        marks : dict of int to str
            By number of the picture: "here" puts a frame around it; "a", "b" or "c" a letter on
            it; "empty" hides it.
        """
        for index, cell in enumerate(self.cells):
            kept = [name for name in cell._dom_classes if name == "gancourse-cell"]
            if index in marks:
                kept.append(f"gancourse-{marks[index]}")
            cell._dom_classes = kept
