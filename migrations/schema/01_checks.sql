-- Checks: what texts, lists and requests may look like, and how filters compare.
--
-- An analyst's request has the types that its record demands (a number is no text), and a size: a few MB for what
-- somebody typed, a few thousand bytes for filters. What is wrong or larger is refused with a message in plain words.
-- How long a question may take is the role's statement_timeout.

-- Says whether a text has a character that can be seen. Excluded are Unicode's ignorable characters, its spaces, the
-- blanks that count as letters or symbols, what formats hieroglyphs, and what nobody has assigned.
create function public.is_visible(value text) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(value ~ ('[^\s\u0001-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f'
        '\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb'
        '\ufffe\uffff\U00013430-\U0001345f\U00016fe4\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U0001fffe\U0001ffff'
        '\U0002fffe\U0002ffff\U0003fffe-\U0010ffff]'), false)
$$;

-- A pattern for characters that carry text which nobody sees: tag characters, planes without characters, and
-- variation selectors where there is nothing to select (several in a row; ideographic ones after anything but an
-- ideograph).
create function public.hidden_text() returns text
language sql immutable parallel safe set search_path = ''
as $$
    select '[\U0003fffe-\U000e00ff\U000e01f0-\U0010ffff]'
        '|(?<=[\ufe00-\ufe0f\u180b-\u180d\u180f])[\ufe00-\ufe0f\u180b-\u180d\u180f]'
        '|(?<![\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003fffd])[\U000e0100-\U000e01ef]'
$$;

-- A text with a blank in place of line breaks, of invisible characters, and of characters that turn the direction of
-- what follows. Joiners stay in the scripts that join letters.
create function public.clean_line(value text) returns text
language sql immutable parallel safe set search_path = ''
as $$
    select regexp_replace(value, '[\u0001-\u001f\u007f-\u009f\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f\u2028-\u202e'
        '\u2060-\u206f\u3164\ue000-\uf8ff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U00013430-\U0001345f'
        '\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U0001fffe\U0001ffff\U0002fffe\U0002ffff]+'
        '|(?<![^\s\u0021-\u024f\u200c\u200d])[\u200c\u200d]|(?<!\S)\u00ad|\u00ad(?![^\s\u00ad])|' || public.hidden_text(), ' ', 'g')
$$;

-- Says whether a text is one line of at most 200 characters that shows all it holds: something in it is visible,
-- nothing is hidden, nothing turns the direction of what follows.
create function public.is_line(value text) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when octet_length(value) > 800 or length(value) > 200 then false
        else public.is_visible(value) and public.clean_line(value) = value end, false)
$$;

-- Makes a line of any text: cleaned, trimmed, and cut to `most` characters; 'not given' where nothing of it can be
-- seen.
create function public.make_line(value text, most integer) returns text
language sql immutable parallel safe set search_path = ''
as $$
    select case when public.is_line(line) then line else 'not given' end
    from (select btrim(public.clean_line(left(btrim(regexp_replace(public.clean_line(left(value, 1000)), ' +', ' ', 'g')), most))))
        l(line)
$$;

-- Says whether a text is at most `most` characters long, without control or hidden characters. It may be empty, have
-- line breaks, and have direction marks (for scripts written from the right), but no direction overrides.
create function public.is_note(value text, most integer) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when octet_length(value) > 4::bigint * most or length(value) > most then false
        else value !~ ('[\u0001-\u0008\u000b\u000c\u000e-\u001f\u007f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb]|' || public.hidden_text())
        end, false)
$$;

-- Says whether a text is a note (is_note) with something to see in it.
create function public.is_text(value text, most integer) returns boolean
language sql immutable parallel safe set search_path = ''
as $$ select public.is_note(value, most) and public.is_visible(value) $$;

-- Says whether an array is a plain list of at most 100 texts of at most 2,000 characters each. It may be empty.
create function public.is_text_list(given text[]) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when cardinality(given) = 0 then true
        -- "[5:6]={a,b}" has one dimension, too, and is sent as a list within a list.
        when array_ndims(given) <> 1 or array_lower(given, 1) <> 1 or cardinality(given) > 100 then false
        else (select bool_and(public.is_text(entry, 2000)) from unnest(given) entry) end, false)
$$;

-- Says whether an array is a plain list of 1 to 50 different lines (is_line).
create function public.is_line_list(given text[]) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when array_ndims(given) <> 1 or array_lower(given, 1) <> 1 or cardinality(given) not between 1 and 50 then false
        else (select bool_and(public.is_line(entry)) and count(distinct entry) = count(*) from unnest(given) entry) end, false)
$$;

-- Says whether an object holds at most 100 texts by name: {"age": "41"}, not {"age": 41}.
create function public.is_text_map(given jsonb) returns boolean
language sql immutable parallel safe set search_path = ''
as $$
    select coalesce(case when jsonb_typeof(given) <> 'object' then false else (
        select count(*) <= 100 and coalesce(bool_and(
            public.is_line(e.key) and jsonb_typeof(e.value) = 'string' and public.is_note(e.value #>> '{}', 2000)), true)
        from jsonb_each(given) e
    ) end, false)
$$;

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

-- Returns what was given if it is an object of at most 4 MB; otherwise raises a data exception whose message is meant
-- for the analyst (constraint name 'in_words').
create function public.require_object(given jsonb) returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
    if jsonb_typeof(given) is distinct from 'object' then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'What is sent must be an object: a value for each name.';
    end if;
    if pg_column_size(given) > 4000000 then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'What is sent is larger than 4 MB.';
    end if;
    return given;
end
$$;

-- Returns what was given if it is an object, and each value that the shape (a table or a type) knows by name is of
-- the type it has there; otherwise raises a data exception in plain words. PostgreSQL alone would make a text of an
-- object, and '1' of 1.
create function public.require_shape(given jsonb, shape regclass) returns jsonb
language plpgsql stable set search_path = ''
as $$
declare
    wrong text;
begin
    perform public.require_object(given);
    select initcap(left(k.name, 1)) || replace(substr(k.name, 2), '_', ' ') || ': ' || case
        when fits and k.is_list then 'a list of whole numbers' when fits then 'a whole number'
        when k.is_list then 'a list of ' || k.kind || 's' when k.kind = 'boolean' then 'true or false' else 'a ' || k.kind
    end || ' is asked for' || case when fits then ', of at most 2,147,483,647.' else '.' end into wrong
    from (
        select a.attname::text as name, given -> a.attname::text as value, t.typcategory = 'A' as is_list,
            coalesce(e.oid, t.oid) = 'integer'::regtype as is_whole,
            case coalesce(e.typcategory, t.typcategory) when 'N' then 'number' when 'B' then 'boolean' else 'text' end as kind
        from pg_catalog.pg_attribute a
        join pg_catalog.pg_type t on t.oid = a.atttypid
        left join pg_catalog.pg_type e on t.typcategory = 'A' and e.oid = t.typelem
        where a.attrelid = shape and a.attnum > 0 and not a.attisdropped and a.atttypid <> 'jsonb'::regtype
        order by a.attnum
    ) k
    cross join lateral (select case
        when k.is_list then jsonb_typeof(k.value) = 'array' and case k.kind
            when 'number' then not jsonb_path_exists(k.value, 'strict $[*] ? (@.type() != "number")')
            else not jsonb_path_exists(k.value, 'strict $[*] ? (@.type() != "string")') end
        else jsonb_typeof(k.value) = case k.kind when 'text' then 'string' else k.kind end end) s(fits)
    where jsonb_typeof(k.value) <> 'null' and (not fits or (k.is_whole
        and jsonb_path_exists(k.value, 'lax $[*] ? (@ > 2147483647 || @ < -2147483648 || @.floor() != @)')))
    limit 1;
    if found then
        raise invalid_parameter_value using constraint = 'in_words', message = wrong;
    end if;
    return given;
end
$$;

-- The ids of a list in their order: 1 to 1,000 different ones. Raises a data exception in plain words before it reads
-- more.
create function public.read_ids(given jsonb, what text) returns uuid[]
language plpgsql immutable set search_path = ''
as $$
declare
    ids uuid[];
begin
    if jsonb_typeof(given) is distinct from 'array' or jsonb_array_length(given) = 0 then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'Select at least one persona, one arc and one topic.';
    end if;
    if jsonb_array_length(given) > 1000 then
        raise invalid_parameter_value using constraint = 'in_words', message =
            format('Select at most 1,000 %s, not %s.', what, jsonb_array_length(given));
    end if;
    ids := array(select e.id::uuid from jsonb_array_elements_text(given) with ordinality e(id, n) order by e.n);
    if (select count(distinct i) from unnest(ids) i) <> cardinality(ids) then
        raise invalid_parameter_value using constraint = 'in_words', message =
            format('One of the %s is named twice, or not at all.', what);
    end if;
    return ids;
end
$$;

-- The wanted positions of a grid in their order, one that stands twice for two variations; without a list all of them. Raises a data exception in
-- plain words before it reads more than a batch holds.
create function public.read_picks(given jsonb, grid_size bigint) returns integer[]
language plpgsql immutable set search_path = ''
as $$
declare
    most constant integer := 100000;
    wanted constant bigint := case when jsonb_typeof(given) = 'array' then jsonb_array_length(given) else grid_size end;
    picks integer[];
begin
    if coalesce(jsonb_typeof(given), 'null') not in ('array', 'null') then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'Picks are a list of positions.';
    end if;
    if wanted = 0 then
        raise invalid_parameter_value using constraint = 'in_words', message =
            'Select at least one persona, one arc and one topic.';
    end if;
    if wanted > most then
        raise invalid_parameter_value using constraint = 'in_words', message =
            format('A batch holds at most %s conversations; this selection has %s. Select fewer or set a limit.', most, wanted);
    end if;
    if jsonb_typeof(given) is distinct from 'array' then
        return array(select generate_series(0, grid_size - 1)::integer);
    end if;
    picks := array(select e.position::integer from jsonb_array_elements_text(given) with ordinality e(position, n) order by e.n);
    if exists (select 1 from unnest(picks) p where p is null or p < 0 or p >= grid_size) then
        raise invalid_parameter_value using constraint = 'in_words', message =
            format('Picks are positions of the grid, from 0 to %s.', grid_size - 1);
    end if;
    return picks;
end
$$;

-- Returns true if filters are an object of at most 8,000 bytes; otherwise raises a data exception, so that an
-- oversized question is refused before it costs. Immutable, so that it is evaluated once, when the question is
-- planned.
create function public.require_filters(filters jsonb) returns boolean
language plpgsql immutable set search_path = ''
as $$
begin
    if jsonb_typeof(filters) is distinct from 'object' or pg_column_size(filters) > 8000 then
        raise invalid_parameter_value using message = 'Filters are an object of at most 8,000 bytes. Use shorter ones.';
    end if;
    return true;
end
$$;

-- Says whether a failure is of the kind that the filters ask for. Without a SET clause and without a query of a
-- table, so that the planner inlines the comparisons and uses an index for those that are asked for.
create function public.fits_kind(
    filters jsonb, failure_type text, stop_reason text, truncation_pattern text, fingerprint text
) returns boolean
language sql immutable parallel safe
as $$
    select (filters ->> 'failure_type' is null or failure_type = filters ->> 'failure_type')
        and (filters ->> 'stop_reason' is null or coalesce(stop_reason, 'none') = filters ->> 'stop_reason')
        and (filters ->> 'truncation_pattern' is null or coalesce(truncation_pattern, 'none') = filters ->> 'truncation_pattern')
        and (filters ->> 'fingerprint' is null or fingerprint = filters ->> 'fingerprint')
$$;

-- Says whether an item was made as the filters ask for; what needs another table (categories, the model of a batch)
-- is left to its caller. Without a SET clause and without a query of a table, so that the planner inlines the
-- comparisons and uses an index for those that are asked for.
create function public.fits_settings(
    filters jsonb, persona_id uuid, emotional_arc_id uuid, training_topic_id uuid, template_id uuid, structured_outputs boolean,
    max_tokens integer, effort text, prompt_length integer
) returns boolean
language sql immutable parallel safe
as $$
    select (filters ->> 'persona_id' is null or persona_id = (filters ->> 'persona_id')::uuid)
        and (filters ->> 'emotional_arc_id' is null or emotional_arc_id = (filters ->> 'emotional_arc_id')::uuid)
        and (filters ->> 'training_topic_id' is null or training_topic_id = (filters ->> 'training_topic_id')::uuid)
        and (filters ->> 'template_id' is null or template_id = (filters ->> 'template_id')::uuid)
        and (filters ->> 'structured_outputs' is null or structured_outputs = (filters ->> 'structured_outputs')::boolean)
        and (filters ->> 'max_tokens' is null or max_tokens = (filters ->> 'max_tokens')::integer)
        and (filters ->> 'effort' is null or coalesce(effort, 'none') = filters ->> 'effort')
        and (filters ->> 'prompt_from' is null or prompt_length >= (filters ->> 'prompt_from')::integer)
        and (filters ->> 'prompt_to' is null or prompt_length < (filters ->> 'prompt_to')::integer)
$$;

-- A search for all words of a text, each as the beginning of a word; null where the text has no word.
create function public.make_word_query(search text) returns tsquery
language sql immutable parallel safe set search_path = ''
as $$
    select string_agg('''' || replace(replace(w.lexeme, '\', '\\'), '''', '''''') || ''':*', ' & ')::tsquery
    from unnest(to_tsvector('pg_catalog.simple'::regconfig, left(search, 1000))) as w(lexeme, positions, weights)
$$;
