# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What scripts/recompute.py names and puts right"
import contextlib
import io
import sys
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from trytond import backend
from trytond.modules.training_abandon.tests.common import (
    DatabaseTestCase, create_enrolments, open_cases, set_up)
from trytond.pool import Pool
from trytond.tests.test_tryton import DB_NAME, drop_db
from trytond.transaction import Transaction

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'scripts'))
import recompute  # noqa: E402


class RecomputeTestCase(DatabaseTestCase):
    "Test the command"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.addClassCleanup(drop_db)

    def run_command(self, *arguments):
        client = SimpleNamespace(
            config=SimpleNamespace(database_name=DB_NAME))
        output = io.StringIO()
        with patch.object(
                recompute, 'connect_database', return_value=client), \
                contextlib.redirect_stdout(output):
            status = recompute.main(['--database', 'sqlite:///x', *arguments])
        return status, output.getvalue()

    def test_command(self):
        "Test that what differs is named, then put right"
        with Transaction().start(DB_NAME, 1) as transaction:
            with set_up() as (_, session, _):
                case, = open_cases(create_enrolments(session))
                step, name = case.next_step, case.next_step.rec_name
            transaction.tasks.clear()
            transaction.commit()
        self.assertEqual(self.run_command(), (0, "0 differences\n"))

        with Transaction().start(DB_NAME, 1) as transaction:
            table = step.__table__()
            transaction.connection.cursor().execute(*table.update(
                    [table.evidence], ['proven'], where=table.id == step.id))
            transaction.commit()

        status, output = self.run_command()
        self.assertEqual(status, 1)
        self.assertEqual(output.splitlines(), [
                f"training.abandon.case.step {step.id}, {name}: "
                "evidence is proven in the place of none",
                "1 differences"])
        status, output = self.run_command('--fix')
        self.assertEqual(status, 1)
        self.assertIn("put right", output)
        self.assertEqual(self.run_command(), (0, "0 differences\n"))
        with Transaction().start(DB_NAME, 1, readonly=True):
            Step = Pool().get('training.abandon.case.step')
            self.assertEqual(Step(step.id).evidence, 'none')

    def test_no_database(self):
        "Test that a database that is not there is told"
        with contextlib.redirect_stderr(io.StringIO()) as error, \
                patch.object(
                    recompute, 'connect_database',
                    side_effect=recompute.ConnectionFailed("No database")):
            self.assertEqual(
                recompute.main(['--database', 'sqlite:///x']), 2)
        self.assertEqual(error.getvalue(), "No database\n")

    def test_busy(self):
        "Test that a database that others change is to be fixed again"
        errors = io.StringIO()
        with patch.object(recompute, 'recompute',
                side_effect=backend.DatabaseOperationalError("busy")), \
                contextlib.redirect_stderr(errors):
            status, _ = self.run_command('--fix')
        self.assertEqual(status, 2)
        self.assertIn("start again (busy)", errors.getvalue())


if __name__ == '__main__':
    unittest.main()
