# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Import parties, sessions, enrolments, attendance, follow-ups, engagement
measures and answers to the questionnaires from CSV files, and the sessions
also from calendars (.ics).

The codes of the files are kept as external codes: the same file can be
imported again, even after an interruption, without making doubles.
The rows that can not be imported are written to FILE.errors.csv, which can be
corrected and imported in its turn.
With --database, 'python -O' makes large imports up to twice as fast."""

import argparse
import getpass
import sys
from pathlib import Path

from . import cells
from .answers import Answers
from .attendance import Attendance
from .calendar import Calendar, CalendarFile, half_days, is_calendar
from .client import (
    ConnectionFailed, Refused, Stopped, add_server_arguments, connect_database,
    connect_url, use_company)
from .enrolments import Enrolments
from .follow_ups import FollowUps
from .importer import Options
from .measures import Measures
from .parties import Parties
from .sessions import Sessions
from .table import Errors, FormatError, Rejected, Table

KINDS = {
    'parties': Parties,
    'sessions': Sessions,
    'enrolments': Enrolments,
    'attendance': Attendance,
    'follow_ups': FollowUps,
    'measures': Measures,
    'answers': Answers,
    }
OK, REJECTED, USAGE = 0, 1, 2


def parse_arguments(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog='\n'.join(
            f"columns of {name}: {';'.join(kind.columns)}"
            for name, kind in KINDS.items()))
    add_server_arguments(parser)
    parser.add_argument('--password-file', type=Path, metavar='FILE',
        help="file whose first line is the password to use with --url "
        "(default: in the URL, else asked)")
    parser.add_argument('--company', metavar='NAME_OR_ID',
        help="company to work for (default: the current one of the user)")
    parser.add_argument('--source', default='import', metavar='NAME',
        help="system whose codes these are (default: %(default)s)")
    parser.add_argument('--dry-run', action='store_true',
        help="check the file, write nothing")
    parser.add_argument('--close', action='store_true',
        help="close the attendance sheets, which makes them official")
    parser.add_argument('--no-notices', action='store_true',
        help="tell nobody of the absences of the sheets that are closed")
    parser.add_argument('--status', action='append', default=[],
        type=status_word, metavar='WORD=STATUS',
        help="what a word of the column status of attendance means, like "
        "--status X=present; may be given several times")
    calendar = parser.add_argument_group("calendars (.ics)")
    calendar.add_argument('--session', metavar='CODE',
        help="session of all the events (default: the one whose code or "
        "number is in the texts of the event, else one by title)")
    calendar.add_argument('--all-day', metavar='TIMES', default=[],
        type=all_day_times,
        help="times of the events without time, like "
        "09:00-12:30,13:30-17:00 (default: they are rejected)")
    calendar.add_argument('--extend', action='store_true',
        help="extend the dates of the sessions to those of the events")
    calendar.add_argument('--keep-missing', action='store_true',
        help="keep the slots whose event is no longer in the calendar")
    parser.add_argument('--quiet', action='store_true',
        help="show no progress")
    parser.add_argument('kind', choices=KINDS)
    parser.add_argument('file', type=Path)
    args = parser.parse_args(arguments)
    if args.close and args.kind != 'attendance':
        parser.error("--close is for attendance")
    if args.status and args.kind != 'attendance':
        parser.error("--status is for attendance")
    args.calendar = args.kind == 'sessions' and is_calendar(args.file)
    if not args.calendar and (
            args.session or args.all_day or args.extend
            or args.keep_missing):
        parser.error(
            "--session, --all-day, --extend and --keep-missing are for the "
            "sessions of a calendar")
    if args.no_notices and args.kind != 'attendance':
        parser.error("--no-notices is for attendance")
    return args


def status_word(argument):
    "Return the word and the state that it means"
    word, _, status = argument.rpartition('=')
    try:
        state, minutes = cells.status(status)
    except Rejected as exc:
        raise argparse.ArgumentTypeError(exc.reason) from exc
    if not word.strip() or minutes:
        raise argparse.ArgumentTypeError(
            f"'{argument}' is not like WORD=STATUS")
    return word, state


def all_day_times(text):
    try:
        return half_days(text)
    except Rejected as exc:
        raise argparse.ArgumentTypeError(exc) from exc


class NoProgress:
    def update(self, number):
        pass

    def close(self):
        pass


def progress_bar(total, quiet):
    if quiet or not sys.stderr.isatty():
        return NoProgress()
    try:
        from tqdm import tqdm
    except ImportError:
        return NoProgress()
    return tqdm(total=total, unit=" rows", leave=False)


def connect(args):
    if args.database:
        return connect_database(args.database, args.user, args.config)
    password = None
    if args.password_file:
        password = read_password(args.password_file)
    elif not has_password(args.url) and sys.stdin.isatty():
        password = getpass.getpass("Password: ")
    return connect_url(args.url, password)


def read_password(path):
    try:
        return path.read_text().splitlines()[0]
    except OSError as exc:
        raise ConnectionFailed(f"{path}: {exc.strerror}.") from exc
    except (IndexError, UnicodeDecodeError) as exc:
        raise ConnectionFailed(
            f"{path}: its first line must be the password.") from exc


def has_password(url):
    return ':' in url.partition('://')[2].rpartition('@')[0]


def main(arguments=None):
    args = parse_arguments(arguments)
    kind = Calendar if args.calendar else KINDS[args.kind]
    try:
        if args.calendar:
            table = CalendarFile(args.file)
        else:
            table = Table(args.file, kind.columns, kind.required)
        client = connect(args)
        company = use_company(client, args.company)
    except FormatError as exc:
        return fail(f"{args.file}: {exc}")
    except (ConnectionFailed, OSError) as exc:
        return fail(exc)
    except (Refused, Stopped) as exc:
        client.close()
        return fail(f"Nothing is imported: {exc}")
    errors = Errors(table)
    options = Options(
        args.source, company, args.dry_run, args.close, dict(args.status),
        args.session, args.all_day, args.extend, not args.keep_missing,
        notify=not args.no_notices)
    progress = progress_bar(len(table.rows), args.quiet)
    importer = kind(client, table, errors, options, progress)
    try:
        importer.run()
    except FormatError as exc:
        return fail(f"{args.file}: {exc}")
    except (OSError, Refused, Stopped) as exc:
        progress.close()
        print(f"The import has stopped: {exc}\nWhat is imported stays: run "
            "the same command again to go on.", file=sys.stderr)
        return REJECTED
    finally:
        progress.close()
        client.close()
        write_errors(errors)
    print(summary(importer, args))
    return REJECTED if errors else OK


def fail(message):
    print(message, file=sys.stderr)
    return USAGE


def write_errors(errors):
    try:
        errors.write()
    except OSError as exc:
        # They must be told all the same
        print(f"{errors.path} can not be written: {exc.strerror}. The "
            "rejected rows are:", *errors.lines(), sep='\n',
            file=sys.stderr)


def summary(importer, args):
    verb = "would be " if args.dry_run else ""
    counts = ', '.join(
        f"{importer.counts[name]} {verb}{name}"
        for name in importer.outcomes)
    table = importer.table
    text = f"{args.file.name}: {len(table.rows)} {table.unit}, {counts}"
    if skipped := importer.counts['skipped']:
        text += f", {skipped} days skipped that are not working days"
    if sessions := importer.counts['sessions']:
        text += (f", {sessions} session{'s' if sessions > 1 else ''} "
            f"{verb}created")
    if importer.errors:
        text += f", {len(importer.errors)} rejected"
        if importer.errors.path.is_file():
            text += f", see {importer.errors.path}"
    return text


def run():
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Interrupted: run the same command again to go on.",
            file=sys.stderr)
        sys.exit(130)


if __name__ == '__main__':
    run()
