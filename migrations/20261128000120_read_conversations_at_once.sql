-- A conversation is read with its place in one call, and its place is counted in one pass; a data set's plan is counted
-- without joining its items to its conversations.

-- What stands before and after a conversation with the filters, and how far their review is: {"newer_id", "older_id",
-- "newer", "total", "by_review_status"}; the counts by review status leave that filter out. Without a conversation,
-- `older_id` is the first of all. Where those that wait for review are asked for, a reader is not led on to what another
-- reader has open.
create or replace function public.find_conversation_place(filters jsonb, conversation_id uuid, for_reader uuid default null) returns jsonb
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

-- What came of each combination of a plan in the batches of its data set. A conversation that a reviewer rejected or
-- archived counts for nothing; simulated ones count where `counts_simulated` says so. `to_generate` is what neither
-- counts, waits for review nor is being generated. Items and conversations are counted apart: joined one by one, 100,000
-- items take twice as long.
create or replace function public.count_dataset_cells(target_dataset_id uuid, counts_simulated boolean)
returns table (
    persona_id uuid, emotional_arc_id uuid, training_topic_id uuid, wanted integer, accepted integer, approved integer,
    rejected integer, failed integer, open integer, made integer, to_generate integer
)
language sql stable rows 1000 set search_path = ''
as $$
    with made as materialized (
        select i.persona_id, i.emotional_arc_id, i.training_topic_id,
            count(*) filter (where i.status = 'failed') as failed,
            count(*) filter (where i.status in ('queued', 'processing')) as open,
            count(*) as made
        from public.batch_items i
        where i.batch_id in (select b.id from public.batches b where b.dataset_id = target_dataset_id)
        group by 1, 2, 3
    ), kept as materialized (
        select c.persona_id, c.emotional_arc_id, c.training_topic_id,
            count(*) filter (where c.review_status in ('pending_review', 'approved') and (counts_simulated or not c.simulated))
                as accepted,
            count(*) filter (where c.review_status = 'approved' and (counts_simulated or not c.simulated)) as approved,
            count(*) filter (where c.review_status = 'rejected') as rejected
        from public.conversations c
        where c.batch_id in (select b.id from public.batches b where b.dataset_id = target_dataset_id)
        group by 1, 2, 3
    )
    select cell.persona_id, cell.emotional_arc_id, cell.training_topic_id, cell.wanted,
        coalesce(k.accepted, 0)::integer, coalesce(k.approved, 0)::integer, coalesce(k.rejected, 0)::integer,
        coalesce(m.failed, 0)::integer, coalesce(m.open, 0)::integer, coalesce(m.made, 0)::integer,
        greatest(cell.wanted - coalesce(k.accepted, 0) - coalesce(m.open, 0), 0)::integer
    from public.dataset_cells cell
    left join made m using (persona_id, emotional_arc_id, training_topic_id)
    left join kept k using (persona_id, emotional_arc_id, training_topic_id)
    where cell.dataset_id = target_dataset_id
$$;

revoke execute on function public.read_conversation(uuid, uuid, jsonb) from public, anon, authenticated;
grant execute on function public.read_conversation(uuid, uuid, jsonb) to authenticated, service_role;
