"""What lapses or is due, over all features."""
