"""An optimizer, a readout, a search space and an initialiser from outside of the package take part in a run."""

import json

import numpy as np
import pytest
from helpers.journals import read_journal
from helpers.runs import call, folder_of

from cultural_sp.config.registries import (
    INITIALISERS,
    OPTIMIZERS,
    READOUTS,
    REGISTRIES,
    SPACES,
    Entry,
    OptimizerEntry,
    ReadoutEntry,
    SpaceEntry,
    load_object,
)
from cultural_sp.search.space import Full


@pytest.mark.parametrize("key", REGISTRIES)
def test_every_factory_is_there(key):
    for name, entry in REGISTRIES[key].items():
        assert callable(load_object(entry.factory)), name
        assert entry.label


class Walk:
    """An optimizer: every candidate is a step further along all coordinates."""

    def __init__(self, config, dim):
        self.generation_size, self.dim, self.asked = config.population, dim, 0

    def ask(self, n):
        steps = np.arange(self.asked, self.asked + n, dtype=float)
        self.asked += n
        return np.repeat(steps[:, None] / 100, self.dim, axis=1)

    def tell(self, losses, scores=None):
        pass

    def offer(self, z, losses, scores=None):
        pass


def lowest(n_respondents, seed):
    """A readout: always the lowest code of every item."""
    return lambda log_probs, codes: np.broadcast_to(np.nanmin(codes, axis=-1), log_probs.shape[:-1]).astype(float)


def doubled(config, lm):
    """A search space: every coordinate, two units a step."""
    return Full(INITIALISERS[config.soft_prompt.init].make(config.soft_prompt, lm, None), 2.0)


def zeros(config, lm, rng):
    """An initialiser."""
    return np.zeros((config.n_tokens, lm.hidden_size), dtype=np.float32)


@pytest.fixture
def entries(monkeypatch):
    monkeypatch.setitem(OPTIMIZERS, "walk", OptimizerEntry(Walk, "walk"))
    monkeypatch.setitem(READOUTS, "lowest", ReadoutEntry(lowest, "lowest code"))
    monkeypatch.setitem(SPACES, "doubled", SpaceEntry(doubled, "every coordinate, two units a step"))
    monkeypatch.setitem(INITIALISERS, "zeros", Entry(zeros, "zeros"))


OVERRIDES = (
    "optimizer.kind=walk",
    "optimizer.f1=null",
    "optimizer.f2=null",
    "optimizer.crossover=null",
    "readout.kind=lowest",
    "soft_prompt.space=doubled",
    "soft_prompt.init=zeros",
    "validity=false",
)


@pytest.mark.usefixtures("entries", "no_figures")
def test_one_of_each_from_outside_takes_part_in_a_run(monkeypatch, capsys, tmp_path, short_run):
    code, out, err = call(monkeypatch, capsys, *short_run, *OVERRIDES, f"output_dir={tmp_path}")
    assert code == 0, err
    assert "aligned (walk)" in out
    records = read_journal(folder_of(tmp_path) / "evaluations.jsonl")
    searched = [record for record in records if record["search"] == "aligned"]
    assert [record["z"] for record in searched[:3]] == [[i / 100] * (3 * 32) for i in range(3)]
    assert len({record["loss"] for record in searched}) == 1
    result = json.loads((folder_of(tmp_path) / "result.json").read_text())
    loss = {row["loss"] for row in result["scores"] if row["readout"] == "lowest" and row["wording"] == "tuned"}
    assert len(loss) == 2  # the midpoint respondent's, and one for all others


@pytest.mark.usefixtures("entries")
def test_an_unknown_name_lists_those_from_outside_too(monkeypatch, capsys, tmp_path):
    for override, names in (("optimizer.kind=x", "random, walk"), ("soft_prompt.init=x", "file, zeros")):
        code, _, err = call(monkeypatch, capsys, override, f"output_dir={tmp_path}")
        assert code == 2
        assert err.rstrip().endswith(names)
