import base64
import dataclasses
import io
import json

import numpy as np
import pytest
import torch
from helpers.runs import call
from helpers.tiny import random_model
from transformers import AutoModelForCausalLM

from cultural_sp.inference.export.prompt_embeds import encoded, prompt_embeds, read_questions, readme
from cultural_sp.lm.chat_prompt import tokenize
from cultural_sp.lm.generation import answer_open_questions, input_embeddings
from cultural_sp.lm.soft_prompt import save_soft_prompt
from cultural_sp.survey.render import ChatPrompt

PROMPT = np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32)


def decoded(text):
    """Decode a tensor as vLLM's server does."""
    return torch.load(io.BytesIO(base64.b64decode(text, validate=True)), weights_only=True)


@pytest.mark.parametrize("placement", ["prefix", "user"])
def test_embeddings_have_the_models_dtype_and_give_the_same_answer_in_transformers(
    monkeypatch, capsys, tiny_lm, tiny_folder, tmp_path, placement
):
    save_soft_prompt(tmp_path / "prompt", PROMPT, tiny_lm, placement)
    (tmp_path / "questions.txt").write_text("Who decides?\n\nHow much bread?\n")
    overrides = (f"soft_prompt.path={tmp_path}/prompt", f"model.name_or_path={tiny_folder}", "model.dtype=bfloat16")
    export_options = ("to=prompt_embeds", f"questions={tmp_path}/questions.txt", f"output={tmp_path}/out")
    code, _, err = call(monkeypatch, capsys, *export_options, *overrides, entry="export")
    assert code == 0, err
    tensors = torch.load(tmp_path / "out" / "prompt_embeds.pt", weights_only=True)
    requests = [json.loads(line) for line in (tmp_path / "out" / "requests.jsonl").read_text().splitlines()]
    assert [request["question"] for request in requests] == ["Who decides?", "How much bread?"]
    for tensor, request in zip(tensors, requests, strict=True):
        turn = [{"role": "user", "content": request["question"]}]
        text = tiny_lm.tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
        n_text = len(tiny_lm.tokenizer(text, add_special_tokens=False)["input_ids"])
        assert tensor.dtype == torch.bfloat16
        assert abs(len(tensor) - n_text - len(PROMPT)) <= (placement == "user")  # a slot inside text may split a token
        assert tensor.shape[1] == 32
        assert torch.equal(decoded(request["prompt_embeds"]), tensor)
    embeds = prompt_embeds(tiny_lm, "Who decides?", PROMPT, placement)
    plain = AutoModelForCausalLM.from_pretrained(tiny_folder)
    written = plain.generate(inputs_embeds=embeds[None], max_new_tokens=8, do_sample=False, pad_token_id=1)
    text = tiny_lm.tokenizer.decode(written[0], skip_special_tokens=True).strip()
    assert text == answer_open_questions(tiny_lm, ["Who decides?"], PROMPT, placement, 8)[0]


SCALES = {"gemma": 32**0.5, "gemma2": 32**0.5, "falcon_h1": 3.0, "gemma3_text": 1, "granite": 1, "llama": 1}
"""Model type -> what the forward pass of vLLM multiplies given embeddings by, and that of transformers doesn't."""


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("kind", SCALES)
def test_embeddings_give_the_same_logits_where_vllm_scales_them_again(tiny_lm, kind, dtype):
    tiny = random_model(kind, dtype, embedding_multiplier=3.0)
    lm = dataclasses.replace(tiny_lm, model=tiny)
    tokenized = tokenize(ChatPrompt("", "Who decides?", "", ()), lm.tokenizer, "user", {})
    expected = input_embeddings(lm, tokenized, PROMPT)
    scale = torch.tensor(SCALES[kind]).to(dtype)
    exported = prompt_embeds(lm, "Who decides?", PROMPT, "user")
    first_layer_sees = exported * scale
    text = [*range(len(tokenized.before)), *range(len(tokenized.before) + len(PROMPT), len(exported))]
    tolerance = 2**-7 if dtype == torch.bfloat16 else 1e-6
    torch.testing.assert_close(first_layer_sees, expected, rtol=tolerance, atol=0)
    if kind != "falcon_h1":
        assert torch.equal(first_layer_sees[text], expected[text])
    if dtype == torch.float32:
        with torch.inference_mode():
            logits, wanted = (lm.model(inputs_embeds=rows[None]).logits for rows in (first_layer_sees, expected))
        torch.testing.assert_close(logits, wanted, atol=1e-4, rtol=0)
    assert f"multiply them by {float(scale):g} first" in readme(lm, "user") or SCALES[kind] == 1


def test_the_readme_names_model_type_and_factor(monkeypatch, capsys, tiny_lm, tmp_path):
    random_model("gemma2", torch.float32).save_pretrained(tmp_path / "gemma2")
    tiny_lm.tokenizer.save_pretrained(tmp_path / "gemma2")
    save_soft_prompt(tmp_path / "prompt", PROMPT, tiny_lm, "prefix")
    overrides = (f"soft_prompt.path={tmp_path}/prompt", f"model.name_or_path={tmp_path}/gemma2", "questions=[Why?]")
    overrides = (*overrides, "model.attn_implementation=eager")
    code, _, err = call(monkeypatch, capsys, "to=prompt_embeds", *overrides, f"output={tmp_path}/out", entry="export")
    assert code == 0, err
    text = (tmp_path / "out" / "README.md").read_text()
    assert f"Model: `{tmp_path}/gemma2`, type `float32`. Placement of the soft prompt: `prefix`." in text
    assert "vLLM multiplies the rows of this kind of model (gemma2) by 5.65685" in text


def test_missing_questions_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"^questions=\S+nowhere can't be read [^\n]+$"):
        read_questions(str(tmp_path / "nowhere"))
    with pytest.raises(ValueError, match="holds no question"):
        read_questions([" "])
    (tmp_path / "book.txt").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="it is a zipped file such as .xlsx or .ods, not UTF-8 text"):
        read_questions(str(tmp_path / "book.txt"))


def test_byte_order_marks_are_no_part_of_a_question(tmp_path):
    (tmp_path / "joined.txt").write_text("\ufeffWho decides?\r\n\ufeffWhy?\r\n\ufeff\r\n", encoding="utf-8")
    assert read_questions(str(tmp_path / "joined.txt")) == ["Who decides?", "Why?"]
    assert read_questions(["\ufeffWho decides?"]) == ["Who decides?"]


@pytest.mark.slow
def test_embeddings_give_the_logits_of_peft(tmp_path):
    """A decoded request gives a model of transformers the same logits as PEFT."""
    from peft import PeftModel

    from cultural_sp import load_model
    from cultural_sp.config.groups import SoftPromptConfig
    from cultural_sp.lm.soft_prompt import initial_prompt

    lm = load_model("smollm2_135m")
    prompt = 4 * initial_prompt(SoftPromptConfig(n_tokens=8), lm, 0)
    save_soft_prompt(tmp_path, prompt, lm, "prefix")
    question = "How should a team make decisions?"
    embeds = decoded(encoded(prompt_embeds(lm, question, prompt)))
    turn = [{"role": "user", "content": question}]
    text = lm.tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True)
    ids = lm.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    plain = AutoModelForCausalLM.from_pretrained(lm.path, dtype=torch.float32)
    with torch.inference_mode():
        ours = plain(inputs_embeds=embeds[None]).logits
        written = plain.generate(inputs_embeds=embeds[None], max_new_tokens=20, do_sample=False)[0]
        theirs = PeftModel.from_pretrained(plain, str(tmp_path))(input_ids=ids).logits
    assert embeds.shape == (8 + ids.shape[1], 576)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    assert (
        lm.tokenizer.decode(written, skip_special_tokens=True).strip()
        == answer_open_questions(lm, [question], prompt, "prefix", 20)[0]
    )
