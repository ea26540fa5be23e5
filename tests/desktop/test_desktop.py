# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"A case in the desktop client"

import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
from contextlib import ExitStack
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS.parent / 'scripts')]
from browser.provider import (  # noqa: E402
    DATABASE, PASSWORD, Provider, wait_for)
from browser.training import Training  # noqa: E402

from lib.environment import process_group  # noqa: E402

TRAINEE = "Lucie Moreau"


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

    def start_client(self, path):
        log = self.directory / 'client.log'
        config = self.directory / 'tryton.conf'
        config.write_text('[client]\ncheck_version = False\n')
        with open(log, 'wb') as output:
            stack = ExitStack()
            self.addCleanup(stack.close)
            process = stack.enter_context(process_group([
                        os.environ['TEST_DESKTOP'], '--config', config,
                        '--verbose', '--user', 'assistant',
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
            f'model/training.abandon.case/{case.id}')

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
