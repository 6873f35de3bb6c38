"""The partner's customer records: list, search, account page, export."""
