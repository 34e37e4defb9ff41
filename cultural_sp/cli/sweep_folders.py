"""The folders of a sweep's jobs, compared before the first job starts: two jobs must not write into one."""

from __future__ import annotations

import copy
import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf, open_dict

from cultural_sp.cli.programs import PROGRAMS, Program
from cultural_sp.config.compose import SCHEMAS, build_config, typed_overrides
from cultural_sp.config.error_messages import BAD_INPUT
from cultural_sp.config.registries import load_object
from cultural_sp.config.schema import AlignConfig
from cultural_sp.runs.inputs import with_region_codes

PLACE_KEYS = ("name", "output", "output_dir")
"""Keys that are a part of a folder's path, in the order in which the message tries them."""
BASIC = f"{BasicSweeper.__module__}.{BasicSweeper.__name__}"


@dataclass
class _Job:
    """One job of a sweep."""

    number: int
    swept: dict[str, str]
    """Swept key -> the override with this job's value."""
    config: DictConfig
    """As Hydra will compose it."""

    @property
    def title(self) -> str:
        return f"job {self.number} ({', '.join(self.swept.values())})"


def refuse_shared_folders(config: DictConfig) -> None:
    """Compose every job of a sweep and compare their folders.

    Args:
        config: of the sweep, with the group ``hydra`` and the overrides as the user typed them.

    Raises:
        ValueError: if two jobs would write into the same folder.
        HydraException, OmegaConfBaseException: if a job can't be composed.
    """
    program = PROGRAMS.get(config.hydra.job.name)
    if program is None or not program.folder or config.hydra.sweeper["_target_"] != BASIC:
        return
    overrides = _parsed([f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()])
    overrides += _parsed(typed_overrides(config.hydra))
    jobs = _jobs(config, overrides)
    built = [_built(job.config, program) for job in jobs]
    clashes = _clashes(jobs, [_folder(one, program) for one in built])
    if not clashes:
        return
    for first, second in ((a, b) for clash in clashes.values() for a in clash for b in clash if a.number < b.number):
        if built[first.number] == built[second.number]:
            raise ValueError(f"{first.title} and {second.title} are the same; leave one of them out")
    keys = [
        key for key in jobs[0].swept if any(len({job.swept[key] for job in clash}) > 1 for clash in clashes.values())
    ]
    typed = " ".join(str(override.input_line) for override in overrides if override.get_key_element() in keys)
    folder, (first, second, *_) = next(iter(clashes.items()))
    way = _way_out(jobs, overrides, keys, program)
    raise ValueError(f"{typed}: {first.title} and {second.title} would write into the same folder, {folder}; {way}")


def _parsed(overrides: Sequence[str]) -> list[Override]:
    loader = GlobalHydra.instance().config_loader()
    return OverridesParser.create(config_loader=loader).parse_overrides(list(overrides))


def _jobs(config: DictConfig, overrides: list[Override]) -> list[_Job]:
    """Return the jobs as Hydra's sweeper makes them; none if there is only one."""
    (batch,) = BasicSweeper.split_arguments(overrides, None)
    swept = list(dict.fromkeys(o.get_key_element() for o in overrides if o.is_sweep_override()))
    jobs = []
    for number, texts in enumerate(batch if len(batch) > 1 else ()):
        composed = GlobalHydra.instance().config_loader().load_sweep_config(config, list(texts))
        with open_dict(composed):
            composed.hydra.job.id = composed.hydra.job.num = number
        by_key = {text.partition("=")[0]: text for text in texts}
        jobs.append(_Job(number, {key: by_key[key] for key in swept}, composed))
    return jobs


def _clashes(jobs: Sequence[_Job], folders: Sequence[Path | None]) -> dict[Path, list[_Job]]:
    """Return the folders of more than one job, with their jobs."""
    owners: dict[Path, list[_Job]] = {}
    for job, folder in zip(jobs, folders, strict=True):
        if folder is not None:
            owners.setdefault(folder, []).append(job)
    return {folder: several for folder, several in owners.items() if len(several) > 1}


def _built(composed: DictConfig, program: Program) -> Any:
    """Build the config of a job; None if it is bad, which the job itself will report."""
    plain = copy.deepcopy(composed)
    with open_dict(plain):
        del plain["hydra"]
    with _as_running(composed), suppress(*BAD_INPUT):
        built: Any = build_config(plain, SCHEMAS[program.config])
        return with_region_codes(built) if isinstance(built, AlignConfig) else built
    return None


def _folder(built: Any, program: Program) -> Path | None:
    return None if built is None else Path(load_object(program.folder)(built)).expanduser().absolute()


@contextmanager
def _as_running(composed: DictConfig) -> Iterator[None]:
    """Let ``${hydra:...}`` refer to this job."""
    instance = HydraConfig.instance()
    before = instance.cfg
    instance.set_config(composed)
    try:
        yield
    finally:
        instance.cfg = before


def _way_out(jobs: Sequence[_Job], overrides: Sequence[Override], keys: Sequence[str], program: Program) -> str:
    """Return the advice: an override with which every job has a folder of its own, if there is one."""
    choices = jobs[0].config.hydra.runtime.choices
    names = [key.lstrip("+") for key in keys]
    values = "-".join(f"${{hydra:runtime.choices.{key}}}" if key in choices else f"${{{key}}}" for key in names)
    for key in PLACE_KEYS:
        for suffix in (values, "${hydra:job.num}"):
            if (
                key == "output_dir" and "${hydra:" in suffix
            ):  # the sweep itself, which has the summary there, has no job
                continue
            if all(_has_text(job, key) for job in jobs) and _separates(jobs, key, suffix, program):
                return f"add {shlex.quote(_override(key, suffix, jobs, overrides))}"
    return "start one command for each value, in another place"


def _has_text(job: _Job, key: str) -> bool:
    return key in job.config and isinstance(_raw(job, key), str)


def _raw(job: _Job, key: str) -> Any:
    """A value of a job's config in which references stay references."""
    plain: Any = OmegaConf.to_container(job.config, resolve=False)
    return plain[key]


def _separates(jobs: Sequence[_Job], key: str, suffix: str, program: Program) -> bool:
    """Whether all jobs have a folder of their own once the value of a key ends in the suffix."""
    folders = []
    for job in jobs:
        changed = copy.deepcopy(job.config)
        changed[key] = f"{_raw(job, key)}-{suffix}"
        folders.append(_folder(_built(changed, program), program))
    return None not in folders and len(set(folders)) == len(jobs)


def _override(key: str, suffix: str, jobs: Sequence[_Job], overrides: Sequence[Override]) -> str:
    """Return the override that adds the suffix to the value of a key, or to every value if it is swept."""
    typed = [o for o in overrides if o.get_key_element() == key and o.is_sweep_override()]
    values = [str(value) for value in typed[-1].sweep_string_iterator()] if typed else [_raw(jobs[0], key)]
    return f"{key}={','.join(f'{value}-{suffix}' for value in values)}"
