"""A model takes a survey: every method, wording, option order and readout goes through here, so all are scored alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from cultural_sp.config.registries import READOUTS
from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.score_rows import ReadAnswers, score_rows, with_pools
from cultural_sp.lm.answer_parsing import generate_answers
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.lm.readout import make_readout, option_probabilities
from cultural_sp.lm.survey_respondent import Condition, SurveyRespondent
from cultural_sp.runs.inputs import reported_wordings, tuned_wordings
from cultural_sp.runs.result import ScoreRow
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.personas import midpoint_item_means
from cultural_sp.survey.render import orders_of
from cultural_sp.types import SoftPrompt

TUNED = "tuned"
"""Name of the first wording that the search sees."""


@dataclass(frozen=True)
class Respondent:
    """The frozen model under one soft prompt or one persona."""

    name: str
    """Tells respondents of a run apart; answers are stored under it."""
    soft_prompt: SoftPrompt | None = None
    """[P, H]; None for none."""
    persona: str = ""
    """System message; empty for none."""


PLAIN = Respondent("naive")
"""The model with neither."""


class SurveyEvaluator:
    """One frozen model and one survey. Knows no region: scores become losses elsewhere."""

    def __init__(self, lm: LanguageModel, survey: Survey, config: AlignConfig, cache: ModelCache | None = None) -> None:
        """Set up; a wording is rendered and tokenized when it is first needed.

        Args:
            lm: the frozen model.
            survey: the instrument.
            config: the run.
            cache: holds ``lm`` and what other jobs computed with it; None if there are no other jobs.
        """
        self.lm, self.survey, self.config = lm, survey, config
        self.cache = ModelCache() if cache is None else cache
        self.tuned_wordings = tuned_wordings(config, survey)
        """Name -> index of the wordings that the search sees: ``tuned``, ``tuned_2``, ..."""
        self.wordings = reported_wordings(config, survey)
        """Name -> place of the wordings of final scores."""
        self.survey_key = (survey.fingerprint(), repr(config.survey))
        """What the answers of the model depend on, apart from soft prompt and persona."""
        # One memory budget for all jobs of a model: memory that the allocator keeps from earlier jobs only looks taken.
        budget = self.cache.get_or_compute("budget", lambda: Batching(lm, memory_gib=config.model.memory_gib).budget)
        self.batching = Batching(lm, config.model.batch_size, budget / 2**30)

    def survey_respondent(
        self,
        wordings: str | Iterable[str],
        persona: str = "",
        *,
        scoring: str | None = None,
        soft: bool = False,
        compiled: bool = False,
    ) -> SurveyRespondent:
        """Return the model with one or more rendered wordings of the survey.

        Args:
            wordings: names such as ``tuned`` and ``held_out_1``.
            persona: system message; empty for none.
            scoring: ``label`` or ``number``; None for the configured one.
            soft: leave the slot for a soft prompt where the config places it. Without a soft prompt the slot must not show:
                placement ``system`` would add an empty system turn.
            compiled: compile the layers, which pays after a hundred candidates or more.
        """
        settings = self.config.survey if scoring is None else replace(self.config.survey, scoring=scoring)
        return SurveyRespondent(
            self.lm,
            self.survey,
            settings,
            Condition(
                wordings=tuple(self.wordings[name] for name in ([wordings] if isinstance(wordings, str) else wordings)),
                placement=self.config.soft_prompt.placement if soft else "prefix",
                persona=persona,
            ),
            batching=self.batching,
            compiled=compiled,
        )

    @property
    def readouts(self) -> list[str]:
        """Reported readouts of option probabilities; drawn answers only if the search sees them."""
        return [kind for kind, entry in READOUTS.items() if not entry.draws or kind == self.config.readout.kind]

    @property
    def generates(self) -> bool:
        """Whether generated text is one of the reported readouts."""
        return self.config.readout.report_generate or self.config.readout.kind == "generate"

    def score_rows(self, respondent: Respondent) -> list[ScoreRow]:
        """Let a respondent take the survey in every wording and order, and read its answers in every way.

        Generated text is read on the first tuned wording only. The rows ``tuned_pooled``, ``selected_pooled`` and
        ``held_out_pooled`` have the item means over all such wordings.
        """
        soft = respondent.soft_prompt is not None
        soft_prompt = self.lm.no_soft_prompt if respondent.soft_prompt is None else respondent.soft_prompt
        settings, codes = self.config.readout, self.survey.codes()
        taken = self.survey_respondent(self.wordings, respondent.persona, soft=soft).answer_wordings(soft_prompt[None])
        answers = dict(zip(self.wordings, taken, strict=True))
        rows: list[ScoreRow] = []
        for kind in self.readouts:
            readout = make_readout(kind, settings.n_respondents, self.config.seed)
            by_wording = {
                wording: ReadAnswers(
                    {order: readout(x, codes) for order, x in each.log_probs.items()},
                    {order: float(x.mean()) for order, x in each.valid_mass.items()},
                    {order: option_probabilities(x)[0] for order, x in each.log_probs.items()}
                    if kind == "expected"
                    else None,
                )
                for wording, each in answers.items()
            }
            rows += [
                row
                for name, read in with_pools(by_wording).items()
                for row in score_rows(self.survey, (name, kind), read)
            ]
        if self.generates:
            numbers = self.survey_respondent(TUNED, respondent.persona, scoring="number", soft=soft)
            generated = generate_answers(numbers, soft_prompt, settings, self.config.seed)
            for name, read in with_pools({TUNED: ReadAnswers(generated)}).items():
                rows += score_rows(self.survey, (name, "generate"), read)
        return rows

    def midpoint_score_rows(self) -> list[ScoreRow]:
        """Rows of the respondent who always picks the middle of the scale, under every condition of the other methods."""
        means, order_setting = midpoint_item_means(self.survey)[None], self.config.survey.option_order

        def rows(wordings: Iterable[str], kind: str, scoring: str) -> list[ScoreRow]:
            read = ReadAnswers(dict.fromkeys(orders_of(scoring, order_setting), means))
            pooled = with_pools(dict.fromkeys(wordings, read))
            return [row for name, each in pooled.items() for row in score_rows(self.survey, (name, kind), each)]

        found = [row for kind in self.readouts for row in rows(self.wordings, kind, self.config.survey.scoring)]
        return found + (rows([TUNED], "generate", "number") if self.generates else [])
