# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The screens of the module in the desktop client"

import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import ExitStack, closing
from pathlib import Path

from proteus import Model

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / 'scripts')]
from browser.provider import (  # noqa: E402
    DATABASE, PASSWORD, Provider, wait_for)
from browser.training import Training  # noqa: E402

from trytond.modules.training_abandon.tests import tools  # noqa: E402

from lib.environment import process_group  # noqa: E402

TRAINEE = "Lucie Moreau"
MODULE = 'training_abandon'
ACTIONS = ['ir.action.act_window', 'ir.action.wizard', 'ir.action.report']
# An action is tried from so many records, for those that it refuses
RECORDS = 5
DRIVE_TIMEOUT = 1_200
REPLY = '''From: trainee@example.com
To: training@example.com
Subject: Absence
Message-ID: <1@example.com>
Content-Type: text/plain; charset=utf-8

Le bus était en grève.
'''.replace('\n', '\r\n').encode()


class DesktopTestCase(unittest.TestCase):
    "Open the desktop client on a display of its own"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.directory = Path(cls.enter(tempfile.TemporaryDirectory()))
        cls.provider = Provider(cls.directory)
        cls.provider.build()
        cls.addClassCleanup(cls.provider.stop)
        cls.provider.start()
        cls.start_display()

    @classmethod
    def enter(cls, context):
        stack = ExitStack()
        cls.addClassCleanup(stack.close)
        return stack.enter_context(context)

    @classmethod
    def start_display(cls):
        reader, writer = os.pipe()
        with open(reader) as number:
            cls.enter(process_group(
                    ['Xvfb', '-displayfd', str(writer),
                        '-screen', '0', '1400x900x24', '-nolisten', 'tcp'],
                    pass_fds=[writer], stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            os.close(writer)
            display = f':{number.readline().strip()}'
        cls.environ = dict(
            os.environ, DISPLAY=display, HOME=str(cls.directory),
            LANG='C.UTF-8', LANGUAGE='fr', GDK_BACKEND='x11', NO_AT_BRIDGE='1')
        cls.environ.pop('PYTHONPATH', None)

    def start_client(
            self, command=(os.environ['TEST_DESKTOP'], '--verbose'),
            user='assistant', path=''):
        log = self.directory / f'{self._testMethodName}.log'
        config = self.directory / 'tryton.conf'
        config.write_text('[client]\ncheck_version = False\n')
        with open(log, 'wb') as output:
            stack = ExitStack()
            self.addCleanup(stack.close)
            process = stack.enter_context(process_group([
                        *command, '--config', config, '--user', user,
                        f'tryton://127.0.0.1:{self.provider.port}/'
                        f'{DATABASE}/{path}'],
                    env=self.environ, stdin=subprocess.DEVNULL,
                    stdout=output, stderr=output))
        return process, log

    def xdotool(self, *arguments):
        result = subprocess.run(
            ['xdotool', *arguments], env=self.environ, check=False,
            capture_output=True, text=True)
        return result.stdout.split()

    def titles(self):
        windows = self.xdotool('search', '--onlyvisible', '--name', '')
        return [
            ' '.join(self.xdotool('getwindowname', window))
            for window in windows]

    def grab(self, output):
        return subprocess.run(
            ['import', '-window', 'root', output], env=self.environ,
            check=True, capture_output=True).stdout

    def screenshot(self, name):
        "Store what is shown once nothing moves any more"
        screens = [self.grab('rgb:-')]
        for _ in range(30):
            time.sleep(1)
            screens.append(self.grab('rgb:-'))
            if len(screens) > 3 and len(set(screens[-4:])) == 1:
                break
        self.grab(Path(os.environ['TEST_SCREENS']) / f'desktop-{name}.png')

    def errors(self, output):
        "The tracebacks of the client, without those about its locale"
        _, *tracebacks = output.split('Traceback')
        return [
            t for t in tracebacks if 'unsupported locale setting' not in t]

    def test_case(self):
        "Test that the form of a case opens without any error"
        with self.provider.connect('assistant'):
            case = Training().case(TRAINEE)
        process, log = self.start_client(
            path=f'model/training.abandon.case/{case.id}')

        def has_window(title):
            return any(t.startswith(title) for t in self.titles())

        def output():
            return log.read_text(errors='replace')

        wait_for(lambda: has_window("Tryton"), process, log)
        self.xdotool('type', PASSWORD)
        self.xdotool('key', 'Return')
        wait_for(lambda: has_window("Camille Fontaine"), process, log)
        # The client reads the record then what its buttons show
        wait_for(
            lambda: re.search(
                rf'training\.abandon\.case\.read\(\[{case.id}\].*'
                rf'training\.abandon\.case\.resources\({case.id},',
                output(), re.S),
            process, log)
        self.screenshot('case')
        self.assertFalse(self.errors(output()))
        self.assertNotIn(
            'Traceback', self.provider.log.read_text(errors='replace'))

    def test_actions(self):
        "Test that each action and each wizard of the module opens"
        with self.provider.connect('assistant'):
            training = Training()
            case = training.case_at('certify', "Léa Bonnet", days=9)
            tools.apply('certify', [case], channel='email')
            training.case("Paul Rousseau")
        with self.provider.connect('administrateur') as config:
            config.get_proxy('training.mail.reply').receive(
                REPLY, config.context)
        with self.provider.connect('admin'):
            plan = list(self.plan())
        self.assertGreater(len(plan), 80)
        plan_file = self.directory / 'plan.json'
        plan_file.write_text(json.dumps(plan))
        result_file = Path(os.environ['TEST_SCREENS']) / 'desktop.json'
        result_file.unlink(missing_ok=True)
        python = Path(os.environ['TEST_DESKTOP']).with_name('python')
        process, log = self.start_client([
                python, Path(__file__).with_name('driver.py'), plan_file,
                result_file, PASSWORD, '--no-thread'],
            user='administrateur')
        process.wait(DRIVE_TIMEOUT)
        result = json.loads(result_file.read_text())
        for name, values in result.items():
            with self.subTest(action=name):
                self.assertEqual(values['errors'], [])
                # What it opens, or why it does not from these records
                self.assertTrue(values['shown'] or values['messages'])
        self.assertEqual(
            [action['name'] for action in plan], list(result))
        self.assertIn('tree', result['act_case_conversation']['shown'])
        self.assertIn('board tree', result['act_home']['shown'])
        self.assertIn('calendar', {
                view for values in result.values()
                for view in values['shown']})
        self.assertFalse(self.errors(log.read_text(errors='replace')))

    def action_names(self, type_):
        "Return the names of the actions of the module by id"
        # No user may read them
        path = self.provider.directory / f'{DATABASE}.sqlite'
        with closing(sqlite3.connect(path)) as connection:
            return dict(connection.execute(
                    'SELECT db_id, fs_id FROM ir_model_data '
                    'WHERE module = ? AND model = ?', [MODULE, type_]))

    def plan(self):
        "Yield the actions of the module with the records to start from"
        Keyword = Model.get('ir.action.keyword')
        for type_ in ACTIONS:
            names = self.action_names(type_)
            for action in Model.get(type_).find(
                    [('id', 'in', list(names))]):
                models = {
                    str(keyword.model).partition(',')[0]
                    for keyword in Keyword.find([
                            ('action', '=', action.action.id),
                            ('keyword', '!=', 'tree_open')])}
                if getattr(action, 'model', None):
                    models.add(action.model)
                for model in sorted(models) or [None]:
                    name = names[action.id]
                    yield {
                        'name': (
                            name if len(models) < 2 else f'{name} {model}'),
                        'id': action.action.id,
                        'model': model,
                        'ids': model and [
                            r.id for r in Model.get(model).find(
                                [], limit=RECORDS)],
                        }
