"""Command line: ``tilewright VERB ...`` (contract §4).

Verbs are loaded when they run: ``tilewright --help`` imports click and nothing of the engine.
Exit codes: 0 ok, 2 usage or bad input, 3 infeasible, 4 mismatch, 70 internal error.
"""

from __future__ import annotations

import difflib
import importlib
import os
import sys
from typing import Any

import click

from tilewright import __version__
from workloads.errors import InternalError, TilewrightError

VERBS: dict[str, tuple[str, str]] = {
    "sim": ("tilewright.cli.sim", "Map and simulate a workload; print a table per layer and totals."),
    "check": ("tilewright.cli.check", "Say where each node of a model would run, in seconds."),
    "map": ("tilewright.cli.map", "Print the plan alone: loop nests, bound and gap."),
    "place": ("tilewright.cli.place", "Place the tensors of any graph in a scratchpad: ILP or a policy."),
    "explain": ("tilewright.cli.explain", "Say where the cycles of a result went and what would help."),
    "compare": ("tilewright.cli.compare", "Compare two results layer by layer."),
    "sweep": ("tilewright.cli.sweep", "Run a grid over hardware and workload parameters; resumes."),
    "rtl": ("tilewright.cli.rtl", "Write the SystemVerilog of a core."),
    "verify": ("tilewright.cli.verify", "Run the RTL against the golden model and the event model."),
    "validate": ("tilewright.cli.validate", "Compare published machines with this simulator; exit 4 on a failed row."),
    "report": ("tilewright.cli.report", "Write a single-file HTML report of a result."),
    "list": ("tilewright.cli.list", "List workloads, archs, formats or cores."),
    "doctor": ("tilewright.cli.doctor", "Say what is installed, what that enables, and the next command."),
}


class LazyGroup(click.Group):
    """A group whose verbs are imported only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the verbs in their documented order."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the verb `cmd_name`."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(VERBS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the verb table from `VERBS`, without importing any verb."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a verb; name the nearest one when it is unknown."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = difflib.get_close_matches(args[0], VERBS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"use one of: {', '.join(VERBS)}"
            raise click.UsageError(f"verb '{args[0]}' is unknown; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="tilewright")
def cli() -> None:
    """Simulate neural networks on accelerators, sweep hardware parameters, verify generated RTL.

    Exit codes: 0 ok, 2 usage or bad input, 3 infeasible, 4 mismatch, 70 internal error.
    """


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"error: {message}\n")
    return code


def _trace(debug: bool) -> None:
    """Print the traceback of the exception under way, with ``--debug``; the exit code stays."""
    if debug:
        import traceback

        traceback.print_exc()


def run(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    debug = "--debug" in arguments
    try:
        outcome: Any = cli.main(args=arguments, prog_name="tilewright", standalone_mode=False)
        return int(outcome) if isinstance(outcome, int) else 0
    except TilewrightError as error:
        _trace(debug)
        return _fail(str(error), error.exit_code)
    except click.exceptions.Abort:
        return _fail("interrupted", 130)
    except click.ClickException as error:
        error.show()
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _fail("interrupted", 130)
    except OSError as error:
        _trace(debug)
        return _fail(f"{error.filename or 'file'}: {error.strerror or error}; check the path and its permissions", 2)
    except MemoryError:
        _trace(debug)
        return _fail("out of memory; the workload or the machine is too large for this host, reduce it", 70)
    except Exception as error:
        _trace(debug)
        kind = type(error).__name__
        return _fail(
            f"internal error ({kind}: {error}); rerun with --debug and report the traceback", InternalError.exit_code
        )


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run())
