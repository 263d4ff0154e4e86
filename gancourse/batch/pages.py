"""An executed lesson as a page: one file that can be read offline and mailed.

It fetches no script, font or picture, and its equations are MathML, which browsers draw by
themselves. Whatever a lesson's text or outputs hold, its policy lets a browser run no script and
show no picture that is not in the page.
"""

import os
import re
import warnings
from html import escape
from pathlib import Path
from urllib.parse import quote

from jinja2 import pass_context
from latex2mathml import converter
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import InvalidNotebook, IPythonRenderer, MarkdownWithMath

from gancourse.batch import lessons

STYLE = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
NEEDS_A_KERNEL = ("application/vnd.jupyter.widget-view+json", "application/javascript")
MAX_PICTURE = 10 * 2**20  # bytes of a file that a page takes in
MAX_TEX = 5_000  # characters of an equation that is translated
MAX_TEXT = 200_000  # characters of a text that is formatted
MAX_BRACKETS = 2_000  # of "[" and of "<" in it; the formatter's time grows with their square
POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'"
POLICY += "; base-uri 'none'; form-action 'none'"


def page(heading, body, nav=""):
    """Return a whole HTML page around ``body``."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(heading)}</title>
<style>
{STYLE}</style>
</head>
<body>
{nav}<main>
{body}
</main>
</body>
</html>
"""


class Text(IPythonRenderer):
    """Markdown to HTML, with equations as MathML and pictures as part of the page."""

    def block_math(self, body):
        """Return an equation on lines of its own."""
        return mathml(body, "block")

    def inline_math(self, body):
        """Return an equation within a line."""
        return mathml(body, "inline")

    def latex_environment(self, name, body):
        r"""Return an equation that stands between ``\begin`` and ``\end``, without dollars."""
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")

    def image(self, text, url, title=None):
        """Return a picture; one that was pasted and is missing is named."""
        try:
            return super().image(text, url, title)
        except InvalidNotebook:
            return f"<em>missing picture: {text or escape(url)}</em>"

    def _src_to_base64(self, src):
        """Return a file of the lesson's folder as a data URI; nbconvert would open a pipe, too."""
        if "\0" in src:
            return None
        path = os.path.realpath(os.path.join(self.path, src))  # a link may lead anywhere
        inside = path.startswith(os.path.join(os.path.realpath(self.path), ""))
        small = inside and os.path.isfile(path) and os.path.getsize(path) <= MAX_PICTURE
        return super()._src_to_base64(src) if small else None


def mathml(tex, display):
    """Translate an equation to MathML; show its TeX where the converter fails."""
    # The converter does not know aligned, and numbers the lines of align but not of align*.
    tex = re.sub(r"\{(align|aligned)\}", "{align*}", tex)
    try:
        if len(tex) <= MAX_TEX:
            return converter.convert(tex, display=display)
    except Exception:  # the converter has a type of its own for each kind of failure
        pass
    return f"<code>{escape(tex)}</code>"


def lesson_page(notebook, name, folder):
    """Return an executed lesson as one HTML page.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Changed in place: outputs that need a running kernel are removed, raw cells become text.
    name : str
        The page's title if the notebook has no heading.
    folder : Path
        The folder from which the notebook's text links to pictures.
    """

    @pass_context
    def markdown(context, source):
        if len(source) > MAX_TEXT or max(map(source.count, "[<")) > MAX_BRACKETS:
            return f"<pre>{escape(source)}</pre>"
        pasted = context["cell"].get("attachments", {})
        renderer = Text(
            escape=False,
            embed_images=True,
            path=str(folder),
            exclude_anchor_links=True,
            attachments={**{quote(name): kinds for name, kinds in pasted.items()}, **pasted},
        )
        return MarkdownWithMath(renderer=renderer).render(source)

    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        if cell.cell_type == "raw":  # shown as JupyterLab shows it; cleaned HTML costs the square
            fence = "`" * (3 + max(map(len, re.findall("`+", cell.source)), default=0))
            cell.cell_type, cell.source = "markdown", f"{fence}\n{cell.source}\n{fence}"
        for output in cell.get("outputs", []):
            for kind in NEEDS_A_KERNEL:
                output.get("data", {}).pop(kind, None)
    # By default templates of the current folder come first, and a template is a program.
    exporter = HTMLExporter(template_name="basic", extra_template_basedirs=[])
    exporter.register_filter("markdown2html", markdown)
    # It rewrites addresses of notebooks before 2013, and its time grows with the square of "![".
    exporter.register_filter("strip_files_prefix", lambda text: text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of outputs that no page can show
        body, _ = exporter.from_notebook_node(notebook)
    nav = '<nav><a href="index.html">All lessons</a></nav>\n'
    return page(lessons.title(notebook, name), body, nav)
