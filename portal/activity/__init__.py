"""Reads the activity log: feed, filters, export."""
