"""Secrets for NixOS fleets, in the SOPS format, for age recipients."""
