"""Every change, decided. One module an intention."""
