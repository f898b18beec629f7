"""Fills a database with the rows of years of work, for measurements of pages and queries.

The rows are made in the database from a hash of their number: the same each time, spread over personas, arcs, topics, days,
failure types and patterns as real ones are. They are marked simulated.
"""

from collections.abc import Callable

import psycopg

from core.domain.record import Record

BATCH_ITEMS = 1_000
"""Items of each past batch."""
LARGE_BATCH = "Volume, one large batch"
DATASET = "All that is done"
"""The data set of all past batches; its plan has each combination."""
QUEUED_ITEMS = 500
"""Items of the large batch, which is still running."""
DAYS = 60
"""The past batches are spread over this many days."""
Say = Callable[[str], None]


class Volume(Record):
    """How many rows to make."""

    failures: int = 100_000
    conversations: int = 20_000
    large_batch_items: int = 10_000


_DRAW = """
create or replace function pg_temp.draw(number bigint, salt text) returns integer language sql immutable as
$$ select ('x' || substr(md5(number || salt), 1, 7))::bit(28)::integer $$
"""
_PICK = """
create or replace function pg_temp.pick(choices anyarray, number bigint, salt text) returns anyelement language sql
    immutable as
$$ select choices[1 + pg_temp.draw(number, salt) % cardinality(choices)] $$
"""
_SCAFFOLDING = """
create temp table combination as
select row_number() over (order by md5(p.id::text || a.id || t.id)) - 1 as number, p.id as persona_id, p.name as persona,
    a.id as arc_id, a.name as arc, a.tier, a.conversation_category, t.id as topic_id, t.name as topic, pt.id as template_id
from public.personas p cross join public.emotional_arcs a cross join public.training_topics t
join public.prompt_templates pt on pt.emotional_arc_id = a.id and pt.is_active
where p.is_active and a.is_active and t.is_active and a.conversation_category = 'core'
"""
_INDEX_SCAFFOLDING = "create unique index on combination (number)"
_BATCHES = """
insert into public.batches (name, status, conversation_category, model, max_tokens, structured_outputs, concurrency,
    selection,
    snapshot, estimated_seconds, estimated_cost_usd, created_by, created_at, started_at, completed_at)
select 'Volume ' || n, 'completed', 'core', 'claude-sonnet-5-5', 24576, n %% 4 > 0, 3, '{}',
    jsonb_build_object(
        'personas', (select jsonb_object_agg(p.id, to_jsonb(p)) from public.personas p),
        'arcs', (select jsonb_object_agg(a.id, to_jsonb(a)) from public.emotional_arcs a),
        'topics', (select jsonb_object_agg(t.id, to_jsonb(t)) from public.training_topics t where t.is_active),
        'templates', (select jsonb_object_agg(pt.id, to_jsonb(pt)) from public.prompt_templates pt)
    ),
    3600, 45, %(owner)s, at, at + interval '5 seconds', at + interval '1 hour'
from generate_series(1, %(batches)s) n,
    lateral (select now() - make_interval(days => %(days)s) * (%(batches)s - n + 1) / %(batches)s) as moment(at)
"""
_LARGE_BATCH = """
insert into public.batches (name, status, conversation_category, model, max_tokens, structured_outputs, concurrency,
    selection,
    snapshot, estimated_seconds, estimated_cost_usd, created_by, created_at, started_at, completed_at)
select %(name)s, 'processing', b.conversation_category, b.model, b.max_tokens, b.structured_outputs,
    b.concurrency, b.selection, b.snapshot, 36000, 450, b.created_by, now() - interval '2 hours',
    now() - interval '2 hours', null
from public.batches b where b.name = 'Volume 1' and b.created_by = %(owner)s
"""
# The first items of each batch are accepted, according to the share; the others have failed.
_ITEMS = """
insert into public.batch_items (batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id,
    tier, status,
    created_by, created_at, started_at, finished_at)
select b.id, n, c.persona_id, c.arc_id, c.topic_id, c.template_id, c.tier,
    case when n >= %(closed)s then 'queued'
        when pg_temp.draw(n, b.id::text) %% 1000 < %(accepted_per_mille)s then 'completed' else 'failed' end,
    b.created_by, b.created_at, case when n < %(closed)s then at - interval '40 seconds' end,
    case when n < %(closed)s then at end
from public.batches b
cross join generate_series(0, %(items)s - 1) n
join combination c on c.number = (n + pg_temp.draw(1, b.id::text) %% 7) %% (select count(*) from combination),
    lateral (select b.started_at + (coalesce(b.completed_at, now()) - b.started_at) * (n + 1) / %(items)s) as moment(at)
where b.created_by = %(owner)s and b.name = any (%(names)s)
"""
_ATTEMPTS = """
insert into public.generation_attempts (batch_id, batch_item_id, attempt_number, outcome, model, max_tokens,
    structured_outputs,
    prompt_length, stop_reason, failure_type, failure_pattern, http_status, request_id, input_tokens, output_tokens,
     cost_usd,
    duration_ms, response_body, response_body_encoding, simulated, worker, created_by, started_at, created_at)
select i.batch_id, i.id, 1, case i.status when 'completed' then 'accepted' else 'failed' end, b.model, b.max_tokens,
    b.structured_outputs, 8200, k.stop_reason, k.failure_type, k.pattern, case when k.stop_reason is null then 529
     else 200 end,
    'req_' || md5(i.id::text), 2100, case when k.stop_reason is not null then 800 + d %% 6000 end,
    (0.0063 + (800 + d %% 6000) * 0.000015)::numeric(12, 6), 20000 + d %% 40000,
    '{"content": "' || repeat(md5(i.id::text), 20) || '"}', 'utf-8', true, 'volume:1', i.created_by, i.started_at,
     i.finished_at
from public.batch_items i
join public.batches b on b.id = i.batch_id
cross join lateral (select pg_temp.draw(i.position, i.batch_id::text || 'kind')) as drawn(d)
cross join lateral (
    select case when i.status = 'completed' then array['end_turn', null, null]
        else pg_temp.pick_kind(d %% 10) end
) as chosen(kind)
cross join lateral (select kind[1], kind[2], kind[3]) as k(stop_reason, failure_type, pattern)
where b.created_by = %(owner)s and b.name like 'Volume%%' and i.finished_at is not null
"""
_KINDS = """
create or replace function pg_temp.pick_kind(number integer) returns text[] language sql immutable as
$$ select case number
    when 0 then array['max_tokens', 'truncation', 'unexpected_stop_reason']
    when 1 then array['end_turn', 'truncation', 'mid_word']
    when 2 then array['end_turn', 'truncation', 'trailing_comma']
    when 3 then array['refusal', 'refusal', null]
    when 4 then array[null, 'api_error', null]
    when 5 then array['end_turn', 'parse_error', null]
    when 6 then array['end_turn', 'corruption', 'escaped_text']
    when 7 then array['end_turn', 'truncation', 'long_unclosed_string']
    else array['end_turn', 'truncation', 'lone_backslash'] end $$
"""
_FINGERPRINTS = """
create or replace function pg_temp.pick_fingerprint(failure_type text, stop_reason text, pattern text) returns text
    language sql immutable as
$$ select case
    when stop_reason = 'max_tokens' then 'truncation|max_tokens|in_text'
    when failure_type = 'truncation' then 'truncation|end_turn|' || case pattern
        when 'mid_word' then 'word' when 'trailing_comma' then 'comma' when 'lone_backslash' then 'backslash'
        else 'word+quote' end
    when failure_type = 'parse_error' then 'parse_error|end_turn|closing_bracket'
    when failure_type = 'corruption' then 'corruption|escaped_text'
    else failure_type || '|none|' || case failure_type when 'refusal' then 'Claude declined' else 'Overloaded' end end $$
"""
_FAILURES = """
insert into public.failed_generations (run_id, batch_item_id, attempt_id, prompt, prompt_length, model, max_tokens,
    structured_outputs_enabled, raw_response, response_content, stop_reason, input_tokens, output_tokens, failure_type,
    truncation_pattern, truncation_details, confidence, turn_index, error_message, raw_file_path, created_at, created_by,
    persona_id, emotional_arc_id, training_topic_id, template_id, request_id, cost_usd, attempt_count, simulated,
    fingerprint)
select a.batch_id, i.id, a.id, repeat('Prompt of the volume. ', 370), a.prompt_length, a.model, a.max_tokens,
    a.structured_outputs,
    jsonb_build_object('id', 'msg_' || md5(i.id::text), 'stop_reason', a.stop_reason),
    '{"turns": [{"role": "user", "content": "' || repeat('I keep thinking about ' || c.topic || '. ', 60) || md5(i.id::text),
    a.stop_reason, a.input_tokens, a.output_tokens, a.failure_type, a.failure_pattern,
    'Turn 3 (assistant) stops at: ' || md5(i.id::text), 'high', 2, case when a.stop_reason is null then 'Overloaded' end,
    '2026/11/failed-' || i.id || '.json', i.finished_at, a.created_by, i.persona_id, i.emotional_arc_id, i.training_topic_id,
    i.template_id, a.request_id, a.cost_usd, 1, true,
    pg_temp.pick_fingerprint(a.failure_type, a.stop_reason, a.failure_pattern)
from public.generation_attempts a
join public.batch_items i on i.id = a.batch_item_id
join combination c on c.persona_id = i.persona_id and c.arc_id = i.emotional_arc_id and c.topic_id = i.training_topic_id
where a.created_by = %(owner)s and a.worker = 'volume:1' and a.outcome = 'failed'
"""
_CONVERSATIONS = """
insert into public.conversations (batch_id, batch_item_id, attempt_id, name, conversation_category, tier, turns, metadata,
    starting_emotion, starting_intensity, ending_emotion, ending_intensity, review_status, persona_id, emotional_arc_id,
    training_topic_id, template_id, scaffolding_snapshot, model, stop_reason, input_tokens, output_tokens, cost_usd,
     simulated,
    created_by, created_at)
select a.batch_id, i.id, a.id, c.persona || ', ' || c.arc || ', ' || c.topic, c.conversation_category, i.tier, spoken.turns,
    '{"client_persona": "volume", "session_context": "volume", "conversation_phase": "volume", "expected_outcome": null}',
    'worry', 0.8, 'calm', 0.3, pg_temp.pick(array['pending_review', 'approved', 'rejected'], i.position, 'review'),
    i.persona_id, i.emotional_arc_id, i.training_topic_id, i.template_id,
    jsonb_build_object('persona', b.snapshot -> 'personas' -> i.persona_id::text, 'arc',
        b.snapshot -> 'arcs' -> i.emotional_arc_id::text, 'topic', b.snapshot -> 'topics' -> i.training_topic_id::text),
    a.model, 'end_turn', a.input_tokens, a.output_tokens, a.cost_usd, true, a.created_by, i.finished_at
from public.generation_attempts a
join public.batch_items i on i.id = a.batch_item_id
join public.batches b on b.id = a.batch_id
join combination c on c.persona_id = i.persona_id and c.arc_id = i.emotional_arc_id and c.topic_id = i.training_topic_id
cross join lateral (
    select jsonb_agg(jsonb_build_object(
        'turn_number', n, 'role', case when n %% 2 = 1 then 'user' else 'assistant' end,
        'content', repeat('I keep thinking about ' || c.topic || ' and what it means for us. ', 6) || md5(i.id::text
         || n) || '.',
        'emotional_context', jsonb_build_object('primary_emotion', 'worry', 'secondary_emotion', null, 'intensity',
         0.9 - n * 0.06)
    ) order by n) as turns
    from generate_series(1, 10) n
) spoken
where a.created_by = %(owner)s and a.worker = 'volume:1' and a.outcome = 'accepted'
"""
_DATASET = """
insert into public.datasets (name, counted, created_by) values (%(name)s, 'approved', %(owner)s)
"""
_CELLS = """
insert into public.dataset_cells (dataset_id, persona_id, emotional_arc_id, training_topic_id, wanted)
select d.id, c.persona_id, c.arc_id, c.topic_id, 1000
from combination c, public.datasets d where d.name = %(name)s and d.created_by = %(owner)s
"""
_OF_DATASET = """
update public.batches b set dataset_id = d.id from public.datasets d
where d.name = %(name)s and d.created_by = %(owner)s and b.created_by = %(owner)s and b.name like 'Volume %%'
    and b.status = 'completed'
"""
# The trigger notes items that close one by one; these are created closed.
_OUTCOMES = """
select public.note_outcomes(array_agg(n.id)) from (
    select i.id, row_number() over (order by i.batch_id) / 5000 as part from public.batch_items i
    where i.created_by = %(owner)s and i.status in ('completed', 'failed')
) n group by n.part
"""
_TABLES = (
    "batches",
    "batch_items",
    "generation_attempts",
    "failed_generations",
    "conversations",
    "item_outcomes",
    "outcome_combinations",
    "failure_kinds",
    "dataset_cells",
)


def fill_database(database_url: str, owner_email: str, volume: Volume, say: Say) -> None:
    """Write past batches for an analyst, in one transaction, and update the planner's statistics. Raises psycopg.Error.

    The numbers of failures and conversations are within a few per cent of those requested.
    """
    judged = volume.failures + volume.conversations
    batches = max(1, (judged - volume.large_batch_items) // BATCH_ITEMS)
    accepted_per_mille = round(1000 * volume.conversations / judged)
    with psycopg.connect(database_url) as connection:
        row = connection.execute("select id from auth.users where email = %s", (owner_email,)).fetchone()
        if row is None:
            raise LookupError(f"There is no analyst {owner_email}.")
        owner = {"owner": row[0]}
        for statement in (_DRAW, _PICK, _KINDS, _FINGERPRINTS, _SCAFFOLDING, _INDEX_SCAFFOLDING):
            connection.execute(statement)
        connection.execute(_BATCHES, owner | {"batches": batches, "days": DAYS})
        connection.execute(_LARGE_BATCH, owner | {"name": LARGE_BATCH})
        names = [f"Volume {number}" for number in range(1, batches + 1)]
        share = owner | {"accepted_per_mille": accepted_per_mille}
        say(f"{batches:,} batches of {BATCH_ITEMS:,} items and one of {volume.large_batch_items:,} …")
        connection.execute(_ITEMS, share | {"items": BATCH_ITEMS, "closed": BATCH_ITEMS, "names": names})
        large = {
            "items": volume.large_batch_items,
            "closed": volume.large_batch_items - QUEUED_ITEMS,
            "names": [LARGE_BATCH],
        }
        connection.execute(_ITEMS, share | large)
        say("Attempts, failures and conversations …")
        connection.execute("analyze public.batch_items")
        for statement in (_ATTEMPTS, _FAILURES, _CONVERSATIONS):
            connection.execute(statement, owner)
        for statement in (_DATASET, _CELLS, _OF_DATASET):
            connection.execute(statement, owner | {"name": DATASET})
        say("Outcomes …")
        for table in ("generation_attempts", "failed_generations", "conversations"):
            connection.execute(f"analyze public.{table}")  # pyright: ignore[reportArgumentType] - names of ours
        connection.execute(_OUTCOMES, owner)
    with psycopg.connect(database_url, autocommit=True) as connection:
        for table in _TABLES:
            connection.execute(f"vacuum analyze public.{table}")  # pyright: ignore[reportArgumentType] - names of ours
