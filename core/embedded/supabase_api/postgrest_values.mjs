// Loaded before the server: two values as hosted Supabase sends and takes them.
//
// JSON arguments of functions: the server turns them into text, and its PostgreSQL driver then makes a JSON string of that
// text, so a function of a migration would see a string instead of an object. Here text goes through as it is.
// Timestamps: the server sends PostgreSQL's own text form (`2026-11-22 00:17:57.64+00`), clients expect ISO 8601.
import { changeModule } from "./module_changes.mjs";

changeModule("/@supabase/lite/dist/db/postgres/PostgresConnection.js", [
  ["serialize:t=>JSON.stringify(t)", 'serialize:t=>typeof t==="string"?t:JSON.stringify(t)'],
  [
    "timestamptz:{to:1184,from:[1184],serialize:t=>t,parse:t=>t}",
    'timestamptz:{to:1184,from:[1184],serialize:t=>t,parse:t=>t.replace(/^(\\d{4,}-\\d\\d-\\d\\d) (.*)\\+00$/,"$1T$2+00:00")}',
  ],
]);
