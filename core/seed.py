"""Puts the scaffolding into the database; existing rows stay as they are."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.adapters.supabase.seeding import open_seeder
from core.config import Settings
from core.domain.record import Record
from core.domain.scaffolding.records import TrainingTopic
from core.domain.scaffolding.topic_selection import select_topics
from core.scaffolding_data import (
    load_emotional_arcs,
    load_personas,
    load_prompt_templates,
    load_training_topics,
    load_variation_axes,
)

SELECTED_TOPICS_FILE = "selected-topics-20.json"


@dataclass(frozen=True, kw_only=True)
class Seeded:
    """What ships with Bright Run and is in the database now, rows by table, and where the choice of topics is written."""

    rows: dict[str, int]
    active_topics: int
    selected_topics_file: Path


def seed(settings: Settings) -> Seeded:
    """Insert personas, arcs, topics (20 of 65 active), templates and axes that are missing; never change or delete a row.

    The choice of the 20 is written to `selected-topics-20.json` in the stack's folder. Running it again changes nothing.
    """
    url, _ = settings.require_supabase()
    selected = select_topics(load_training_topics())
    kept = {topic.topic_key for topic in selected}
    topics = [topic.model_copy(update={"is_active": topic.topic_key in kept}) for topic in load_training_topics()]
    tables: list[tuple[str, Sequence[Record], str]] = [
        ("personas", load_personas(), "persona_key"),
        ("emotional_arcs", load_emotional_arcs(), "arc_key"),
        ("training_topics", topics, "topic_key"),
        ("prompt_templates", load_prompt_templates(), "template_key,version"),
        ("variation_axes", load_variation_axes(), "created_by,axis_key"),
    ]
    with open_seeder(url, settings.require_secret_key()) as seeder:
        for table, records, key in tables:
            seeder.insert_missing(table, records, key)
        active = seeder.count_active_topics([topic.topic_key for topic in topics])
    counts = {table: len(records) for table, records, _ in tables}
    return Seeded(rows=counts, active_topics=active, selected_topics_file=_write_selection(settings.home, selected))


def _write_selection(home: Path, selected: Sequence[TrainingTopic]) -> Path:
    path = home / SELECTED_TOPICS_FILE
    home.mkdir(parents=True, exist_ok=True)
    entries = [topic.model_dump(mode="json", include={"id", "topic_key", "name", "category"}) for topic in selected]
    path.write_text(json.dumps(entries, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path
