"""From survey items to the questions a model is shown, in every layout, option order and way of scoring."""

from __future__ import annotations

from dataclasses import dataclass

from cultural_sp.survey.instrument import Item, Scale, Survey

ORDERS = ("ascending", "descending")
CONTENT_FREE = "N/A"  # stands in for a question when an option's own likelihood is measured


@dataclass(frozen=True)
class ChatPrompt:
    """One prompt and the answers that are scored behind it."""

    system: str
    user: str
    lead: str
    """Words put into the model's mouth before the answer."""
    options: tuple[str, ...]
    """Answer texts in the order of their codes, whatever order they are shown in."""


@dataclass(frozen=True)
class Administration:
    """The whole survey, once, in one option order: Q questions and, for calibration, one content-free question a scale."""

    order: str
    """``ascending``, ``descending`` or ``none`` when no list of options is shown."""
    questions: tuple[ChatPrompt, ...]
    content_free: tuple[ChatPrompt, ...]
    """Empty without calibration, else one per distinct scale."""
    content_free_of: tuple[int, ...]
    """Per question, the index of its scale in ``content_free``."""


def orders_of(scoring: str, option_order: str) -> tuple[str, ...]:
    """Option orders in which the survey is asked; label scoring shows no list, so it has none."""
    if scoring == "label":
        return ("none",)
    return ORDERS if option_order == "both" else (option_order,)


def render(
    survey: Survey, wording: int, *, scoring: str, layout: str, order: str, calibrate: bool, persona: str = ""
) -> Administration:
    """Render every item of ``survey`` in one wording and one option order.

    Args:
        survey: the instrument.
        wording: index of the wording.
        scoring: ``number`` shows a numbered list and scores the number; ``label`` shows no list and scores the option's text.
        layout: with ``number``, whether the list stands before or after the question.
        order: with ``number``, ``ascending`` lists code 1 first, ``descending`` lists it last.
        calibrate: add content-free questions (only with ``label``).
        persona: system message; empty for the plain model.

    Raises:
        ValueError: with ``number``, if an item has more than nine options; with ``label``, if one label begins another.
    """
    if scoring == "number":
        long = [item.id for item in survey.items if len(item.scale.labels) > 9]
        if long:
            raise ValueError(
                f"survey.scoring=number takes at most 9 options, because 10 begins like 1; {survey.name} has more in "
                f"{', '.join(long)}; use survey.scoring=label"
            )
        questions = [_numbered(item, item.wordings[wording], layout, order, persona) for item in survey.items]
        return Administration(order, tuple(questions), (), ())
    begun = [
        (scale.name, *pair) for scale in dict.fromkeys(item.scale for item in survey.items) for pair in scale.begun()
    ]
    if begun:
        name, label, longer = begun[0]
        raise ValueError(
            f"survey.scoring=label can't tell labels apart of which one begins another, as {label!r} does {longer!r} in scale "
            f"{name} of {survey.name}; name the points in words, or label fewer of them and give their codes"
        )
    questions = [labelled(item.scale, item.wordings[wording], persona) for item in survey.items]
    scales = list(dict.fromkeys(item.scale for item in survey.items)) if calibrate else []
    content_free = [labelled(scale, CONTENT_FREE, persona) for scale in scales]
    index = [scales.index(item.scale) for item in survey.items] if calibrate else []
    return Administration("none", tuple(questions), tuple(content_free), tuple(index))


def _numbered(item: Item, text: str, layout: str, order: str, persona: str) -> ChatPrompt:
    """The list always runs 1, 2, ...; in descending order the number 1 stands for the highest code."""
    labels = item.scale.labels
    shown = labels if order == "ascending" else labels[::-1]
    legend = "\n".join(f"{number} = {label}" for number, label in enumerate(shown, start=1))
    instruction = f"Answer with one number from 1 to {len(labels)}."
    parts = (legend, instruction, text) if layout == "legend_first" else (text, legend, instruction)
    numbers = [str(number) for number in range(1, len(labels) + 1)]
    if order == "descending":
        numbers.reverse()
    return ChatPrompt(persona, "\n\n".join(parts), "", tuple(numbers))


def labelled(scale: Scale, text: str, persona: str) -> ChatPrompt:
    """A question whose answer is scored by the options' own texts; no list is shown."""
    if scale.lead:
        return ChatPrompt(persona, text, scale.lead, tuple(f" {label}" for label in scale.labels))
    return ChatPrompt(persona, text, "", tuple(label[0].upper() + label[1:] for label in scale.labels))
