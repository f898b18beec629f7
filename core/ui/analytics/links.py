"""The filters that marks of the analytics stand for, as the link holds them."""

from datetime import datetime

from core.domain.diagnosis.diagnosis import Bucket, Diagnosis, Dimension
from core.domain.diagnosis.suspects import Suspect, SuspectName
from core.ui.shell.failure_filters import (
    ARC,
    CATEGORY,
    EFFORT,
    MAX_TOKENS,
    MODEL,
    PERSONA,
    PROMPT,
    STRUCTURED,
    TEMPLATE,
    TOPIC,
    TOPIC_CATEGORY,
)
from core.ui.shell.link_state import DATES, HOUR
from core.ui.shell.links import BATCH

PARAMETERS: dict[Dimension, str] = {
    Dimension.TEMPLATE: TEMPLATE,
    Dimension.ARC: ARC,
    Dimension.PERSONA: PERSONA,
    Dimension.TOPIC: TOPIC,
    Dimension.TOPIC_CATEGORY: TOPIC_CATEGORY,
    Dimension.CATEGORY: CATEGORY,
    Dimension.MODEL: MODEL,
    Dimension.STRUCTURED_OUTPUT: STRUCTURED,
    Dimension.MAX_TOKENS: MAX_TOKENS,
    Dimension.EFFORT: EFFORT,
    Dimension.PROMPT_LENGTH: PROMPT,
    Dimension.BATCH: BATCH,
}


def mark_suspect(suspect: Suspect, diagnosis: Diagnosis) -> dict[str, str]:
    """Return the filter of a suspect's items; empty where one of its names has none."""
    marks = [_mark_name(name, diagnosis) for name in suspect.parts or suspect.names[:1]]
    return {} if any(not mark for mark in marks) else {key: value for mark in marks for key, value in mark.items()}


def mark_time(start: datetime, bucket: Bucket) -> dict[str, str]:
    """Return the filter of a day, or of an hour."""
    return {HOUR: f"{start:%Y-%m-%dT%H}"} if bucket is Bucket.HOUR else {DATES: f"{start:%Y-%m-%d}..{start:%Y-%m-%d}"}


def _mark_name(name: SuspectName, diagnosis: Diagnosis) -> dict[str, str]:
    dimension = Dimension(name.field)
    if dimension is Dimension.PROMPT_LENGTH:
        sign, _, step = name.value.partition(" ")
        number = step.replace(",", "")
        return {PROMPT: f"{number}.." if sign == "≥" else f"..{number}"}
    found = [row.key for row in diagnosis.rates if row.dimension is dimension and row.label == name.value and row.key]
    return {PARAMETERS[dimension]: found[0]} if found else {}
