"""Records that are stored as JSON and read back strictly."""

from __future__ import annotations

from typing import TypeVar

Record = TypeVar("Record")


def strict(schema: type[Record]) -> type[Record]:
    """Make pydantic refuse unknown fields and numbers that are not finite."""
    schema.__pydantic_config__ = {"extra": "forbid", "allow_inf_nan": False}  # type: ignore[attr-defined]
    return schema


def read_record(schema: type[Record], text: str | bytes) -> Record:
    """Read a record of this module from JSON. Every field must have its type, no field may be unknown, all numbers are finite.

    Raises:
        ValueError: if the text is no such record; it names the first wrong field.
    """
    from pydantic import TypeAdapter, ValidationError  # imported here because it takes a while

    try:
        return TypeAdapter(schema).validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}" if place else first["msg"]) from error
