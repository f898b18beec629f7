-- What to answer where the item is not this worker's any more. A result that came before (the answer was lost on its way) is
-- recorded already. Where someone else has the item, the attempt is kept all the same, since its reply has been paid for. Where
-- there is no such item (its batch was deleted, or the result belongs to another database) nothing can be kept here, and the
-- worker is told, so that it does not throw the reply away.
create or replace function public.record_superseded(target_item_id uuid, attempt jsonb) returns jsonb
language plpgsql set search_path = ''
as $$
declare
    item public.batch_items;
begin
    if exists (select 1 from public.generation_attempts a where a.id = (attempt ->> 'id')::uuid) then
        return jsonb_build_object('outcome', 'recorded', 'batch_status', (
            select b.status from public.batches b join public.batch_items i on i.batch_id = b.id
            where i.id = target_item_id
        ));
    end if;
    select i.* into item from public.batch_items i where i.id = target_item_id;
    if item.id is null then
        return jsonb_build_object('outcome', 'no_such_item');
    end if;
    if jsonb_typeof(attempt) = 'object' then
        perform public.insert_attempt(item, attempt, 'superseded');
    end if;
    return jsonb_build_object('outcome', 'lease_lost');
end
$$;

revoke execute on function public.record_superseded(uuid, jsonb) from public, anon, authenticated;
