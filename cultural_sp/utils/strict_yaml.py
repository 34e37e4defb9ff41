"""A reader for YAML files that users write: plain data only, each key once, and not too large."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from cultural_sp.utils.errors import reason_of

MAX_BYTES = 2_000_000  # the largest shipped instrument has 30,000


class _StrictLoader(yaml.SafeLoader):
    """Refuses a repeated key. YAML would keep the last value and drop the others."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Return the mapping of a node."""
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        if repeated:
            raise yaml.constructor.ConstructorError(None, None, f"{', '.join(repeated)} is repeated", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> Any:
    """Read the plain data in a YAML file.

    Raises:
        OSError: if it can't be read.
        ValueError: if it isn't YAML in UTF-8, repeats a key or is too large. The message doesn't name the file.
    """
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes; is it the right file?")
    try:
        return yaml.load(path.read_text(encoding="utf-8-sig"), _StrictLoader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"it is not UTF-8 YAML ({reason_of(error)})") from error
    except RecursionError:
        raise ValueError("it is not YAML of use here (nested too deep)") from None
