-- What a hosted Supabase project has before its first migration, for the PostgreSQL of the one-machine stack.
-- Runs at every start, as the superuser, after the API's schemas `auth` and `storage` were made; so it also puts right what
-- earlier versions left.
--
-- The API logs in as a role of its own, `supabase_api`, and becomes `anon`, `authenticated` or `service_role` for each
-- request. Functions of the migrations run with the superuser's rights and call functions of `auth`. Whoever owned one of
-- those, or could put a trigger on a table or a type into a schema that such a function looks into, would be superuser: so
-- the API's role owns nothing and may define nothing, whichever role it has become.

do $$
begin
  if not exists (select from pg_roles where rolname = 'anon') then create role anon nologin; end if;
  if not exists (select from pg_roles where rolname = 'authenticated') then create role authenticated nologin; end if;
  if not exists (select from pg_roles where rolname = 'service_role') then create role service_role nologin bypassrls; end if;
  if not exists (select from pg_roles where rolname = 'supabase_api') then create role supabase_api login noinherit; end if;
end
$$;

grant anon, authenticated, service_role to supabase_api;
-- As hosted Supabase has them: nobody's question holds up the others for longer. The worker's may. The API applies them to each
-- request (supabase_api/postgrest_values.mjs), since SET ROLE does not.
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
-- At its first request the API grants ALL on every table in schemas with row-level security to the three roles. Without the
-- grant option that changes nothing but fills the log with warnings.
alter role supabase_api set client_min_messages = error;

create schema if not exists auth;
create schema if not exists storage;
reassign owned by supabase_api to postgres;
revoke all on database postgres from supabase_api;
-- A type in the temporary schema would be found before that of pg_catalog, even with an empty search_path.
revoke temporary on database postgres from public;

create or replace function auth.refuse_definitions() returns event_trigger language plpgsql set search_path = '' as $$
begin
  -- By the role that logged in, since it may have become another; a function of the superuser that it calls may define.
  -- GRANT is let through to be a warning: an error would end the API's first request.
  if session_user = 'supabase_api' and tg_tag not in ('GRANT', 'ALTER DEFAULT PRIVILEGES')
     and not (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user) then
    raise insufficient_privilege using message = format('permission denied: the API may not run %s', tg_tag);
  end if;
end
$$;
revoke all on function auth.refuse_definitions() from public;
drop event trigger if exists refuse_definitions;
create event trigger refuse_definitions on ddl_command_start execute function auth.refuse_definitions();

-- Granted on hosted Supabase; without it auth.uid() in a plpgsql body fails.
grant usage on schema public, auth, storage to anon, authenticated, service_role, supabase_api;
grant select, insert, update, delete on all tables in schema auth to supabase_api;
grant select, insert, update, delete on all tables in schema storage to supabase_api, anon, authenticated, service_role;

-- The API looks buckets and files up for itself before it acts as the visitor.
do $$
declare
  stored regclass;
begin
  for stored in
    select c.oid from pg_class c where c.relnamespace = 'storage'::regnamespace and c.relrowsecurity
  loop
    execute format('drop policy if exists "The API itself" on %s', stored);
    execute format('create policy "The API itself" on %s to supabase_api using (true) with check (true)', stored);
  end loop;
end
$$;

-- Hosted Supabase grants these on what migrations create in public; row-level security is the guard.
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;

-- Some privilege on everything: the API sees a table only if it has one, and GRANT by a role that has none at all is an error
-- instead of a warning.
alter default privileges grant usage on schemas to supabase_api;
alter default privileges grant select on tables to supabase_api;
alter default privileges grant usage on sequences to supabase_api;
