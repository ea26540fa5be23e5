# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the command of the import needs around it"

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[1] / 'scripts/import_training.py'
COMMAND = 'trytond.modules.training_abandon.scripts.importing.command'


class CommandTestCase(unittest.TestCase):
    "Test the command of the import"

    def run_python(self, *arguments):
        return subprocess.run(
            [sys.executable, *map(str, arguments)], capture_output=True,
            text=True, check=False)

    def test_configuration_first(self):
        "The backend is not chosen before the configuration is read"
        result = self.run_python('-c',
            f'import sys, {COMMAND}; print("trytond.backend" in sys.modules)')
        self.assertEqual(result.stdout, 'False\n', result.stderr)

    def test_without_proteus(self):
        with tempfile.NamedTemporaryFile('w', suffix='.csv') as table:
            table.write('code;name\n1;Ateliers\n')
            table.flush()
            for server in [
                    ['--database', 'sqlite:///x'],
                    ['--url', 'http://127.0.0.1:1/x/']]:
                result = self.run_python('-c',
                    f'import sys; sys.modules["proteus"] = None; '
                    f'from {COMMAND} import run; run()',
                    *server, 'parties', table.name)
                self.assertEqual(result.returncode, 2)
                self.assertIn("trytond_training_abandon[import]",
                    result.stderr)
                self.assertNotIn('Traceback', result.stderr)

    def test_without_module(self):
        # Without the packages installed
        result = self.run_python('-S', SCRIPT)
        self.assertEqual(result.returncode, 2)
        self.assertIn("is not installed here", result.stderr)
        self.assertNotIn('Traceback', result.stderr)

    def test_fetch_mail_alone(self):
        "The mails are fetched where no package is installed"
        result = self.run_python(
            '-S', SCRIPT.with_name('fetch_mail.py'), '--help')
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn('--endpoint', result.stdout)
