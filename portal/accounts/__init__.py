"""Organizations, users and roles; sign-in, activation, forgotten password, sessions; invitations of colleagues; the outbox page."""
