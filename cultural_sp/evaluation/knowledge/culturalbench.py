"""CulturalBench (Chiu et al., arXiv 2410.02677; CC BY 4.0) from the hub or from its files. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cultural_sp.evaluation.knowledge.questions import KnowledgeQuestion, KnowledgeSet
from cultural_sp.utils.errors import reason_of

LETTERS = ("A", "B", "C", "D")
SHARED = ("question_idx", "country", "prompt_question", "answer")
COLUMNS = {
    "Easy": (*SHARED, *(f"prompt_option_{letter.lower()}" for letter in LETTERS)),
    "Hard": (*SHARED, "prompt_option"),
}
ENDINGS = (".csv", ".parquet")
REMEDY = "correct the file, or download it again from the hub"


def load_culturalbench(source: str, revision: str | None = None) -> KnowledgeSet:
    """Load CulturalBench-Easy and CulturalBench-Hard.

    Args:
        source: hub id of the data set, or a folder with ``CulturalBench-Easy`` and ``CulturalBench-Hard`` as .csv or .parquet;
            one of the two is enough.
        revision: branch, tag or commit on the hub.

    Raises:
        ValueError: if neither file is there, or if a file doesn't have the form of its name.
    """
    folder = Path(source).expanduser()
    files = _local(folder) if folder.is_dir() else _from_hub(source, revision)
    easy = _easy(files["Easy"]) if "Easy" in files else ()
    hard = _hard(files["Hard"]) if "Hard" in files else ()
    return KnowledgeSet("culturalbench", "CulturalBench", easy, hard)


def _local(folder: Path) -> dict[str, Path]:
    try:
        present = {(path.stem, path.suffix.lower()): path for path in sorted(folder.iterdir()) if path.is_file()}
    except OSError as error:
        raise ValueError(
            f"knowledge.source={folder} can't be read ({reason_of(error)}); give a folder that you may read"
        ) from error
    files = {
        task: present[f"CulturalBench-{task}", ending]
        for task in COLUMNS
        for ending in reversed(ENDINGS)
        if (f"CulturalBench-{task}", ending) in present
    }
    if not files:
        raise ValueError(
            f"knowledge.source={folder} has neither CulturalBench-Easy nor CulturalBench-Hard, as .csv or .parquet; "
            "give the folder of the downloaded files"
        )
    return files


def _from_hub(source: str, revision: str | None) -> dict[str, Path]:
    from huggingface_hub import hf_hub_download  # slow to import, and only needed here
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    from cultural_sp.lm.hub import reachable

    away = not reachable()
    where: dict[str, Any] = {"repo_type": "dataset", "revision": revision, "local_files_only": away}
    try:
        return {task: Path(hf_hub_download(source, f"CulturalBench-{task}.csv", **where)) for task in COLUMNS}
    except (OSError, ValueError, HfHubHTTPError, HFValidationError) as error:
        reason = "it can't be reached, and its cache lacks them" if away else reason_of(error)
        raise ValueError(
            f"knowledge.source={source} can't be loaded from the hub ({reason}); go online, or download CulturalBench-Easy.csv "
            "and CulturalBench-Hard.csv and give their folder, or choose knowledge=own or knowledge=none"
        ) from error


def _table(path: Path, task: str) -> pd.DataFrame:
    """Return the file as text. An option "None" is an answer, not a missing value."""
    try:
        if path.suffix.lower() == ".csv":
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
        else:
            table = pd.read_parquet(path).fillna("None").astype(str)  # the hub's conversion took that text for missing
    except ImportError as error:
        raise ValueError(f"{path} needs pyarrow; pip install 'cultural-sp[parquet]', or use the .csv file") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} can't be read ({reason_of(error)}); {REMEDY}") from error
    lacking = [column for column in COLUMNS[task] if column not in table]
    if lacking:
        raise ValueError(f"{path} lacks the columns {', '.join(lacking)} of CulturalBench-{task}; {REMEDY}")
    if not len(table):
        raise ValueError(f"{path} has no questions; {REMEDY}")
    return table


def _easy(path: Path) -> tuple[KnowledgeQuestion, ...]:
    questions = []
    for row in _table(path, "Easy").to_dict("records"):
        letter = row["answer"].strip().upper()
        if letter not in LETTERS:
            raise ValueError(
                f"{path}: question_idx {row['question_idx']} has the answer {row['answer']!r}, not A to D; {REMEDY}"
            )
        options = tuple(row[f"prompt_option_{x.lower()}"].strip() for x in LETTERS)
        right = tuple(x == letter for x in LETTERS)
        questions.append(
            KnowledgeQuestion(
                row["question_idx"], row["country"].strip(), row["prompt_question"].strip(), options, right
            )
        )
    return tuple(questions)


def _hard(path: Path) -> tuple[KnowledgeQuestion, ...]:
    questions = []
    truth = {"true": True, "1": True, "false": False, "0": False}
    for number, rows in _table(path, "Hard").groupby("question_idx", sort=False):
        answers = [truth.get(answer.strip().lower()) for answer in rows["answer"]]
        if len(rows) != len(LETTERS) or None in answers or len(set(rows["prompt_question"])) > 1:
            raise ValueError(
                f"{path}: question_idx {number} needs four rows of one question with the answers true or false, got "
                f"{len(rows)} with {', '.join(map(repr, rows['answer']))}; {REMEDY}"
            )
        first = rows.iloc[0]
        options = tuple(option.strip() for option in rows["prompt_option"])
        right = tuple(bool(answer) for answer in answers)
        questions.append(
            KnowledgeQuestion(str(number), first["country"].strip(), first["prompt_question"].strip(), options, right)
        )
    return tuple(questions)
