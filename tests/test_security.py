"""What must not happen whatever the input: code from data, files outside of the run folder, secrets in what a run writes."""

import ast
import json
import shutil
from pathlib import Path

import pytest
import yaml
from helpers.runs import Run
from hypothesis import given, settings
from hypothesis import strategies as st

from cultural_sp.config.groups import ModelConfig, RegionConfig
from cultural_sp.config.schema import GROUPS, AlignConfig
from cultural_sp.lm.load import load_model
from cultural_sp.runs.folder import RunFolder

ROOT = Path(__file__).parent.parent
SOURCES = sorted(path for folder in ("cultural_sp", "experiments") for path in (ROOT / folder).rglob("*.py"))
MODULES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal", "jsonpickle", "telnetlib"}
CALLS = {  # what reads or writes pickles, or runs what a string or a file says
    "torch.load",
    "torch.save",
    "torch.jit.load",
    "np.load",
    "numpy.load",
    "np.save",
    "np.savez",
    "pd.read_pickle",
    "pandas.read_pickle",
    "os.system",
    "os.popen",
    "yaml.unsafe_load",
    "yaml.full_load",
    "yaml.Loader",
    "yaml.UnsafeLoader",
    "yaml.FullLoader",
    "tempfile.mktemp",
    "eval",
    "exec",
    "compile",
    "__import__",
}
EXCEPT = {
    "prompt_embeds.py": ["torch.save"]
}  # into memory, as vLLM's server takes embeddings in no other form; never read
METHODS = {"to_pickle", "read_pickle", "dump_to_file"}


def _name(node):
    if isinstance(node, ast.Name):
        return node.id
    return f"{_name(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else ""


def unsafe(code):
    """What a piece of code imports or calls that it should not."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (module for module in modules if module.partition(".")[0] in MODULES)
        elif isinstance(node, ast.Attribute) and (_name(node) in CALLS or node.attr in METHODS):
            yield _name(node)
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in CALLS:
                yield node.func.id
            for keyword in node.keywords:
                constant = keyword.value.value if isinstance(keyword.value, ast.Constant) else None
                if (keyword.arg, constant) in {("shell", True), ("trust_remote_code", True), ("allow_pickle", True)}:
                    yield keyword.arg
            if _name(node.func) == "yaml.load" and "_Strict" not in ast.unparse(node):
                yield "yaml.load"


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import dump",
        "torch.load(path, weights_only=True)",
        "torch.save(x, path)",
        "np.load(path)",
        "eval(text)",
        "subprocess.run(line, shell=True)",
        "load(trust_remote_code=True)",
        "yaml.load(text, yaml.Loader)",
        "table.to_pickle(path)",
        "reader = torch.load",
    ],
)
def test_the_scan_sees_what_is_unsafe(code):
    assert list(unsafe(code))


def test_no_pickle_is_read_or_written_and_no_text_is_run():
    found = {path.name: list(unsafe(path.read_text(encoding="utf-8"))) for path in SOURCES}
    assert len(found) > 100
    assert {name: calls for name, calls in found.items() if calls} == EXCEPT


def test_code_of_a_models_repository_is_off_in_every_option():
    assert ModelConfig("m").trust_remote_code is False
    for path in (ROOT / "conf").rglob("*.yaml"):
        assert "trust_remote_code" not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("trusted", [False, True])
def test_code_of_a_model_runs_only_if_asked_by_name(tiny_folder, tmp_path, trusted):
    folder = tmp_path / "model"
    shutil.copytree(tiny_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own_llama", "auto_map": {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.OwnModel"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(
        "from pathlib import Path\nfrom transformers import LlamaConfig, LlamaForCausalLM\n"
        f"Path({str(tmp_path / 'ran')!r}).touch()\n"
        "class Own(LlamaConfig):\n    model_type = 'own_llama'\n"
        "class OwnModel(LlamaForCausalLM):\n    config_class = Own\n"
    )
    given = ModelConfig(str(folder), trust_remote_code=trusted)
    if trusted:
        assert load_model(given).hidden_size == 32
    else:
        with pytest.raises(ValueError, match="trust_remote_code"):
            load_model(given)
    assert (tmp_path / "ran").exists() == trusted


names = st.text(max_size=12) | st.sampled_from(
    ["..", "../..", "/etc", "a/../../b", "us/../..", "~", "C:\\x", "\0", "us\n"]
)


@settings(derandomize=True, max_examples=300, deadline=None, database=None)
@given(names, names, st.none() | names, names, st.none() | st.lists(names, min_size=1, max_size=2))
def test_a_run_folder_never_leaves_the_output_folder(name, code, vintage, model, codes):
    try:
        region = RegionConfig("joint" if codes else code, codes, vintage)
        config = AlignConfig(model=ModelConfig(model), region=region, name=name, output_dir="/out")
        folders = [RunFolder(config).path, *RunFolder(config).regions.values()]
    except ValueError:
        return
    for folder in folders:
        assert folder.resolve().is_relative_to("/out")
        assert len(folder.relative_to("/out").parts) == (5 if codes and folder != folders[0] else 4)


def test_no_option_is_a_place_for_a_secret():
    keys = [key for schema in [*GROUPS.values(), AlignConfig] for key in schema.__dataclass_fields__]
    assert not [
        key for key in keys if any(word in key for word in ("secret", "password", "api_key", "auth", "credential"))
    ]


@pytest.mark.slow
def test_secrets_of_the_environment_are_written_nowhere(short_run, tmp_path):
    secrets = {"WANDB_API_KEY": "5ec2e7" + "a" * 34, "HF_TOKEN": "hf_SecretOfTheHubThatNobodyMayRead"}
    secrets["HUGGING_FACE_HUB_TOKEN"] = secrets["HF_TOKEN"]
    log = tmp_path / "log"
    run = Run([*short_run, f"output_dir={tmp_path}/out"], log, {**secrets, "WANDB_MODE": "offline"})
    code, _, errors = run.end()
    assert code == 0, errors
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".wandb" for path in files)
    assert any(path.name == "report.html" for path in files)
    for path in files:
        content = path.read_bytes()
        assert not any(secret.encode() in content for secret in secrets.values()), path
        assert not content.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")), path  # pickles
        assert not content.startswith(b"PK"), path  # what torch.save and numpy write
    config = yaml.safe_load(next(path for path in files if path.name == "config.yaml").read_text())
    assert set(config) >= set(GROUPS)
