"""Pages that are checked, and notebooks as a run leaves them, for the tests of this folder."""

import base64
import io
from html.parser import HTMLParser

import nbformat

from gancourse.batch import lessons
from gancourse.batch.lessons import CLAIM

NOT_CLOSED = {"meta", "img", "br", "hr", "input", "link"}


class Page(HTMLParser):
    """Collects the elements of a page, and fails where they are not nested."""

    def __init__(self, html):
        super().__init__()
        self.open, self.found = [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in NOT_CLOSED:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def executed(*cells, **outcome):
    """Return a notebook as the runner leaves it."""
    run = {"status": "done", "error": "", "preset": "smoke", "parameters": {}} | outcome
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata["gancourse"] = {"run": {"cells": [1, 1], "seconds": 2.5, **run}}
    return nbformat.from_dict(notebook)


def shows(data):
    """Return a code cell that displayed ``data``."""
    output = nbformat.v4.new_output("display_data", data=data)
    return nbformat.v4.new_code_cell("show()", outputs=[output])


def claim(text, holds, value):
    bundle = {CLAIM: {"text": text, "holds": holds, "value": value}, "text/plain": text}
    return shows(bundle)


def text(*lines):
    return nbformat.v4.new_markdown_cell("\n".join(lines))


def encoded(picture, file_format="PNG"):
    """Return a picture as it stands in a notebook."""
    file = io.BytesIO()
    picture.save(file, file_format)
    return base64.b64encode(file.getvalue()).decode()


def leave(notebook, path):
    """Write a notebook as the runner leaves it."""
    notebook.metadata.gancourse.run["left"] = lessons.fingerprint(notebook)
    nbformat.write(notebook, path)
