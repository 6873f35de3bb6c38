"""Customer permissions to buy: switches, limits, approvals, and the customer's own shop (R70-R76)."""
