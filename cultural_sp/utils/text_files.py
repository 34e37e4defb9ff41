"""Text that users bring: UTF-8, without byte-order marks."""

from __future__ import annotations

import re
from pathlib import Path

WIDE = "UTF-16 or UTF-32 text"
KINDS = {
    b"PK\x03\x04": "a zipped file such as .xlsx or .ods",
    b"\xd0\xcf\x11\xe0": "an old Office file such as .xls",
    b"$FL2": "an SPSS file (.sav)",
    b"$FL3": "an SPSS file (.zsav)",
    b"<stata_dta>": "a Stata file (.dta)",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF file",
    b"\xff\xfe": WIDE,
    b"\xfe\xff": WIDE,
    b"\0\0\xfe\xff": WIDE,
}
"""First bytes of a file -> what it is."""


def without_marks(text: str) -> str:
    """Return the text without the byte-order mark at its start, or at the start of a line where files were joined."""
    return re.sub(r"(?m)^\ufeff+", "", text)


def read_text(path: Path) -> str:
    """Read a UTF-8 text file, with or without a byte-order mark. Line ends stay as they are.

    Raises:
        OSError: if it can't be read.
        ValueError: if it isn't UTF-8 text; it says what it is. The message doesn't name the file.
    """
    content = path.read_bytes()
    kind = next((kind for start, kind in KINDS.items() if content.startswith(start)), None)
    if kind is not None:
        raise ValueError(f"it is {kind}, not UTF-8 text")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(f"it is not UTF-8 text (line {line}: {error.reason})") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise ValueError(f"it is not UTF-8 text (line {line}: a zero byte, as in {WIDE})")
    return without_marks(text)
