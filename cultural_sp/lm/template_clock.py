"""The date that chat templates show: some read the clock, which would change losses from day to day."""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime
from typing import Any

from transformers import PreTrainedTokenizerBase

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
CLOCK = "strftime_now"
"""The function that transformers gives to chat templates."""


class PinnedClock:
    """A template's :data:`CLOCK` that stands at the beginning of one day. It speaks English in every locale and time zone."""

    def __init__(self, day: date) -> None:
        """Stop at midnight."""
        self._now = datetime(day.year, day.month, day.day)
        weekday, month = DAYS[day.weekday()], MONTHS[day.month - 1]
        clock = "00:00:00"
        self._local = {  # what strftime takes from the locale or the time zone
            **{"a": weekday[:3], "A": weekday, "b": month[:3], "h": month[:3], "B": month, "p": "AM", "P": "am"},
            **{"c": f"{weekday[:3]} {month[:3]} {day.day:2} {clock} {day.year}", "r": "12:00:00 AM"},
            **{"x": f"{day:%m/%d/%y}", "X": clock, "s": str(calendar.timegm(self._now.timetuple())), "z": "", "Z": ""},
        }

    def __call__(self, format: str) -> str:
        """Return the moment in a format of :meth:`datetime.datetime.strftime`."""
        return re.sub(r"%[-_0^#EO]*([A-Za-z%])", self._part, format)

    def _part(self, directive: re.Match[str]) -> str:
        text = self._local.get(directive[1])
        return self._now.strftime(directive[0]) if text is None else text


def template_arguments(
    tokenizer: PreTrainedTokenizerBase, arguments: dict[str, Any], template_date: str
) -> dict[str, Any]:
    """Return the arguments of a tokenizer's chat template, with a pinned clock if it reads one.

    Args:
        tokenizer: the model's tokenizer.
        arguments: ``model.chat_template_args``.
        template_date: ``model.template_date``, such as 2024-07-26.
    """
    if CLOCK not in str(tokenizer.chat_template):  # some tokenizers refuse arguments they don't know
        return dict(arguments)
    return {CLOCK: PinnedClock(date.fromisoformat(template_date)), **arguments}
