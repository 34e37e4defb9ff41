"""What a model is checked for when it is loaded, each with a model that fails it."""

import calendar
import json
import random
import shutil
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
import torch
from helpers.tiny import TEMPLATE, byte_tokenizer, random_model
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import chat_template_utils

from cultural_sp.config.groups import ModelConfig, SoftPromptConfig
from cultural_sp.lm.chat_prompt import chat_text, tokenize_for
from cultural_sp.lm.generation import generate_text
from cultural_sp.lm.language_model import ModelChecks
from cultural_sp.lm.load import load_model
from cultural_sp.lm.model_check import opened_thought
from cultural_sp.lm.soft_prompt import initial_prompt
from cultural_sp.lm.template_clock import date_parts
from cultural_sp.survey.render import ChatPrompt

IDS = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 1}  # of the byte tokenizer
FALCON_H1 = {"embedding_multiplier": 5.65}
QUESTION = ChatPrompt("", "How much bread is there?", "", ("1", "2"))


def saved(folder, kind="llama", template=TEMPLATE, **settings):
    """A random model of a kind, as a folder."""
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    random_model(kind, **(IDS | settings)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def loaded(folder, **settings):
    return load_model(ModelConfig(name_or_path=str(folder), **settings))


def refusal(folder, **settings):
    """The one line that says why a model isn't taken."""
    with pytest.raises(ValueError, match=r"^model\.[a-z_]+=[^\n]+$") as error:
        loaded(folder, **settings)
    return str(error.value)


def with_template(tiny_folder, tmp_path, template):
    folder = shutil.copytree(tiny_folder, tmp_path / "templated")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return folder


class Tomorrow(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2031, 3, 9, 17, 45, 12)


@pytest.mark.parametrize(
    "place", ["{{ strftime_now('%A %d %B %Y, %H:%M:%S %p') }}", "{% set d = strftime_now('%c') %}{{ d }}"]
)
def test_a_template_that_reads_the_clock_shows_the_configured_date(monkeypatch, tiny_folder, tmp_path, place):
    folder = with_template(tiny_folder, tmp_path, place + TEMPLATE)
    lm = loaded(folder)
    before = chat_text(QUESTION, lm.tokenizer, "prefix", lm.template_args)
    monkeypatch.setattr(chat_template_utils, "datetime", Tomorrow)
    again = loaded(folder)
    assert chat_text(QUESTION, again.tokenizer, "prefix", again.template_args) == before
    assert "Fri" in before
    assert "2024" in before
    assert again.checks == lm.checks
    assert lm.checks.template_date == "2024-07-26"
    other = loaded(folder, template_date="2031-03-09")
    assert "2031" in chat_text(QUESTION, other.tokenizer, "prefix", other.template_args)
    assert other.checks.chat_template_hash != lm.checks.chat_template_hash


def test_a_run_says_which_date_its_prompts_show(monkeypatch, capsys, tiny_folder, short_run, tmp_path, no_figures):
    from helpers.runs import call, folder_of

    model = with_template(tiny_folder, tmp_path, "{{ strftime_now('%d %b %Y') }}" + TEMPLATE)
    model = model.rename(tmp_path / "tiny")
    mine = [*short_run, f"model.name_or_path={model}", f"output_dir={tmp_path}/out", "validity=false"]
    code, out, err = call(monkeypatch, capsys, *mine, "model.template_date=2031-03-09")
    assert code == 0, err
    assert "the chat template shows a date: model.template_date=2031-03-09" in out
    folder = folder_of(tmp_path / "out")
    checks = json.loads((folder / "result.json").read_text())["provenance"]["model_check"]
    assert checks["template_date"] == "2031-03-09"
    assert "model.template_date=2031-03-09 output=base_model" in (folder / "soft_prompt" / "README.md").read_text()
    (folder / "result.json").unlink()
    code, _, err = call(monkeypatch, capsys, *mine, "model.template_date=2031-03-10")
    assert code == 2
    assert "model.template_date=2031-03-09 there, 2031-03-10 here" in err
    code, _, err = call(monkeypatch, capsys, *mine, "model.template_date=9 March")
    assert "model.template_date='9 March' is no date; give one as year-month-day" in err


def test_the_command_prints_the_checks(monkeypatch, capsys, tiny_folder, tmp_path):
    from helpers.runs import call

    code, out, err = call(monkeypatch, capsys, str(tiny_folder), entry="check-model")
    assert (code, err) == (0, "")
    assert "token tree                   equals single passes" in out
    code, _, err = call(
        monkeypatch, capsys, str(with_template(tiny_folder, tmp_path, TEMPLATE + THINKS)), entry="check-model"
    )
    assert code == 2
    assert "opens a thought" in err


def test_a_template_without_a_date_has_none(tiny_folder, tiny_lm, tmp_path):
    assert tiny_lm.checks.template_date is None
    unread = with_template(tiny_folder, tmp_path, "{% if false %}{{ strftime_now('%Y') }}{% endif %}" + TEMPLATE)
    assert loaded(unread).checks.template_date is None


@pytest.mark.parametrize("day", [datetime(2023, 2, 5), datetime(2031, 11, 30)])
def test_dates_are_written_as_strftime_does_in_english(day):
    for directive, text in date_parts(day.date()).items():
        assert text == (str(calendar.timegm(day.timetuple())) if directive == "s" else day.strftime(f"%{directive}"))


def test_a_format_that_the_template_makes_is_understood(tiny_folder, tmp_path):
    place = (
        "{% set of = {'d': '%-d %B'} %}{% macro day() %}{{ strftime_now(of.d ~ ', 100%%') }}{% endmacro %}{{ day() }}\n"
    )
    lm = loaded(with_template(tiny_folder, tmp_path, "\n" + place + TEMPLATE), template_date="2031-03-09")
    assert "\n9 March, 100%\n" in chat_text(QUESTION, lm.tokenizer, "prefix", lm.template_args)


def test_arguments_of_the_template_are_hashed_as_it_renders_them(tiny_folder, tmp_path):
    folder = with_template(tiny_folder, tmp_path, "{{ mood }}" + TEMPLATE)
    calm, other = (loaded(folder, chat_template_args={"mood": m}).checks.chat_template_hash for m in ("calm", "wild"))
    assert calm != other
    assert (
        loaded(with_template(tiny_folder, tmp_path / "2", "{# a remark #}" + TEMPLATE)).checks
        == loaded(tiny_folder).checks
    )


@pytest.mark.parametrize("drawn", ["{{ [1, 2] | random }}", "{{ lipsum(1) }}"])
def test_a_template_that_draws_is_refused(tiny_folder, tmp_path, drawn):
    before = random.getstate()
    assert "gives another text each time" in refusal(with_template(tiny_folder, tmp_path, drawn + TEMPLATE))
    assert random.getstate() == before


THINKS = "{% if add_generation_prompt and enable_thinking is not defined or enable_thinking %}<think>\n{% endif %}"


def test_a_template_that_opens_a_thought_is_refused_with_the_switch(tiny_folder, tmp_path):
    folder = with_template(tiny_folder, tmp_path, TEMPLATE + THINKS)
    line = refusal(folder)
    assert "opens a thought (<think>)" in line
    assert line.endswith("add +model.chat_template_args.enable_thinking=false")
    assert loaded(folder, chat_template_args={"enable_thinking": False})
    always = with_template(tiny_folder, tmp_path / "2", TEMPLATE + "{% if add_generation_prompt %}[THINK]{% endif %}")
    assert refusal(always).endswith("choose a model that answers at once, or a chat template without the thought")


@pytest.mark.parametrize(
    ("tail", "opened"),
    [
        ("<|assistant|>\n", ""),
        ("<think>\n\n</think>\n\n", ""),
        ("<think>\n", "<think>"),
        ("<|START_THINKING|>", "<|START_THINKING|>"),
        ("<|START_THINKING|><|END_THINKING|>", ""),
        ("<|channel|>analysis<|message|>", "channel|>analysis"),
        ("<seed:think>", "<seed:think>"),
        ("◁think▷", "◁think▷"),
        ("<|begin_of_thought|>", "<|begin_of_thought|>"),
        ("<|channel|>final<|message|>", ""),
    ],
)
def test_thoughts_are_seen_in_the_words_of_several_families(tail, opened):
    assert opened_thought(f"<think> in the system turn. I think. How? {tail}", "I think. How?") == opened


ENDS = {
    "output": {"target_modules": ["lm_head", "q_proj"]},
    "input": {"target_modules": ["embed_tokens", "q_proj"]},
    "both": {"target_modules": ["lm_head", "embed_tokens"]},
    "a whole output": {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    "a whole input": {"target_modules": ["q_proj"], "modules_to_save": ["embed_tokens"]},
    "some tokens": {"target_modules": ["q_proj"], "trainable_token_indices": {"embed_tokens": [5, 300]}},
    "both, tied": {"target_modules": ["lm_head", "embed_tokens"], "ensure_weight_tying": True},
}


@pytest.mark.parametrize("ends", ENDS)
def test_an_adapter_on_the_ends_of_a_tied_pair_changes_what_peft_changes(monkeypatch, capsys, tmp_path, ends):
    from helpers.runs import call

    base = saved(tmp_path / "base", tie_word_embeddings=True)
    torch.manual_seed(1)
    tied = AutoModelForCausalLM.from_pretrained(base)
    assert tied.lm_head.weight is tied.model.embed_tokens.weight
    adapter = get_peft_model(tied, LoraConfig(r=4, init_lora_weights=False, **ENDS[ends]))
    for name, weight in adapter.named_parameters():
        if "modules_to_save" in name or "trainable_tokens" in name:
            weight.data += 0.3 * torch.randn_like(weight)
    adapter.save_pretrained(tmp_path / "lora", save_embedding_layers=False)
    expected_model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "lora").eval()
    lm = loaded(base, adapter=str(tmp_path / "lora"))
    code, _, err = call(
        monkeypatch,
        capsys,
        "to=model",
        f"model.name_or_path={base}",
        f"model.adapter={tmp_path}/lora",
        f"output={tmp_path}/whole",
        entry="export",
    )
    assert code == 0, err
    ids = torch.tensor([[5, 6, 7, 300, 301, 302]])
    with torch.inference_mode():
        expected = expected_model(input_ids=ids).logits
        torch.testing.assert_close(lm.model(input_ids=ids).logits, expected, atol=1e-4, rtol=1e-4)
        whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole")
        torch.testing.assert_close(whole(input_ids=ids).logits, expected, atol=1e-4, rtol=1e-4)


def test_a_merge_that_changes_the_answers_is_refused(monkeypatch, tmp_path, tiny_folder):
    adapter = get_peft_model(
        AutoModelForCausalLM.from_pretrained(tiny_folder),
        LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False),
    )
    adapter.save_pretrained(tmp_path / "lora")
    merge = type(adapter.base_model).merge_and_unload

    def wrong(self):
        whole = merge(self)
        whole.model.layers[0].mlp.up_proj.weight.data *= 1.5
        return whole

    monkeypatch.setattr(type(adapter.base_model), "merge_and_unload", wrong)
    assert "merged, its log-probabilities differ by" in refusal(tiny_folder, adapter=str(tmp_path / "lora"))


def test_a_model_folder_with_an_adapter_in_it_is_refused(tiny_folder, tmp_path):
    folder = shutil.copytree(tiny_folder, tmp_path / "both")
    get_peft_model(
        AutoModelForCausalLM.from_pretrained(folder), LoraConfig(r=2, target_modules=["q_proj"])
    ).save_pretrained(folder)
    line = refusal(folder)
    assert "holds an adapter" in line
    assert "give that as model.adapter" in line


def test_embeddings_that_are_not_the_whole_input_are_refused(tmp_path):
    settings = {
        "vocab_size_per_layer_input": 800,
        "hidden_size_per_layer_input": 8,
        "num_kv_shared_layers": 0,
        "laurel_rank": 4,
    }
    settings |= {"layer_types": ["full_attention"] * 2, "intermediate_size": [48, 48], "altup_num_inputs": 2}
    settings |= {"activation_sparsity_pattern": [0.0, 0.0]}
    line = refusal(saved(tmp_path / "model", "gemma3n_text", **settings))
    assert "reads more than the embeddings of its input" in line


def test_a_model_that_generates_only_from_ids_writes_behind_a_soft_prompt(tmp_path):
    lm = loaded(saved(tmp_path / "model", "falcon_h1", **FALCON_H1))
    assert not lm.checks.generates_from_embeddings
    assert lm.checks.embedding_factor == 5.65
    question = tokenize_for(lm, QUESTION, "prefix")
    ids = torch.tensor([question.after])
    written = lm.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=5, do_sample=False, eos_token_id=None
    )
    plain = generate_text(lm, [question], lm.no_soft_prompt, 5)
    assert plain == lm.tokenizer.batch_decode(written[:, ids.shape[1] :], skip_special_tokens=True)
    words = (8, 9, 10)  # a soft prompt of embeddings is read as the tokens would be
    ids = torch.tensor([[*words, *question.after]])
    written = lm.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=5, do_sample=False, eos_token_id=None
    )
    behind = generate_text(lm, [question], lm.embed(np.array(words)), 5)
    assert behind == lm.tokenizer.batch_decode(written[:, ids.shape[1] :], skip_special_tokens=True)
    assert behind != plain


def test_a_model_that_can_not_write_is_refused_before_the_search(monkeypatch, capsys, tmp_path, short_run):
    from helpers.runs import call

    problem = replace(ModelChecks(), generation_problem="it has no hands")
    monkeypatch.setattr("cultural_sp.lm.load.check_model", lambda lm, date: problem)
    mine = [o for o in short_run if not o.startswith(("readout.report", "open_ended"))] + [f"output_dir={tmp_path}"]
    code, _, err = call(monkeypatch, capsys, *mine)
    assert code == 2
    assert "can't generate text (it has no hands); set readout.report_generate=false" in err
    assert not list(tmp_path.iterdir())
    code, _, err = call(monkeypatch, capsys, *mine, "readout.report_generate=false", "open_ended_questions=false")
    assert code == 0, err


@pytest.mark.parametrize("kind", ["recurrent_gemma", "mamba"])
def test_texts_in_a_batch_are_those_of_single_prompts(tmp_path, kind):
    settings = {"recurrent_gemma": {"num_hidden_layers": 3, "lru_width": 32}, "mamba": {"state_size": 4}}[kind]
    lm = loaded(saved(tmp_path / "model", kind, **settings))
    questions = [
        tokenize_for(lm, ChatPrompt("", text, "", ()), "prefix") for text in ("How?", "How much bread is there today?")
    ]
    prompt = lm.embed(np.array([8, 9]))
    assert generate_text(lm, questions, prompt, 8) == [generate_text(lm, [q], prompt, 8)[0] for q in questions]


@pytest.mark.parametrize("kind", ["gpt_oss", "bloom", "gemma2"])
def test_a_model_without_sdpa_is_loaded_with_eager_attention(tmp_path, caplog, kind):
    settings = {"gpt_oss": {"num_local_experts": 4, "num_experts_per_tok": 2}, "bloom": {"n_layer": 2, "n_head": 4}}
    lm = loaded(saved(tmp_path / "model", kind, **settings.get(kind, {})))
    assert lm.checks.attention == "eager"
    assert [r for r in caplog.messages if r.endswith("has no sdpa attention; using model.attn_implementation=eager")]


def test_a_token_beyond_the_embeddings_is_named(tiny_folder, tmp_path):
    folder = with_template(tiny_folder, tmp_path, "<|far|>" + TEMPLATE)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.add_special_tokens({"additional_special_tokens": [f"<|far{i}|>" for i in range(40)] + ["<|far|>"]})
    tokenizer.save_pretrained(folder)
    rows = json.loads((folder / "config.json").read_text())["vocab_size"]
    line = refusal(folder)
    assert f"has {rows} embeddings, but its tokenizer gives a text the token '<|far|>'" in line
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    lm = loaded(folder)  # no prompt needs it
    with pytest.raises(ValueError, match=r"gives a text the token '<\|far\|>' with id"):
        initial_prompt(SoftPromptConfig(init="text", init_text="Be kind <|far|>"), lm, 0)
