"""One model under examination: every method, wording, order and readout goes through here, so all are scored alike."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cultural_sp.config.schema import AlignConfig
from cultural_sp.evaluation.knowledge.exam import Exam
from cultural_sp.evaluation.knowledge.questions import KnowledgeSet
from cultural_sp.evaluation.validity import assess
from cultural_sp.lm.answer_parsing import generate_answers
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.model_cache import ModelCache
from cultural_sp.lm.readout import make_readout, option_probabilities
from cultural_sp.lm.survey_respondent import Respondent
from cultural_sp.runs.inputs import tuned_wordings
from cultural_sp.runs.result import KnowledgeScore, ScoreRow, Validity
from cultural_sp.search.journal import fingerprint, jsonable
from cultural_sp.search.loop import Evaluation
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.personas import midpoint_item_means
from cultural_sp.survey.render import orders_of
from cultural_sp.survey.scoring import dimension_scores
from cultural_sp.types import Array
from cultural_sp.utils.progress import progress

READOUTS = ("expected", "argmax", "sample")


class SurveyEvaluator:
    """Scores soft prompts and personas on a survey, whatever the region."""

    def __init__(
        self, lm: LanguageModel, survey: Survey, config: AlignConfig, shared: ModelCache | None = None
    ) -> None:
        """Examine ``lm``; surveys are rendered when first needed and kept.

        Args:
            lm: the frozen model.
            survey: the instrument.
            config: of the run.
            shared: holds ``lm`` and what other jobs made with it; None if there are no others.

        Raises:
            ValueError: in one line, if the objective weighs probabilities that the readout doesn't have.
        """
        for name in ("valid_mass_weight", "argmax_weight"):
            weight = getattr(config.objective, name)
            if weight and config.readout.kind == "generate":
                raise ValueError(
                    f"objective.{name}={weight} needs probabilities, which readout=generate doesn't have; set it to 0 or choose "
                    "another readout"
                )
        self.lm, self.survey, self.config = lm, survey, config
        self.no_prompt = np.zeros((0, lm.hidden_size), dtype=np.float32)
        self.tuned = tuned_wordings(config, survey)
        self.wordings = self.tuned | {
            f"held_out_{i}": i for i in range(survey.n_wordings) if i not in self.tuned.values()
        }
        self._shared = ModelCache() if shared is None else shared
        self._asked = (survey.fingerprint(), repr(config.survey))
        # One budget for all jobs of a model: memory that the allocator kept from earlier ones only looks taken.
        budget = self._shared.get_or_compute("budget", lambda: Batching(lm, memory_gib=config.model.memory_gib).budget)
        self.batching = Batching(lm, config.model.batch_size, budget / 2**30)

    def respondent(
        self,
        wording: str,
        persona: str = "",
        scoring: str | None = None,
        *,
        prompted: bool = False,
        often: bool = False,
    ) -> Respondent:
        """The model taking one wording of the survey.

        Args:
            wording: ``tuned``, ``held_out_1``, ...
            persona: system message; empty for none.
            scoring: another way of scoring than the configured one.
            prompted: render with the configured slot. Without a soft prompt the slot must not show: placement ``system``
                would put an empty system turn where the plain model has its own.
            often: it will answer so often that compiling for it pays, where the config allows that.
        """
        config = self.config.survey
        if scoring is not None:
            config = replace(config, scoring=scoring)
        return Respondent(
            self.lm,
            self.survey,
            config,
            wording=self.wordings[wording],
            placement=self.config.soft_prompt.placement if prompted else "prefix",
            persona=persona,
            batching=self.batching,
            compiled=often and self.config.model.compile,
        )

    @property
    def generates(self) -> bool:
        """Whether generated text is among the reported readouts."""
        return self.config.readout.report_generate or self.config.readout.kind == "generate"

    def tuning(self, wording: str = "tuned") -> Respondent:
        """The model taking a tuned wording as the search has it; one for all jobs that share the model."""
        scoring = "number" if self.config.readout.kind == "generate" else None
        respondent = self._shared.get_or_compute(
            ("tuning", self._asked, scoring, self.config.soft_prompt.placement, wording),
            lambda: self.respondent(wording, scoring=scoring, prompted=True, often=True),
        )
        # The trees are shared; the batch size, which a journal fixes, is this job's.
        respondent.batching = self.batching
        return respondent

    def batch_size(self, prompt: NDArray[np.float32]) -> int:
        """Candidates that the search scores at a time, found with a soft prompt [P, H]."""
        if self.config.readout.kind == "generate":
            return 1
        return self.tuning().batch_size(prompt[None])

    def start_mass(self, initial: NDArray[np.float32]) -> float:
        """Mean valid mass of the initial prompt [P, H] on the tuned wordings.

        Raises:
            ValueError: in one line, if the model's output isn't finite.
        """
        mass = float(self._fitness(initial[None]).valid_mass[0])
        if not np.isfinite(mass):
            raise ValueError(
                f"objective.valid_mass_weight={self.config.objective.valid_mass_weight} compares with the initial prompt, for "
                "which the model's output is not finite; set it to 0, or choose another soft_prompt.init or model.dtype"
            )
        return mass

    @property
    def _kinds(self) -> list[str]:
        """Readouts under which the search sees every tuned wording."""
        return [self.config.readout.kind, *(["argmax"] if self.config.objective.argmax_weight else [])]

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of the V K scores that the search sees: the K dimensions, once for each view.

        A view is a tuned wording under the configured readout; if the objective weighs answers, the same wordings follow once
        more under argmax.
        """
        views = [f"{wording} {kind}" for kind in self._kinds for wording in self.tuned]
        first, *others = [self.survey.dimension_names] * len(views)
        return first + tuple(f"{d}, {view}" for names, view in zip(others, views[1:], strict=True) for d in names)

    def fitness(self, prompts: NDArray[np.float32]) -> Evaluation:
        """Score candidates [N, P, H] on the tuned wordings: what the search sees, see :attr:`score_names`.

        Jobs that share a model share the evaluations of candidates they have in common, such as those of random search.
        """
        config = self.config
        constants = tuple(self.survey.scoring.constants.tolist())
        how = (repr(config.readout), constants, config.objective.argmax_weight > 0, config.seed)
        key = ("fitness", self._asked, config.soft_prompt.placement, how, fingerprint(prompts))
        return self._shared.get_or_compute(key, lambda: self._fitness(prompts))

    def _fitness(self, prompts: NDArray[np.float32]) -> Evaluation:
        views = [self._viewed(prompts, wording) for wording in self.tuned]
        ordered = [means for kind in zip(*(means for means, _ in views), strict=True) for means in kind]
        scores = [dimension_scores(self.survey, means) for means in ordered]
        mean = np.mean(ordered[: len(self.tuned)], axis=0)
        return Evaluation(np.concatenate(scores, axis=1), mean, np.mean([mass for _, mass in views], axis=0))

    def _viewed(self, prompts: NDArray[np.float32], wording: str) -> tuple[list[Array], Array]:
        """Item means [N, Q] on one wording, by the configured readout and if need be by argmax; valid mass [N]."""
        config, respondent = self.config.readout, self.tuning(wording)
        if config.kind == "generate":
            codes = [generate_answers(respondent, p, config, self.config.seed) for p in prompts]
            means = np.stack([_mean_known(np.concatenate(list(c.values()))) for c in codes])
            return [means], np.full(len(prompts), np.nan)
        answers = respondent.answer(prompts)
        mass = np.mean([x.mean(axis=1) for x in answers.valid_mass.values()], axis=0)
        seen = []
        for kind in self._kinds:
            readout = make_readout(kind, config.n_respondents, self.config.seed)
            by_order = [readout(x, self.survey.codes()) for x in answers.log_probs.values()]
            # argmax and sample make an answer even of log-probabilities that are NaN.
            seen.append(np.where(np.isfinite(mass)[:, None], np.mean(by_order, axis=0), np.nan))
        return seen, mass

    def answers(self, prompt: NDArray[np.float32] | None = None, persona: str = "") -> list[ScoreRow]:
        """Everything a respondent is asked: all wordings, orders and readouts; generated text for the tuned wording.

        Args:
            prompt: soft prompt [P, H]; None for none.
            persona: system message; empty for none.
        """
        prompted = prompt is not None
        prompt = self.no_prompt if prompt is None else prompt
        rows = []
        for wording in self.wordings:
            answers = self.respondent(wording, persona, prompted=prompted).answer(prompt[None])
            mass = {order: float(x.mean()) for order, x in answers.valid_mass.items()}
            chances = {order: option_probabilities(x)[0] for order, x in answers.log_probs.items()}
            for kind in READOUTS:
                readout = make_readout(kind, self.config.readout.n_respondents, self.config.seed)
                means = {order: readout(x, self.survey.codes()) for order, x in answers.log_probs.items()}
                rows += self._rows(wording, kind, means, mass, chances if kind == "expected" else None)
        if self.generates:
            respondent = self.respondent("tuned", persona, scoring="number", prompted=prompted)
            codes = generate_answers(respondent, prompt, self.config.readout, self.config.seed)
            rows += self._rows("tuned", "generate", codes, None)
        return rows

    def knowledge(
        self, questions: KnowledgeSet, method: str, prompt: NDArray[np.float32] | None = None, persona: str = ""
    ) -> list[KnowledgeScore]:
        """What a respondent, given as to :meth:`answers`, knows; recorded as ``method``.

        Jobs that share a model have it asked once.
        """
        placement = self.config.soft_prompt.placement
        given = None if prompt is None else (placement, fingerprint(prompt))
        return self._shared.get_or_compute(
            ("knowledge", questions.fingerprint(), method, persona, given),
            lambda: Exam(self.lm, questions, placement, self.batching).take(method, prompt, persona),
        )

    def midpoint_answers(self) -> list[ScoreRow]:
        """Those of the respondent who always picks the middle, for every condition the other methods have."""
        means = midpoint_item_means(self.survey)[None]
        rows = []
        for wording in self.wordings:
            for kind in (*READOUTS, "generate"):
                if kind == "generate" and not (wording == "tuned" and self.generates):
                    continue
                scoring = "number" if kind == "generate" else self.config.survey.scoring
                orders = orders_of(scoring, self.config.survey.option_order)
                rows += self._rows(wording, kind, dict.fromkeys(orders, means), None)
        return rows

    def _rows(
        self,
        wording: str,
        readout: str,
        codes: dict[str, Array],
        mass: dict[str, float] | None,
        chances: dict[str, Array] | None = None,
    ) -> list[ScoreRow]:
        """Those of one condition from answers ``codes`` (order -> [R, Q], NaN is missing), with both orders averaged.

        ``mass`` and ``chances`` (order -> option probabilities [Q, O]) are None where the condition has none.
        """
        codes = dict(codes)
        if len(codes) > 1:
            codes["both"] = np.concatenate(list(codes.values()))
            if mass is not None:
                mass = {**mass, "both": float(np.mean(list(mass.values())))}
            if chances is not None:
                chances = {**chances, "both": np.mean(list(chances.values()), axis=0)}
        rows = []
        for order, answers in codes.items():
            means = _mean_known(answers)
            scores = dimension_scores(self.survey, means)
            rows.append(
                ScoreRow(
                    wording=wording,
                    option_order=order,
                    readout=readout,
                    dimensions=jsonable(dict(zip(self.survey.dimension_names, scores, strict=True))),
                    item_means=jsonable(dict(zip(self.survey.item_ids, means, strict=True))),
                    valid_mass=None if mass is None else mass[order],
                    missing=float(np.isnan(answers).mean()),
                    option_probabilities=None if chances is None else self._by_item(chances[order]),
                )
            )
        return rows

    def _by_item(self, chances: Array) -> dict[str, list[float]]:
        """Option probabilities [Q, O] as item -> those of the options that it has, to six digits."""
        rows = zip(self.survey.items, chances, strict=True)
        return {item.id: [round(float(p), 6) for p in row[: len(item.scale.labels)]] for item, row in rows}

    def pole_personas(self) -> list[tuple[str, str, str]]:
        """Dimension, ``high`` or ``low``, and text of every pole persona.

        Raises:
            ValueError: if the instrument lacks one for one of its dimensions.
        """
        survey = self.survey
        lacking = survey.without_poles()
        if lacking:
            raise ValueError(
                f"survey.instrument={survey.name} has no high and low pole persona for {', '.join(lacking)}, which the "
                "validity check needs; add them under poles: or set validity=false"
            )
        return [(d, pole, text) for d in survey.dimensions for pole, text in survey.poles[d].items()]

    def validity(self) -> Validity:
        """Let the plain model and both pole personas of every dimension take every wording, and judge the answers.

        Neither region nor seed plays a part, so jobs that share a model and ask alike have it computed once.
        """
        return self._shared.get_or_compute(("validity", self._asked), self._validity)

    def _validity(self) -> Validity:
        survey, readout = self.survey, make_readout("expected", 1, 0)
        personas = self.pole_personas()
        plain: dict[str, dict[str, Array]] = {}
        poles: dict[str, dict[tuple[str, str], Array]] = {}
        masses = []
        with progress("validity", len(self.wordings) * (1 + len(personas))) as bar:
            for wording in self.wordings:
                answers = self.respondent(wording).answer(self.no_prompt[None])
                plain[wording] = {o: readout(x, survey.codes())[0] for o, x in answers.log_probs.items()}
                bar.update()
                poles[wording] = {}
                for dimension, pole, text in personas:
                    answers = self.respondent(wording, text).answer(self.no_prompt[None])
                    means = [readout(x, survey.codes())[0] for x in answers.log_probs.values()]
                    poles[wording][dimension, pole] = np.mean(means, axis=0)
                    masses += [float(x.mean()) for x in answers.valid_mass.values()]
                    bar.update()
        return assess(survey, plain, poles, float(np.mean(masses)))


def _mean_known(answers: Array) -> Array:
    """Means [Q] over the answers [R, Q] that are there; NaN where there is none."""
    known = ~np.isnan(answers)
    total = np.where(known, answers, 0.0).sum(axis=0)
    count = known.sum(axis=0)
    means: Array = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return means
