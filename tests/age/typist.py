"""Somebody at a terminal, for what asks for a passphrase."""

from nixsecrets.plaintext import Plaintext


class Typist:
    """Types what it was given, one after the other, and remembers the prompts."""

    def __init__(self, *typed: str) -> None:
        self.prompts: list[str] = []
        self._typed = list(typed)

    def __call__(self, prompt: str) -> Plaintext:
        self.prompts.append(prompt)
        return Plaintext(self._typed.pop(0).encode())
