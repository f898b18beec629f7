"""The Supabase HTTP API of the one-machine stack: the npm package @supabase/lite on the Node of a wheel."""
