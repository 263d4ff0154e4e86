"""What several runs of the same lessons agree on: claims and tables, with mean and spread."""

import csv
import io
import re
from contextlib import suppress
from html import escape
from itertools import groupby
from math import isfinite
from statistics import fmean, stdev

from bs4 import BeautifulSoup
from bs4.exceptions import ParserRejectedMarkup

from gancourse.batch import lessons, places
from gancourse.batch.pages import page
from gancourse.batch.report import left_by_a_run, show_value
from gancourse.errors import printable

HEAD = ("lesson", "run", "claim", "holds", "value")
MAX_TABLE = 20_000  # characters; the parser's time grows with the square of some faults
NUMBER = re.compile(r"[-−]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")


def collect(folder):
    """Write index.html and runs.csv for all runs below a folder.

    Parameters
    ----------
    folder : Path
        Has a folder for each combination of parameters, such as ``seed=0``.

    Raises
    ------
    CourseError
        If a page is not as a batch has left it, or cannot be written.
    """
    with places.alone(folder):
        runs = sorted(found(folder), key=lambda run: run[:2])
        rows, parts = [], []
        for lesson, group in groupby(runs, key=lambda run: run[0]):
            group = list(group)
            for _, variant, notebook in group:
                rows += [
                    [printable(lesson), variant, claim.text, claim.holds, claim.value]
                    for claim in lessons.claims(notebook)[0]
                ]
            parts.append(section(lesson, group))
        file = io.StringIO()
        csv.writer(file, lineterminator="\n").writerows([HEAD, *map(safe, rows)])
        places.write(folder / places.RUNS, file.getvalue())
        heading = f"gancourse: {printable(folder.name)}"
        body = f"<h1>{escape(heading)}</h1>\n" + "\n".join(parts)
        places.write(folder / "index.html", page(heading, body))


def safe(row):
    """Return a row without cells that a spreadsheet would take for a formula."""
    return [f"'{x}" if isinstance(x, str) and x[:1] in ("=", "+", "-", "@") else x for x in row]


def found(folder):
    """Yield the lesson, the variant and the notebook of each run that ended well."""
    for path in folder.glob("*=*/*.ipynb"):
        notebook = left_by_a_run(path)
        outcome = notebook and lessons.outcome(notebook)
        if outcome and outcome.status == "done":
            yield path.stem, path.parent.name, notebook


def section(lesson, group):
    """Return a lesson's part of the page.

    Parameters
    ----------
    lesson : str
    group : list of (str, str, nbformat.NotebookNode)
        The lesson, the variant and the notebook of each run.
    """
    notebooks = [notebook for _, _, notebook in group]
    links = ", ".join(
        f'<a href="{escape(places.link(variant))}/{escape(quoted(lesson))}">{escape(variant)}</a>'
        for _, variant, _ in group
    )
    title = escape(lessons.title(notebooks[0], printable(lesson)))
    parts = [f'<article class="card"><h2>{title}</h2>', f'<p class="facts">{links}</p>']
    claims = [lessons.claims(notebook)[0] for notebook in notebooks]
    parts.append(html_table(["claim", "holds", "value"], list(claim_rows(claims))))
    for tables in same_tables([tables_of(notebook) for notebook in notebooks]):
        head = tables[0][0]
        body = [
            [together(cells) for cells in zip(*rows, strict=True)]
            for rows in zip(*(table[1:] for table in tables), strict=True)
        ]
        parts.append(html_table(head, body))
    return "\n".join([*parts, "</article>"])


def quoted(lesson):
    """Return the address of a lesson's page within its folder."""
    return places.link(places.page(lesson)).removeprefix("./")


def claim_rows(claims):
    """Yield a row for each claim: its text, in how many runs it holds, mean and spread.

    Parameters
    ----------
    claims : list of list of Claim
        Of each run.
    """
    for text in dict.fromkeys(claim.text for run in claims for claim in run):
        same = [claim for run in claims for claim in run if claim.text == text]
        judged = [claim.holds for claim in same if claim.holds is not None]
        holds = f"{sum(judged)} of {len(judged)}" if judged else "not judged"
        yield [text, holds, together([show_value(claim.value) for claim in same])]


def tables_of(notebook):
    """Return the tables that a notebook shows, each a list of rows of text, the headings first.

    Of a table that holds tables, as layouts do, only the inner ones count. Of what has more than
    MAX_TABLE characters the tables are empty.
    """
    tables = []
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            html = "".join(output.get("data", {}).get("text/html", ""))
            low = html.lower()
            begin, end = low.find("<table"), low.rfind("</table>")
            soup = None
            if 0 <= begin < end <= begin + MAX_TABLE:
                with suppress(ParserRejectedMarkup):
                    soup = BeautifulSoup(html[begin:end], "html.parser")
            if soup is None:  # tables of several runs are compared by their places
                tables += [[]] * low.count("<table")
                continue
            for table in innermost(soup, "table"):
                rows = [
                    [cell.get_text(" ", strip=True) for cell in innermost(row, ["td", "th"])]
                    for row in innermost(table, "tr")
                ]
                tables.append([row for row in rows if row])
    return tables


def innermost(element, kinds):
    """Return the elements of some kinds that hold none of these.

    Reading also those around them takes a time that grows with the square of the depth.
    """
    return [found for found in element.find_all(kinds) if found.find(kinds) is None]


def same_tables(of_runs):
    """Yield, for each place, the tables of all runs, if they have one shape and one heading."""
    for tables in zip(*of_runs, strict=False):
        shapes = {tuple(map(len, table)) for table in tables}
        if all(tables) and len(shapes) == 1 and len({tuple(table[0]) for table in tables}) == 1:
            yield tables


def together(cells):
    """Return what the cells of all runs say: their text, or the mean and spread of numbers.

    The spread is the standard deviation between runs, whose sum is divided by one less than their
    number. Of a cell such as "34.3 ± 4.3" the first number counts. Numbers beyond the range of
    floats, such as 1e999, are texts.
    """
    if len(set(cells)) == 1:
        return cells[0]
    different = f"{len(set(cells))} different texts"
    matches = [NUMBER.search(cell) for cell in cells]
    if not all(matches):
        return different
    texts = [match[0].replace(",", "").replace("−", "-") for match in matches]
    values = [float(text) for text in texts]
    if not all(map(isfinite, values)):
        return different
    try:
        mean, spread = fmean(values), stdev(values)
    except OverflowError:
        return different
    places_after = max(len(text.partition(".")[2]) for text in texts)
    if any("e" in text for text in texts):
        return f"{mean:.3g} ± {spread:.1g}"
    return f"{mean:,.{places_after + 1}f} ± {spread:,.{places_after + 1}f}"


def html_table(head, rows):
    """Return a table as HTML."""
    if not rows:
        return ""
    lines = [
        "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in row) + "</tr>"
        for tag, row in [("th", head), *(("td", row) for row in rows)]
    ]
    return f"<table>{''.join(lines)}</table>"
