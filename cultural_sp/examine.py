"""One model under examination: every method, wording, order and readout goes through here, so all are scored alike."""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from cultural_sp.analysis.validity import assess
from cultural_sp.baselines import midpoint_item_means
from cultural_sp.config import AlignConfig
from cultural_sp.lm.batching import Batching
from cultural_sp.lm.generate import generate_answers
from cultural_sp.lm.load import LanguageModel
from cultural_sp.lm.readout import make_readout, option_probabilities
from cultural_sp.lm.respond import Respondent
from cultural_sp.lm.soft_prompt import initial_prompt
from cultural_sp.objective import LOSSES, l1_loss, mass_penalty
from cultural_sp.results import ScoreRecord, Validity
from cultural_sp.search.journal import jsonable
from cultural_sp.search.loop import Evaluation, progress
from cultural_sp.shared import Shared
from cultural_sp.survey.instrument import Survey
from cultural_sp.survey.regions import Region
from cultural_sp.survey.render import orders_of
from cultural_sp.survey.scoring import dimension_scores

Array = NDArray[np.float64]
READOUTS = ("expected", "argmax", "sample")


class Examiner:
    """Scores soft prompts and personas on a survey against a region's target."""

    def __init__(
        self, lm: LanguageModel, survey: Survey, region: Region, config: AlignConfig, shared: Shared | None = None
    ) -> None:
        """Examine ``lm``; surveys are rendered when first needed and kept.

        Args:
            lm: the frozen model.
            survey: the instrument.
            region: whose scores are the target.
            config: of the run.
            shared: holds ``lm`` and what other jobs made with it; None if there are no others.

        Raises:
            ValueError: in one line, if the objective weighs probabilities that the readout doesn't have.
        """
        if config.objective.valid_mass_weight and config.readout.kind == "generate":
            raise ValueError(
                f"objective.valid_mass_weight={config.objective.valid_mass_weight} needs probabilities, which readout=generate "
                "doesn't have; set it to 0 or choose another readout"
            )
        self.lm, self.survey, self.region, self.config = lm, survey, region, config
        self.no_prompt = np.zeros((0, lm.hidden_size), dtype=np.float32)
        self.wordings = {"tuned": 0} | {f"held_out_{i}": i for i in range(1, survey.n_wordings)}
        self.tuning = cache(self._tuning)
        self.start_mass = cache(self._start_mass)
        self._shared = Shared() if shared is None else shared
        self._asked = (survey.fingerprint(), *astuple(config.survey))
        # One budget for all jobs of a model: memory that the allocator kept from earlier ones only looks taken.
        budget = self._shared.part("budget", lambda: Batching(lm, memory_gib=config.model.memory_gib).budget)
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

    def _tuning(self) -> Respondent:
        scoring = "number" if self.config.readout.kind == "generate" else None
        respondent = self._shared.part(
            ("tuning", self._asked, scoring, self.config.soft_prompt.placement),
            lambda: self.respondent("tuned", scoring=scoring, prompted=True, often=True),
        )
        respondent.batching = (
            self.batching
        )  # the trees are shared; the batch size, which a journal fixes, is this job's
        return respondent

    def batch_size(self, prompt: NDArray[np.float32]) -> int:
        """Candidates that the search scores at a time, found with a soft prompt [P, H]."""
        if self.config.readout.kind == "generate":
            return 1
        return self.tuning().batch_size(prompt[None])

    def fitness(self, prompts: NDArray[np.float32]) -> Evaluation:
        """Score candidates [N, P, H] on the tuned wording under the configured readout: what the search sees."""
        config = self.config.readout
        respondent = self.tuning()
        if config.kind == "generate":
            codes = [generate_answers(respondent, p, config, self.config.seed) for p in prompts]
            means = np.stack([_mean_known(np.concatenate(list(c.values())), axis=0) for c in codes])
            return self._evaluation(means, np.full(len(prompts), np.nan))
        answers = respondent.answer(prompts)
        readout = make_readout(config.kind, config.n_respondents, self.config.seed)
        codes_by_order = [readout(x, self.survey.codes()) for x in answers.log_probs.values()]
        mass = np.mean([x.mean(axis=1) for x in answers.valid_mass.values()], axis=0)
        scored = self._evaluation(np.mean(codes_by_order, axis=0), mass)
        weight = self.config.objective.valid_mass_weight
        return replace(scored, loss=scored.loss + weight * mass_penalty(mass, self.start_mass())) if weight else scored

    def _start_mass(self) -> float:
        """Mean valid mass of the initial prompt on the tuned wording."""
        start = initial_prompt(self.config.soft_prompt, self.lm, self.config.seed)
        return float(np.mean([x.mean() for x in self.tuning().answer(start[None]).valid_mass.values()]))

    def _evaluation(self, item_means: Array, valid_mass: Array) -> Evaluation:
        config, target = self.config.objective, self.region.target
        scores = dimension_scores(self.survey, item_means, config.constant)
        return Evaluation(LOSSES[config.kind](scores, target), scores, item_means, valid_mass, l1_loss(scores, target))

    def records(self, method: str, prompt: NDArray[np.float32] | None = None, persona: str = "") -> list[ScoreRecord]:
        """Every record of a method: all wordings, orders and readouts; generated text for the tuned wording.

        Args:
            method: name in the records.
            prompt: soft prompt [P, H]; None for none.
            persona: system message; empty for none.
        """
        prompted = prompt is not None
        prompt = self.no_prompt if prompt is None else prompt
        rows = []
        for wording in self.wordings:
            answers = self.respondent(wording, persona, prompted=prompted).answer(prompt[None])
            for kind in READOUTS:
                readout = make_readout(kind, self.config.readout.n_respondents, self.config.seed)
                means = {order: readout(x, self.survey.codes())[0] for order, x in answers.log_probs.items()}
                mass = {order: float(x.mean()) for order, x in answers.valid_mass.items()}
                chances = {o: option_probabilities(x)[0] for o, x in answers.log_probs.items()}
                rows += self._rows(
                    method,
                    wording,
                    kind,
                    {o: m[None] for o, m in means.items()},
                    mass,
                    chances if kind == "expected" else None,
                )
        if self.generates:
            respondent = self.respondent("tuned", persona, scoring="number", prompted=prompted)
            codes = generate_answers(respondent, prompt, self.config.readout, self.config.seed)
            rows += self._rows(method, "tuned", "generate", codes, None)
        return rows

    def midpoint_records(self) -> list[ScoreRecord]:
        """Records of the respondent who always picks the middle, for every condition the other methods have."""
        means = midpoint_item_means(self.survey)[None]
        rows = []
        for wording in self.wordings:
            for kind in (*READOUTS, "generate"):
                if kind == "generate" and not (wording == "tuned" and self.generates):
                    continue
                scoring = "number" if kind == "generate" else self.config.survey.scoring
                orders = orders_of(scoring, self.config.survey.option_order)
                rows += self._rows("midpoint", wording, kind, dict.fromkeys(orders, means), None)
        return rows

    def _rows(
        self,
        method: str,
        wording: str,
        readout: str,
        codes: dict[str, Array],
        mass: dict[str, float] | None,
        chances: dict[str, Array] | None = None,
    ) -> list[ScoreRecord]:
        """Records of one condition from answers ``codes`` (order -> [R, Q], NaN is missing), with both orders averaged.

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
            scored = self._evaluation(_mean_known(answers, axis=0)[None], np.array([np.nan]))
            rows.append(
                ScoreRecord(
                    method=method,
                    wording=wording,
                    option_order=order,
                    readout=readout,
                    loss=jsonable(scored.l1[0]),
                    dimensions=jsonable(dict(zip(self.survey.dimension_names, scored.dimensions[0], strict=True))),
                    item_means=jsonable(
                        {i.id: m for i, m in zip(self.survey.items, scored.item_means[0], strict=True)}
                    ),
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
        lacking = [d for d in survey.dimensions if set(survey.poles.get(d) or {}) != {"high", "low"}]
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
        return self._shared.part(("validity", self._asked), self._validity)

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


def _mean_known(answers: Array, axis: int) -> Array:
    """Mean over the answers that are there; NaN where there is none."""
    known = ~np.isnan(answers)
    total = np.where(known, answers, 0.0).sum(axis=axis)
    count = known.sum(axis=axis)
    means: Array = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    return means
