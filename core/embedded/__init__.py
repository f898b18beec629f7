"""The one-machine stack: PostgreSQL, the Supabase API, Valkey, a simulated Claude, worker and pages under one supervisor."""
