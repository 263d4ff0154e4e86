"""What a batch of lessons leaves beside the notebooks: a page for each, index.html, claims.json."""

import base64
import io
import json
from dataclasses import asdict
from html import escape

from PIL import Image

from gancourse.batch import lessons, places
from gancourse.batch.pages import lesson_page, page
from gancourse.errors import CourseError, printable

THUMBNAILS = 6  # figures on a lesson's card, at most
THUMBNAIL_SIZE = (640, 420)  # pixels, at most
MAX_PIXELS = 20_000_000  # of a figure that is made small; 100 MB while it is
PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG"}  # the only formats that are opened
MARKS = {True: ("yes", "✓"), False: ("no", "✗"), None: ("open", "–")}


def thumbnails(notebook):
    """Return some figures, evenly spread over the notebook, as small ``img`` elements."""
    bundles = [out.get("data", {}) for cell in notebook.cells for out in cell.get("outputs", [])]
    kinds = [next((kind for kind in PICTURES if kind in data), None) for data in bundles]
    figures = [(data[k], PICTURES[k]) for data, k in zip(bundles, kinds, strict=True) if k]
    if len(figures) > THUMBNAILS:
        step = (len(figures) - 1) / (THUMBNAILS - 1)
        figures = [figures[round(i * step)] for i in range(THUMBNAILS)]
    small = (shrunk(*figure) for figure in figures)
    return [f'<img alt="a figure" src="{source}">' for source in small if source]


def shrunk(encoded, file_format):
    """Return a picture (base64) as the data URI of a small JPEG, on a white ground.

    None if the picture is damaged, is larger than MAX_PIXELS, or has another format than it
    says: what Pillow finds by the content it may hand to another program, such as Ghostscript.
    """
    try:
        data = io.BytesIO(base64.b64decode(encoded))
        picture = Image.open(data, formats=(file_format,))
        if picture.width * picture.height > MAX_PIXELS:
            return None
        picture = picture.convert("RGBA")
    except Exception:  # Pillow has no class of its own for a damaged file
        return None
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture)
    flat.thumbnail(THUMBNAIL_SIZE)
    file = io.BytesIO()
    flat.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def verdict(claims):
    """Return how many of the judged claims hold, as text."""
    judged = [claim.holds for claim in claims if claim.holds is not None]
    return f"{sum(judged)} of {len(judged)} claims hold" if judged else "no claims judged"


def show_value(value):
    """Return a claim's value as short text."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else printable(value)


def card(name, notebook, outcome, claims):
    """Return a lesson's card for index.html.

    Parameters
    ----------
    name : str
        The notebook's file name, without the suffix.
    notebook : nbformat.NotebookNode
    outcome : gancourse.batch.lessons.Outcome
    claims : list of gancourse.batch.lessons.Claim
    """
    settings = {"preset": outcome.preset, **outcome.parameters}
    settings = ", ".join(f"{name} {value}" for name, value in settings.items())
    figures = "".join(thumbnails(notebook))
    rows = []
    for claim in claims:
        css, mark = MARKS[claim.holds]
        rows.append(
            f'<li class="{css}"><span class="mark">{mark}</span>'
            f"<span>{escape(claim.text)}</span><output>{escape(show_value(claim.value))}</output>"
            "</li>"
        )
    address = escape(places.link(places.page(name)))
    title = escape(lessons.title(notebook, printable(name)))
    problems = "\n".join(filter(None, [outcome.error, *outcome.notes]))
    parts = [
        '<article class="card">',
        f'<h2><a href="{address}">{title}</a></h2>',
        f'<p class="facts"><span class="{outcome.status}">{outcome.status}</span> '
        f"{outcome.cells[0]} of {outcome.cells[1]} cells · {outcome.seconds:.0f} s · "
        f"{escape(settings)}</p>",
        f'<pre class="problem">{escape(problems)}</pre>' if problems else "",
        f'<div class="figures">{figures}</div>' if figures else "",
        f'<ul class="claims">{"".join(rows)}</ul>' if rows else "",
        "</article>",
    ]
    return "\n".join(part for part in parts if part)


def add(path, notebook, folder):
    """Write the page of an executed lesson, and index.html and claims.json again.

    Whatever goes wrong is returned, so that it does not stop the other lessons.

    Parameters
    ----------
    path : Path
        The executed notebook, from :func:`gancourse.batch.execute.run`.
    notebook : nbformat.NotebookNode
    folder : Path
        The folder from which the notebook's text links to pictures.

    Returns
    -------
    list of str
        What went wrong.
    """
    problems = []
    try:
        html = lesson_page(notebook, printable(path.stem), folder)
    except Exception as error:  # of nbconvert and what it uses, for an odd notebook
        why = f"this page cannot be made: {type(error).__name__}: {printable(error)}"
        html = page(printable(path.stem), f'<pre class="problem">{escape(why)}</pre>')
        problems.append(why)
    try:
        with places.alone(path.parent):
            places.write(path.with_name(places.page(path.stem)), html)
        collect(path.parent)
    except CourseError as error:
        problems.append(str(error))
    return problems


def collect(folder):
    """Write index.html and claims.json for all executed lessons in a folder.

    Parameters
    ----------
    folder : Path
        Holds the notebooks that :func:`gancourse.batch.execute.run` left, in one command or more,
        and perhaps other files.

    Raises
    ------
    CourseError
        If a page is not as a batch has left it, or cannot be written.
    """
    with places.alone(folder):
        cards, found, records, seconds = [], [], [], 0
        for path in sorted(folder.glob("*.ipynb")):
            notebook = left_by_a_run(path)
            outcome = notebook and lessons.outcome(notebook)
            if outcome:
                claims, _ = lessons.claims(notebook)
                cards.append(card(path.stem, notebook, outcome, claims))
                if outcome.status != "done" and outcome.lesson not in ("", path.name):
                    continue  # beside one that was done, which has the same claims
                found += claims
                records += [{"lesson": printable(path.stem), **asdict(claim)} for claim in claims]
                seconds += outcome.seconds
        lesson = "lesson" if len(cards) == 1 else "lessons"
        summary = f"{len(cards)} {lesson} · {seconds:.0f} s · {verdict(found)}"
        heading = f"gancourse: {printable(folder.name)}"
        body = f'<h1>{escape(heading)}</h1>\n<p class="summary">{summary}</p>\n'
        places.write(folder / "index.html", page(heading, body + "\n".join(cards)))
        table = json.dumps(records, indent=1, ensure_ascii=False) + "\n"
        places.write(folder / "claims.json", table)


def left_by_a_run(path):
    """Return a notebook that may be one of ours; None if it cannot be read, or is none."""
    try:
        if not path.is_file() or path.stat().st_size > lessons.MAX_NOTEBOOK:
            return None
        if b'"gancourse"' not in path.read_bytes():  # takes less time than to parse it
            return None
        return lessons.read(path)
    except (CourseError, OSError):
        return None
