"""Pure decisions and records: no IO, no clock, no environment."""
