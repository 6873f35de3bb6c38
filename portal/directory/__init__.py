"""Business profiles and the public directory, whose inquiries become leads (R60-R62)."""
