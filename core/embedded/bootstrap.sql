-- What a hosted Supabase project has before its first migration, for the PostgreSQL of the one-machine stack.
-- Runs at every start, as the superuser.

do $$
begin
  if not exists (select from pg_roles where rolname = 'anon') then create role anon nologin; end if;
  if not exists (select from pg_roles where rolname = 'authenticated') then create role authenticated nologin; end if;
  if not exists (select from pg_roles where rolname = 'service_role') then create role service_role nologin bypassrls; end if;
  -- The API logs in as a role of its own. At its first request it grants ALL on every table in schemas with row-level
  -- security to anon, authenticated and service_role. As superuser that would undo every revoke in the migrations; as a
  -- role without the grant option it is a warning and changes nothing.
  if not exists (select from pg_roles where rolname = 'supabase_api') then create role supabase_api login noinherit; end if;
end
$$;

grant anon, authenticated, service_role to supabase_api;
-- As hosted Supabase has them: nobody's question holds up the others for longer. The worker's may. The API applies them to each
-- request (supabase_api/postgrest_values.mjs), since SET ROLE does not.
alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
-- Its `create ... if not exists` and those grants would fill the log with notices and warnings.
alter role supabase_api set client_min_messages = error;
grant create on database postgres to supabase_api;

create schema if not exists auth authorization supabase_api;
create schema if not exists storage authorization supabase_api;
-- Granted on hosted Supabase; without it auth.uid() in a plpgsql body fails.
grant usage on schema public, auth, storage to anon, authenticated, service_role;

-- Hosted Supabase grants these on what migrations create in public; row-level security is the guard.
alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;

-- Some privilege on everything: GRANT by a role that has none at all is an error instead of a warning.
grant usage on schema public to supabase_api;
alter default privileges grant usage on schemas to supabase_api;
alter default privileges grant select on tables to supabase_api;
alter default privileges grant usage on sequences to supabase_api;
