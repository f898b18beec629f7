// Loaded before the server: values as hosted Supabase sends, takes and sets them.
//
// JSON arguments of functions: the server turns them into text, and its PostgreSQL driver then makes a JSON string of that
// text, so a function of a migration would see a string instead of an object. Here text goes through as it is.
// Timestamps: the server sends PostgreSQL's own text form (`2026-11-22 00:17:57.64+00`), clients expect ISO 8601.
//
// Time limits: as PostgREST does, each request gets its role's statement_timeout, and a call of a function that has one of its
// own gets that.
import { changeModule } from "./module_changes.mjs";

const timeoutIn = (settings) =>
  `(SELECT split_part(s, '=', 2) FROM unnest(${settings}) s WHERE s LIKE 'statement_timeout=%')`;

changeModule("/@supabase/lite/dist/db/postgres/PostgresConnection.js", [
  ["serialize:t=>JSON.stringify(t)", 'serialize:t=>typeof t==="string"?t:JSON.stringify(t)'],
  [
    "timestamptz:{to:1184,from:[1184],serialize:t=>t,parse:t=>t}",
    'timestamptz:{to:1184,from:[1184],serialize:t=>t,parse:t=>t.replace(/^(\\d{4,}-\\d\\d-\\d\\d) (.*)\\+00$/,"$1T$2+00:00")}',
  ],
  [
    "sql`SELECT set_config('role', ${o}, true)`",
    "sql`SELECT set_config('role', ${o}, true), set_config('statement_timeout', coalesce(" +
      `(SELECT ${timeoutIn("r.rolconfig")} FROM pg_roles r WHERE r.rolname = \${o}), '0'), true)\``,
  ],
  [
    "sql`SELECT set_config('request.path', ${s.path}, true)`",
    "sql`SELECT set_config('request.path', ${s.path}, true), set_config('statement_timeout', coalesce(" +
      `(SELECT ${timeoutIn("p.proconfig")} FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace ` +
      "AND p.proname = substr(${s.path}, 6) AND p.proconfig IS NOT NULL LIMIT 1), current_setting('statement_timeout')), true)`",
  ],
]);
