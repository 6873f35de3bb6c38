"""Floor 0: the kernel that every feature stands on and that knows none of them."""
