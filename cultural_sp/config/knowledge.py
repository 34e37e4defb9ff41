"""Which knowledge questions a run asks."""

from __future__ import annotations

from dataclasses import dataclass

from cultural_sp.config.checks import one_of


@dataclass
class KnowledgeConfig:
    """Which questions on cultural knowledge are asked at the end of a run; they play no part in the search."""

    kind: str = "none"
    """none, own (our own questions) or culturalbench."""
    source: str = ""
    """Of culturalbench: hub id, or a folder with its CSV or parquet files; of own: another file of that form, empty for ours."""
    revision: str | None = None
    """Branch, tag or commit on the hub."""
    countries: list[str] | None = None
    """Names of the countries asked about, as the set has them; null for all."""

    def __post_init__(self) -> None:
        """Check choices."""
        one_of("knowledge.kind", self.kind, ("none", "own", "culturalbench"))
        if self.kind == "culturalbench" and not self.source:
            raise ValueError("knowledge.source is empty; give a hub id or a folder, or choose knowledge=culturalbench")
        if self.countries == []:
            raise ValueError("knowledge.countries is empty; give names, null for all, or choose knowledge=none")
        useless = [key for key in ("source", "revision", "countries") if getattr(self, key)]
        if self.kind == "none" and useless:
            raise ValueError(
                f"knowledge.{useless[0]}={getattr(self, useless[0])} does not go with knowledge.kind=none; choose "
                "knowledge=own or knowledge=culturalbench"
            )
