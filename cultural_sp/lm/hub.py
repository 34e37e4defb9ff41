"""A quick test of the Hugging Face hub: offline, the retries of a download take a minute. Loads no torch."""

from __future__ import annotations

from huggingface_hub import constants, get_session, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError


def reachable() -> bool:
    """Whether the hub answers within ``HF_HUB_ETAG_TIMEOUT`` seconds; never with ``HF_HUB_OFFLINE=1``."""
    try:
        get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    # Any error: its class differs between versions of the hub's client.
    except Exception:
        return False
    return True


def missing(repo: str, revision: str | None = None) -> bool:
    """Whether the cache lacks the model; False for a text that can't be a hub id, which loading refuses."""
    try:
        return not isinstance(try_to_load_from_cache(repo, "config.json", revision=revision), str)
    except HFValidationError:
        return False
