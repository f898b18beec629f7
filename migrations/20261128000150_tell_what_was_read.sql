-- What goes into a version also says what a reviewer did with it, for the data set's card.
-- A page of the conversations of a data set's batches, oldest first, after the one that the cursor names. `revision`
-- changes with the text, so that what was judged is what is frozen.
create or replace function public.list_dataset_conversations(
    target_dataset_id uuid, page_size integer, cursor_created_at timestamptz default null, cursor_id uuid default null
) returns jsonb
language plpgsql stable security definer set search_path = '' set plan_cache_mode = 'force_custom_plan'
as $$
declare
    ids uuid[] := array(select c.id from public.batches b join public.conversations c on c.batch_id = b.id
        where b.dataset_id = target_dataset_id and b.created_by = auth.uid() and (cursor_id is null or (c.created_at, c.id) > (cursor_created_at, cursor_id))
        order by c.created_at, c.id limit least(greatest(page_size, 1), 500));
begin
    return (select coalesce(jsonb_agg(public.describe_version_row(c) || jsonb_build_object(
        'review_status', c.review_status, 'created_at', c.created_at, 'revision', md5(c.turns::text),
        'was_read', c.read_at is not null,
        'was_edited', exists (select 1 from public.conversation_edits e where e.conversation_id = c.id)
    ) order by c.created_at, c.id), '[]') from public.conversations c where c.id = any (ids));
end
$$;
