"""The answers that a page saved, read with every check: the files come from anybody."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from singan.errors import ConfigError, one_line, shortened
from singan.study.design import (
    FORMAT_VERSION,
    MAX_NAME,
    MAX_PRACTICE,
    MAX_SECONDS,
    MAX_TRIALS,
    MIN_SECONDS,
    PARTS,
    SHOWN,
    is_name,
)

MAX_BYTES = 100_000  # of a file: fifty answers take a quarter of it
IDENTITY = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Answer:
    """What was shown, place by place, and what the participant took it for; the other fields are those of `Source`."""

    item: int
    kind: str
    method: str
    model: str
    start_scale: int | None
    variation: float | None
    shown: list[str]
    answer: list[str]
    shown_ms: float
    reaction_ms: float

    @property
    def wrong(self) -> bool:
        return self.shown != self.answer


@dataclass(frozen=True)
class Answers:
    """What one participant answered in one study."""

    study: str
    participant: str
    seconds: float
    parts: int
    answers: list[Answer]


def read_answers(paths: Sequence[Path]) -> list[Answers]:
    """The answers in those files, all of one study and each of another participant. Raises `ConfigError`."""
    found: dict[str, Path] = {}
    everything: list[Answers] = []
    for path in paths:
        answers = read_file(path)
        if answers.participant in found:
            other = found[answers.participant]
            raise ConfigError(f"{path} and {other} are of one participant, {answers.participant}: give one of the two.")
        first = everything[0] if everything else answers
        if answers.study != first.study:
            raise ConfigError(
                f"{path} is of study {answers.study}, {paths[0]} of {first.study}: score them one by one."
            )
        if (answers.seconds, answers.parts) != (first.seconds, first.parts):
            raise ConfigError(f"{path} has other seconds or parts than {paths[0]}, of the same study: it was changed.")
        found[answers.participant] = path
        everything.append(answers)
    return everything


def read_file(path: Path) -> Answers:
    """The answers in a file. Raises `ConfigError` if it is no such file, to the last field."""
    if not path.is_file():
        raise ConfigError(f"{path} is no file; give one that a study saved.")
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path} is over {MAX_BYTES // 1000} kB; no answers of a study are.")
    try:
        return _answers(json.loads(data.decode(), parse_constant=_no_number))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} holds no answers of a study: {one_line(error)}.") from None


def _answers(value: Any) -> Answers:
    """Raises ValueError."""
    _check_names(value, {"format_version", *Answers.__dataclass_fields__}, "it")
    if value["format_version"] != FORMAT_VERSION or type(value["format_version"]) is not int:
        raise ValueError(f"its format is {shortened(value['format_version'])}, this singan reads {FORMAT_VERSION}")
    for name in ("study", "participant"):
        if not isinstance(value[name], str) or not IDENTITY.fullmatch(value[name]):
            raise ValueError(f"{name} is {shortened(value[name])}, not sixteen hexadecimal digits")
    if type(value["parts"]) is not int or value["parts"] not in PARTS:
        raise ValueError(f"parts is {shortened(value['parts'])}, not 1, 4 or 9")
    given = value["answers"]
    if not isinstance(given, list) or not 0 < len(given) <= MAX_TRIALS:
        raise ValueError(f"answers is not a list of 1 to {MAX_TRIALS}")
    answers = [_answer(one, f"answer {k + 1}") for k, one in enumerate(given)]
    if len({answer.item for answer in answers}) < len(answers):
        raise ValueError("it answers one item twice")
    seconds = _number(value["seconds"], "seconds", MIN_SECONDS, MAX_SECONDS)
    return Answers(value["study"], value["participant"], seconds, value["parts"], answers)


def _answer(value: Any, where: str) -> Answer:
    _check_names(value, set(Answer.__dataclass_fields__), where)
    if not isinstance(value["kind"], str) or value["kind"] not in SHOWN:
        raise ValueError(f"kind in {where} is {shortened(value['kind'])}, not {' or '.join(SHOWN)}")
    for name in ("shown", "answer"):
        if value[name] not in SHOWN[value["kind"]]:
            raise ValueError(f"{name} in {where} is {shortened(value[name])}, which is not {value['kind']}")
    for name in ("method", "model"):
        if not is_name(value[name]):
            raise ValueError(f"{name} in {where} is {shortened(value[name])}, not a line of at most {MAX_NAME} letters")
    _whole(value["item"], f"item in {where}", MAX_TRIALS + MAX_PRACTICE - 1)
    if value["start_scale"] is not None:
        _whole(value["start_scale"], f"start_scale in {where}", 99)
    if value["variation"] is not None:
        _number(value["variation"], f"variation in {where}", 0, 1)
    for name in ("shown_ms", "reaction_ms"):
        _number(value[name], f"{name} in {where}", 0, 1e9)
    return Answer(**value)


def _check_names(value: Any, names: set[str], where: str) -> None:
    if not isinstance(value, dict):
        raise ValueError(f"{where} is not an object of names and values")
    if set(value) != names:
        missing, unknown = sorted(names - set(value)), sorted(set(value) - names)
        raise ValueError(f"{where} has no {missing[0]}" if missing else f"{where} has {shortened(unknown[0])}")


def _whole(value: Any, name: str, high: int) -> None:
    if type(value) is not int or not 0 <= value <= high:
        raise ValueError(f"{name} is {shortened(value)}, not a whole number from 0 to {high}")


def _number(value: Any, name: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ValueError(f"{name} is {shortened(value)}, not a number from {low:g} to {high:g}")
    return float(value)


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")
