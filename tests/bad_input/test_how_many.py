"""How much malformed input there is, so that nothing gets lost unseen."""

import test_bad_configs as configs
import test_bad_models as models
import test_bad_overrides as overrides
import test_bad_runs as runs
import test_bad_surveys as surveys

GROUPS = {
    "overrides and entry points": [overrides.CASES],
    "options of one's own": [configs.CASES],
    "surveys and other texts": [surveys.CASES],
    "run folders": [runs.JOURNALS, runs.FILES, runs.SOURCES, runs.PLACES, runs.CLOSED],
    "models": [models.MODELS, models.ADAPTERS, models.PROMPTS, models.GGUF, models.NAMES],
}


def test_there_are_hundreds_of_malformed_cases():
    counts = {name: sum(map(len, parts)) for name, parts in GROUPS.items()}
    assert all(count >= 75 for count in counts.values()), counts
    assert sum(counts.values()) >= 650, counts
