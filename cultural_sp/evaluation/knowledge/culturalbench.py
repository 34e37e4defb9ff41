"""CulturalBench (Chiu et al., arXiv 2410.02677; CC BY 4.0) from the hub or from its files. Loads no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from cultural_sp.evaluation.knowledge.questions import KnowledgeQuestion, KnowledgeSet
from cultural_sp.utils.errors import reason_of
from cultural_sp.utils.tables import Row, Table, read_table, refuse_repeated

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


def _rows(path: Path, task: str) -> tuple[Row, ...]:
    table = read_table(path, str(path)) if path.suffix.lower() == ".csv" else _from_parquet(path)
    lacking = [column for column in COLUMNS[task] if column not in table.columns]
    if lacking:
        raise ValueError(f"{path} lacks the columns {', '.join(lacking)} of CulturalBench-{task}; {REMEDY}")
    if not table.rows:
        raise ValueError(f"{path} has no questions; {REMEDY}")
    for row in table.rows:
        row.require(COLUMNS[task])
    return table.rows


def _from_parquet(path: Path) -> Table:
    """Return the file as text. An option "None" is an answer, not a missing value: the hub's conversion took it for one."""
    try:
        table = pd.read_parquet(path).astype(object)
    except ImportError as error:
        raise ValueError(f"{path} needs pyarrow; pip install 'cultural-sp[parquet]', or use the .csv file") from error
    except Exception as error:  # a damaged file raises nearly anything
        raise ValueError(f"{path} can't be read ({reason_of(error)}); {REMEDY}") from error
    columns = tuple(map(str, table.columns))
    if len(set(columns)) < len(columns):
        raise ValueError(f"{path} has a column twice: {', '.join(columns)}; {REMEDY}")
    texts = table.where(table.notna(), "None").astype(str).to_numpy().tolist()
    rows = (dict(zip(columns, map(str.strip, cells), strict=True)) for cells in texts)
    return Table(columns, tuple(Row(f"{path}, row {i + 1}", cells) for i, cells in enumerate(rows)))


def _easy(path: Path) -> tuple[KnowledgeQuestion, ...]:
    rows = _rows(path, "Easy")
    refuse_repeated(rows, ("question_idx",))
    questions = []
    for row in rows:
        letter = row["answer"].upper()
        if letter not in LETTERS:
            raise ValueError(
                f"{row.where}: question_idx {row['question_idx']} has the answer {row['answer']!r}, not A to D; {REMEDY}"
            )
        options = tuple(row[f"prompt_option_{x.lower()}"] for x in LETTERS)
        right = tuple(x == letter for x in LETTERS)
        questions.append(KnowledgeQuestion(row["question_idx"], row["country"], row["prompt_question"], options, right))
    return tuple(questions)


def _hard(path: Path) -> tuple[KnowledgeQuestion, ...]:
    rows = _rows(path, "Hard")
    refuse_repeated(rows, tuple(rows[0].cells))
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row["question_idx"], []).append(row)
    questions = []
    truth = {"true": True, "1": True, "false": False, "0": False}
    for number, four in groups.items():
        answers = [truth.get(row["answer"].lower()) for row in four]
        if len(four) != len(LETTERS) or None in answers or len({row["prompt_question"] for row in four}) > 1:
            raise ValueError(
                f"{four[0].where}: question_idx {number} needs four rows of one question with the answers true or false, got "
                f"{len(four)} with {', '.join(repr(row['answer']) for row in four)}; {REMEDY}"
            )
        options = tuple(row["prompt_option"] for row in four)
        right = tuple(bool(answer) for answer in answers)
        questions.append(KnowledgeQuestion(number, four[0]["country"], four[0]["prompt_question"], options, right))
    return tuple(questions)
