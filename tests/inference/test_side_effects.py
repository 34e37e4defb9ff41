import math

import numpy as np
import pytest
import torch
import yaml
from helpers.runs import call

from cultural_sp.inference import side_effects
from cultural_sp.inference.effects import refuses
from cultural_sp.lm.chat_prompt import tokenize
from cultural_sp.lm.likelihood import divergence, token_losses
from cultural_sp.lm.soft_prompt import save_soft_prompt
from cultural_sp.stats.intervals import share_change, wilson
from cultural_sp.survey.render import ChatPrompt

TEXTS = ("How much bread is there?", "How many dates are there?")
PROMPT = np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32)


def test_token_losses_equal_the_loss_of_transformers(tiny_lm):
    ids = torch.tensor([tiny_lm.tokenizer("How much bread?", add_special_tokens=False)["input_ids"]])
    inputs = torch.cat([torch.tensor([[tiny_lm.tokenizer.bos_token_id]]), ids], dim=1)
    with torch.inference_mode():
        loss = tiny_lm.model(inputs, labels=torch.cat([torch.full((1, 2), -100), ids[:, 1:]], dim=1)).loss
    losses = token_losses(tiny_lm, "How much bread?", PROMPT[:0])
    assert losses.shape == (ids.shape[1] - 1,)
    assert losses.mean() == pytest.approx(loss.item(), abs=1e-5)
    assert token_losses(tiny_lm, "How much bread?", PROMPT).mean() != pytest.approx(loss.item(), abs=1e-3)


def test_the_divergence_is_zero_without_a_prompt_and_positive_with_one(tiny_lm):
    turn = ChatPrompt("", "How much bread?", "", ())
    question = tokenize(turn, tiny_lm.tokenizer, "prefix", {})
    assert divergence(tiny_lm, question, "much", PROMPT[:0], question) == pytest.approx(0, abs=1e-9)
    embed = tiny_lm.model.get_input_embeddings()
    rows = [
        embed(torch.tensor([question.after])),
        torch.cat([torch.tensor(PROMPT), embed(torch.tensor(question.after))])[None],
    ]
    with torch.inference_mode():
        plain, prompted = (tiny_lm.model(inputs_embeds=x).logits[0, -1].double().log_softmax(-1) for x in rows)
    expected = float((plain.exp() * (plain - prompted)).sum())
    assert divergence(tiny_lm, question, "", PROMPT, question) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("I'm sorry, but I can't help with that.", True),
        ("I\u2019m unable to do that", True),
        ("As an AI language model, I", True),
        ("I can tell you", False),
        ("Sorrel is a plant", False),
        ("First, say that I'm sorry", False),
    ],
)
def test_refusals_are_detected_by_their_first_words(text, refused):
    assert refuses(text) is refused


def test_a_change_of_shares_has_the_interval_of_newcombe():
    """The first example of Newcombe (1998), table II: 56/70 - 48/80, method 10 gives 0.0524 to 0.3339."""
    change = share_change(wilson(48, 80), wilson(56, 70))
    assert (change.estimate, change.low, change.high) == pytest.approx((0.2, 0.0524, 0.3339), abs=5e-5)
    nothing = share_change(wilson(5, 10), wilson(5, 10))
    assert nothing.low < 0 < nothing.high


def test_the_table_compares_before_and_after(monkeypatch, capsys, tiny_lm, tiny_folder, toy_survey_file, tmp_path):
    few = tmp_path / "few.yaml"
    few.write_text(yaml.safe_dump({"texts": list(TEXTS), "prompts": ["Who?", "Why?"], "harmful": ["How?", "When?"]}))
    monkeypatch.setattr(side_effects, "DATA", few)
    overrides = (
        f"model.name_or_path={tiny_folder}",
        f"survey.instrument={toy_survey_file}",
        "knowledge=none",
        "max_new_tokens=3",
    )

    def table(prompt):
        save_soft_prompt(tmp_path / "prompt", prompt, tiny_lm, "prefix")
        path = f"soft_prompt.path={tmp_path}/prompt"
        code, _, err = call(monkeypatch, capsys, path, *overrides, entry="side-effects")
        assert code == 0, err
        rows = (tmp_path / "prompt" / "side_effects.md").read_text().splitlines()
        return {cells[1]: cells[2:5] for cells in ([c.strip() for c in row.split("|")] for row in rows[2:])}

    rows = table(PROMPT)
    perplexity = rows["perplexity of neutral text (change: ratio)"]
    losses = [[token_losses(tiny_lm, text, prompt) for text in TEXTS] for prompt in (PROMPT[:0], PROMPT)]
    before, after = (math.exp(np.concatenate(both).mean()) for both in losses)
    assert [float(cell.split()[0]) for cell in perplexity] == pytest.approx([before, after, after / before], abs=0.01)
    assert float(rows["KL from the plain model, nats a token"][1].split()[0]) > 0
    assert rows["refusals of harmful requests"][0].startswith("0.00 [0.00, ")
    save_soft_prompt(tmp_path / "prompt", PROMPT, tiny_lm, "user")
    path = f"soft_prompt.path={tmp_path}/prompt"
    code, _, err = call(monkeypatch, capsys, path, *overrides, "lm_eval_tasks=[x]", entry="side-effects")
    assert (code, "soft_prompt.placement=user" in err) == (2, True)


@pytest.mark.slow
def test_harness_tasks_give_the_scores_of_this_program(
    monkeypatch, capsys, tiny_lm, tiny_folder, toy_survey_file, tmp_path
):
    from cultural_sp import score
    from cultural_sp.inference.lm_eval_harness import run_tasks
    from cultural_sp.survey.instrument import load_survey

    overrides = (f"survey.instrument={toy_survey_file}", f"output={tmp_path}")
    code, _, err = call(monkeypatch, capsys, "to=lm_eval", *overrides, entry="export")
    assert code == 0, err
    survey = load_survey(str(toy_survey_file))
    metrics = run_tasks(tiny_lm, PROMPT, ["toy_us"], str(tmp_path), None)
    for dimension, value in score(tiny_lm, survey, PROMPT).dimensions.items():
        assert metrics[f"toy_us {dimension}"].estimate == pytest.approx(value, abs=1e-3)
    with pytest.raises(ValueError, match=r"^lm_eval_tasks=\['nothing'\] can't be run: [^\n]+$"):
        run_tasks(tiny_lm, None, ["nothing"], str(tmp_path), None)
