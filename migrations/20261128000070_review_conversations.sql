-- Review: a rejection has a reason, a conversation a note, and a turn can be edited while what it said before is kept.
-- Nothing set a conversation to archived; older ones that are become rejected ones with that reason.

alter table public.conversations
    add column review_reason text check (review_reason is null or public.is_line(review_reason)),
    add column review_note text check (review_note is null or public.is_text(review_note, 5000)),
    add column read_at timestamptz,
    add column reader uuid,
    add column held_until timestamptz;
comment on column public.conversations.review_reason is 'Why a reviewer rejected it';
comment on column public.conversations.reader is 'The session that has it open until held_until';
update public.conversations set review_status = 'rejected', review_reason = 'archived' where review_status = 'archived';
alter table public.conversations drop constraint conversations_review_status_check;
alter table public.conversations add constraint conversations_review_status_check
    check (review_status in ('pending_review', 'approved', 'rejected'));

create table public.conversation_edits (
    id uuid primary key default gen_random_uuid(),
    conversation_id uuid not null references public.conversations (id) on delete cascade,
    turn_place integer not null check (turn_place >= 0),
    content_before text not null,
    edited_by uuid not null references auth.users (id) on delete cascade,
    edited_at timestamptz not null default now()
);
comment on table public.conversation_edits is 'What turns said before they were edited; the first edit of a turn has what Claude wrote';
comment on column public.conversation_edits.turn_place is 'Counted from 0';
create index idx_conversation_edits_conversation on public.conversation_edits (conversation_id, edited_at);
-- For the foreign key alone.
create index idx_conversation_edits_edited_by on public.conversation_edits (edited_by);
alter table public.conversation_edits enable row level security;
create policy "Users read the edits of their conversations" on public.conversation_edits
    for select to authenticated using (edited_by = (select auth.uid()));

drop function public.review_conversation(uuid, text);
drop function public.find_conversation_place(jsonb, uuid);

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

-- What stands before and after a conversation with the filters: {"newer_id", "older_id", "newer", "total"}. Without a
-- conversation, `older_id` is the first of all. A reader is not led on to what another reader has open.
create function public.find_conversation_place(filters jsonb, conversation_id uuid, for_reader uuid default null) returns jsonb
language plpgsql stable set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    moment timestamptz;
begin
    select c.created_at into moment from public.conversations c where c.id = conversation_id;
    return jsonb_build_object(
        'newer_id', (select c.id from public.matching_conversations(filters) c
            where (c.created_at, c.id) > (moment, conversation_id) order by c.created_at, c.id limit 1),
        'older_id', (select c.id from public.matching_conversations(filters) c
            where (conversation_id is null or (c.created_at, c.id) < (moment, conversation_id))
                and (for_reader is null or c.reader is null or c.reader = for_reader or c.held_until < now())
            order by c.created_at desc, c.id desc limit 1),
        'newer', (select count(*) from public.matching_conversations(filters) c
            where (c.created_at, c.id) > (moment, conversation_id)),
        'total', (select count(*) from public.matching_conversations(filters) c)
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

-- One conversation whole, with its edits, the scaffolding that its batch keeps and the settings of its call; null where there is
-- none, or it is someone else's.
create or replace function public.describe_conversation(conversation_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    select to_jsonb(c) - 'scaffolding_snapshot' || jsonb_build_object(
        'category', c.conversation_category,
        'batch_name', b.name,
        'persona', b.snapshot -> 'personas' -> c.persona_id::text,
        'arc', b.snapshot -> 'arcs' -> c.emotional_arc_id::text,
        'topic', b.snapshot -> 'topics' -> c.training_topic_id::text,
        'template', b.snapshot -> 'templates' -> c.template_id::text,
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

revoke all on public.conversation_edits from anon, authenticated;
grant select on public.conversation_edits to authenticated;
grant all on public.conversation_edits to service_role;

revoke execute on function
    public.review_conversations(uuid[], text, text), public.edit_turn(uuid, integer, text, text), public.note_conversation(uuid, text),
    public.open_conversation(uuid, uuid), public.find_conversation_place(jsonb, uuid, uuid)
    from public, anon, authenticated;
grant execute on function
    public.review_conversations(uuid[], text, text), public.edit_turn(uuid, integer, text, text), public.note_conversation(uuid, text),
    public.open_conversation(uuid, uuid), public.find_conversation_place(jsonb, uuid, uuid)
    to authenticated, service_role;
