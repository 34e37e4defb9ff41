"""A reader for YAML files that users write: plain data only, each key once, plain numbers, and not too large."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.text_files import read_text

MAX_BYTES = 2_000_000  # the largest shipped instrument has 30,000


class _StrictLoader(yaml.SafeLoader):
    """Refuses a repeated key, of which YAML would keep the last value. 010, 1_000, 1:30 and .nan are texts, not numbers."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping of a node."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        if repeated:
            raise yaml.constructor.ConstructorError(None, None, f"{', '.join(repeated)} is repeated", node.start_mark)
        return super().construct_mapping(node, deep)


INT, FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in (INT, FLOAT)]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for tag, pattern in (
    (INT, r"[-+]?(0|[1-9][0-9]*)"),
    (FLOAT, r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?"),
):
    _StrictLoader.add_implicit_resolver(tag, re.compile(f"(?:{pattern})\\Z"), list("-+.0123456789"))


def read_yaml(path: Path) -> Any:
    """Read the plain data in a YAML file.

    Raises:
        OSError: if it can't be read.
        ValueError: if it isn't YAML in UTF-8, repeats a key or is too large. The message doesn't name the file.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes; is it the right file?")
    try:
        return yaml.load(read_text(path), _StrictLoader)  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise ValueError(f"it is not UTF-8 YAML ({reason_of(error)})") from error
    except RecursionError:
        raise ValueError("it is not YAML of use here (nested too deep)") from None
