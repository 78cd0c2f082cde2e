"""The command line: the pipeline without Airflow."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date

from include.corral.alerts_cli import add_alerts
from include.corral.audit import audit, orphans
from include.corral.corral import Corral
from include.corral.drain import drain
from include.corral.errors import ConfigurationError, CorralError
from include.corral.pipeline import Pipeline
from include.corral.report import FailurePolicy, group_failures
from include.corral.settings import Settings
from include.corral.sweep import sweep
from include.corral.views import explain_lines, find_product, status_lines
from models.schema import current_revision, head_revision, upgrade
from models.session import DatabaseError, make_engine, masked

Say = Callable[[str], None]


def main(pipeline: Pipeline, argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0 only when all went well."""
    arguments = _parser(pipeline).parse_args(argv)
    corral = Corral(Settings.from_env())
    try:
        status: int = arguments.command(arguments, pipeline, corral, _say)
    except (CorralError, DatabaseError) as error:
        print(f"corral: {error}", file=sys.stderr)  # noqa: T201 - a command line speaks
        return 1
    finally:
        corral.close()
    return status


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - a command line speaks


def _parser(pipeline: Pipeline) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="corral",
        description=f"The {pipeline.name} pipeline, without Airflow. CORRAL_HOME, "
        "CORRAL_DATABASE, CORRAL_INBOX and CORRAL_PRODUCTS say where it lives (./.corral).",
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    database = commands.add_parser("db", help="create or upgrade the database, or look at it")
    database.add_argument("action", choices=["upgrade", "status"])
    database.set_defaults(command=_database)
    load = commands.add_parser("load", help="bring in what is new in the inbox")
    load.set_defaults(command=_load)
    run = commands.add_parser("run", help="run all steps, or the named ones, for a night")
    run.add_argument("steps", nargs="*", metavar="STEP", help="by default all, in their order")
    run.add_argument("--night", type=_night, help="YYYY-MM-DD; by default all nights")
    run.add_argument(
        "--retry-failed", action="store_true", help="also try again what failed for good"
    )
    run.set_defaults(command=_run)
    status = commands.add_parser("status", help="units by step and state, and what failed")
    status.add_argument("--night", type=_night, help="YYYY-MM-DD; by default all nights")
    status.set_defaults(command=_status)
    count = commands.add_parser("account", help="what came in, and what became of it, by night")
    count.add_argument("--night", type=_night, help="YYYY-MM-DD; by default all nights")
    count.set_defaults(command=_account)
    explain = commands.add_parser("explain", help="what a product is made from, and why")
    explain.add_argument("product", help="id, file name, path or sha256")
    explain.set_defaults(command=_explain)
    check = commands.add_parser("audit", help="compare what is promised with what is there")
    check.add_argument("--quick", action="store_true", help="compare sizes of files, not hashes")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.set_defaults(command=_audit)
    broom = commands.add_parser("sweep", help="close the dead, look at disks and waiting files")
    broom.add_argument(
        "--deep", action="store_true", help="also audit, and remove files that no row names"
    )
    broom.set_defaults(command=_sweep)
    for add in (add_alerts, *pipeline.commands):
        add(commands)
    steps = commands.add_parser("steps", help="list loader, steps and alerts")
    steps.set_defaults(command=_steps)
    return parser


def _night(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a night: YYYY-MM-DD") from None


def _database(arguments: argparse.Namespace, _pipeline: Pipeline, corral: Corral, say: Say) -> int:
    # Not corral.engine: that one refuses the old schema which this command is to mend.
    engine = make_engine(corral.settings.database_url)
    if arguments.action == "upgrade":
        upgrade(engine)
    found, needed = current_revision(engine), head_revision()
    say(f"{masked(engine.url)}: revision {found}, this code needs {needed}")
    engine.dispose()
    return 0 if found == needed else 1


def _load(_arguments: argparse.Namespace, pipeline: Pipeline, corral: Corral, say: Say) -> int:
    report = drain(corral, pipeline.loader(), on_progress=say)
    report.raise_for_policy(FailurePolicy.FAIL)
    return 0


def _run(arguments: argparse.Namespace, pipeline: Pipeline, corral: Corral, say: Say) -> int:
    chosen = [pipeline.find(name) for name in arguments.steps]
    failed = 0
    for processor in chosen or [*pipeline.steps, *pipeline.alerts]:
        report = drain(
            corral,
            processor(),
            partition=arguments.night,
            retry_failed=arguments.retry_failed,
            on_progress=say,
        )
        failures = report.failures + report.standing
        failed += len(failures)
        for line in group_failures(failures):
            say(f"  {line}")
    return 1 if failed else 0


def _status(arguments: argparse.Namespace, pipeline: Pipeline, corral: Corral, say: Say) -> int:
    names = [processor.name for processor in pipeline.processors()]
    with corral.read() as session:
        for line in status_lines(session, names, arguments.night):
            say(line)
    return 0


def _account(arguments: argparse.Namespace, pipeline: Pipeline, corral: Corral, say: Say) -> int:
    if pipeline.account is None:
        raise ConfigurationError(f"{pipeline.name} keeps no account of what comes in")
    with corral.read() as session:
        for line in pipeline.account(session, arguments.night):
            say(line)
    return 0


def _explain(arguments: argparse.Namespace, _pipeline: Pipeline, corral: Corral, say: Say) -> int:
    with corral.read() as session:
        for line in explain_lines(session, find_product(session, arguments.product)):
            say(line)
    return 0


def _audit(arguments: argparse.Namespace, pipeline: Pipeline, corral: Corral, say: Say) -> int:
    violations = audit(corral, deep=not arguments.quick, promises=pipeline.promises)
    stray = orphans(corral)
    if arguments.json:
        found = [asdict(violation) for violation in violations]
        say(json.dumps({"violations": found, "orphans": stray}))
        return 1 if violations else 0
    for violation in violations:
        say(str(violation))
    say(f"{len(violations)} violation(s), {len(stray)} file(s) that no row names")
    return 1 if violations else 0


def _sweep(arguments: argparse.Namespace, pipeline: Pipeline, corral: Corral, say: Say) -> int:
    chosen = [*pipeline.sweeps, *(pipeline.deep_sweeps if arguments.deep else ())]
    reports = [sweep(corral, processor(), on_progress=say).report for processor in chosen]
    failures = [failure for report in reports for failure in report.failures + report.standing]
    for line in group_failures(failures):
        say(f"  {line}")
    return 1 if failures else 0


def _steps(_arguments: argparse.Namespace, pipeline: Pipeline, _corral: Corral, say: Say) -> int:
    for processor in pipeline.processors():
        first = (processor.__doc__ or "").strip().partition("\n")[0]
        say(f"{processor.name:<16} version {processor.version:<4} {first}")
    return 0
