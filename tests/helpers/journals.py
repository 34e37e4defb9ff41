"""Journals as tests read and write them."""

from cultural_sp.search.journal import read_records
from cultural_sp.utils.json_lines import encode_line


def read_journal(path):
    """The evaluations of a journal, all lines of which must be as written."""
    return list(read_records(path))


def write_lines(path, records):
    """Write records, each with its checksum."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(map(encode_line, records)))
    return path
