-- retry_failed_items: a new batch of a batch's failed items, the same or with changed settings; the two stay linked.
--
-- `changes` may hold name, model, max_tokens, effort, structured_outputs (a key that is absent changes nothing) and
-- template_id, an active template that replaces the one of its arc. The scaffolding stays as it was in the first batch.
-- Returns {"outcome": "submitted", "batch_id", "planned"} or {"outcome": "rejected" | "not_found", "reason"}.

create function public.retry_failed_items(target_batch_id uuid, changes jsonb) returns jsonb
language plpgsql security definer set search_path = ''
as $$
declare
    old_batch public.batches;
    template public.prompt_templates;
    new_batch_id uuid;
    planned integer;
begin
    select b.* into old_batch from public.batches b where b.id = target_batch_id and b.created_by = auth.uid();
    if not found then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if not exists (
        select 1 from public.batch_items i where i.batch_id = target_batch_id and i.status = 'failed'
    ) then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'No item of this batch has failed; there is nothing to retry.');
    end if;
    if changes ->> 'template_id' is not null then
        select t.* into template from public.prompt_templates t
        where t.id = (changes ->> 'template_id')::uuid and t.is_active;
        if not found or not old_batch.snapshot -> 'arcs' ? template.emotional_arc_id::text then
            return jsonb_build_object('outcome', 'rejected', 'reason',
                'This template is not active or belongs to an arc that the batch does not have.');
        end if;
    end if;

    insert into public.batches (
        name, conversation_category, model, max_tokens, effort, structured_outputs, concurrency, error_handling,
        raise_max_tokens, budget_usd, retry_of, selection, snapshot, created_by
    )
    select coalesce(changes ->> 'name', 'Retry of ' || old_batch.name), old_batch.conversation_category,
        coalesce(changes ->> 'model', old_batch.model),
        coalesce((changes ->> 'max_tokens')::integer, old_batch.max_tokens),
        case when changes ? 'effort' then changes ->> 'effort' else old_batch.effort end,
        coalesce((changes ->> 'structured_outputs')::boolean, old_batch.structured_outputs),
        old_batch.concurrency, old_batch.error_handling, old_batch.raise_max_tokens, old_batch.budget_usd,
        target_batch_id, old_batch.selection,
        case when template.id is null then old_batch.snapshot
            else jsonb_set(old_batch.snapshot, array['templates', template.id::text], to_jsonb(template)) end,
        old_batch.created_by
    returning id into new_batch_id;

    insert into public.batch_items (
        batch_id, position, persona_id, emotional_arc_id, training_topic_id, template_id, tier, created_by
    )
    select new_batch_id, row_number() over (order by i.position) - 1, i.persona_id, i.emotional_arc_id,
        i.training_topic_id,
        case when i.emotional_arc_id = template.emotional_arc_id then template.id else i.template_id end, i.tier, i.created_by
    from public.batch_items i where i.batch_id = target_batch_id and i.status = 'failed';
    get diagnostics planned = row_count;
    return jsonb_build_object('outcome', 'submitted', 'batch_id', new_batch_id, 'planned', planned);
end
$$;

revoke execute on function public.retry_failed_items(uuid, jsonb) from public, anon;
grant execute on function public.retry_failed_items(uuid, jsonb) to authenticated;
