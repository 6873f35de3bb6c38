"""The first page after signing in: what waits, and what happened."""
