"""What sops-nix can deliver out of which document: refused before anything is built."""

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from nixsecrets.fleet.access import document_for
from nixsecrets.fleet.declared import PlacedDeclaration
from nixsecrets.fleet.layout import FLAKE, MANIFEST
from nixsecrets.fleet.model import Declaration, Fleet, Manifest
from nixsecrets.fleet.outline import Span
from nixsecrets.sops.stores.formats import Format, format_of

_ONLY_WHOLE = (Format.DOTENV, Format.INI, Format.BINARY)


class _Leaves(NamedTuple):
    """What is declared to stand in one document.

    Args:
        leaves: by its key path, each declaration.
        below: by every key path above a declared one, a declaration below it.
    """

    leaves: dict[tuple[str, ...], Declaration]
    below: dict[tuple[str, ...], Declaration]


def check_documents(placed: Sequence[PlacedDeclaration], manifest: Manifest) -> None:
    """Refuse values that sops-nix cannot take out of the documents in which they stand.

    Raises:
        RepositoryError: at the declaration; of two that cannot stand in one document, the later.
    """
    fleet = Fleet(manifest)
    known: dict[PurePosixPath, _Leaves] = {}
    for at, declaration in placed:
        path = document_for(fleet, declaration)
        if declaration.file is not None:
            _check_file(at, path, manifest)
        if declaration.whole_file or declaration.deliver:
            _check_format(at, declaration, path)
        if not declaration.whole_file:
            _check_leaf(at, declaration, path, known.setdefault(path, _Leaves({}, {})))


def _check_file(at: Span, path: PurePosixPath, manifest: Manifest) -> None:
    if path in (MANIFEST, FLAKE, manifest.layout.policy) or path.suffix in {".nix", ".pub"}:
        raise at.fault(f"{path} is no document", "name the encrypted file with 'file'")


def _check_format(at: Span, declaration: Declaration, path: PurePosixPath) -> None:
    """Hold a declaration against `recurseSecretKey` of sops-install-secrets' main.go."""
    form, address = format_of(path.name), declaration.address
    if declaration.whole_file:
        if declaration.generator is not None and form is not Format.BINARY:
            raise at.fault(
                f"{address} is all of {path}, and no generator makes a whole {form.value} document",
                f"leave 'generator' out, and write it with `nixsecrets edit {path}`",
            )
    elif form in _ONLY_WHOLE:
        raise at.fault(
            f"{address} stands in {path}, which sops-nix delivers whole: it is {form.value}",
            "say `whole-file: true`, or keep the value in a YAML document",
        )
    elif form is Format.JSON and len(declaration.key_path) > 1:
        raise at.fault(
            f"{address} stands in {path} below another mapping key, and sops-nix reads only the"
            " outermost ones of JSON",
            "say `key: NAME`, or keep the value in a YAML document",
        )


def _check_leaf(at: Span, declaration: Declaration, path: PurePosixPath, known: _Leaves) -> None:
    keys = declaration.key_path
    above = [keys[:depth] for depth in range(1, len(keys))]
    for other in (known.below.get(keys), *map(known.leaves.get, above)):
        if other:
            raise at.fault(
                f"{declaration.address} and {other.address} of line {other.line} both stand in"
                f" {path}, and a value cannot have others below it",
                "give one of them another 'key'",
            )
    known.leaves.setdefault(keys, declaration)
    known.below.update(dict.fromkeys(above, declaration))
