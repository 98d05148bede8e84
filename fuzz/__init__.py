"""Every parser against inputs that nobody wrote; see README.md."""
