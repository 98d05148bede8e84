"""What happens to a file, in one word."""

from enum import Enum

from nixsecrets.change import Change


class Kind(Enum):
    """The word that stands before a path in a plan."""

    NEW = "new"
    CHANGE = "change"
    REMOVE = "remove"


def kind_of(change: Change) -> Kind:
    if change.after is None:
        return Kind.REMOVE
    return Kind.NEW if change.before is None else Kind.CHANGE
