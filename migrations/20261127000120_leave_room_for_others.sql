-- What one analyst does leaves room for the others, and a record fits into a prompt.

-- All that an analyst may take of the database, whatever others take: the one place with these figures (docs/security.md tells them).
create function public.most_of_an_analyst(what text) returns bigint
language sql stable parallel safe set search_path = ''
as $$
    select case what
        when 'batches that have not ended' then 100
        when 'bytes of batches that wait or were stopped' then 1000000000
        when 'imports that have not ended' then 20
        when 'bytes of imports' then 1000000000
    end
$$;

-- What is generated costs its analyst time and money; what waits or was cancelled costs nothing, so it has limits. An item counts a
-- thousand bytes, as its rows and indexes take about that.
create function public.check_batch_room() returns trigger
language plpgsql set search_path = ''
as $$
declare
    taken record;
begin
    if auth.uid() is null then
        return new;
    end if;
    select count(*) filter (where b.status in ('queued', 'processing', 'paused')) as batches,
        coalesce(sum(pg_column_size(b.snapshot) + 1000 * (
            select count(*) from public.batch_items i where i.batch_id = b.id and i.status in ('queued', 'cancelled')
        )), 0) as bytes
    into taken
    from public.batches b
    where b.created_by = auth.uid() and not b.imported and b.status <> 'completed';
    if taken.batches >= public.most_of_an_analyst('batches that have not ended') then
        raise invalid_parameter_value using constraint = 'in_words', message = format(
            'You have %s batches that have not ended, and that is the most. Wait until one has, or cancel one.', taken.batches);
    end if;
    if taken.bytes + pg_column_size(new.snapshot) > public.most_of_an_analyst('bytes of batches that wait or were stopped') then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'Your batches that wait or were stopped hold as much as they may (about a million conversations). '
            'Wait until some are generated, or ask whoever administers the database to delete stopped batches.';
    end if;
    return new;
end
$$;
create trigger check_batch_room before insert on public.batches
    for each row when (not new.imported) execute function public.check_batch_room();

-- What was sent for an import, staged or kept. Without a reference to the import, which goes when it is finished; begin_import sweeps
-- the sizes of what is gone.
create table public.import_sizes (
    import_id uuid primary key,
    created_by uuid not null references auth.users (id) on delete cascade,
    bytes bigint not null
);
comment on table public.import_sizes is
    'What each import was sent. Deleting the batch of an import gives its analyst the room back';
create index idx_import_sizes_created_by on public.import_sizes (created_by);
alter table public.import_sizes enable row level security;
revoke all on public.import_sizes from anon, authenticated;

-- Says why an analyst's imports may not hold so many bytes more; null if they may.
create function public.refuse_import_size(owner uuid, bytes bigint) returns jsonb
language sql stable set search_path = ''
as $$
    select jsonb_build_object('outcome', 'rejected', 'reason',
        'Your imports would hold more than 1 GB together. Ask whoever administers the database to delete imported batches '
        'that you do not need any more.')
    from (select coalesce(sum(s.bytes), 0) as taken from public.import_sizes s where s.created_by = owner) t
    where t.taken + bytes > public.most_of_an_analyst('bytes of imports')
$$;

-- As it was, with texts as long as an import writes them (core/domain/datasets/importing.py).
create or replace function public.is_import_item(item jsonb) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(jsonb_typeof(item) = 'object'
        and jsonb_typeof(item -> 'position') = 'number' and public.is_count(item -> 'position', 2147483647)
        and jsonb_typeof(item -> 'turns') = 'number' and public.is_count(item -> 'turns', 2147483647)
        and jsonb_typeof(item -> 'source') = 'object' and pg_column_size(item -> 'source') <= 20000
        and (
            select bool_and(jsonb_typeof(n.named) = 'object' and jsonb_typeof(n.named -> 'name') = 'string'
                and public.is_short(n.named -> 'name', 1000)
                and (n.named ->> 'id' is null or n.named ->> 'id' ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'))
            from unnest(array[item -> 'persona', item -> 'arc', item -> 'topic', item -> 'template']) n(named)
        )
        and jsonb_typeof(item -> 'model') = 'string' and public.is_short(item -> 'model', 100)
        and public.is_short(item -> 'stop_reason', 50)
        and public.is_count(item -> 'max_tokens', 2147483647) and public.is_count(item -> 'input_tokens', 2147483647)
        and public.is_count(item -> 'output_tokens', 2147483647)
        and (item ->> 'made_at' is null or item ->> 'made_at'
            ~ '^2\d{3}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d(:\d\d)?)$')
        and case coalesce(jsonb_typeof(item -> 'failure'), 'null') when 'null' then true
            when 'object' then
                item #>> '{failure,failure_type}'
                    in ('truncation', 'parse_error', 'validation_error', 'api_error', 'refusal', 'corruption')
                and item #>> '{failure,confidence}' in ('high', 'medium', 'low')
                and public.is_short(item #> '{failure,pattern}', 50)
                and public.is_short(item #> '{failure,details}', 20000)
                and public.is_count(item #> '{failure,turn_index}', 2147483647)
                and jsonb_typeof(item #> '{failure,text}') = 'string' and public.is_short(item #> '{failure,text}', 2000000)
                and public.is_short(item #> '{failure,fingerprint}', 160)
            else false end, false)
$$;

-- As it was, but for the room that an analyst has, and names as long as an import sends them.
create or replace function public.begin_import(request jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    owner uuid := auth.uid();
    files jsonb;
    size bigint;
    refusal jsonb;
    known jsonb;
    new_import_id uuid;
begin
    if owner is null then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Sign in first: an import belongs to a user.');
    end if;
    if jsonb_typeof(request -> 'files') is distinct from 'array'
        or jsonb_array_length(request -> 'files') not between 1 and 10000 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'An import is of 1 to 10,000 files.');
    end if;
    if coalesce(jsonb_typeof(request -> 'name'), 'null') not in ('string', 'null') then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Name: a text is asked for.');
    end if;
    if exists (
        select 1 from jsonb_array_elements(request -> 'files') g
        where coalesce(g ->> 'digest', '') !~ '^[0-9a-f]{64}$' or jsonb_typeof(g -> 'name') is distinct from 'string'
            or length(g ->> 'name') > 200
    ) then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'Each file has a digest, its SHA-256, and a name of at most 200 characters.');
    end if;
    -- Interrupted long ago; nothing refers to it.
    delete from public.imports i where i.created_by = owner and i.created_at < now() - interval '1 day';
    delete from public.import_sizes s
    where s.created_by = owner and not exists (select 1 from public.imports i where i.id = s.import_id)
        and not exists (select 1 from public.import_files f where f.import_id = s.import_id);
    if (select count(*) from public.imports i where i.created_by = owner)
        >= public.most_of_an_analyst('imports that have not ended') then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'As many of your imports as may be have begun and not ended. What was interrupted is forgotten a day after it began.');
    end if;
    size := 1000 + octet_length((request -> 'files')::text);
    refusal := public.refuse_import_size(owner, size);
    if refusal is not null then
        return refusal;
    end if;
    select jsonb_agg(jsonb_build_object('digest', d.digest, 'name', d.name)) into files from (
        select distinct on (g ->> 'digest') g ->> 'digest' as digest, public.make_line(g ->> 'name', 200) as name
        from jsonb_array_elements(request -> 'files') g
    ) d;
    select coalesce(jsonb_agg(jsonb_build_object('digest', f.digest, 'batch_id', b.id, 'batch_name', b.name)), '[]') into known
    from public.import_files f join public.batches b on b.id = f.batch_id
    where f.created_by = owner and f.digest in (select g ->> 'digest' from jsonb_array_elements(files) g);
    if jsonb_array_length(known) = jsonb_array_length(files) then
        return jsonb_build_object('outcome', 'known', 'known', known);
    end if;
    insert into public.imports (created_by, name, files)
    select owner, public.make_line(request ->> 'name', 200), jsonb_agg(g)
    from jsonb_array_elements(files) g
    where g ->> 'digest' not in (select k ->> 'digest' from jsonb_array_elements(known) k)
    returning id into new_import_id;
    insert into public.import_sizes (import_id, created_by, bytes) values (new_import_id, owner, size);
    return jsonb_build_object('outcome', 'begun', 'import_id', new_import_id, 'known', known);
end
$$;

-- As it was, but for the room.
create or replace function public.stage_import(target_import_id uuid, items jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    -- More than a batch holds: of one file that is no data set, finish_import says so.
    most_rows constant integer := 101000;
    wrong text;
    size bigint;
    refusal jsonb;
begin
    if not exists (
        select 1 from public.imports i where i.id = target_import_id and i.created_by = auth.uid()
    ) then
        return jsonb_build_object('outcome', 'not_found');
    end if;
    if jsonb_typeof(items) is distinct from 'array' or jsonb_array_length(items) > 1000 or pg_column_size(items) > 40000000 then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Conversations come in lists of at most 1,000, of at most 40 MB.');
    end if;
    if (select count(*) from public.import_rows r where r.import_id = target_import_id) + jsonb_array_length(items) > most_rows then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            'An import holds at most 100,000 conversations. Import the files in parts; nothing was kept.');
    end if;
    -- A conversation counts a thousand bytes more than its texts, as its rows and indexes take about that.
    size := octet_length(items::text) + 1000 * jsonb_array_length(items);
    refusal := public.refuse_import_size(auth.uid(), size);
    if refusal is not null then
        return refusal;
    end if;
    select coalesce(left(given ->> 'position', 20), 'without a position') into wrong from jsonb_array_elements(items) given
    where not public.is_import_item(given) limit 1;
    if found then
        return jsonb_build_object('outcome', 'rejected', 'reason',
            format('A conversation (%s) is not as an import has them: its texts or numbers are missing, too long or of another kind.',
                wrong));
    end if;
    perform max((given ->> 'made_at')::timestamptz) from jsonb_array_elements(items) given;  -- The 30th of February is no time.
    insert into public.import_rows as kept (import_id, position, item)
    select target_import_id, (given ->> 'position')::integer, given || jsonb_build_object(
        'model', public.make_line(given ->> 'model', 100),
        'persona', jsonb_build_object('id', given #> '{persona,id}', 'name', public.make_line(given #>> '{persona,name}', 200)),
        'arc', jsonb_build_object('id', given #> '{arc,id}', 'name', public.make_line(given #>> '{arc,name}', 200)),
        'topic', jsonb_build_object('id', given #> '{topic,id}', 'name', public.make_line(given #>> '{topic,name}', 200)),
        'template', jsonb_build_object('id', given #> '{template,id}', 'name', public.make_line(given #>> '{template,name}', 200))
    )
    from jsonb_array_elements(items) given
    on conflict (import_id, position) do update set item = excluded.item
        where jsonb_typeof(kept.item -> 'failure') = 'null';
    insert into public.import_sizes as taken (import_id, created_by, bytes) values (target_import_id, auth.uid(), size)
    on conflict (import_id) do update set bytes = taken.bytes + excluded.bytes;
    return jsonb_build_object('outcome', 'staged');
exception
    when cardinality_violation then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'A list has two pieces of the same conversation.');
    when data_exception then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'The time of a conversation is none, or a number or text of it cannot be kept.');
end
$$;

-- A record's texts together leave room for the other two and a template in a prompt (core/domain/scaffolding/template_filling.py). A trigger and no
-- constraint: what was larger before can still be shortened, or switched off.
create function public.count_characters(record jsonb) returns bigint
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(sum(case jsonb_typeof(f.value)
        when 'string' then length(f.value #>> '{}')
        when 'array' then (select sum(length(e.entry)) from jsonb_array_elements_text(f.value) e(entry))
        when 'object' then (select sum(length(e.key) + length(e.value)) from jsonb_each_text(f.value) e)
    end), 0)::bigint
    from jsonb_each(record) f where f.key not in ('id', 'created_at', 'updated_at')
$$;
create function public.check_record_length() returns trigger
language plpgsql set search_path = ''
as $$
declare
    most constant integer := 50000;
    characters constant bigint := public.count_characters(to_jsonb(new));
begin
    if characters > most and (tg_op = 'INSERT' or characters > public.count_characters(to_jsonb(old))) then
        raise invalid_parameter_value using constraint = 'in_words', message = format(
            'All texts together: at most %s characters, not %s.', to_char(most, 'FM999,999,999'), to_char(characters, 'FM999,999,999'));
    end if;
    return new;
end
$$;
create trigger check_record_length before insert or update on public.personas
    for each row execute function public.check_record_length();
create trigger check_record_length before insert or update on public.emotional_arcs
    for each row execute function public.check_record_length();
create trigger check_record_length before insert or update on public.training_topics
    for each row execute function public.check_record_length();

comment on constraint personas_demographics_check on public.personas is
    'Demographics: at most 100 texts by name, such as {"age": "41"}, of at most 2,000 characters each.';
comment on constraint training_topics_category_check on public.training_topics is 'Category: write something.';

-- The active templates that a retry of this batch's failed items may use: those that are offered to its analyst, and those that it used.
create or replace function public.list_retry_templates(target_batch_id uuid) returns jsonb
language sql stable set search_path = ''
as $$
    with failed as materialized (
        select distinct i.emotional_arc_id, i.template_id from public.batch_items i
        where i.batch_id = target_batch_id and i.status = 'failed'
    )
    select coalesce(jsonb_agg(jsonb_build_object(
        'id', t.id, 'name', t.name, 'version', t.version, 'arc', a.name,
        'is_used', exists (select 1 from failed f where f.template_id = t.id)
    ) order by a.name, t.version desc, t.id), '[]')
    from public.prompt_templates t join public.emotional_arcs a on a.id = t.emotional_arc_id
    where t.is_active and t.emotional_arc_id in (select f.emotional_arc_id from failed f)
        and (exists (select 1 from failed f where f.template_id = t.id)
            or t.id in (select o.id from public.list_offered_templates() o))
$$;

revoke execute on function
    public.most_of_an_analyst(text), public.check_batch_room(), public.refuse_import_size(uuid, bigint),
    public.count_characters(jsonb), public.check_record_length()
    from public, anon, authenticated;
-- The service role writes tables itself, and so evaluates their constraints and triggers.
grant execute on function
    public.check_batch_room(), public.count_characters(jsonb), public.check_record_length()
    to service_role;
