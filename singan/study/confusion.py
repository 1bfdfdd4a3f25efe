"""How often participants were wrong, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np

from singan.study.answers import Answer, Answers

Z = 1.959964  # standard deviations: 95 % of a normal distribution lie within as many of its mean
PUBLISHED: dict[tuple[str, int | None], float] = {  # SinGAN sec. 4.2, by kind and start scale: its N and N-1
    ("paired", 0): 0.2145,
    ("paired", 1): 0.3045,
    ("unpaired", 0): 0.429,
    ("unpaired", 1): 0.4704,
}
MIN_PARTICIPANTS, DRAWS = 5, 10_000  # of the bootstrap
OUTLIER = 0.2  # seconds by which a picture may be shown longer or shorter than it should
Share = tuple[int, int]  # so many of so many


@dataclass(frozen=True)
class Condition:
    """What answers are counted together: the fields are those of `Answer`; `model` is None for all of a method's."""

    kind: str
    method: str
    model: str | None
    start_scale: int | None
    variation: float | None


@dataclass(frozen=True)
class Row:
    """The answers in one condition: `confusion` is the share that is wrong, and `by_answers` Wilson's interval for it,
    which takes answers as independent; `by_participants`, if there are five, does not.

    Of an unpaired test, `real_doubted` are the photographs that were taken for generated, `generated_believed` the
    generated pictures that were taken for photographs. `published`: SinGAN's confusion in that condition.
    """

    condition: Condition
    participants: int
    answers: int
    wrong: int
    confusion: float
    by_answers: tuple[float, float]
    by_participants: tuple[float, float] | None
    real_doubted: Share | None
    generated_believed: Share | None
    published: float | None


def confusion(study: Sequence[Answers], *, each_model: bool = False) -> list[Row]:
    """A row for each kind, method, start scale and variation; with `each_model`, for each model too."""
    conditions = {_condition(answer, each_model) for answers in study for answer in answers.answers}
    as_published = study[0].parts == 1 and study[0].seconds == 1
    rows = []
    for condition in sorted(conditions, key=lambda one: [(value is not None, value) for value in astuple(one)]):
        asked = [[one for one in answers.answers if _condition(one, each_model) == condition] for answers in study]
        rows.append(_row(condition, [answers for answers in asked if answers], as_published))
    return rows


def _condition(answer: Answer, each_model: bool) -> Condition:
    model = answer.model if each_model else None
    return Condition(answer.kind, answer.method, model, answer.start_scale, answer.variation)


def _row(condition: Condition, by_person: list[list[Answer]], as_published: bool) -> Row:
    answers = [answer for given in by_person for answer in given]
    unpaired, (wrong, count) = condition.kind == "unpaired", _wrong(answers)
    each = [_wrong(given) for given in by_person]
    return Row(
        condition,
        participants=len(by_person),
        answers=count,
        wrong=wrong,
        confusion=wrong / count,
        by_answers=wilson(wrong, count),
        by_participants=bootstrap(each) if len(each) >= MIN_PARTICIPANTS else None,
        real_doubted=_wrong([one for one in answers if one.shown == ["real"]]) if unpaired else None,
        generated_believed=_wrong([one for one in answers if one.shown == ["generated"]]) if unpaired else None,
        published=PUBLISHED.get((condition.kind, condition.start_scale)) if as_published else None,
    )


def _wrong(answers: Sequence[Answer]) -> Share:
    return sum(answer.wrong for answer in answers), len(answers)


def wilson(wrong: int, count: int) -> tuple[float, float]:
    """The 95 % interval of a share p = `wrong` / `count`, n = `count` (Wilson 1927):

    (p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), z = 1.96.
    """
    p, extra = wrong / count, Z**2 / count
    half = Z * math.sqrt(p * (1 - p) / count + extra / (4 * count))
    middle = p + extra / 2
    return max(0.0, (middle - half) / (1 + extra)), min(1.0, (middle + half) / (1 + extra))


def bootstrap(counts: Sequence[Share], seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the share over all participants, each with (wrong, answers): the middle 95 % of what it is
    when as many participants are drawn from them with replacement (Efron 1979, percentiles)."""
    wrong, answers = np.array(counts).T
    drawn = np.random.default_rng(seed).integers(len(counts), size=(DRAWS, len(counts)))
    low, high = np.percentile(wrong[drawn].sum(1) / answers[drawn].sum(1), [2.5, 97.5])
    return float(low), float(high)


def badly_timed(study: Sequence[Answers]) -> int:
    """How many answers are to pictures that were shown too long or too short: of a slow device, or a changed file."""
    limit = 1000 * OUTLIER
    return sum(abs(answer.shown_ms - 1000 * answers.seconds) > limit for answers in study for answer in answers.answers)
