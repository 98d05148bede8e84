"""`nixsecrets completion`: what a shell sources to complete our command lines."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(context: click.Context, shell: str) -> None:
    r"""Print the completion script of a shell.

    \b
    bash: in ~/.bashrc                   eval "$(nixsecrets completion bash)"
    zsh:  in ~/.zshrc                    eval "$(nixsecrets completion zsh)"
    fish: in ~/.config/fish/config.fish  nixsecrets completion fish | source
    """
    root = context.find_root()
    program = root.info_name or "nixsecrets"
    complete = get_completion_class(shell)
    if complete is None:
        raise click.UsageError(f"Click knows no completion for {shell}", context)
    completion = complete(root.command, {}, program, f"_{program.upper()}_COMPLETE")
    # Not `source()`: for bash it starts a bash to ask for its version.
    click.echo(completion.source_template % completion.source_vars())
