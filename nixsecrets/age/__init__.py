"""Recipients, identities, and a data key wrapped to the one and opened by the other."""
