"""Checks answers before a factor analysis, and refuses those that would make its numbers wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from cultural_sp.utils.errors import reason_of

MAX_NAMES = 8  # item names in a message


@dataclass(frozen=True)
class MeasurementModel:
    """Which items measure which dimension, and the sign of each loading."""

    signs: Mapping[str, Mapping[str, float]]
    """Dimension -> item -> a number with the sign of the loading."""

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the K dimensions."""
        return tuple(self.signs)

    @property
    def items(self) -> tuple[str, ...]:
        """The Q items that measure a dimension, in order."""
        return tuple(dict.fromkeys(item for of in self.signs.values() for item in of))

    def check(self) -> None:
        """Check that answers can determine the parameters.

        Raises:
            ValueError: if they can't.
        """
        thin = [d for d, items in self.signs.items() if len(items) < 2]
        if thin:
            raise ValueError(
                f"dimension {name_list(thin)} has a single item, which can't tell a factor from its error; give it two or more"
            )
        if len(self.signs) == 1 and len(self.items) < 3:
            raise ValueError(
                f"one dimension with {len(self.items)} items is not identified; give it at least three items"
            )


def complete_answers(
    answers: pd.DataFrame, items: Sequence[str], of: str = "answers"
) -> tuple[pd.DataFrame, list[str]]:
    """Return the respondents who answered every item, and notes on those who are left out.

    Args:
        answers: one row per respondent, one column per item; NaN for a missing answer.
        items: the columns to use.
        of: name of the answers in messages.

    Raises:
        ValueError: if an item has no column, a column doesn't hold numbers, or nobody answered every item.
    """
    lacking = [item for item in items if item not in answers.columns]
    if lacking:
        raise ValueError(f"{of}: no column for item {name_list(lacking)}; give one column per item of the survey")
    try:
        numbers = answers[list(items)].astype(float)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{of}: answers must be numbers, empty where missing ({reason_of(error)})") from error
    numbers = numbers.where(np.isfinite(numbers))
    complete = numbers.dropna()
    if complete.empty:
        missing = [item for item in items if numbers[item].isna().all()] or list(items)
        raise ValueError(f"{of}: no respondent answered every item; nobody or too few answered {name_list(missing)}")
    left_out = len(numbers) - len(complete)
    notes = []
    if left_out:
        worst = numbers.isna().sum().sort_values(ascending=False)
        worst = worst[worst > 0]
        notes.append(
            f"{left_out} of {len(numbers)} respondents have missing answers and are left out (most often missing: "
            f"{name_list([f'{item} ({count})' for item, count in worst.items()])})"
        )
    return complete, notes


def check_answers(answers: pd.DataFrame, of: str = "answers") -> None:
    """Check that the covariance matrix of answers has an inverse, which every statistic of a factor analysis needs.

    Args:
        answers: complete answers [R, Q].
        of: name of the answers in messages.

    Raises:
        ValueError: if an answer is missing, an item has no variance, there are no more respondents than items, or an item
            follows exactly from others.
    """
    if answers.isna().to_numpy().any():
        raise ValueError(
            f"{of}: {int(answers.isna().to_numpy().sum())} answers are missing; leave their respondents out first"
        )
    values = answers.to_numpy(dtype=float)
    spread = values.std(axis=0)
    constant = [str(item) for item, s in zip(answers.columns, spread, strict=True) if s < 1e-9]
    if constant:
        raise ValueError(
            f"{of}: everybody gives the same answer to {name_list(constant)}; an item without variance has no loading, so leave "
            "it out or ask respondents who differ"
        )
    n_respondents, n_items = values.shape
    if n_respondents <= n_items:
        raise ValueError(
            f"{of}: {n_respondents} respondents for {n_items} items; a covariance matrix of {n_items} items needs more than "
            f"{n_items} respondents, and its factors several times as many"
        )
    sizes, directions = np.linalg.eigh(np.corrcoef(values, rowvar=False))
    if sizes[0] < 1e-8:
        bound = [
            str(item) for item, share in zip(answers.columns, np.abs(directions[:, 0]), strict=True) if share > 0.05
        ]
        raise ValueError(
            f"{of}: the covariance matrix is singular, since of the items {name_list(bound)} one follows from the others; "
            "leave one of them out"
        )


def name_list(names: Sequence[str]) -> str:
    """Return the first names as a list for a message, and how many follow."""
    more = len(names) - MAX_NAMES
    return ", ".join(names[:MAX_NAMES]) + (f" and {more} more" if more > 0 else "")
