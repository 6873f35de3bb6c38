"""Leads and their pipeline: received, answered within 14 days, won and converted into customers (R50-R57)."""
