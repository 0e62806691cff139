"""The ``mall`` command. Each command is a line or two of glue; imports are lazy, so that ``mall --help`` is quick.

Commands of other packages (``core.imports.cli.group``, what plugins register) get a ``Runner`` as click's object:
``@click.pass_obj`` and then ``runner.run(work)`` calls ``await work(mall)`` on an open mall and closes it again.
"""

# pyright: reportUnknownMemberType=false
# click's decorators have parameters whose types click leaves open.

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click
from click.exceptions import Exit

from core.kernel import memory
from core.kernel.errors import MallError
from core.settings import SettingsInvalid, load_settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from core.kernel.mall import Mall

T = TypeVar("T")


class Runner:
    """Run async work on a mall: settings read, servers there, database up to date."""

    def run(self, work: Callable[[Mall], Awaitable[T]], *, migrated: bool = True) -> T:
        """Return ``await work(mall)``; raises what it raises, and ``LocalServerFailed``.

        Raises ``MigrationsPending`` unless the work can do with less (``migrated=False``).
        """
        from core import cli_run, home  # noqa: PLC0415

        with home.servers(load_settings()) as settings:
            return cli_run.on_mall(settings, work, migrated=migrated)


class MallGroup(click.RichGroup):
    """The root: whatever a command raises becomes one sentence with its code, and exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            ctx.exit(130)
        except MallError as exc:
            fail(exc.sentence("en"), exc.code)
        except SettingsInvalid as exc:
            fail(str(exc), "settings.invalid")
        except Exception as exc:
            if os.environ.get("MALL_TRACEBACK"):
                raise
            fail(f"{type(exc).__name__}: {exc} (MALL_TRACEBACK=1 shows where)", "mall.defect")


class Elsewhere(click.RichGroup):
    """A group that another module defines; it is imported when the group is used, not when it is listed."""

    def __init__(self, name: str, module: str, summary: str) -> None:
        super().__init__(name=name, help=summary)
        self._module = module

    def list_commands(self, ctx: click.Context) -> list[str]:
        return self._group().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return self._group().get_command(ctx, cmd_name)

    def _group(self) -> click.Group:
        if importlib.util.find_spec(self._module) is None:
            fail(f"This mall has no `mall {self.name}`.", "command.missing")
        group: click.Group = importlib.import_module(self._module).group
        return group


def fail(sentence: str, code: str) -> None:
    """Print one sentence with its code on standard error and leave with exit status 1."""
    from rich.console import Console  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    line = Text.assemble(("✗ ", "bold red"), sentence.strip(), (f" [{code}]", "dim"))
    Console(stderr=True, soft_wrap=True).print(line)
    sys.exit(1)


@click.group(cls=MallGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def mall(ctx: click.Context) -> None:
    """Run a mall: a storefront API, an admin API, and plugins."""
    ctx.obj = Runner()


@mall.command()
@click.option("--reset", is_flag=True, help="Delete the data of MALL_HOME first and start over.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Web worker processes.")
@click.option("--tour", is_flag=True, help="Walk one purchase against the demo that runs; starts nothing.")
def demo(*, reset: bool, workers: int, tour: bool) -> None:
    """Start a whole mall with demo data; Ctrl-C stops it."""
    settings = load_settings()
    if tour:
        from core.demo import tour as guided  # noqa: PLC0415
        from core.demo.supervisor import reachable  # noqa: PLC0415

        guided.run(reachable(settings), settings.home)
        return
    from core.demo import supervisor  # noqa: PLC0415

    sys.exit(supervisor.run(settings, workers=workers, reset=reset))


@mall.command()
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Web worker processes.")
def serve(workers: int) -> None:
    """Serve both APIs. Never migrates."""
    from core import cli_run, home  # noqa: PLC0415

    settings = load_settings()
    cli_run.assert_port_free(settings.mall_host, settings.mall_port)  # before anything is started for it
    with home.servers(settings) as settings:
        cli_run.serve(settings, workers=workers)


@mall.command()
def worker() -> None:
    """Run the job worker: events, deferred and periodic jobs."""
    from core import cli_run, home  # noqa: PLC0415

    with home.servers(load_settings()) as settings:
        cli_run.worker(settings)


@mall.command()
def migrate() -> None:
    """Bring the database to the newest state."""
    from core import cli_run, home  # noqa: PLC0415

    with home.servers(load_settings()) as settings:
        done = cli_run.migrate(settings)
    click.echo(f"{len(done)} migrations run." if done else "The database is up to date.")


@mall.command()
@click.argument("login")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of asking for it.")
@click.pass_obj
def owner(runner: Runner, login: str, *, password_stdin: bool) -> None:
    """Make LOGIN an owner with a new password: the first staff account, or the way back in."""
    from core.staff.service import create_owner  # noqa: PLC0415

    if password_stdin:
        password = sys.stdin.buffer.readline().rstrip(b"\r\n").decode(errors="replace")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    made = runner.run(lambda mall: create_owner(mall, login, password))
    click.echo(f"{made.login} is an owner now; sessions of that login have ended.")


@mall.group()
def plugins() -> None:
    """List the plugins and switch them on and off."""


@plugins.command("list")
@click.pass_obj
def plugins_list(runner: Runner) -> None:
    """List the plugins of this mall with their state."""
    from core import cli_plugins  # noqa: PLC0415

    runner.run(cli_plugins.show, migrated=False)


@plugins.command("enable")
@click.argument("plugin_id")
@click.pass_obj
def plugins_enable(runner: Runner, plugin_id: str) -> None:
    """Switch a plugin on, in every running process."""
    from core import cli_plugins  # noqa: PLC0415

    runner.run(lambda mall: cli_plugins.enable(mall, plugin_id))


@plugins.command("disable")
@click.argument("plugin_id")
@click.option("--force", is_flag=True, help="Do not let it finish old work first.")
@click.pass_obj
def plugins_disable(runner: Runner, plugin_id: str, *, force: bool) -> None:
    """Switch a plugin off, in every running process."""
    from core import cli_plugins  # noqa: PLC0415

    runner.run(lambda mall: cli_plugins.disable(mall, plugin_id, force=force))


mall.add_command(Elsewhere("import", "core.imports.cli", "Load stores and products from files."))
mall.add_command(Elsewhere("x", "core.cli_plugins", "Commands that plugins bring: mall x PLUGIN COMMAND."))


@mall.command()
def doctor() -> None:
    """Check this machine and this mall, and say what to do."""
    from core import cli_doctor  # noqa: PLC0415

    sys.exit(cli_doctor.run())


@mall.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import version as installed  # noqa: PLC0415

    click.echo(f"Minimall {installed('minimall')}, Python {sys.version.split()[0]}")


def main() -> None:
    memory.starting()
    mall(prog_name="mall")


if __name__ == "__main__":
    main()
