"""Relationship requests and their acceptance, delegated administration, ending and reinstating; the customer's view of its partners."""
