-- The overview: totals of all of the caller's batches, coverage, what alerts rest on.

create function public.read_overview() returns jsonb
language sql stable set search_path = ''
as $$
    with recursive judged as materialized (
        select count(*) filter (where i.status = 'completed') as accepted,
            count(*) filter (where i.status = 'failed') as failed,
            count(*) filter (where i.status = 'completed' and i.finished_at >= now() - interval '7 days') as recent_accepted,
            count(*) filter (where i.status = 'failed' and i.finished_at >= now() - interval '7 days') as recent_failed
        from public.batch_items i
        where i.created_by = (select auth.uid()) and i.status in ('completed', 'failed')
    ), spend as materialized (
        select coalesce(sum(a.cost_usd) filter (where not a.simulated), 0) as charged,
            coalesce(sum(a.cost_usd) filter (where a.simulated), 0) as simulated
        from public.generation_attempts a where a.created_by = (select auth.uid())
    ), kept as materialized (
        select c.persona_id, c.emotional_arc_id, c.training_topic_id, count(*) as conversations,
            count(*) filter (where c.simulated) as simulated
        from public.conversations c where c.created_by = (select auth.uid()) group by 1, 2, 3
    ), patterns as (
        -- One step for each pattern, by the index, however many failures there are.
        select (select min(f.truncation_pattern)::text from public.failed_generations f
            where f.created_by = (select auth.uid()) and f.truncation_pattern is not null) as pattern
        union all
        select (select min(f.truncation_pattern)::text from public.failed_generations f
            where f.created_by = (select auth.uid()) and f.truncation_pattern > p.pattern)
        from patterns p where p.pattern is not null
    ), first_seen as (
        select p.pattern, (select min(f.created_at) from public.failed_generations f
            where f.created_by = (select auth.uid()) and f.truncation_pattern = p.pattern) as first_seen_at
        from patterns p where p.pattern is not null
    )
    select jsonb_build_object(
        'accepted', j.accepted, 'failed', j.failed,
        'recent_accepted', j.recent_accepted, 'recent_failed', j.recent_failed,
        'conversations', coalesce((select sum(k.conversations) from kept k), 0),
        'simulated_conversations', coalesce((select sum(k.simulated) from kept k), 0),
        'spend_usd', s.charged, 'simulated_spend_usd', s.simulated,
        'batches', (select count(*) from public.batches b),
        'active_batches', (select count(*) from public.batches b where b.status in ('queued', 'processing')),
        'paused_batches', (select count(*) from public.batches b where b.status = 'paused'),
        'open_items', (
            select count(*) from public.batches b join public.batch_items i on i.batch_id = b.id
            where b.status in ('queued', 'processing') and i.status in ('queued', 'processing')
        ),
        'first_batch_at', (select min(b.created_at) from public.batches b),
        'patterns', coalesce((
            select jsonb_agg(jsonb_build_object('pattern', p.pattern, 'first_seen_at', p.first_seen_at) order by p.first_seen_at)
            from first_seen p
        ), '[]'),
        'coverage', jsonb_build_object(
            'topics', (select count(*) from public.training_topics t where t.is_active),
            'personas', coalesce((
                select jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name) order by p.name)
                from public.personas p where p.is_active
            ), '[]'),
            'arcs', coalesce((
                select jsonb_agg(jsonb_build_object('id', e.id, 'name', e.name, 'conversation_category', e.conversation_category)
                    order by e.conversation_category, e.name)
                from public.emotional_arcs e where e.is_active
            ), '[]'),
            'cells', coalesce((
                select jsonb_agg(to_jsonb(cell)) from (
                    select k.persona_id, k.emotional_arc_id, count(*) filter (where t.is_active) as topics,
                        sum(k.conversations) as conversations
                    from kept k join public.training_topics t on t.id = k.training_topic_id group by 1, 2
                ) cell
            ), '[]')
        )
    )
    from judged j cross join spend s
$$;

revoke execute on function public.read_overview() from public, anon;
grant execute on function public.read_overview() to authenticated, service_role;
