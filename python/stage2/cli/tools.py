"""The commands that work on no data: the cache, settings files, completion and help."""

from __future__ import annotations

import click

from stage2.cli.command import CommandName, SettingsCommand, program
from stage2.cli.options import TextType, flag, option


@program.group()
def cache() -> None:
    r"""Look at the vectors that are kept on disk, or delete some of them.

    \b
    Example:
      stage2 cache info
    """


@cache.command(name="info")
@option("embedding_cache")
def cache_info(embedding_cache: str) -> None:
    r"""Show each model's vectors: how many, how large, when last used.

    \b
    Example:
      stage2 cache info
    """
    from stage2.cli.commands import cache

    cache.info(embedding_cache)


@cache.command(name="prune", plans=True)
@option("embedding_cache")
@flag("--older-than", type=float, metavar="DAYS", help="Delete what is unused so long.")
@flag("--max-size", metavar="SIZE", help="Keep what was used last, up to this size.")
def cache_prune(embedding_cache: str, older_than: float | None, max_size: str | None) -> None:
    r"""Delete vectors by age or by size; --max-size 0 deletes them all.

    \b
    Example:
      stage2 cache prune --older-than 30 --max-size 4GB
    """
    from stage2.cli.commands import cache

    cache.prune(embedding_cache, older_than, max_size)


@program.group(name="config")
def config_group() -> None:
    r"""Write, show or check a settings file, which --config takes.

    \b
    Example:
      stage2 config init run
    """


@config_group.command(name="init", plans=True)
@click.argument("command_", metavar="COMMAND", type=CommandName(), default="run")
@flag(
    "--file", "path", type=TextType("FILE"), metavar="FILE", default="stage2.toml",
    show_default=True, help="The file to write, which must not be there yet.",
)  # fmt: skip
def config_init(command_: SettingsCommand, path: str) -> None:
    r"""Write the settings of a command with their defaults, as comments, to a new file.

    \b
    Example:
      stage2 config init mine --file mine.toml
    """
    from stage2.cli.commands import config

    config.init(command_, path)


@config_group.command(name="show", context_settings={"ignore_unknown_options": True})
@click.argument("command_", metavar="COMMAND", type=CommandName())
@click.argument("arguments", metavar="[FLAGS OF THE COMMAND]...", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def config_show(ctx: click.Context, command_: SettingsCommand, arguments: tuple[str, ...]) -> None:
    r"""Print the settings that a command would use, and where each comes from.

    They come from a default, a preset, a file or a flag. Settings that have no effect in such a
    call are left out.

    \b
    Example:
      stage2 config show run --preset small --epochs 3
    """
    from stage2.cli.commands import config

    call = command_.make_context(str(command_.name), list(arguments), ctx.find_root())
    config.show(command_.resolve(call))


@config_group.command(name="check")
@click.argument("path", metavar="FILE", type=TextType("FILE"))
def config_check(path: str) -> None:
    r"""Name every key of a settings file that is no setting, and every value that is wrong.

    \b
    Example:
      stage2 config check stage2.toml
    """
    from stage2.cli.commands import config

    config.check(path)


@program.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    r"""Print the script with which a shell completes commands, flags and values.

    \b
    Example:
      stage2 completion bash >> ~/.bashrc
    """
    from stage2.cli.commands import completion

    completion.completion(shell)


@program.command(name="help")
@click.argument("names", metavar="[TOPIC|COMMAND]...", nargs=-1)
@click.pass_context
def help_command(ctx: click.Context, names: tuple[str, ...]) -> None:
    r"""Explain a topic or a command; alone, list the topics.

    \b
    Example:
      stage2 help metrics
    """
    from stage2.cli.commands import help_topics

    help_topics.show_help(ctx.find_root(), program, names)
