"""Tables that users bring: CSV in UTF-8 with commas and a line of column names. Nothing in them is guessed."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cultural_sp.utils.numbers import number
from cultural_sp.utils.text_files import read_text

FORM = "save it as CSV in UTF-8 with commas"
SPACES = " \t\r\n"
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
Line = tuple[int, list[str]]


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    where: str
    """Name of the table and line of the row, for messages."""
    cells: Mapping[str, str]
    """Column -> text without spaces around it."""

    def __getitem__(self, column: str) -> str:
        """Return the text of a cell."""
        return self.cells[column]

    def number(self, column: str) -> float | None:
        """Return the number in a cell; None if it is empty.

        Raises:
            ValueError: if it isn't a plain number.
        """
        return number(self[column], f"{self.where}, column {column}") if self[column] else None

    def require(self, columns: Sequence[str]) -> None:
        """Refuse an empty cell in one of the columns.

        Raises:
            ValueError: naming the cell.
        """
        for column in columns:
            if not self[column]:
                raise ValueError(f"{self.where}, column {column}: the cell is empty; give a text, or delete the row")


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path, name: str) -> Table:
    """Read a CSV file whose first line names the columns. Empty rows at its end are left out, and so are lines without a cell.

    Args:
        path: the file.
        name: key and file for messages, such as ``answers=people.csv``.

    Raises:
        ValueError: naming the line, if the file isn't such a table: another format, a column without a name or twice, a row
            with more or fewer fields than there are columns.
    """
    try:
        text = read_text(path)
    except OSError as error:
        raise ValueError(f"{name} can't be read ({error.strerror}); give a CSV file") from error
    except ValueError as error:
        raise ValueError(f"{name} can't be read: {error}; {FORM}") from error
    _refuse_other_separators(text, name)
    lines = list(_lines(text, name))
    while lines and not any(lines[-1][1]):
        del lines[-1]
    if not lines:
        raise ValueError(f"{name} is empty; give a CSV file with a line of column names")
    (at, names), *rows = lines
    for line, cells in rows:
        if len(cells) != len(names):
            raise ValueError(
                f"{name}, line {line}: {len(names)} fields expected, one per column, but it has {len(cells)}; put a text with "
                "commas in quotes, and write numbers with a decimal point"
            )
    columns = _columns(names, rows, f"{name}, line {at}")
    return Table(
        columns, tuple(Row(f"{name}, line {line}", dict(zip(columns, cells, strict=False))) for line, cells in rows)
    )


def refuse_repeated(rows: Sequence[Row], columns: Sequence[str]) -> None:
    """Refuse two rows with the same texts in these columns.

    Raises:
        ValueError: naming both.
    """
    first: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = tuple(row[column] for column in columns)
        if key in first:
            said = ", ".join(f"{column}={text}" for column, text in zip(columns, key, strict=True))
            raise ValueError(f"{row.where} repeats {first[key].where}: {said}; leave one of them out")
        first[key] = row


def _refuse_other_separators(text: str, name: str) -> None:
    head = re.sub(r'"[^"]*"', "", re.split(r"[\r\n]", text.lstrip(SPACES), maxsplit=1)[0])
    found = [word for separator, word in SEPARATORS.items() if separator in head]
    if found and "," not in head:
        raise ValueError(f"{name} has its columns between {found[0]}, but commas are expected; {FORM}")


def _lines(text: str, name: str) -> Iterator[Line]:
    """Yield the number of every line with cells, and the cells; a quoted cell may go on over several lines."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        at = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ValueError(f"{name}, line {at}: {error}; check the quotes") from error
        if cells:
            yield at, [cell.strip(SPACES) for cell in cells]


def _columns(names: Sequence[str], rows: Sequence[Line], where: str) -> tuple[str, ...]:
    """Check the names of the columns and return them, without empty columns at the end."""
    width = len(names)
    while not names[width - 1] and not any(any(cells[width - 1 :]) for _, cells in rows):
        width -= 1
    columns = tuple(names[:width])
    if "" in columns:
        raise ValueError(f"{where}: column {columns.index('') + 1} has no name; give it one, or delete the column")
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        places = [str(i + 1) for i, column in enumerate(columns) if column == twice[0]]
        raise ValueError(f"{where}: columns {' and '.join(places)} are both {twice[0]}; leave one of them out")
    return columns
