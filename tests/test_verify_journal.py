# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What scripts/verify_journal.py names"
import contextlib
import io
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from trytond.modules.training_abandon.tests.common import (
    DatabaseTestCase, create_enrolments, open_cases, set_up)
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, drop_db
from trytond.transaction import Transaction

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'scripts'))
import verify_journal  # noqa: E402


class VerifyJournalTestCase(DatabaseTestCase):
    "Test the command"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)

    def run_command(self):
        client = SimpleNamespace(
            config=SimpleNamespace(database_name=DB_NAME))
        output = io.StringIO()
        with patch.object(
                verify_journal, 'connect_database', return_value=client), \
                contextlib.redirect_stdout(output):
            status = verify_journal.main(['--database', 'sqlite:///x'])
        return status, output.getvalue().splitlines()

    def test_command(self):
        "Test that the altered entry is named"
        with Transaction().start(DB_NAME, 1) as transaction:
            with set_up() as (company, session, _):
                _, other = open_cases(create_enrolments(session, 2))
                Pool().get('training.journal.day').record(company)
            transaction.tasks.clear()
            transaction.commit()
        summary = "2 cases, 2 entries (0 anonymised), 1 days"
        status, lines = self.run_command()
        self.assertEqual(status, 0, lines)
        self.assertEqual([lines[0], lines[-1]], [
                summary, "The journal is sound."])

        with Transaction().start(DB_NAME, 1) as transaction:
            table = Pool().get('training.journal.entry').__table__()
            transaction.connection.cursor().execute(*table.update(
                    [table.kind], ['step'], where=table.case == other.id))
            transaction.commit()
        status, lines = self.run_command()
        self.assertEqual((status, lines[0]), (1, summary))
        self.assertIn(
            f"BROKEN case {other.id}, entry 1: the row is altered", lines)
        self.assertNotIn("The journal is sound.", lines)

    def test_no_database(self):
        "Test that a database that is not there is told"
        with contextlib.redirect_stderr(io.StringIO()) as error, \
                patch.object(
                    verify_journal, 'connect_database',
                    side_effect=verify_journal.ConnectionFailed("None")):
            self.assertEqual(
                verify_journal.main(['--database', 'sqlite:///x']), 2)
        self.assertEqual(error.getvalue(), "None\n")


if __name__ == '__main__':
    unittest.main()
