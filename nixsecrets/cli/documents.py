"""decrypt and filestatus: whole documents, read."""

import json
from pathlib import Path

import click

from nixsecrets.change import PRIVATE_MODE, Change, Export, Plan, digest
from nixsecrets.cli.app import absolute, read_file, tell, write_value
from nixsecrets.cli.carry_out import Consent, consent_options
from nixsecrets.cli.in_place import carry_out_in_place
from nixsecrets.cli.scope import document_at
from nixsecrets.cli.whole import (
    FILE,
    FILENAME,
    OUTPUT_TYPE,
    TYPE,
    Given,
    changing,
    is_plain_folder,
    open_given,
    refuse_together,
    take,
)
from nixsecrets.errors import NixsecretsError, UsageError
from nixsecrets.plaintext import Plaintext
from nixsecrets.sops import conversion, document
from nixsecrets.sops.document import OpenDocument
from nixsecrets.sops.keypath import parse_key_path
from nixsecrets.sops.stores import formats
from nixsecrets.sops.stores.formats import Format
from nixsecrets.system import in_place


@click.command("decrypt")
@FILE
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to a new file, 0600, outside any repository; else to stdout.",
)
@click.option("-i", "--in-place", "replaces", is_flag=True, help="Put the text in FILE's place.")
@TYPE
@OUTPUT_TYPE
@FILENAME
@click.option("--extract", metavar="KEYPATH", help="""Print what stands at '["a"][0]["b"]' only.""")
@click.option("--host-identity", is_flag=True, help="Open it with this machine's SSH host key.")
@consent_options
def decrypt_command(
    file: Path,
    output: Path | None,
    replaces: bool,
    source: str | None,
    target: str | None,
    filename: Path | None,
    extract: str | None,
    host_identity: bool,
    consent: Consent,
) -> None:
    """Print the whole document FILE in clear, after its MAC was verified; `-` is stdin.

    Outside of a fleet too. Only --in-place asks, and takes --yes, --dry-run and --json: the text
    is written 0600, without journal and without backup.
    """
    refuse_together({"--in-place": replaces, "--output": output, "--extract": extract})
    refuse_together({"--in-place": replaces, "--output-type": target})
    given = take(file, filename, host_identity=host_identity)
    if replaces:
        _decrypt_in_place(given, file, source, consent)
        return
    opened = open_given(given, file, source)
    content = _clear(given, opened, target, extract)
    if output is None:
        write_value(content)
        return
    _export(given, Export(absolute(output), content, f"{given.name} in clear"))
    tell(f"wrote {output}: {given.name} in clear, readable by you alone")


@click.command("filestatus")
@FILE
@TYPE
def filestatus_command(file: Path, source: str | None) -> None:
    """Print whether FILE is encrypted, as JSON: it has the metadata of sops."""
    content = read_file(file)
    form = Format(source) if source else formats.sealed_format_of(file.name, content)
    try:
        is_sealed = document.is_sealed(content, form)
    except NixsecretsError as error:
        raise error.within(file) from None
    click.echo(json.dumps({"encrypted": is_sealed}, separators=(",", ":")))


def _clear(
    given: Given, opened: OpenDocument, target: str | None, extract: str | None
) -> Plaintext:
    form = opened.document.form
    wanted = Format(target) if target else form
    try:
        if extract is not None:
            return conversion.extract(opened, parse_key_path(extract), wanted)
        converted = conversion.convert(document.plain_text(opened), form, wanted)
    except NixsecretsError as error:
        raise error.within(given.name) from None
    if converted.dropped:
        tell(f"warning: comments have no place in {wanted.value} ({converted.dropped} left out)")
    return converted.plaintext


def _export(given: Given, export: Export) -> None:
    if is_plain_folder(given.app, given.app.read()):
        in_place.write_new(export.file, export.content)
    else:
        given.app.apply(Plan(f"decrypt {given.name}", exports=(export,)))


def _decrypt_in_place(given: Given, file: Path, source: str | None, consent: Consent) -> None:
    path = given.path
    if given.is_stdin or path is None:
        raise UsageError("stdin has no place that --in-place could take")
    with changing(given.app, dry_run=consent.dry_run) as repository:
        before = digest(repository.sources.read(document_at(repository, path)).content)
        clear = document.plain_text(open_given(given, file, source))
        own = Change(path, before, b"", ("in clear, without journal and backup",), PRIVATE_MODE)
        warnings: tuple[str, ...] = (f"whoever reads {path} from now on reads its values",)
        if given.app.in_git:
            warnings += (f"git would commit the values: encrypt {path} again before",)
        plan = Plan(f"decrypt {path} in place", (own,), warnings=warnings)
        carry_out_in_place(given.app, plan, own, clear, consent)
