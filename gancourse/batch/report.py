"""What a batch of lessons leaves: a page for each, index.html and claims.json.

A page can be read offline and mailed as one file: it fetches no script, font or picture, and its
equations are MathML, which browsers draw by themselves.
"""

import base64
import io
import json
import re
from html import escape
from pathlib import Path

from latex2mathml import converter
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from PIL import Image

from gancourse.batch import lessons

STYLE = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
THUMBNAILS = 6  # figures on a lesson's card, at most
THUMBNAIL_SIZE = (640, 420)  # pixels, at most
NEEDS_A_KERNEL = ("application/vnd.jupyter.widget-view+json", "application/javascript")
MARKS = {True: ("yes", "✓"), False: ("no", "✗"), None: ("open", "–")}


def page(heading, body, nav=""):
    """Return a whole HTML page around ``body``."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
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


class MathML(IPythonRenderer):
    """Markdown to HTML, with equations as MathML."""

    def block_math(self, body):
        """Return an equation on lines of its own."""
        return mathml(body, "block")

    def inline_math(self, body):
        """Return an equation within a line."""
        return mathml(body, "inline")

    def latex_environment(self, name, body):
        r"""Return an equation that stands between ``\begin`` and ``\end``, without dollars."""
        return mathml(rf"\begin{{{name}}}{body}\end{{{name}}}", "block")


def mathml(tex, display):
    """Translate an equation to MathML; show its TeX where the converter fails."""
    # The converter does not know aligned, and numbers the lines of align but not of align*.
    tex = re.sub(r"\{(align|aligned)\}", "{align*}", tex)
    try:
        return converter.convert(tex, display=display)
    except Exception:  # the converter has a type of its own for each kind of failure
        return f"<code>{escape(tex)}</code>"


def lesson_page(notebook, name, folder):
    """Return an executed lesson as one HTML page.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Changed in place: outputs that need a running kernel are removed.
    name : str
        The page's title if the notebook has no heading.
    folder : Path
        The folder from which the notebook's text links to pictures.
    """

    def markdown(source):
        renderer = MathML(
            escape=False, embed_images=True, path=str(folder), exclude_anchor_links=True
        )
        return MarkdownWithMath(renderer=renderer).render(source)

    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            for kind in NEEDS_A_KERNEL:
                output.get("data", {}).pop(kind, None)
    exporter = HTMLExporter(template_name="basic")
    exporter.register_filter("markdown2html", markdown)
    body, _ = exporter.from_notebook_node(notebook)
    nav = '<nav><a href="index.html">All lessons</a></nav>\n'
    return page(lessons.title(notebook, name), body, nav)


def thumbnails(notebook):
    """Return some figures, evenly spread over the notebook, as small ``img`` elements."""
    bundles = [out.get("data", {}) for cell in notebook.cells for out in cell.get("outputs", [])]
    figures = [data.get("image/png") or data.get("image/jpeg") for data in bundles]
    figures = [figure for figure in figures if figure]
    if len(figures) > THUMBNAILS:
        step = (len(figures) - 1) / (THUMBNAILS - 1)
        figures = [figures[round(i * step)] for i in range(THUMBNAILS)]
    return [f'<img alt="a figure" src="{shrunk(figure)}">' for figure in figures]


def shrunk(encoded):
    """Return a picture (base64) as the data URI of a small JPEG, on a white ground."""
    picture = Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGBA")
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture)
    flat.thumbnail(THUMBNAIL_SIZE)
    file = io.BytesIO()
    flat.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def verdict(found):
    """Return how many of the judged claims hold, as text."""
    judged = [claim["holds"] for claim in found if claim["holds"] is not None]
    return f"{sum(judged)} of {len(judged)} claims hold" if judged else "no claims judged"


def show_value(value):
    """Return a claim's value as short text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def card(name, notebook):
    """Return a lesson's card for index.html."""
    outcome = notebook.metadata.gancourse.run
    settings = {"preset": outcome.preset, **outcome.parameters}
    settings = ", ".join(f"{name} {value}" for name, value in settings.items())
    figures = "".join(thumbnails(notebook))
    rows = []
    for claim in lessons.claims(notebook):
        css, mark = MARKS[claim["holds"]]
        value = escape(show_value(claim["value"]))
        rows.append(
            f'<li class="{css}"><span class="mark">{mark}</span>'
            f"<span>{escape(claim['text'])}</span><output>{value}</output></li>"
        )
    parts = [
        '<article class="card">',
        f'<h2><a href="{escape(name)}.html">{escape(lessons.title(notebook, name))}</a></h2>',
        f'<p class="facts"><span class="{outcome.status}">{outcome.status}</span> '
        f"{outcome.cells[0]} of {outcome.cells[1]} cells · {outcome.seconds:.0f} s · "
        f"{escape(settings)}</p>",
        f'<pre class="problem">{escape(outcome.error)}</pre>' if outcome.error else "",
        f'<div class="figures">{figures}</div>' if figures else "",
        f'<ul class="claims">{"".join(rows)}</ul>' if rows else "",
        "</article>",
    ]
    return "\n".join(part for part in parts if part)


def add(job, notebook):
    """Write the page of an executed lesson, and index.html and claims.json again.

    Parameters
    ----------
    job : Job
        From :func:`gancourse.batch.execute.prepare`.
    notebook : nbformat.NotebookNode
        From :func:`gancourse.batch.execute.run`.

    Returns
    -------
    list of dict
        The lesson's claims.
    """
    found = lessons.claims(notebook)
    html = lesson_page(notebook, job.name, job.path.parent)
    (job.out / f"{job.name}.html").write_text(html, encoding="utf-8")
    write(job.out)
    return found


def write(folder):
    """Write index.html and claims.json for all executed lessons in ``folder``.

    Parameters
    ----------
    folder : Path
        Holds the notebooks that :func:`gancourse.batch.execute.run` left, in one command or more.
    """
    notebooks = {path.stem: lessons.read(path) for path in sorted(folder.glob("*.ipynb"))}
    notebooks = {n: nb for n, nb in notebooks.items() if "run" in nb.metadata.get("gancourse", {})}
    found = [
        {"lesson": name, **claim} for name, nb in notebooks.items() for claim in lessons.claims(nb)
    ]
    seconds = sum(nb.metadata.gancourse.run.seconds for nb in notebooks.values())
    heading = f"gancourse: {folder.name}"
    summary = (
        f"{len(notebooks)} lesson{'' if len(notebooks) == 1 else 's'} · {seconds:.0f} s · "
        f"{verdict(found)}"
    )
    cards = "\n".join(card(name, notebook) for name, notebook in notebooks.items())
    body = f'<h1>{escape(heading)}</h1>\n<p class="summary">{summary}</p>\n{cards}'
    (folder / "index.html").write_text(page(heading, body), encoding="utf-8")
    text = json.dumps(found, indent=1, ensure_ascii=False)
    (folder / "claims.json").write_text(text + "\n", encoding="utf-8")
