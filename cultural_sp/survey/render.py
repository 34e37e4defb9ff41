"""From survey items to chat prompts, in every layout, option order and way of scoring."""

from __future__ import annotations

from dataclasses import dataclass

from cultural_sp.survey.instrument import Item, Scale, Survey

ORDERS = ("ascending", "descending")
CONTENT_FREE = "N/A"
"""Replaces the question when the likelihood of an option itself is measured (calibration)."""


@dataclass(frozen=True)
class ChatPrompt:
    """A chat prompt and the answers that are scored after it."""

    system: str
    user: str
    lead: str
    """First words of the answer, given to the model."""
    options: tuple[str, ...]
    """Answer texts in the order of their codes, also where they are listed in another order."""


@dataclass(frozen=True)
class Administration:
    """The whole survey in one option order: Q questions and, for calibration, one content-free question per scale."""

    order: str
    """``ascending``, ``descending`` or ``none`` when no list of options is shown."""
    questions: tuple[ChatPrompt, ...]
    content_free: tuple[ChatPrompt, ...]
    """Empty without calibration, else one per distinct scale."""
    content_free_of: tuple[int, ...]
    """Per question, the index of its scale in ``content_free``."""


@dataclass(frozen=True)
class Rendering:
    """How items are shown, and which text of an option is scored."""

    scoring: str
    """``number`` shows a numbered list and scores the number; ``list`` lists the options in words and scores the option's text as
    the whole answer; ``label`` shows no list and scores the option's text behind the first words of the answer."""
    layout: str = "question_first"
    """With a list: ``legend_first`` or ``question_first``."""
    order: str = "none"
    """With a list: ``ascending`` lists code 1 first, ``descending`` lists it last."""
    calibrate: bool = False
    """With ``label`` and ``list``: add one content-free question per scale."""


def orders_of(scoring: str, option_order: str) -> tuple[str, ...]:
    """Option orders in which the survey is asked; label scoring shows no list, so it has none."""
    if scoring == "label":
        return ("none",)
    return ORDERS if option_order == "both" else (option_order,)


def render(survey: Survey, wording: int, rendering: Rendering, persona: str = "") -> Administration:
    """Render every item of a survey in one wording and one option order.

    Args:
        survey: the instrument.
        wording: index of the wording.
        rendering: scoring, layout, order and calibration.
        persona: system message; empty for the plain model.

    Raises:
        ValueError: with ``number``, if an item has more than nine options; otherwise, if one label begins another.
    """
    if rendering.scoring == "number":
        long = [item.id for item in survey.items if len(item.scale.labels) > 9]
        if long:
            raise ValueError(
                f"survey.scoring=number takes at most 9 options, because 10 begins like 1; {survey.name} has more in "
                f"{', '.join(long)}; use survey.scoring=label"
            )
        questions = [_numbered(item, item.wordings[wording], rendering, persona) for item in survey.items]
        return Administration(rendering.order, tuple(questions), (), ())
    scales = list(dict.fromkeys(item.scale for item in survey.items))
    ambiguous = [(scale.name, *pair) for scale in scales for pair in scale.begun()]
    if ambiguous:
        name, label, longer = ambiguous[0]
        raise ValueError(
            f"survey.scoring={rendering.scoring} can't tell labels apart of which one begins another, as {label!r} does "
            f"{longer!r} in scale {name} of {survey.name}; name the points in words, or label fewer of them and give their codes"
        )

    def ask(scale: Scale, text: str) -> ChatPrompt:
        if rendering.scoring == "list":
            return _listed(scale, text, rendering, persona)
        return labelled(scale, text, persona)

    questions = [ask(item.scale, item.wordings[wording]) for item in survey.items]
    if not rendering.calibrate:
        return Administration(rendering.order, tuple(questions), (), ())
    content_free = [ask(scale, CONTENT_FREE) for scale in scales]
    index = [scales.index(item.scale) for item in survey.items]
    return Administration(rendering.order, tuple(questions), tuple(content_free), tuple(index))


def _numbered(item: Item, text: str, rendering: Rendering, persona: str) -> ChatPrompt:
    """A question with a list that runs 1, 2, ...; in descending order the number 1 stands for the highest code."""
    labels = item.scale.labels
    listed = _in_order(labels, rendering.order)
    legend = "\n".join(f"{number} = {label}" for number, label in enumerate(listed, start=1))
    instruction = f"Answer with one number from 1 to {len(labels)}."
    parts = (legend, instruction, text) if rendering.layout == "legend_first" else (text, legend, instruction)
    numbers = [str(number) for number in range(1, len(labels) + 1)]
    if rendering.order == "descending":
        numbers.reverse()
    return ChatPrompt(persona, "\n\n".join(parts), "", tuple(numbers))


def _listed(scale: Scale, text: str, rendering: Rendering, persona: str) -> ChatPrompt:
    """A question with a list of the options in words; the whole answer is an option's text."""
    separator = "; " if any("," in label for label in scale.labels) else ", "
    legend = f"Answer with one of: {separator.join(_in_order(scale.labels, rendering.order))}"
    parts = (legend, text) if rendering.layout == "legend_first" else (text, legend)
    return ChatPrompt(persona, "\n".join(parts), "", _capitalised(scale.labels))


def _in_order(labels: tuple[str, ...], order: str) -> tuple[str, ...]:
    return labels if order == "ascending" else labels[::-1]


def _capitalised(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(label[0].upper() + label[1:] for label in labels)


def labelled(scale: Scale, text: str, persona: str) -> ChatPrompt:
    """A question whose answer is scored by the text of the options; no list is shown."""
    if scale.lead:
        return ChatPrompt(persona, text, scale.lead, tuple(f" {label}" for label in scale.labels))
    return ChatPrompt(persona, text, "", _capitalised(scale.labels))
