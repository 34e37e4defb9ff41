import pytest

from cultural_sp.search import surrogate


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch):
    """The evolution on a surrogate is what takes time there; for the functions of these tests a part of it is enough."""
    monkeypatch.setattr(surrogate, "ROUNDS", 12)
