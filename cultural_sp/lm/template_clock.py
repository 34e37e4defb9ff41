"""The date that chat templates show: some read the clock, which would change losses from day to day."""

from __future__ import annotations

import json
from datetime import date

from transformers import PreTrainedTokenizerBase

CLOCK = "strftime_now"
"""The function by which transformers lets a chat template read the clock."""
DIRECTIVES = "CdDFgGHIjmMnStTuUVwWyYeR"
"""Directives of strftime that neither the locale nor the time zone changes."""
UNPADDED = "dHIjmMSUwWye"
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
MACRO = """{%- macro strftime_now(format) -%}{%- set ns = namespace(open=false, flag='') -%}{%- for c in format -%}
{%- if not ns.open and c == '%' -%}{%- set ns.open = true -%}{%- set ns.flag = '' -%}
{%- elif ns.open and c == '-' -%}{%- set ns.flag = '-' -%}
{%- elif ns.open -%}{%- set ns.open = false -%}{{ PARTS[ns.flag ~ c] }}
{%- else -%}{{ c }}{%- endif -%}
{%- endfor -%}{%- endmacro -%}"""
"""The clock that stands still, for the beginning of a template."""
END = "{{ '' }}"
"""End of the clock in a template. A comment or a block there would take the line break that follows."""


def pin_clock(tokenizer: PreTrainedTokenizerBase, template_date: str) -> None:
    """Let the chat templates of a tokenizer show one date; templates that read no clock stay as they are.

    Args:
        tokenizer: is changed, and saved with the date.
        template_date: such as 2024-07-26.
    """
    templates = tokenizer.chat_template
    if isinstance(templates, dict):  # one template a purpose
        tokenizer.chat_template = {name: _pinned(template, template_date) for name, template in templates.items()}
    elif templates is not None:
        tokenizer.chat_template = _pinned(templates, template_date)


def reads_clock(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a chat template of the tokenizer names the clock."""
    return CLOCK in str(tokenizer.chat_template)


def _pinned(template: str, template_date: str) -> str:
    if template.startswith(MACRO.partition("PARTS")[0]):
        template = template.partition(END)[2]
    if CLOCK not in template:
        return template
    parts = json.dumps(date_parts(date.fromisoformat(template_date)))
    return MACRO.replace("PARTS", parts) + END + template


def date_parts(day: date) -> dict[str, str]:
    """Directive of strftime -> its text at the beginning of a day, in English and in universal time."""
    weekday, month = DAYS[day.weekday()], MONTHS[day.month - 1]
    parts = {directive: day.strftime(f"%{directive}") for directive in DIRECTIVES}
    parts |= {f"-{directive}": parts[directive].lstrip("0 ") or "0" for directive in UNPADDED}
    clock, short = "00:00:00", f"{weekday[:3]} {month[:3]} {day.day:2}"
    parts |= {"a": weekday[:3], "A": weekday, "b": month[:3], "h": month[:3], "B": month, "p": "AM", "P": "am"}
    parts |= {"c": f"{short} {clock} {day.year}", "r": "12:00:00 AM", "x": parts["D"], "X": clock}
    seconds = (day - date(1970, 1, 1)).days * 86400
    return parts | {"s": str(seconds), "f": "000000", "z": "", "Z": "", "%": "%"}
