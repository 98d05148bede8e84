"""The SOPS file format: bytes ⇄ values. With `nixsecrets.age` a library of its own."""
