-- An import takes what its reader sends and nothing else: what is staged is checked when it comes, by the only function that writes
-- it, so that finishing cannot fail on it. What files call a persona or a model is believed, however odd, but kept as a line. A chunk
-- of long conversations, or sweeping what was interrupted, may take longer than an analyst's question.

-- Says whether a value is absent, or a whole number from 0 to `most`.
create function public.is_count(value jsonb, most bigint) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select case coalesce(jsonb_typeof(value), 'null') when 'null' then true
        when 'number' then case when value::numeric between 0 and most then value::numeric % 1 = 0 else false end
        else false end
$$;

-- Says whether a value is absent, or a text of at most `most` characters.
create function public.is_short(value jsonb, most integer) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select case coalesce(jsonb_typeof(value), 'null') when 'null' then true
        when 'string' then length(value #>> '{}') <= most else false end
$$;

-- Says whether a value is what core/domain/importing.py calls an ImportItem.
create function public.is_import_item(item jsonb) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(jsonb_typeof(item) = 'object'
        and jsonb_typeof(item -> 'position') = 'number' and public.is_count(item -> 'position', 2147483647)
        and jsonb_typeof(item -> 'turns') = 'number' and public.is_count(item -> 'turns', 2147483647)
        and jsonb_typeof(item -> 'source') = 'object' and pg_column_size(item -> 'source') <= 20000
        and (
            select bool_and(jsonb_typeof(n.named) = 'object' and jsonb_typeof(n.named -> 'name') = 'string'
                and public.is_short(n.named -> 'name', 100000)
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
                and public.is_short(item #> '{failure,details}', 1000000)
                and public.is_count(item #> '{failure,turn_index}', 2147483647)
                and jsonb_typeof(item #> '{failure,text}') = 'string' and public.is_short(item #> '{failure,text}', 2000000)
                and public.is_short(item #> '{failure,fingerprint}', 160)
            else false end, false)
$$;

-- request: {"name", "files": [{"digest", "name"}]}. Returns {"outcome": "begun", "import_id", "known"} or, where nothing is new,
-- {"outcome": "known", "known"}; known: [{"digest", "batch_id", "batch_name"}], files that were imported before.
create or replace function public.begin_import(request jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    owner uuid := auth.uid();
    files jsonb;
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
    if exists (
        select 1 from jsonb_array_elements(request -> 'files') g
        where coalesce(g ->> 'digest', '') !~ '^[0-9a-f]{64}$' or jsonb_typeof(g -> 'name') is distinct from 'string'
    ) then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'Each file has a digest, its SHA-256, and a name.');
    end if;
    -- Interrupted long ago; nothing refers to it.
    delete from public.imports i where i.created_by = owner and i.created_at < now() - interval '1 day';
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
    return jsonb_build_object('outcome', 'begun', 'import_id', new_import_id, 'known', known);
end
$$;

-- items: [{"position", ...}], see core/domain/importing.py. The same position again is the same conversation: the first failure of it
-- is kept. Returns {"outcome": "staged" | "not_found"} or {"outcome": "rejected", "reason"}.
create or replace function public.stage_import(target_import_id uuid, items jsonb) returns jsonb
language plpgsql security definer set search_path = '' set statement_timeout = '60s'
as $$
declare
    -- More than a batch holds: of one file that is no data set, finish_import says so.
    most_rows constant integer := 101000;
    wrong text;
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
    return jsonb_build_object('outcome', 'staged');
exception
    when cardinality_violation then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'A list has two pieces of the same conversation.');
    when data_exception then
        return jsonb_build_object('outcome', 'rejected', 'reason', 'This cannot be read: ' || left(sqlerrm, 300));
end
$$;

revoke execute on function
    public.is_count(jsonb, bigint), public.is_short(jsonb, integer), public.is_import_item(jsonb)
    from public, anon, authenticated;
