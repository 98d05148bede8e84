"""The lazily loaded command group, the global options, and where errors end.

A command's module is imported when that command is called. Names and summaries stand in a table
here, so that `nixsecrets --help` and completion import none of them.
"""

import signal
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from types import TracebackType
from typing import NamedTuple, NoReturn

import click
from click.exceptions import Abort, Exit, NoArgsIsHelpError
from click.shell_completion import CompletionItem

from nixsecrets.cli import PROGRAM, enter, guarded, is_completing, is_traced, load
from nixsecrets.errors import ExitStatus, NixsecretsError, UsageError
from nixsecrets.override import override
from nixsecrets.report.printable import printable, printable_lines


class Entry(NamedTuple):
    """A command as the group knows it without its module.

    Args:
        name: what the user types.
        place: `module:attribute`, the module below `nixsecrets.cli`.
        summary: one clause for the list of commands.
    """

    name: str
    place: str
    summary: str


class Section(NamedTuple):
    """Commands that stand together in the help."""

    title: str
    entries: tuple[Entry, ...]


SECTIONS = (
    Section(
        "Begin",
        (
            Entry("init", "init:command", "Start here: manifest, policy and the first admin."),
            Entry("demo", "demo:command", "Make a throwaway fleet and run the main job on it."),
        ),
    ),
    Section(
        "Readers",
        (
            Entry("add-host", "hosts:add_host_command", "Let a host read what it is meant to."),
            Entry("remove-host", "leaving:remove_host_command", "Let a host read nothing more."),
            Entry("rename-host", "renaming:command", "Move all that bears a host's name."),
            Entry("bootstrap", "bootstrap:command", "Give a machine its key before it exists."),
            Entry("hosts", "hosts:hosts_command", "List the hosts; ask them for their keys."),
            Entry("add-admin", "people:add_admin_command", "Let a person read what a role gives."),
            Entry("remove-admin", "leaving:remove_admin_command", "Let a person read no more."),
            Entry("group", "groups:command", "Name hosts and people that read together."),
            Entry("admins", "people:admins_command", "List the people, with roles and recipients."),
            Entry("add-user-key", "users:add_user_key_command", "Let a user read its home's own."),
            Entry("shamir", "shamir:command", "Split a data key over several groups of readers."),
        ),
    ),
    Section(
        "Values",
        (
            Entry("set", "secrets:set_command", "Set a value: prompt, stdin, file or generated."),
            Entry("get", "get:command", "Print one value."),
            Entry("ls", "ls:command", "List names, never values."),
            Entry("add", "recipes:add_command", "Declare, make and wire what a service needs."),
            Entry("recipes", "recipes:recipes_command", "List the services that `add` knows."),
            Entry("generate", "generate:command", "Make the values that declarations ask for."),
            Entry("rm", "secrets:rm_command", "Remove a value."),
            Entry("cp", "moving:cp_command", "Copy a value to another name or document."),
            Entry("mv", "moving:mv_command", "Move a value to another name or document."),
            Entry("encrypt", "encrypt:encrypt_command", "Make a document of a text in clear."),
            Entry("decrypt", "documents:decrypt_command", "Print a whole document in clear."),
            Entry("convert", "encrypt:convert_command", "Make a document in another format."),
            Entry("filestatus", "documents:filestatus_command", "Say whether a file is encrypted."),
            Entry("edit", "edit:command", "Edit a whole document in clear."),
            Entry("exec", "exec:command", "Run a program with a document's values."),
        ),
    ),
    Section(
        "Delivery",
        (
            Entry("manifest", "manifest:command", "Read nixsecrets.yaml; print its JSON schema."),
            Entry("wire", "wire:command", "Write each system's secrets.nix and import it."),
            Entry("status", "status:command", "Say which documents are in step with the policy."),
            Entry("check", "check:command", "Find what is wrong; needs no identity."),
            Entry("rebuild", "rebuild:command", "Check, build, switch, commit."),
        ),
    ),
    Section(
        "Renewal",
        (
            Entry("rekey", "rekey:command", "Bring documents' recipients in line with policy."),
            Entry("rotate", "rotate:command", "Make new data keys, or change somebody's key."),
        ),
    ),
    Section("Shell", (Entry("completion", "completion:command", "Print a completion script."),)),
)
ENTRIES = {entry.name: entry for section in SECTIONS for entry in section.entries}
ALIASES = {"updatekeys": "rekey", "unset": "rm"}  # sops' own words


def start(arguments: Sequence[str]) -> int:
    """Run the command line of a process and return its exit status."""
    if is_completing():
        commands.main(prog_name=PROGRAM)
    return run(commands, arguments)


def run(command: click.Command, arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; every failure is told on stderr here."""
    return guarded(lambda: _status_of(command, arguments), _fail_by_fault)


def _status_of(command: click.Command, arguments: Sequence[str]) -> int:
    try:
        with command.make_context(PROGRAM, list(arguments)) as context:
            command.invoke(context)
    except Exit as ended:
        return ended.exit_code
    except NixsecretsError as error:
        return _fail(str(error), error.hint, error.status)
    except click.ClickException as error:
        return _fail_usage(error)
    except (KeyboardInterrupt, Abort):
        click.echo(f"\n{PROGRAM}: interrupted", err=True)
        return ExitStatus.INTERRUPTED
    except BrokenPipeError:
        _end_by_broken_pipe()
    return ExitStatus.DONE


class _Commands(click.Group):
    """The group of `ENTRIES`."""

    @override
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # Click's signature
        return list(ENTRIES)

    @override
    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  # Click's signature
        cmd_name: str,
    ) -> click.Command | None:
        entry = ENTRIES.get(ALIASES.get(cmd_name, cmd_name))
        return None if entry is None else load_command(entry)

    @override
    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] in ENTRIES or args[0] in ALIASES or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        near = get_close_matches(args[0], [*ENTRIES, *ALIASES])
        meant = ", ".join(f"{PROGRAM} {name}" for name in near)
        hint = f"did you mean: {meant}" if meant else f"{PROGRAM} --help"
        raise UsageError(f"no such command: {args[0]}", hint=hint)

    @override
    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  # Click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        width = max(map(len, ENTRIES))
        for section in SECTIONS:
            with formatter.section(section.title):
                formatter.write_dl(
                    [(entry.name.ljust(width), entry.summary) for entry in section.entries]
                )

    @override
    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        return [
            *(
                CompletionItem(entry.name, help=entry.summary)
                for entry in ENTRIES.values()
                if entry.name.startswith(incomplete)
            ),
            *click.Command.shell_complete(self, ctx, incomplete),
        ]


def load_command(entry: Entry) -> click.Command:
    command = load(entry.place)
    if not isinstance(command, click.Command):
        raise TypeError(f"{entry.place} is no command")
    return command


def _enter(context: click.Context, _option: click.Parameter, directory: str | None) -> None:
    if directory is None:
        return
    try:
        enter(directory)
    except OSError as error:
        raise click.UsageError(f"cannot enter {directory}: {error.strerror}", context) from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-C",
    "--directory",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    callback=_enter,
    expose_value=False,
    help="Work as if started in DIR.",
)
@click.version_option(package_name="nixsecrets", prog_name=PROGRAM, message="%(prog)s %(version)s")
def commands() -> None:
    """Secrets for NixOS fleets: from a host's SSH key to the file under /run/secrets."""


def _fail(problem: str, hint: str | None, status: ExitStatus) -> ExitStatus:
    click.echo(f"{PROGRAM}: error: {printable(problem)}", err=True)
    if hint:
        click.echo(f"{PROGRAM}: hint: {printable_lines(hint)}", err=True)
    return status


def _fail_usage(error: click.ClickException) -> ExitStatus:
    if isinstance(error, NoArgsIsHelpError):
        click.echo(error.format_message(), err=True)
        return ExitStatus.USAGE
    problem = " ".join(error.format_message().split()).removesuffix(".")
    if "unexpected extra argument" in problem:
        problem = problem.partition(" (")[0]  # it may be a value that was not to be typed there
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f"{context.command_path} --help" if context else None
    return _fail(problem[:1].lower() + problem[1:], hint, ExitStatus.USAGE)


def _fail_by_fault(fault: BaseException) -> ExitStatus:
    """Tell where the tool broke, without the exception's text: that may hold a plaintext."""
    steps = _steps(fault.__traceback__)
    own = [step for step in steps if _module(step).startswith(PROGRAM)]
    last = (own or steps)[-1]
    hint = "report it with this line; NIXSECRETS_TRACEBACK=1 shows the frames, never a value"
    if is_traced():
        hint = "report it with these lines"
        _show_frames(fault)
    place = f"{_module(last)}:{last.tb_lineno}"
    return _fail(f"fault of the tool: {type(fault).__name__} at {place}", hint, ExitStatus.FAULT)


def _show_frames(fault: BaseException) -> None:
    earlier = fault.__cause__ or fault.__context__
    if earlier is not None:
        _show_frames(earlier)
    click.echo(type(fault).__name__, err=True)
    for step in _steps(fault.__traceback__):
        code = step.tb_frame.f_code
        click.echo(f"  {code.co_filename}:{step.tb_lineno}:{code.co_name}", err=True)


def _steps(traceback: TracebackType | None) -> list[TracebackType]:
    steps = []
    while traceback is not None:
        steps.append(traceback)
        traceback = traceback.tb_next
    return steps


def _module(step: TracebackType) -> str:
    return str(step.tb_frame.f_globals.get("__name__"))


def _end_by_broken_pipe() -> NoReturn:
    """End as a program does whose reader went away: killed by SIGPIPE, without a word."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.raise_signal(signal.SIGPIPE)
    sys.exit(128 + signal.SIGPIPE)  # the signal is blocked
