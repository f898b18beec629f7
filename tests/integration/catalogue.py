"""Who may do what with each object of the database: the whole list. What is not in it fails `test_catalogue.py`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid4

from core.scaffolding_data import (
    load_emotional_arcs,
    load_personas,
    load_prompt_templates,
    load_training_topics,
    load_variation_axes,
)
from tests.factories import make_selection, make_settings

NEW_KEY = "catalogue"
"""How the keys of the scaffolding begin that is saved here."""
LARGEST = 2_147_483_647
LONG = "x" * 300_000


class Reading(StrEnum):
    """Who sees rows of a table or view. Nobody writes one but through functions and the service role."""

    SHARED = "shared"  #: every analyst sees all
    OWN = "own"  #: an analyst sees their own
    OFFERED = "offered"  #: an analyst sees what ships and their own
    HIDDEN = "hidden"  #: no analyst sees any


READING: Mapping[str, Reading] = {
    "personas": Reading.SHARED,
    "emotional_arcs": Reading.SHARED,
    "training_topics": Reading.SHARED,
    "prompt_templates": Reading.SHARED,
    "variation_axes": Reading.OFFERED,
    "scaffolding_authors": Reading.OWN,
    "alert_evaluations": Reading.SHARED,
    "batches": Reading.OWN,
    "batch_totals": Reading.OWN,
    "batch_trend": Reading.OWN,
    "batch_stop_reasons": Reading.OWN,
    "batch_workers": Reading.OWN,
    "batch_items": Reading.OWN,
    "generation_attempts": Reading.OWN,
    "conversations": Reading.OWN,
    "failed_generations": Reading.OWN,
    "outcome_combinations": Reading.OWN,
    "failure_kinds": Reading.OWN,
    "item_outcomes": Reading.OWN,
    "experiments": Reading.OWN,
    "experiment_pairs": Reading.OWN,
    "alerts": Reading.OWN,
    "imported_names": Reading.OWN,
    "import_files": Reading.OWN,
    "datasets": Reading.OWN,
    "dataset_cells": Reading.OWN,
    "dataset_versions": Reading.OWN,
    "dataset_version_rows": Reading.OWN,
    "dataset_exports": Reading.OWN,
    "conversation_edits": Reading.OWN,
    "imports": Reading.HIDDEN,
    "spools": Reading.HIDDEN,
    "import_rows": Reading.HIDDEN,
    "import_sizes": Reading.HIDDEN,
    "batch_progress": Reading.OWN,
    "generation_history": Reading.OWN,
}
BUCKETS = {"failed-generation-files"}
"""All private: an analyst downloads reports of their own failures, nobody but the worker writes."""

WITHOUT_SEARCH_PATH = {
    # Put in place by the planner, which a SET clause would keep it from; invoker's rights, every name with its schema.
    "matching_failures", "matching_conversations", "matching_combinations", "fits_kind", "fits_settings",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class World:
    """What the owner has, for arguments."""

    batch: UUID
    large_batch: UUID
    conversation: UUID
    failure: UUID
    experiment: UUID
    alert: UUID
    spool: UUID
    """Of a host that was not heard of for an hour."""
    import_id: UUID
    dataset: UUID
    other_dataset: UUID
    """To be deleted."""
    version: UUID
    draft: UUID
    """A version that is being written."""


Check = Callable[[Any], bool]


def is_refused(answer: Any) -> bool:
    """Refused with a word, by the function or by the API; a short one, whatever was sent."""
    word = answer.get("reason") or answer.get("message") if isinstance(answer, dict) else None
    return isinstance(word, str) and 10 < len(word) < 500 and answer.get("outcome", "rejected") in ("rejected", "conflict")


def is_nothing(answer: Any) -> bool:
    return answer in (None, [], False, {"outcome": "not_found"})


def is_done(answer: Any) -> bool:
    return isinstance(answer, dict) and answer.get("outcome") in ("submitted", "saved", "begun", "created", "done", "staged")


def has_no_rows(answer: Any) -> bool:
    return answer["rows"] == []


def counts_nothing(answer: Any) -> bool:
    return answer["total"] == 0


def is_any(_: Any) -> bool:
    return True


@dataclass(frozen=True, kw_only=True)
class Call:
    """A function that analysts call: what its owner and somebody else get for the owner's ids, and where its arguments end.

    `limits` has a value that is far too large for each argument that can be large, with what is to come of it.
    """

    arguments: Callable[[World], dict[str, Any]] = lambda _: {}
    owner: Check = bool
    stranger: Check = is_nothing
    limits: Mapping[str, tuple[Any, Check]] = field(default_factory=dict[str, tuple[Any, Check]])


def _filter(world: World) -> dict[str, Any]:
    return {"filters": {"batch_id": str(world.batch)}}


def _page(world: World) -> dict[str, Any]:
    return _filter(world) | {"page_size": 10, "cursor_created_at": None, "cursor_id": None}


def _make_new(record: Any) -> dict[str, Any]:
    key = next(name for name in type(record).model_fields if name.endswith("_key"))
    return record.model_dump(mode="json") | {
        "id": str(uuid4()), key: f"{NEW_KEY}_{uuid4().hex}", "updated_at": None, "is_active": False
    }  # fmt: skip


def _save(record: Any) -> Call:
    return Call(
        arguments=lambda _: {"payload": _make_new(record)},
        owner=is_done,
        stranger=is_done,
        limits={"payload": (_make_new(record) | {"name": LONG}, is_refused)},
    )


def _request() -> dict[str, Any]:
    ids = make_selection().model_dump(mode="json", include={"persona_ids", "arc_ids", "topic_ids"})
    return {"name": "A batch", "conversation_category": "core", **ids, **make_settings().model_dump(mode="json")}


def make_dataset_request() -> dict[str, Any]:
    """Return what create_dataset is sent, with a name that nothing has."""
    ids = make_selection().model_dump(mode="json", include={"persona_ids", "arc_ids", "topic_ids"})
    plan = [{"conversation_category": "core", **ids, "per_combination": 1}]
    return {"name": f"Set {uuid4().hex}", "counted": "accepted", "plan": plan}


AT_LAST = ("submit_batch", "create_dataset", "begin_import", "finish_import", "retry_failed_items", "delete_dataset")
"""After these somebody else has something, too, nothing is left to retry, or a data set is gone."""
KIND = ("failure_type", "stop_reason", "truncation_pattern", "fingerprint")
SETTINGS = (
    "persona_id", "emotional_arc_id", "training_topic_id", "template_id", "structured_outputs", "max_tokens", "effort",
    "prompt_length",
)  # fmt: skip
FILTERS: tuple[Any, Check] = ({"text": LONG}, is_refused)
MANY_IDS = [str(uuid4()) for _ in range(2_000)]

CALLS: Mapping[str, Call] = {
    "submit_batch": Call(
        arguments=lambda _: {"request": _request()},
        owner=is_done,
        stranger=is_done,
        limits={"request": (_request() | {"topic_ids": MANY_IDS}, is_refused)},
    ),
    "count_existing_combinations": Call(
        arguments=lambda _: {"request": _request() | {"skip_existing": "any"}},
        owner=lambda answer: answer["existing"] == 1,
        stranger=lambda answer: answer == {"existing": 0},
        limits={"request": (_request() | {"topic_ids": MANY_IDS}, is_refused)},
    ),
    "retry_failed_items": Call(
        arguments=lambda world: {"target_batch_id": str(world.batch), "changes": {}},
        owner=is_done,
        limits={"changes": ({"name": LONG}, is_refused)},
    ),
    "control_batch": Call(
        arguments=lambda world: {"target_batch_id": str(world.large_batch), "action": "pause", "new_budget_usd": None},
        owner=lambda answer: answer["status"] == "paused",
        limits={"action": (LONG, is_refused), "new_budget_usd": ("NaN", is_refused)},
    ),
    "create_experiment": Call(
        arguments=lambda world: {
            "request": {"batch_id": str(world.batch), "scope": "judged", "change": {"model": "another"}}
        },
        owner=is_done,
        limits={"request": ({"batch_id": str(uuid4()), "change": {"model": "x" * 5_000_000}}, is_refused)},
    ),
    "count_experiment_pairs": Call(arguments=lambda world: {"target_experiment_id": str(world.experiment)}),
    "save_persona": _save(load_personas()[0]),
    "save_arc": _save(load_emotional_arcs()[0]),
    "save_topic": _save(load_training_topics()[0]),
    "save_axis": _save(load_variation_axes()[0]),
    "save_template": Call(
        arguments=lambda _: {"payload": _make_new(load_prompt_templates()[-1]), "based_on": None},
        owner=is_done,
        stranger=is_done,
        limits={
            "payload": (_make_new(load_prompt_templates()[-1]) | {"user_prompt": LONG}, is_refused),
            "based_on": (LARGEST, is_refused),
        },
    ),
    "set_template_active": Call(
        arguments=lambda _: {"template_id": str(load_prompt_templates()[0].id), "active": True},
        owner=is_done,
        stranger=is_done,
    ),
    "list_offered_templates": Call(stranger=bool),
    "list_offered_axes": Call(stranger=bool),
    "count_scaffolding_uses": Call(arguments=lambda _: {"kind": "persona"}, limits={"kind": (LONG, is_any)}),
    "find_failures_by_words": Call(
        arguments=lambda _: {"search": "backslash"}, limits={"search": ("word " * 60_000, is_nothing)}
    ),
    "matching_failures": Call(arguments=_filter, limits={"filters": FILTERS}),
    "list_failed_generations": Call(
        arguments=_page,
        owner=lambda answer: len(answer["rows"]) == 1,
        stranger=has_no_rows,
        limits={
            "filters": FILTERS,
            "page_size": (LARGEST, lambda answer: len(answer["rows"]) <= 201),
            "direction": (LONG, lambda answer: len(answer["rows"]) == 1),
        },
    ),
    "count_failed_generations": Call(
        arguments=_filter,
        owner=lambda answer: answer["total"] == 1,
        stranger=counts_nothing,
        limits={"filters": ({"text": LONG}, counts_nothing)},
    ),
    "find_failure_place": Call(
        arguments=lambda world: _filter(world) | {"failure_id": str(world.failure)},
        owner=lambda answer: answer["total"] == 1,
        stranger=counts_nothing,
        limits={"filters": FILTERS},
    ),
    "describe_failure": Call(arguments=lambda world: {"failure_id": str(world.failure)}),
    "list_result_options": Call(
        owner=lambda answer: len(answer["batches"]) > 1, stranger=lambda answer: answer["batches"] == answer["models"] == []
    ),
    "list_imported_names": Call(arguments=lambda _: {"wanted_kind": "template"}, limits={"wanted_kind": (LONG, is_nothing)}),
    "find_conversations_by_words": Call(
        arguments=lambda _: {"search": "statement"}, limits={"search": ("word " * 60_000, is_nothing)}
    ),
    "matching_conversations": Call(arguments=_filter, limits={"filters": FILTERS}),
    "draw_conversations": Call(
        arguments=lambda world: {"filters": {"batch_id": str(world.batch), "sample_size": 1, "sample_seed": 7}},
        owner=lambda answer: len(answer) == 1,
        limits={"filters": FILTERS},
    ),
    "list_conversations": Call(
        arguments=_page,
        owner=lambda answer: len(answer["rows"]) == 1,
        stranger=has_no_rows,
        limits={
            "filters": FILTERS,
            "page_size": (LARGEST, lambda answer: len(answer["rows"]) <= 201),
            "direction": (LONG, lambda answer: len(answer["rows"]) == 1),
        },
    ),
    "count_conversations": Call(
        arguments=_filter, owner=lambda answer: answer["total"] == 1, stranger=counts_nothing, limits={"filters": FILTERS}
    ),
    "describe_conversation": Call(arguments=lambda world: {"conversation_id": str(world.conversation)}),
    "find_conversation_place": Call(
        arguments=lambda world: _filter(world) | {"conversation_id": str(world.conversation)},
        owner=lambda answer: answer["total"] == 1,
        stranger=counts_nothing,
        limits={"filters": FILTERS},
    ),
    "export_conversations": Call(
        arguments=_page, limits={"filters": FILTERS, "page_size": (LARGEST, lambda answer: len(answer) <= 500)}
    ),
    "list_batches": Call(
        arguments=lambda _: {"filters": {}, "page_size": 10, "page_offset": 0},
        owner=lambda answer: answer["total"] > 1,
        stranger=counts_nothing,
        limits={
            "filters": FILTERS,
            "page_size": (LARGEST, lambda answer: len(answer["batches"]) <= 200),
            "page_offset": (LARGEST, lambda answer: answer["batches"] == []),
        },
    ),
    "read_batch_trend": Call(
        arguments=lambda world: {"target_batch_id": str(world.batch), "max_points": 60},
        # A point needs an item that was closed.
        limits={"max_points": (LARGEST, lambda answer: len(answer) <= 2)},
    ),
    "group_judged_items": Call(
        arguments=lambda world: {"target_batch_id": str(world.batch), "max_points": 60},
        # A point needs an item that was closed.
        limits={"max_points": (LARGEST, lambda answer: len(answer) <= 2)},
    ),
    "join_trend_parts": Call(
        arguments=lambda world: {"target_batch_id": str(world.batch), "max_points": 60},
        # A point needs an item that was closed.
        limits={"max_points": (LARGEST, lambda answer: len(answer) <= 2)},
    ),
    "watch_batch": Call(
        arguments=lambda world: {"target_batch_id": str(world.batch), "max_points": 60},
        limits={"max_points": (LARGEST, lambda answer: len(answer["trend"]) <= 2)},
    ),
    "list_batch_items": Call(
        arguments=lambda world: {
            "target_batch_id": str(world.large_batch),
            "status_filter": None,
            "page_size": 10,
            "page_offset": 0,
        },
        owner=lambda answer: (answer["total"], len(answer["items"])) == (300, 10),
        stranger=counts_nothing,
        limits={
            "status_filter": (LONG, counts_nothing),
            "page_size": (LARGEST, lambda answer: len(answer["items"]) == 200),
            "page_offset": (LARGEST, lambda answer: answer["items"] == []),
        },
    ),
    "list_attempt_log": Call(
        arguments=lambda world: {
            "target_batch_id": str(world.batch),
            "after_created_at": None,
            "after_id": None,
            "page_size": 10,
        },
        limits={"page_size": (LARGEST, lambda answer: len(answer) <= 5_000)},
    ),
    "list_items_to_retry": Call(arguments=lambda world: {"target_batch_id": str(world.batch)}),
    "asks_for_imports": Call(
        arguments=lambda world: {"filters": {"batch_id": str(world.batch)}}, stranger=bool, limits={"filters": FILTERS}
    ),
    "list_retry_templates": Call(arguments=lambda world: {"target_batch_id": str(world.batch)}),
    "read_overview": Call(
        owner=lambda answer: answer["accepted"] == 1, stranger=lambda answer: answer["accepted"] == answer["batches"] == 0
    ),
    "read_database_health": Call(stranger=bool),
    "measure_storage": Call(stranger=bool),
    "measure_room": Call(stranger=bool),
    "dismiss_spool": Call(arguments=lambda world: {"spool_id": str(world.spool)}, stranger=is_any, owner=is_any),
    "read_claude_health": Call(
        owner=lambda answer: bool(answer["stop_reasons"]), stranger=lambda answer: answer == {"stop_reasons": {}}
    ),
    "matching_combinations": Call(
        arguments=lambda _: {"filters": {"max_tokens": make_settings().max_tokens}}, limits={"filters": FILTERS}
    ),
    "count_outcomes": Call(
        arguments=lambda world: _filter(world) | {"most_batches": 10},
        owner=lambda answer: len(answer["totals"]) == 2,
        stranger=lambda answer: answer["totals"] == answer["batches"] == [],
        limits={"filters": FILTERS, "most_batches": (LARGEST, lambda answer: len(answer["batches"]) <= 100)},
    ),
    "list_outcome_examples": Call(
        arguments=lambda _: {"groups": [{}], "most": 5},
        owner=lambda answer: len(answer[0]) > 1,
        stranger=lambda answer: answer == [[]],
        limits={"groups": ([{}] * 51, is_refused), "most": (LARGEST, lambda answer: len(answer[0]) <= 20)},
    ),
    "read_alerts": Call(
        owner=lambda answer: len(answer["open"]) == 1, stranger=lambda answer: answer["open"] == answer["acknowledged"] == []
    ),
    "acknowledge_alert": Call(arguments=lambda world: {"alert_id": str(world.alert), "is_seen": True}),
    "begin_import": Call(
        arguments=lambda _: {"request": {"name": "a", "files": [{"digest": uuid4().hex * 2, "name": "a"}]}},
        owner=is_done,
        stranger=is_done,
        limits={"request": ({"name": "a", "files": [{"digest": "0" * 64, "name": "a"}] * 10_001}, is_refused)},
    ),
    "stage_import": Call(
        arguments=lambda world: {"target_import_id": str(world.import_id), "items": []},
        owner=is_done,
        limits={"items": ([{}] * 1_001, is_refused)},
    ),
    "finish_import": Call(arguments=lambda world: {"target_import_id": str(world.import_id)}, owner=is_refused),
    "create_dataset": Call(
        arguments=lambda _: {"request": make_dataset_request()},
        owner=is_done,
        stranger=is_done,
        limits={"request": (make_dataset_request() | {"plan": [{}] * 1_001}, is_refused)},
    ),
    "list_datasets": Call(
        arguments=lambda _: {"counts_simulated": True, "wanted_name": None, "wanted_id": None},
        limits={"wanted_name": (LONG, is_nothing), "most": (LARGEST, bool)},
    ),
    "delete_dataset": Call(arguments=lambda world: {"target_dataset_id": str(world.other_dataset)}, owner=is_done),
    "count_dataset_cells": Call(arguments=lambda world: {"target_dataset_id": str(world.dataset), "counts_simulated": True}),
    "describe_dataset": Call(
        arguments=lambda world: {"target_dataset_id": str(world.dataset), "counts_simulated": True},
        owner=lambda answer: len(answer["cells"]) == 2 and len(answer["versions"]) == 1,
    ),
    "read_dataset_head": Call(
        arguments=lambda world: {"target_dataset_id": str(world.dataset)}, owner=lambda answer: answer["version"] == 1
    ),
    "note_dataset_export": Call(
        arguments=lambda world: {
            "target_version_id": str(world.version),
            "new_target": "hub",
            "new_formats": ["sharegpt"],
            "new_repository": "owner/name",
        },
        owner=is_done,
        limits={
            "new_target": (LONG, is_refused),
            "new_formats": ([LONG], is_refused),
            "new_repository": (LONG, is_refused),
        },
    ),
    "list_dataset_conversations": Call(
        arguments=lambda world: {"target_dataset_id": str(world.dataset), "page_size": 10},
        limits={"page_size": (LARGEST, lambda answer: len(answer) == 1)},
    ),
    "review_conversations": Call(
        arguments=lambda world: {"conversation_ids": [str(world.conversation)], "new_status": "approved"},
        owner=lambda answer: answer["reviewed"] == 1,
        stranger=lambda answer: answer["reviewed"] == 0,
        limits={
            "conversation_ids": (MANY_IDS, is_refused),
            "new_status": (LONG, is_refused),
            "new_reason": (LONG, is_refused),
        },
    ),
    "note_conversation": Call(
        arguments=lambda world: {"target_conversation_id": str(world.conversation), "new_note": "Read twice."},
        owner=is_done,
        limits={"new_note": (LONG, is_refused)},
    ),
    "open_conversation": Call(
        arguments=lambda world: {"target_conversation_id": str(world.conversation), "new_reader": str(uuid4())},
        owner=is_done,
    ),
    "read_conversation": Call(
        arguments=lambda world: (
            _filter(world) | {"target_conversation_id": str(world.conversation), "new_reader": str(uuid4())}
        ),
        owner=lambda answer: answer["place"]["total"] == 1,
        limits={"filters": FILTERS},
    ),
    "edit_turn": Call(
        arguments=lambda world: {
            "target_conversation_id": str(world.conversation),
            "turn_place": 0,
            "new_content": "Hello.",
            "revision": "0" * 32,
        },
        owner=lambda answer: answer["outcome"] == "changed",  # That is not the revision that is kept.
        limits={
            "new_content": (LONG, is_refused),
            "revision": (LONG, lambda answer: answer["outcome"] == "changed"),
            "turn_place": (LARGEST, lambda answer: answer["outcome"] == "changed"),
        },
    ),
    "begin_dataset_version": Call(arguments=lambda world: {"target_dataset_id": str(world.dataset)}, owner=is_done),
    "stage_dataset_rows": Call(
        arguments=lambda world: {"target_version_id": str(world.draft), "members": []},
        owner=is_done,
        stranger=is_refused,
        limits={"members": ([{}] * 1_001, is_refused)},
    ),
    "freeze_dataset_version": Call(
        arguments=lambda world: {"target_version_id": str(world.draft), "fingerprint": "0" * 64, "summary": {}},
        owner=is_refused,  # It holds no conversation.
        stranger=is_refused,
        limits={"fingerprint": (LONG, is_refused), "summary": ({"a": "x" * 5_000_000}, is_refused)},
    ),
    "read_version_rows": Call(
        arguments=lambda world: {"target_version_id": str(world.version), "from_position": 0, "page_size": 10},
        limits={"from_position": (LARGEST, is_nothing), "page_size": (LARGEST, lambda answer: len(answer) == 1)},
    ),
    "read_ids": Call(
        arguments=lambda _: {"given": [str(uuid4())], "what": "topics"},
        stranger=bool,
        limits={"given": (MANY_IDS, is_refused), "what": (LONG, bool)},
    ),
    # They look at their arguments alone.
    "fits_kind": Call(
        arguments=lambda _: {"filters": {}, **dict.fromkeys(KIND)},
        stranger=bool,
        limits={"filters": ({"failure_type": LONG}, is_nothing), **dict.fromkeys(KIND, (LONG, bool))},
    ),
    "fits_settings": Call(
        arguments=lambda _: {"filters": {}, **dict.fromkeys(SETTINGS)},
        stranger=bool,
        limits={
            "filters": ({"effort": LONG}, is_nothing),
            "effort": (LONG, bool),
            "max_tokens": (LARGEST, bool),
            "prompt_length": (LARGEST, bool),
        },
    ),
    "measure_budget": Call(
        arguments=lambda world: {"target_batch_id": str(world.batch)},
        stranger=lambda answer: [0.0, 0.0] == [float(usd) for usd in answer.values()],
    ),
    "require_filters": Call(arguments=lambda _: {"filters": {}}, stranger=bool, limits={"filters": FILTERS}),
}

WORKER = {
    "lease_items", "extend_leases", "leave_batch", "list_batches_to_help",
    "record_failure", "release_item", "record_results",
    "reconcile_batches", "pause_batch", "set_pace", "list_missing_reports", "set_report_path", "list_old_failures",
    "delete_failures", "list_unmarked_failures", "mark_failures", "begin_alert_evaluation", "save_alerts",
    "claim_alert_webhooks", "settle_alert_webhook", "drop_old_replies", "note_spool",
}  # fmt: skip
"""What the service role calls; analysts and visitors may not."""

INNER = {
    "settle_batch", "stop_batch", "reclaim_items", "grant_slots", "check_canary", "find_next_available",
    "find_batches_to_help", "count_new_items", "count_changed_items", "count_new_attempts", "check_breaker",
    "check_limits", "insert_attempt", "take_leased_item", "record_superseded", "note_outcomes", "note_closed_items",
    "insert_attempts", "record_accepted", "write_outcomes", "describe_outcomes", "count_alert_facts", "list_spools",
    "keep_frozen_version", "describe_version_row", "check_item_scaffolding", "check_template_size",
    "resolve_import_names", "snapshot_import", "note_imported_outcomes", "refuse_imported_batch", "refuse_stale_save",
    "explain_error", "require_object", "require_shape", "note_author", "name_batch", "refuse_unknown_keys",
    "most_of_an_analyst", "check_batch_room", "refuse_import_size", "count_characters", "check_record_length",
    "read_picks", "make_line", "clean_line", "hidden_text", "is_visible", "is_line", "is_note", "is_text",
    "is_text_list", "is_text_map", "is_count", "is_short", "is_import_item", "make_failure_words", "is_line_list",
    "make_conversation_words", "make_word_query",
}  # fmt: skip
"""What other functions, constraints and triggers call; analysts and visitors may not."""
