"""The command group: names are known at once, a command's code loads when it is called."""

from __future__ import annotations

import importlib

import click

from fireproof import __version__
from fireproof.cli.refusals import refused
from fireproof.errors import DrillFileError, EvidenceError, FireproofError, UsageError
from fireproof.guard.guardian import say
from fireproof.model.verdict import ExitCode

COMMANDS = {
    "init": "write a first drill, its environment and its CI job here",
    "doctor": "what is missing on this machine, and the next move",
    "run": "run one drill: break, recover, measure, seal",
    "gameday": "run the drills of a game day, in order",
    "acknowledge": "say that a manual step of a run is done",
    "stop": "end a run now, undone and sealed; --all: every run, and none begins",
    "unblock": "let drills begin again after stop --all",
    "check": "look for mistakes in drill files; nothing runs",
    "list": "the drills there are",
    "plan": "show what a drill would do, frozen",
    "approve": "agree to exactly this plan, by a key of your own",
    "schema": "JSON Schema of drill files, for editors",
    "verify": "check a bundle and recompute every number in it",
    "coverage": "which checklist rows verified bundles show",
    "recover": "undo and seal runs whose runner died",
    "show": "the result of a run or bundle, for people",
    "schedule": "run what is due, seal what was missed; units for cron, systemd and others",
    "lab": "the built-in systems that drills may break",
}


class LazyGroup(click.Group):
    """Imports ``fireproof.cli.<command>_command`` only when that command is called."""

    def list_commands(self, context: click.Context) -> list[str]:
        """In the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command's click object, by convention named ``command``."""
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"fireproof.cli.{name}_command")
        command: click.Command = module.command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Help without importing a single command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="fireproof")
def group() -> None:
    """Fire drills, with proof: break real systems, measure recovery, sign what was seen."""


def app() -> int:
    """Run a command; every error on purpose becomes one text and one exit code."""
    try:
        code = group.main(standalone_mode=False, prog_name="fireproof")
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except click.Abort:
        say("fireproof: stopped")
        return 130
    except (DrillFileError, UsageError) as error:
        return refused(error)
    except EvidenceError as error:
        say(f"fireproof: {error}")
        return ExitCode.EVIDENCE
    except FireproofError as error:
        say(f"fireproof: {error}")
        return ExitCode.STOPPED_BEFORE_FAULT
    except BrokenPipeError:
        return 128 + 13
    return code if isinstance(code, int) else 0
