"""Attribute switches: give a picture other attributes, one by one or several at once."""

import html

import ipywidgets as widgets
import matplotlib.pyplot as plt
import torch

from gancourse.errors import CourseError
from gancourse.plotting import STYLE, draw_blocks
from gancourse.widgets.board import GAP, Board
from gancourse.widgets.explorer import (
    Explorer,
    as_images,
    ask,
    button,
    headed,
    in_row,
    levels,
    picture_of,
    show,
    words,
)
from gancourse.widgets.upload import Upload

SIDE, THUMB = 288, 64  # CSS pixels: a picture, one of the choice
COLUMNS = 10  # of the choice, at most
MOST = 24  # pictures to choose from
AS_IT_IS = "as it is"  # the name of None; its value is "", since a Dropdown cannot select None
ROWS = 2  # of each block of the still picture
CSS = """
.gancourse-switch { width: 100% !important; aspect-ratio: 1; object-fit: contain; }
"""


class Switches(Explorer):
    """Switch the attributes of a picture, and see what a network makes of it.

    Parameters
    ----------
    translate : callable
        ``translate(images, target)`` with images (1, C, H, W) in [-1, 1] and target
        (1, len(names)) of 0 and 1 returns images of the same shape.
    names : sequence of str
        The attributes, in the order of the target's columns.
    images : Tensor, (n, C, H, W)
        Pictures to choose from, in [-1, 1] or uint8; 24 at most are offered.
    labels : Tensor, (n, len(names)), optional
        Attributes of the pictures, 0 or 1: the switches show them when a picture is chosen.
    one_of : dict of str to sequence of str, optional
        Groups of attributes that exclude each other, by title: {"hair": ["black", "blond"]}. All
        other attributes are switched independently. A None in a group offers "as it is": the
        target is 0 for the whole group.
    detect : callable, optional
        ``detect(images)`` returns for each attribute whether an image has it, (1, len(names)), or
        its probability. It sets the switches for pictures without labels, and its findings in the
        answer are shown.
    upload : bool
        Whether readers may open a picture of their own.

    Raises
    ------
    CourseError
        If the names, the images or the answers do not fit.

    Examples
    --------
    >>> Switches(  # doctest: +SKIP
    ...     lambda images, target: sample(gan, images, target), data.attribute_names,
    ...     data.images(range(12)), labels=data.attributes[:12],
    ... )
    """

    def __init__(
        self, translate, names, images, *, labels=None, one_of=None, detect=None, upload=True
    ):
        self.translate, self.detect, self.upload = translate, detect, upload
        self.names = [str(name) for name in names]
        self.one_of = {str(title): list(members) for title, members in (one_of or {}).items()}
        grouped = [name for members in self.one_of.values() for name in members if name is not None]
        if not self.names or len(set(self.names)) < len(self.names):
            raise CourseError(f"names must be one or more, all different, not {self.names}")
        empty = [title for title, members in self.one_of.items() if not members]
        if empty:
            raise CourseError(f"the group {empty[0]!r} of one_of must name attributes")
        strange = [name for name in grouped if name not in self.names]
        if strange or len(set(grouped)) < len(grouped):
            raise CourseError(
                f"one_of must name attributes, each at most once, not {strange or grouped}; the "
                f"attributes are: {', '.join(self.names)}"
            )
        self.free = [name for name in self.names if name not in grouped]
        self.pictures = as_images(images)[:MOST]
        self.own = None  # the reader's picture
        if labels is not None:
            labels = torch.as_tensor(labels).detach().cpu().float()[:MOST]
            if labels.shape != (len(self.pictures), len(self.names)):
                raise CourseError(
                    f"labels must be (pictures, names) = ({len(self.pictures)}, "
                    f"{len(self.names)}), not {tuple(labels.shape)}"
                )
            if not ((labels == 0) | (labels == 1)).all():
                raise CourseError(
                    f"labels must be 0 or 1, not from {labels.min():g} to {labels.max():g}"
                )
        self._labels = labels
        self.answer_to(self.pictures[:1], self.has(0)[None])  # an error shows before the widget
        self.summary = (
            f"Pictures ({min(ROWS, len(self.pictures))}), and beside each the network's answers "
            f"when one attribute at a time is switched: {', '.join(self.names)}."
        )

    def found(self, image):
        """Return what ``detect`` finds in an image, (1, C, H, W): a Tensor, (len(names),)."""
        with torch.no_grad():
            found = torch.as_tensor(self.detect(image)).float().cpu()
        if found.shape != (1, len(self.names)):
            raise CourseError(
                f"detect must give one value for each of the {len(self.names)} names, as "
                f"(1, {len(self.names)}), not {tuple(found.shape)}"
            )
        return found[0]

    def has(self, index):
        """Return the attributes of a picture: its labels, or else what ``detect`` finds.

        Without both it has none, and of a group without None the first.

        Parameters
        ----------
        index : int
            See :meth:`picture`.

        Returns
        -------
        Tensor, (len(names),)
            0 or 1.
        """
        if self._labels is not None and index < len(self.pictures):
            return self._labels[index]
        if self.detect is None:
            found = torch.zeros(len(self.names))
        else:
            found = self.found(self.picture(index))
        known = (found > 0.5).float()
        for members in self.one_of.values():
            columns = [self.names.index(name) for name in members if name is not None]
            known[columns] = 0
            if None not in members:
                known[columns[found[columns].argmax()]] = 1
        return known

    def picture(self, index):
        """Return a picture, (1, C, H, W) in [-1, 1]; the reader's own is the last."""
        return self.own if index == len(self.pictures) else self.pictures[index : index + 1]

    def answer_to(self, image, target):
        """Return the network's answer, (1, C, H, W) in [-1, 1]."""
        answer = ask(self.translate, image, target, signature=("translate", "images"))
        if answer.shape != image.shape:
            raise CourseError(
                f"translate must return images of the same shape, {tuple(image.shape)}, not "
                f"{tuple(answer.shape)}"
            )
        return answer

    def build(self):
        """Make the choice of the picture, both pictures and the switches."""
        count = len(self.pictures)
        labels = [f"Picture {i + 1}" for i in range(count)]
        labels += ["Your picture"] * self.upload
        columns = -(-len(labels) // -(-len(labels) // COLUMNS))  # as even as rows can be
        self.shelf = Board(labels, columns, THUMB, self.choose)
        self._show_shelf()
        self.before, self.after = (widgets.Image(layout=widgets.Layout(margin="0")) for _ in "ab")
        for picture in (self.before, self.after):
            picture.add_class("gancourse-switch")
        self.boxes = {
            name: widgets.Checkbox(
                description=words(name),
                tooltip=f"Whether to ask for: {words(name)}",
                indent=False,
                layout=widgets.Layout(width="auto", min_width="110px", margin="0 12px 0 0"),
            )
            for name in self.free
        }
        self.choices = {
            title: widgets.Dropdown(
                options=[(words(name or AS_IT_IS), name or "") for name in members],
                description=words(title),
                tooltip=f"Which to ask for: {words(title)}",
                style={"description_width": "initial"},
                layout=widgets.Layout(width="auto"),
            )
            for title, members in self.one_of.items()
        }
        self.reset = button("Reset", "Set the switches to what the picture has", self.put_back)
        self.status = widgets.HTML()
        self.follow(*self.boxes.values(), *self.choices.values())
        self.received = widgets.HTML()
        self.picked = 0
        self.choose(0)

        parts = [
            widgets.HTML(f"<style>{CSS}</style>", layout=widgets.Layout(display="none")),
            self.shelf.ui,
        ]
        if self.upload:
            self.chooser = Upload(self.receive)
            parts.append(in_row([self.chooser, self.received]))
        pair = [("the picture", self.before), ("the network's answer", self.after)]
        pair = [headed(*one, "1 1 200px", f"{SIDE}px") for one in pair]
        parts.append(in_row(pair, "8px 20px", "stretch"))
        if self.boxes:
            parts.append(in_row(list(self.boxes.values())))
        parts += [in_row([*self.choices.values(), self.reset]), self.status]
        return self.stacked(parts, max(2 * SIDE + 20, columns * (THUMB + GAP)))

    def _show_shelf(self):
        images = self.pictures
        if self.own is not None:
            images = torch.cat([images, self.own])
        self.shelf.show(images)

    def target(self):
        """Read the switches; a Tensor, (1, len(names)) of 0 and 1."""
        on = {name for name, box in self.boxes.items() if box.value}
        on |= {choice.value for choice in self.choices.values()}
        return torch.tensor([[float(name in on) for name in self.names]])

    def choose(self, index):
        """Choose another picture, and set the switches to what it has."""
        self.attempt(lambda: self._choose(index))

    def _choose(self, index):
        if index == len(self.pictures) and self.own is None:
            raise CourseError("there is no picture of your own yet: choose a file first")
        self._has = self.has(index)
        self.picked = index
        image = self.picture(index)[0]
        show(self.before, picture_of(image, 2 * SIDE))
        marks = {index: "here"}
        if self.own is None and self.upload:
            marks[len(self.pictures)] = "empty"
        self.shelf.mark(marks)
        self.put_back()

    def put_back(self):
        """Set the switches to what the picture has."""
        with self.together():
            has = {name for name, value in zip(self.names, self._has, strict=True) if value > 0.5}
            for name, box in self.boxes.items():
                box.value = name in has
            for title, choice in self.choices.items():
                members = self.one_of[title]
                present = [name for name in members if name in has]
                choice.value = (present or ["" if None in members else members[0]])[0]

    def update(self):
        """Show the network's answer for the attributes that are switched on."""
        image = self.picture(self.picked)
        target = self.target()
        answer = self.answer_to(image, target)
        show(self.after, picture_of(answer[0], 2 * SIDE))
        moved = levels(answer, image)
        text = f"The answer is <b>{moved:.1f}</b> of 255 levels from the picture on average."
        if self.detect:
            found = self.found(answer)
            asked = [
                (name, value)
                for name, value, wish in zip(self.names, found.tolist(), target[0], strict=True)
                if wish
            ]
            told = ", ".join(f"{html.escape(words(n))} {100 * p:.0f} %" for n, p in asked)
            text += f"<br>Of what was asked for, the judge finds: {told or 'nothing asked'}."
        self.status.value = f'<div role="status">{text}</div>'

    def receive(self, name, read):
        """Take the reader's picture, or show beside the button what is wrong with it.

        Parameters
        ----------
        name : str
            Of the file.
        read : callable
            ``read(size)`` returns the picture, (1, 3, size, size) in [-1, 1], or raises a
            DataError.
        """
        try:
            channels, height, width = self.pictures.shape[1:]
            image = read(max(height, width))  # a square, cropped to height and width below
            if channels == 1:
                weights = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601, as Pillow's "L"
                image = (image * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)
            top, left = (image.shape[2] - height) // 2, (image.shape[3] - width) // 2
            image = image[..., top : top + height, left : left + width]
        except CourseError as problem:
            text = html.escape(str(problem))
            self.received.value = (
                f'<div role="alert" style="color: var(--jp-error-color1, #b00020)">{text}</div>'
            )
            return
        self.received.value = f"<small>{html.escape(name)}, cropped to its middle</small>"
        self.own = image
        self._show_shelf()
        self.choose(len(self.pictures))

    def still(self):
        """Draw pictures, and the answers when one switch is changed: a block for each group."""
        rows = range(min(ROWS, len(self.pictures)))
        groups = {"on or off": self.free} if self.free else {}
        groups |= {
            title: [n for n in group if n is not None] for title, group in self.one_of.items()
        }
        blocks = {}
        for title, names in groups.items():
            others = names if title in self.one_of else ()
            columns = {"picture": self.pictures[: len(rows)]}
            for name in names:
                answers = [
                    self.answer_to(self.pictures[r : r + 1], self.with_label(r, name, others))
                    for r in rows
                ]
                columns[words(name) if others else f"{words(name)} on/off"] = torch.cat(answers)
            blocks[title] = columns
        with plt.rc_context(STYLE):
            return draw_blocks(blocks, across=1)

    def with_label(self, row, name, others):
        """Return the labels of a picture with one of a group in place of ``others``, or toggled."""
        target = self.has(row).clone()
        column = self.names.index(name)
        target[column] = 1 - target[column]
        if others:
            target[[self.names.index(other) for other in others]] = 0
            target[column] = 1
        return target[None]
