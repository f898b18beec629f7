-- Conversations: reading, searching, reviewing and exporting them. Reading functions run under the caller's row-level
-- security.

-- The words of a conversation to search by: of its name and of what is said.
create function public.make_conversation_words(name text, turns jsonb) returns tsvector
language sql immutable parallel safe set search_path = ''
as $$
    select to_tsvector('pg_catalog.simple'::regconfig, name) ||
        jsonb_to_tsvector('pg_catalog.simple'::regconfig, jsonb_path_query_array(turns, '$[*].content'), '["string"]')
$$;

create index idx_conversations_words on public.conversations using gin (public.make_conversation_words(name, turns));
-- Without this, each ANALYZE would read the replies of its whole sample.
alter index public.idx_conversations_words alter column 1 set statistics 0;

-- The ids of the caller's conversations that have these words. A definer's function, because under row-level security
-- a search by words may not use its index; it returns only ids of the caller's own rows.
create function public.find_conversations_by_words(search text) returns setof uuid
language sql stable security definer rows 1000 set search_path = ''
as $$
    select c.id from public.conversations c
    where c.created_by = (select auth.uid())
        and public.make_conversation_words(c.name, c.turns) operator(pg_catalog.@@) public.make_word_query(search)
$$;

-- The ids of as many conversations as `sample_size` says, drawn by chance from all of the data set or batch that the
-- filters name (without one, from all), whatever the other filters say: the same `sample_seed` draws the same ones.
create function public.draw_conversations(filters jsonb) returns setof uuid
language sql stable rows 100 set search_path = ''
as $$
    select c.id from public.conversations c
    where public.require_filters(filters)
        and (filters ->> 'batch_id' is null or c.batch_id = (filters ->> 'batch_id')::uuid)
        and (filters ->> 'dataset_id' is null
            or c.batch_id in (select b.id from public.batches b where b.dataset_id = (filters ->> 'dataset_id')::uuid))
    order by md5(c.id::text || (filters ->> 'sample_seed')), c.id
    limit least(greatest((filters ->> 'sample_size')::integer, 1), 1000)
$$;

-- The caller's conversations that match. `filters` holds any of batch_id, persona_id, emotional_arc_id,
-- training_topic_id, category, tier, model, review_status, minimum_quality, sample_size with sample_seed (as
-- draw_conversations reads them) and text (words, or their beginnings). What comparisons made is left out, unless a batch
-- is named or `with_comparisons` is true.
-- Without a SET clause and with the caller's rights, so that the planner inlines it.
create function public.matching_conversations(filters jsonb) returns setof public.conversations
language sql stable
as $$
    select c.* from public.conversations c
    where public.require_filters(filters)
        and (filters ->> 'batch_id' is null or c.batch_id = (filters ->> 'batch_id')::uuid)
        and (filters ->> 'dataset_id' is null
            or c.batch_id in (select b.id from public.batches b where b.dataset_id = (filters ->> 'dataset_id')::uuid))
        and (filters ->> 'persona_id' is null or c.persona_id = (filters ->> 'persona_id')::uuid)
        and (filters ->> 'emotional_arc_id' is null or c.emotional_arc_id = (filters ->> 'emotional_arc_id')::uuid)
        and (filters ->> 'training_topic_id' is null or c.training_topic_id = (filters ->> 'training_topic_id')::uuid)
        and (filters ->> 'category' is null or c.conversation_category = filters ->> 'category')
        and (filters ->> 'tier' is null or c.tier = filters ->> 'tier')
        and (filters ->> 'model' is null or c.model = filters ->> 'model')
        and (filters ->> 'review_status' is null or c.review_status = filters ->> 'review_status')
        and (filters ->> 'batch_id' is not null or filters ->> 'with_comparisons' = 'true'
            or not exists (select 1 from public.experiments e where e.changed_batch_id = c.batch_id))
        and (filters ->> 'minimum_quality' is null or c.quality_score >= (filters ->> 'minimum_quality')::numeric)
        and (filters ->> 'sample_size' is null or c.id in (select s.id from public.draw_conversations(filters) as s(id)))
        and (filters ->> 'text' is null
            or c.id in (select m.id from public.find_conversations_by_words(filters ->> 'text') as m(id)))
$$;

-- One page of conversations, always newest first: {"rows", "newer"}, `newer` being how many matching conversations
-- stand before the first row. direction 'older': what follows the row that the cursor names (no cursor: the first
-- page); 'newer': what precedes it.
create function public.list_conversations(
    filters jsonb, page_size integer, cursor_created_at timestamptz default null, cursor_id uuid default null,
    direction text default 'older'
) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    most integer := least(greatest(page_size, 1), 201);
    ids uuid[];
    rows jsonb;
    newer bigint := 0;
begin
    if cursor_id is null then
        ids := array(select c.id from public.matching_conversations(filters) c
            order by c.created_at desc, c.id desc limit most);
    elsif direction = 'newer' then
        ids := array(select c.id from public.matching_conversations(filters) c
            where (c.created_at, c.id) > (cursor_created_at, cursor_id)
            order by c.created_at, c.id limit most);
    else
        ids := array(select c.id from public.matching_conversations(filters) c
            where (c.created_at, c.id) < (cursor_created_at, cursor_id)
            order by c.created_at desc, c.id desc limit most);
    end if;
    select coalesce(jsonb_agg(to_jsonb(page)), '[]') into rows from (
        select c.id, c.name, c.batch_id, b.name as batch_name, c.conversation_category as category, c.tier, c.turn_count,
            c.starting_emotion, c.ending_emotion, c.quality_score, c.review_status, c.model, c.output_tokens, c.cost_usd,
            c.simulated, c.created_at
        from public.conversations c left join public.batches b on b.id = c.batch_id
        where c.id = any (ids)
        order by c.created_at desc, c.id desc
    ) page;
    if cursor_id is not null and rows <> '[]' then
        select count(*) into newer from public.matching_conversations(filters) c
        where (c.created_at, c.id) > ((rows -> 0 ->> 'created_at')::timestamptz, (rows -> 0 ->> 'id')::uuid);
    end if;
    return jsonb_build_object('rows', rows, 'newer', newer);
end
$$;

-- {"total", "by_review_status"}: the total under all filters; the counts leave the filter by review status out.
create function public.count_conversations(filters jsonb) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
begin
    return (
        with grouped as materialized (
            select c.review_status, count(*) as conversations
            from public.matching_conversations(filters - 'review_status') c group by 1
        )
        select jsonb_build_object(
            'total', coalesce(sum(g.conversations) filter (
                where filters ->> 'review_status' is null or g.review_status = filters ->> 'review_status'), 0),
            'by_review_status', coalesce(jsonb_object_agg(g.review_status, g.conversations), '{}')
        )
        from grouped g
    );
end
$$;

-- What stands before and after a conversation with the filters, and how far their review is: {"newer_id", "older_id",
-- "newer", "total", "by_review_status"}; the counts by review status leave that filter out. Without a conversation,
-- `older_id` is the first of all. Where those that wait for review are asked for, a reader is not led on to what another
-- reader has open.
create function public.find_conversation_place(filters jsonb, conversation_id uuid, for_reader uuid default null) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    moment timestamptz;
begin
    select c.created_at into moment from public.conversations c where c.id = conversation_id;
    return (
        with grouped as materialized (
            select c.review_status, filters ->> 'review_status' is null or c.review_status = filters ->> 'review_status' as matches,
                count(*) as conversations, count(*) filter (where (c.created_at, c.id) > (moment, conversation_id)) as newer
            from public.matching_conversations(filters - 'review_status') c group by 1
        )
        select jsonb_build_object(
            'newer_id', (select c.id from public.matching_conversations(filters) c
                where (c.created_at, c.id) > (moment, conversation_id) order by c.created_at, c.id limit 1),
            'older_id', (select c.id from public.matching_conversations(filters) c
                where (conversation_id is null or (c.created_at, c.id) < (moment, conversation_id))
                    and (for_reader is null or filters ->> 'review_status' is distinct from 'pending_review'
                        or c.reader is null or c.reader = for_reader or c.held_until < now())
                order by c.created_at desc, c.id desc limit 1),
            'newer', coalesce(sum(g.newer) filter (where g.matches), 0),
            'total', coalesce(sum(g.conversations) filter (where g.matches), 0),
            'by_review_status', coalesce(jsonb_object_agg(g.review_status, g.conversations), '{}')
        )
        from grouped g
    );
end
$$;

-- One conversation whole, with its edits, the scaffolding that its batch keeps and the settings of its call; null where there is
-- none, or it is someone else's.
create function public.describe_conversation(conversation_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select to_jsonb(c) - 'scaffolding_snapshot' || jsonb_build_object(
        'category', c.conversation_category,
        'batch_name', b.name,
        'persona', b.snapshot -> 'personas' -> c.persona_id::text,
        'arc', b.snapshot -> 'arcs' -> c.emotional_arc_id::text,
        'topic', b.snapshot -> 'topics' -> c.training_topic_id::text,
        'template', b.snapshot -> 'templates' -> c.template_id::text,
        'axes', coalesce(b.snapshot -> 'axes', '{}'),
        'variation', coalesce((c.scaffolding_snapshot ->> 'variation')::integer, 1),
        'variation_values', coalesce(c.scaffolding_snapshot -> 'variation_values', '{}'),
        'revision', md5(c.turns::text),
        'edits', (select coalesce(jsonb_agg(jsonb_build_object('turn_place', e.turn_place, 'content_before', e.content_before,
            'edited_at', e.edited_at) order by e.edited_at), '[]')
            from public.conversation_edits e where e.conversation_id = c.id),
        'duration_ms', a.duration_ms, 'request_id', a.request_id, 'attempt_number', a.attempt_number,
        'max_tokens', a.max_tokens, 'effort', a.effort, 'structured_outputs', a.structured_outputs
    )
    from public.conversations c
    join public.batches b on b.id = c.batch_id
    left join public.generation_attempts a on a.id = c.attempt_id
    where c.id = conversation_id
$$;

-- Notes the analyst's review of conversations: approved | rejected (with a reason, if one is given) | pending_review.
-- Returns {"outcome": "done" | "rejected", "reviewed": how many of them are the caller's, "read": how many of these
-- somebody has opened, "reason"}.
create function public.review_conversations(conversation_ids uuid[], new_status text, new_reason text default null) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    done integer;
    opened integer;
begin
    if new_status is null or new_status not in ('approved', 'rejected', 'pending_review') then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'A review is approved, rejected or pending_review.');
    end if;
    if new_reason is not null and (new_status <> 'rejected' or not public.is_line(new_reason)) then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'A reason is one line of at most 200 characters, and only what is rejected has one.');
    end if;
    if cardinality(conversation_ids) > 1000 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'At most 1,000 conversations are reviewed in one call.');
    end if;
    with changed as (
        update public.conversations c set review_status = new_status, review_reason = new_reason
        where c.id = any (conversation_ids) and c.created_by = (select auth.uid())
        returning c.read_at
    )
    select count(*), count(changed.read_at) into done, opened from changed;
    return jsonb_build_object('outcome', 'done', 'reviewed', done, 'read', opened);
end
$$;

-- Notes that a reader has opened a conversation, and holds it for five minutes so that another reviewer is led to the
-- next one. Returns {"outcome": "done" | "not_found", "is_held": whether another reader has it open}.
create function public.open_conversation(target_conversation_id uuid, new_reader uuid) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    target public.conversations;
begin
    select c.* into target from public.conversations c
    where c.id = target_conversation_id and c.created_by = (select auth.uid()) for update;
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if target.reader <> new_reader and target.held_until > now() then
        return jsonb_build_object('outcome', 'done', 'is_held', true);
    end if;
    update public.conversations c
    set read_at = coalesce(c.read_at, now()), reader = new_reader, held_until = now() + interval '5 minutes'
    where c.id = target.id;
    return jsonb_build_object('outcome', 'done', 'is_held', false);
end
$$;

-- Opens a conversation for a reader, in one answer: {"conversation": what describe_conversation says, "is_held": whether
-- another reader has it open, "place": what find_conversation_place says}; null where there is none, or it is someone
-- else's.
create function public.read_conversation(target_conversation_id uuid, new_reader uuid, filters jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    opened jsonb := public.open_conversation(target_conversation_id, new_reader);
begin
    if opened ->> 'outcome' = 'not_found' then
        return null;
    end if;
    return jsonb_build_object(
        'conversation', public.describe_conversation(target_conversation_id),
        'is_held', opened -> 'is_held',
        'place', public.find_conversation_place(filters, target_conversation_id, new_reader)
    );
end
$$;

-- Keeps an analyst's note about a conversation; an empty one takes it away. Returns {"outcome": "done" | "not_found" |
-- "rejected", "reason"}.
create function public.note_conversation(target_conversation_id uuid, new_note text) returns jsonb
language plpgsql security definer set search_path = ''
as $$
begin
    if not public.is_note(coalesce(new_note, ''), 5000) then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'A note has at most 5,000 characters, none of them hidden.');
    end if;
    update public.conversations c set review_note = nullif(new_note, '')
    where c.id = target_conversation_id and c.created_by = (select auth.uid());
    return jsonb_build_object('outcome', case when found then 'done' else 'not_found' end);
end
$$;

-- Replaces what one turn says and keeps what it said before. `revision` (md5 of the turns) is what the editor saw: where
-- it is another one by now, nothing is replaced. Returns {"outcome": "done" | "changed" | "not_found" | "rejected",
-- "reason"}.
create function public.edit_turn(target_conversation_id uuid, turn_place integer, new_content text, revision text) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    target public.conversations;
begin
    if not public.is_text(new_content, 50000) then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'A turn says something, in at most 50,000 characters, none of them hidden.');
    end if;
    select c.* into target from public.conversations c
    where c.id = target_conversation_id and c.created_by = (select auth.uid()) for update;
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if md5(target.turns::text) is distinct from revision then
        return jsonb_build_object('outcome', 'changed');
    end if;
    if target.turns -> turn_place ->> 'content' is null or turn_place < 0 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'The conversation has no such turn.');
    end if;
    insert into public.conversation_edits (conversation_id, turn_place, content_before, edited_by)
    values (target.id, turn_place, target.turns -> turn_place ->> 'content', target.created_by);
    update public.conversations c
    set turns = jsonb_set(c.turns, array[turn_place::text, 'content'], to_jsonb(new_content))
    where c.id = target.id;
    return jsonb_build_object('outcome', 'done');
end
$$;

-- A page of whole conversations, oldest first, after the one that the cursor names.
create function public.export_conversations(
    filters jsonb, page_size integer, cursor_created_at timestamptz default null, cursor_id uuid default null
) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    ids uuid[] := array(select c.id from public.matching_conversations(filters) c
        where cursor_id is null or (c.created_at, c.id) > (cursor_created_at, cursor_id)
        order by c.created_at, c.id limit least(greatest(page_size, 1), 500));
begin
    return (select coalesce(jsonb_agg(to_jsonb(page)), '[]') from (
        select c.id, c.name, c.turns, c.batch_id, b.name as batch_name, c.conversation_category as category, c.tier, c.model,
            c.review_status, c.quality_score, c.simulated, c.created_at,
            c.scaffolding_snapshot -> 'persona' ->> 'persona_key' as persona,
            c.scaffolding_snapshot -> 'emotional_arc' ->> 'arc_key' as arc,
            c.scaffolding_snapshot -> 'training_topic' ->> 'topic_key' as topic,
            c.scaffolding_snapshot -> 'template' ->> 'template_key' as template,
            (c.scaffolding_snapshot -> 'template' ->> 'version')::integer as template_version,
            coalesce((c.scaffolding_snapshot ->> 'variation')::integer, 1) as variation,
            coalesce(c.scaffolding_snapshot -> 'variation_values', '{}') as variation_values
        from public.conversations c left join public.batches b on b.id = c.batch_id
        where c.id = any (ids)
        order by c.created_at, c.id
    ) page);
end
$$;
