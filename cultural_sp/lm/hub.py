"""Whether the Hugging Face hub answers, asked before a download whose own retries take a minute. Loads no torch."""

from __future__ import annotations

from huggingface_hub import constants, get_session, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError


def reachable() -> bool:
    """Whether anything answers at the hub's address within ``HF_HUB_ETAG_TIMEOUT`` seconds; never with ``HF_HUB_OFFLINE=1``."""
    try:
        get_session().head(constants.ENDPOINT, timeout=constants.HF_HUB_ETAG_TIMEOUT)
    # Of no name, cut off, refused, offline mode: the class differs between versions of the hub's client.
    except Exception:
        return False
    return True


def missing(repo: str, revision: str | None = None) -> bool:
    """Whether the cache lacks the model; False for what can't be a hub id, of which the loading program says so itself."""
    try:
        return not isinstance(try_to_load_from_cache(repo, "config.json", revision=revision), str)
    except HFValidationError:
        return False
