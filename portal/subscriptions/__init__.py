"""The catalog, carts and orders, subscriptions and reservations (R80-R85)."""
