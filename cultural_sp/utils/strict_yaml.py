"""YAML files that users write: read safely, without a size or depth that stalls the program, and with every key only once."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from cultural_sp.utils.errors import reason_of

LARGEST = 2_000_000  # bytes; the largest shipped instrument has 30,000


class _Strict(yaml.SafeLoader):
    """Plain data only; a key that is repeated is refused, where YAML would keep the last and drop the others."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping of a node."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"{', '.join(twice)} is repeated", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """The plain data in a YAML file.

    Raises:
        OSError: if it can't be read.
        ValueError: in one line without the file's name, if it isn't YAML in UTF-8, if a key is repeated or if it is too large.
    """
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it has more than {LARGEST:,} bytes; is it the right file?")
    try:
        return yaml.load(path.read_text(encoding="utf-8-sig"), _Strict)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"it is not UTF-8 YAML ({reason_of(error, 300)})") from error
    except RecursionError:
        raise ValueError("it is not YAML of use here (nested too deep)") from None
