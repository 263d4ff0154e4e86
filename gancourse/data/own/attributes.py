"""Lists of attributes: which attributes each picture has.

Two forms are read: a table, ``attributes.csv``, ::

    name,Red,Round
    1.jpg,1,0

and that of CelebA, ``list_attr_celeba.txt``: the number of pictures, the names of the attributes,
then a line for each picture with 1 and -1. ``list_attr_celeba.csv``, a form in which others publish
CelebA, is a table.
"""

import csv
import re
import stat
from collections import Counter
from contextlib import contextmanager
from itertools import takewhile

import numpy as np

from gancourse.data.own.files import MOST_FILES, shown
from gancourse.errors import DataError

TABLE = "attributes.csv"
MOST_BYTES = 64_000_000  # twice the list of CelebA
MOST_LINES = MOST_FILES + 100  # a line for each picture that a folder can have
LONGEST = 1_000_000  # characters of a row: some 1,000 attributes have 3,000
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
    names : list of str
        The pictures' files, N of them.
    attribute_names : tuple of str
    attributes : bool numpy.ndarray, (N, number of attributes)

    Raises
    ------
    DataError
        If it cannot be read, has too many or too long lines, names a picture or an
        attribute twice, or has other values.
    """
    with readable(path, "the attributes", MOST_BYTES, "Leave out pictures or attributes."):
        found = read_attributes(path) if path.suffix.lower() == ".txt" else read_table(path)
    names, attribute_names, _ = found
    for what, some in (("picture", names), ("attribute", attribute_names)):
        name, count = Counter(some).most_common(1)[0] if len(some) else ("", 0)
        if count > 1:
            raise DataError(f"{path} has the {what} {shown(name)!r} {count} times: leave one")
    return found


@contextmanager
def readable(path, content, most, remedy):
    """Refuse what is no file or too large; raise a DataError for what fails in a ``with`` block.

    Parameters
    ----------
    path : pathlib.Path
    content : str
        What belongs there, for the message.
    most : int
        Bytes.
    remedy : str
        What to do about a larger file.
    """
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):  # opening a pipe would wait for ever
            raise DataError(f"{path} is no file. Remove it, or write {content} there.")
        if facts.st_size > most:
            raise DataError(
                f"{path} has {facts.st_size / 1e6:,.0f} MB, and the limit is "
                f"{most / 1e6:.0f} MB. {remedy}"
            )
        yield
    except UnicodeDecodeError as problem:
        raise DataError(f"{path} is not in UTF-8 ({problem}): save it as UTF-8") from problem
    except (OSError, csv.Error) as problem:
        raise DataError(f"{path} cannot be read: {problem}") from problem


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
        rows = cells_of(file)
        _, header = next(rows, (0, []))
        unnamed = DataError(
            f"{path} should begin with the names of its columns, name,Attribute1,Attribute2, not "
            f"with {shown(','.join(header))}"
        )
        cells = len(header)
        while header and not header[-1]:  # spreadsheets end lines with empty cells
            header.pop()
        wide, names, table, found, odd = len(header), [], bytearray(), set(), None
        if wide > 1 and (not all(header[1:]) or set(header[1:]) <= {"0", "1", "-1"}):
            raise unnamed
        for line, row in rows if wide > 1 else ():
            if any(row[wide:cells]):
                raise unnamed
            if len(row) < wide or any(row[cells:]):
                raise DataError(
                    f"{path}, line {line}: {len(row)} values, but the first line names {wide}"
                )
            name, values = row[0], row[1:wide]
            odd = odd or next(((line, v) for v in values if v not in ("0", "1")), None)
            found |= {*values}
            names.append(name)
            table += bytes(value == "1" for value in values)
    if not names:
        raise DataError(
            f"{path} should have a line name,Attribute1,Attribute2 and then one for each picture, "
            "such as 1.jpg,1,0; it has no such lines"
        )
    if not any(found <= pair for pair in YES_AND_NO):
        line, value = odd
        raise DataError(
            f"{path}, line {line}: {shown(value)!r} is neither 0 nor 1. Write 1 for yes and 0 "
            "for no; or -1 for no, everywhere."
        )
    return names, tuple(header[1:]), _flags(table, len(names))


def cells_of(file):
    """Yield the number and the cells of each line that is not empty."""
    header = file.readline(LONGEST)
    if header.lower().startswith("sep=") and len(header) > 4:  # a word to spreadsheets
        separator = header[4]
    else:
        # Where a comma stands before decimals, spreadsheets separate cells by semicolons.
        separator = max(",;\t", key=re.sub('"[^"]*"', "", header).count)
        file.seek(0)
    length = 0

    def lines():
        nonlocal length
        for line in _lines(file):
            length += len(line)  # a cell in quotes may hold ends of lines
            if length > LONGEST:
                raise csv.Error(_too_long(reader.line_num + 1))
            yield line

    reader = csv.reader(lines(), delimiter=separator)
    for row in reader:
        length = 0
        if any(cell.strip() for cell in row):
            yield reader.line_num, [cell.strip() for cell in row]


def _lines(file):
    """Yield the lines of a file; raise csv.Error if they are too many or too long."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if number > MOST_LINES:
            raise csv.Error(
                f"it has more than {MOST_LINES:,} lines, which is the limit. Leave out pictures, "
                "or empty lines."
            )
        if len(line) > LONGEST:
            raise csv.Error(_too_long(number))
        yield line


def _too_long(number):
    return (
        f"its row in line {number:,} has more than {LONGEST:,} characters, which is the limit. "
        "Leave out attributes."
    )


def read_attributes(path):
    """Read the list of CelebA: a count, the attributes' names, then a line for each picture.

    The last columns are the values; what stands before them is the name, with its blanks.

    Returns
    -------
    tuple
        See :func:`read`.

    Raises
    ------
    DataError
        If the lines do not fit the count, the names, or the values 1 and -1.
    """
    with open(path, encoding="utf-8-sig") as file:
        lines = [line for line in _lines(file) if line.strip()]
    count, header, rows = lines[:1], lines[1:2], lines[2:]
    if not rows or count[0].strip() != str(len(rows)):
        raise DataError(
            f"{path} should begin with the number of its pictures, {len(rows):,}, not with "
            f"{shown(count[0].strip())!r}. It is cut off, or of another form."
            if count
            else f"{path} is empty"
        )
    attribute_names, names, table = tuple(header[0].split()), [], bytearray()
    wide = len(attribute_names)
    for row in rows:
        words = row.split()
        values = list(takewhile(YES_AND_NO[1].__contains__, reversed(words[1:])))[::-1]
        if len(values) != wide:
            name = shown(row.strip().rsplit(None, len(values))[0])
            raise DataError(
                f"{path} names {wide} attributes, but {name!r} has {len(values)}. Write the "
                "picture's name and 1 or -1 for each attribute in each line."
            )
        names.append(row.strip().rsplit(None, wide)[0])
        table += bytes(value == "1" for value in values)
    return names, attribute_names, _flags(table, len(names))


def _flags(table, count):
    """Return bytes of 0 and 1 as bool (count, number of attributes)."""
    return np.frombuffer(bytes(table), bool).reshape(count, -1)
