"""encrypt and convert: whole documents, made."""

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import click

from nixsecrets.cli.app import lies_in, path_in, root_for, tell, write_value
from nixsecrets.cli.carry_out import Consent, carry_out, consent_options
from nixsecrets.cli.in_place import carry_out_in_place
from nixsecrets.cli.whole import (
    AGE,
    FILE,
    FILENAME,
    OUTPUT_TYPE,
    TYPE,
    Given,
    changing,
    is_plain_folder,
    open_given,
    recipients_of,
    refuse_together,
    take,
)
from nixsecrets.cli.writing import WritingApp
from nixsecrets.errors import RepositoryError, UsageError
from nixsecrets.plaintext import Plaintext
from nixsecrets.plans import whole
from nixsecrets.plans.draft import Draft
from nixsecrets.plans.whole import Made, Request
from nixsecrets.sops.rules import Selection, parse_selection
from nixsecrets.sops.stores.formats import Format, format_of

_RECIPIENTS = "SOPS_AGE_RECIPIENTS"
_SUFFIXES = {
    Format.YAML: ".yaml",
    Format.JSON: ".json",
    Format.DOTENV: ".env",
    Format.INI: ".ini",
}


@click.command("encrypt")
@FILE
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to a new file; else to stdout.",
)
@click.option("-i", "--in-place", "replaces", is_flag=True, help="Put it in FILE's place.")
@AGE
@TYPE
@OUTPUT_TYPE
@FILENAME
@click.option("--encrypted-regex", metavar="REGEX", help="Encrypt what is below names that match.")
@click.option("--unencrypted-regex", metavar="REGEX", help="Leave that in clear.")
@click.option("--encrypted-suffix", metavar="TEXT", help="Encrypt what is below names ending so.")
@click.option("--unencrypted-suffix", metavar="TEXT", help="Leave that in clear.")
@click.option("--mac-only-encrypted", is_flag=True, help="Leave clear values out of the MAC.")
@consent_options
def encrypt_command(
    file: Path,
    output: Path | None,
    replaces: bool,
    recipients: tuple[str, ...],
    source: str | None,
    target: str | None,
    filename: Path | None,
    mac_only_encrypted: bool,
    consent: Consent,
    **selecting: str | None,
) -> None:
    """Print FILE, a text in clear, as a document; `-` is stdin.

    Its readers are those of --age or of the policy's rule for FILE; the rule also says which values
    are encrypted, unless an option does. Works outside of a fleet too, with --age.
    """
    refuse_together({"--in-place": replaces, "--output": output})
    given = take(file, filename)
    app = WritingApp(root_for(output)) if output else given.app
    named = (filename or file, output)
    request = Request(
        name=given.name,
        source=given.form(source),
        target=_target(given, output, source, target),
        governed=tuple(path_in(app, one) for one in named if one and lies_in(app, one)),
        recipients=recipients_of(recipients),
        otherwise=recipients_of((app.environment.get(_RECIPIENTS, ""),)),
        selection=_selection(selecting),
        mac_only_encrypted=mac_only_encrypted,
    )
    if replaces:
        _encrypt_in_place(given, request, consent)
        return
    content = Plaintext(given.content(file))
    if output is None:
        made = whole.encrypt(Draft(app.read()), content, request, app.now)
        for words in made.draft.warnings:
            tell(f"warning: {words}")
        write_value(Plaintext(made.content))
        return
    with changing(app, dry_run=consent.dry_run) as repository:
        made = whole.encrypt(Draft(repository), content, request, app.now)
        _write(app, made, path_in(app, output), f"encrypt {given.name}", consent)


@click.command("convert")
@FILE
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The new document; else FILE with the suffix of the format.",
)
@TYPE
@OUTPUT_TYPE
@AGE
@consent_options
def convert_command(
    file: Path,
    output: Path | None,
    source: str | None,
    target: str | None,
    recipients: tuple[str, ...],
    consent: Consent,
) -> None:
    """Make a new document of FILE's values in another format, under a new data key.

    Its readers are those of the policy's rule for it, else those of FILE, which stays as it is.
    Comments stay where both formats have them.
    """
    given = take(file)
    opened = open_given(given, file, source)
    made_file = output or _beside(file, target)
    app = WritingApp(root_for(made_file))
    path = path_in(app, made_file)
    form = Format(target) if target else format_of(path.name)
    request = Request(
        name=given.name,
        source=opened.document.form,
        target=form,
        governed=(path,),
        recipients=recipients_of(recipients),
    )
    with changing(app, dry_run=consent.dry_run) as repository:
        made = whole.convert(Draft(repository), opened, request, app.now)
        _write(app, made, path, f"convert {given.name} to {form.value}", consent)


def _encrypt_in_place(given: Given, request: Request, consent: Consent) -> None:
    path, app = given.path, given.app
    if given.is_stdin or path is None:
        raise UsageError("stdin has no place that --in-place could take")
    if request.source is not request.target:
        raise UsageError(
            "--in-place keeps the name of a file, and so its format", hint="give --output"
        )
    with changing(app, dry_run=consent.dry_run) as repository:
        clear = Plaintext(repository.sources.read(path).content)
        made = whole.encrypt(Draft(repository), clear, request, app.now)
        plan = whole.put(made, path, "encrypted").plan(f"encrypt {path} in place")
        own = next(change for change in plan.changes if change.path == path)
        carry_out_in_place(app, plan, own, Plaintext(made.content), consent)


def _write(app: WritingApp, made: Made, path: PurePosixPath, intent: str, consent: Consent) -> None:
    repository = made.draft.repository
    if repository.sources.find(path) is not None:
        raise RepositoryError(
            f"{path} exists and is not overwritten", hint="choose another name, or move it away"
        )
    plan = whole.put(made, path, "new document").plan(intent)
    if is_plain_folder(app, repository):
        own = next(change for change in plan.changes if change.path == path)
        carry_out_in_place(app, plan, own, Plaintext(made.content), consent)
    else:
        carry_out(app, plan, consent)


def _target(given: Given, output: Path | None, source: str | None, target: str | None) -> Format:
    if target is not None:
        return Format(target)
    return format_of(output.name) if output else given.form(source)


def _beside(file: Path, target: str | None) -> Path:
    if target is None:
        raise UsageError("nothing says which format", hint="give --output-type or --output")
    suffix = _SUFFIXES.get(Format(target))
    if suffix is None:
        raise UsageError("no suffix tells a binary file", hint="give --output")
    return file.with_suffix(suffix)


def _selection(texts: Mapping[str, str | None]) -> Selection | None:
    stated = {name: text for name, text in texts.items() if text}
    refuse_together({f"--{name.replace('_', '-')}": text for name, text in stated.items()})
    return parse_selection(stated) if stated else None
