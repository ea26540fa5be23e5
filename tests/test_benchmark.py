# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Which databases scripts/benchmark.py takes"
import contextlib
import io
import sys
import unittest
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'scripts'))
import benchmark  # noqa: E402


class BenchmarkTestCase(unittest.TestCase):
    "Test the database of the command"

    def created(self, *args):
        "Return what the command runs to create the database of the arguments"
        with patch.object(sys, 'argv', ['benchmark.py', *args]), \
                patch.object(benchmark, 'run') as run, \
                benchmark.database(benchmark.parse_arguments()) as uri, \
                benchmark.new_database(uri, {}) as (uri, config):
            files = [p.name for p in config.parent.glob('*.sqlite')]
            return uri, files, [
                list(map(str, call.args[0])) for call in run.call_args_list]

    def test_database(self):
        for args, name in [
                ([], 'benchmark'), (['--database', 'sqlite:///x'], 'x')]:
            uri, files, (admin,) = self.created(*args)
            self.assertEqual(
                (uri, files), (f'sqlite:///{name}', [f'{name}.sqlite']))
            self.assertEqual(admin[admin.index('-d') + 1], name)
        uri = 'postgresql://user@host/x'
        found, files, (drop, admin) = self.created('--database', uri)
        self.assertEqual((found, files, drop[-1]), (uri, [], uri))
        self.assertEqual(admin[admin.index('-d') + 1], 'x')

    def test_refused(self):
        for uri in ['sqlite://', 'mysql:///x', 'postgresql://host']:
            error = io.StringIO()
            with self.subTest(uri=uri), contextlib.redirect_stderr(error):
                with self.assertRaises(SystemExit):
                    self.created('--database', uri)
                self.assertIn("the database", error.getvalue())


if __name__ == '__main__':
    unittest.main()
