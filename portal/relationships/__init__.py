"""Relationship requests and their acceptance, delegated administration, ending and reinstating; partnerships; the customer's view of its partners."""
