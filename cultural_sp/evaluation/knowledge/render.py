"""Renders knowledge questions as prompts, in every order of the options."""

from __future__ import annotations

from cultural_sp.evaluation.knowledge.questions import KnowledgeQuestion
from cultural_sp.survey.render import ChatPrompt

LETTERS = "ABCD"
JUDGEMENTS = ("True", "False")


def choices(question: KnowledgeQuestion, persona: str) -> list[ChatPrompt]:
    """Return one prompt per order of the options; the first has the order of the set.

    Order s shows option (i + s) mod O at place i, so each option stands at each place once (cyclic Latin square). The answers
    of every prompt are in the order of the set's options.
    """
    number = len(question.options)
    letters = LETTERS[:number]
    instruction = (
        f"Answer this multiple-choice question. Choose one option among {', '.join(letters)} and write only its letter."
    )
    prompts = []
    for shift in range(number):
        displayed = [question.options[(i + shift) % number] for i in range(number)]
        legend = "\n".join(f"{letter}. {option}" for letter, option in zip(letters, displayed, strict=True))
        answers = tuple(letters[(i - shift) % number] for i in range(number))
        prompts.append(ChatPrompt(persona, f"{instruction}\n\n{question.text}\n{legend}", "", answers))
    return prompts


def judgements(question: KnowledgeQuestion, persona: str) -> list[list[ChatPrompt]]:
    """Return, for each order of the words True and False, one prompt per option that asks whether it is right."""
    return [
        [
            ChatPrompt(
                persona,
                f"Is the proposed answer to this question true or false? Write either {first} or {second}.\n\n"
                f"Question: {question.text}\nProposed answer: {option}",
                "",
                JUDGEMENTS,
            )
            for option in question.options
        ]
        for first, second in (JUDGEMENTS, JUDGEMENTS[::-1])
    ]
