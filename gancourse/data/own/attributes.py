"""Lists of attributes: for each picture, which of several things are true of it.

Two forms are read: a table, ``attributes.csv``, ::

    name,Red,Round
    1.jpg,1,0

and that of CelebA, ``list_attr_celeba.txt``: the number of pictures, the names of the attributes,
then a line for each picture with 1 and -1. ``list_attr_celeba.csv``, as CelebA is also passed on,
is a table.
"""

import csv
from collections import Counter

import numpy as np

from gancourse.errors import DataError

TABLE = "attributes.csv"
YES_AND_NO = ({"1", "0"}, {"1", "-1"})


def is_list(name):
    """Return whether a file's name is that of a list of attributes."""
    name = name.lower()
    return name == TABLE or (name.startswith("list_attr") and name.endswith((".txt", ".csv")))


def read(path):
    """Read a list of attributes in one of the two forms.

    Parameters
    ----------
    path : pathlib.Path

    Returns
    -------
    names : numpy.ndarray of str, (N,)
        The pictures' files.
    attribute_names : tuple of str
    attributes : bool numpy.ndarray, (N, number of attributes)

    Raises
    ------
    DataError
        If it cannot be read, a picture stands in it twice, an attribute has the name of another,
        or a value is neither yes nor no.
    """
    try:
        found = read_attributes(path) if path.suffix.lower() == ".txt" else read_table(path)
    except UnicodeDecodeError as problem:
        raise DataError(f"{path} is not in UTF-8 ({problem}): save it as UTF-8") from problem
    except (OSError, csv.Error) as problem:
        raise DataError(f"{path} cannot be read: {problem}") from problem
    names, attribute_names, _ = found
    for what, some in (("picture", names), ("attribute", attribute_names)):
        name, count = Counter(some).most_common(1)[0] if len(some) else ("", 0)
        if count > 1:
            raise DataError(f"{path} has the {what} {str(name)!r} {count} times: leave one of them")
    return found


def read_table(path):
    """Read attributes.csv: a header, then a line for each picture with 1 and 0, or 1 and -1.

    Returns
    -------
    tuple
        See :func:`read`.

    Raises
    ------
    DataError
        With the number of the first line that is wrong.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        header = file.readline()
        separator = max(",;\t", key=header.count)  # spreadsheets write what their country uses
        file.seek(0)
        rows = [(line, row) for line, row in enumerate(csv.reader(file, delimiter=separator), 1)]
    rows = [(line, [cell.strip() for cell in row]) for line, row in rows if any(row)]
    if len(rows) < 2 or len(rows[0][1]) < 2:
        raise DataError(
            f"{path} should have a line name,Attribute1,Attribute2 and then one for each picture, "
            f"such as 1.jpg,1,0. It has {len(rows):,} lines."
        )
    (_, header), rows = rows[0], rows[1:]
    if not all(header[1:]) or set(header[1:]) <= {"0", "1", "-1"}:
        raise DataError(
            f"{path} should begin with the names of its columns, name,Attribute1,Attribute2, not "
            f"with {','.join(header)}"
        )
    values = {value for _, row in rows for value in row[1:]}
    for line, row in rows:
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {line}: {len(row)} values, but the first line names {len(header)}"
            )
        if not any(values <= pair for pair in YES_AND_NO):
            odd = [value for value in row[1:] if value not in ("0", "1")]
            if odd:
                raise DataError(
                    f"{path}, line {line}: {odd[0]!r} is neither 0 nor 1. Write 1 for yes and 0 "
                    "for no; or -1 for no, everywhere."
                )
    table = np.array([row for _, row in rows])
    return table[:, 0], tuple(header[1:]), table[:, 1:] == "1"


def read_attributes(path):
    """Read the list of CelebA: a count, the attributes' names, then a line for each picture.

    Returns
    -------
    tuple
        See :func:`read`.

    Raises
    ------
    DataError
        If the lines do not fit the count, the names, or the values 1 and -1.
    """
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    count, header, rows = lines[:1], lines[1:2], lines[2:]
    if not rows or count[0].strip() != str(len(rows)):
        raise DataError(
            f"{path} should begin with the number of its pictures, and has {len(rows):,} of them "
            f"after {count[0]!r}. It is cut off, or another list."
            if count
            else f"{path} is empty"
        )
    attribute_names = tuple(header[0].split())
    try:
        for row in rows:
            name, *values = row.split()
            if len(values) != len(attribute_names):
                raise ValueError(f"{name!r} has {len(values)}")
        values = np.loadtxt(
            rows, np.int8, usecols=range(1, 1 + len(attribute_names)), ndmin=2, comments=None
        )
    except ValueError as problem:
        raise DataError(
            f"{path} has another number of values than its {len(attribute_names)} attributes, or "
            f"words among them: {problem}"
        ) from problem
    if not np.isin(values, (-1, 1)).all():
        raise DataError(f"{path} has values other than 1 and -1")
    return np.array([row.split(None, 1)[0] for row in rows]), attribute_names, values == 1
