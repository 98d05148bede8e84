"""Text of a repository made harmless for a terminal."""


def printable(text: str) -> str:
    r"""Return `text` as one line that moves no cursor and hides nothing.

    Control characters, line breaks, text direction marks and undecodable bytes of file names are
    spelled as Python escapes (`\x1b`): names and paths come from whoever may write to the
    repository.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )


def printable_lines(text: str) -> str:
    """Do the same, but keep line breaks and indentation: for text that is to be pasted."""
    return "\n".join(printable(line) for line in text.expandtabs().split("\n"))
