"""Adding a customer in steps: account information, review, confirmation; drafts that survive leaving (R16)."""
