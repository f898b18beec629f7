"""Supabase: the only road to data. Hosted project and embedded server speak the same API."""
