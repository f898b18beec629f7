"""Supabase: the only access to data. A hosted project and the embedded server have the same API."""
