# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Open each action of a plan in the desktop client, whose Python runs this.

driver.py PLAN RESULT PASSWORD, then the arguments of the client

The plan is a list of dictionaries with the name, the id and the type of each
action, and with the model and the ids of the records that it may start from.
The result has for each name what the client shows, and its errors."""

import json
import sys
import time
import traceback
from pathlib import Path

from gi.repository import GLib, Gtk
from tryton import client
from tryton.action import Action
from tryton.action import main as action_main
from tryton.common import RPCException, common
from tryton.gui import Main
from tryton.gui.window.board import Board
from tryton.gui.window.wizard import Wizard

PLAN, RESULT, PASSWORD = sys.argv[1:4]


class Driver:

    def __init__(self):
        self.errors, self.messages = [], []
        self.wizards, self.files = [], []
        self.answer_dialogs()
        run = Wizard.run

        def run_wizard(wizard, *args, **kwargs):
            self.wizards.append(wizard)
            return run(wizard, *args, **kwargs)
        Wizard.run = run_wizard
        action_main.file_open = (
            lambda name, *args, **kwargs: self.files.append(name))

    def answer_dialogs(self):
        "Answer the dialogs in the place of the user and remember them"
        def call(dialog, *args, **kwargs):
            words = ' '.join(a for a in args if isinstance(a, str))
            if isinstance(dialog, common.AskDialog):
                return PASSWORD
            elif isinstance(dialog, common.ErrorDialog):
                self.errors.append(words)
            elif isinstance(dialog, common.UserWarningDialog):
                return 'ok'
            elif isinstance(dialog, common.Sur3BDialog):
                # What was changed is not saved
                return Gtk.ResponseType.NO
            elif isinstance(dialog, common.SurDialog):
                return Gtk.ResponseType.YES
            else:
                self.messages.append(words)
        common.UniqueDialog.__call__ = call

    def run(self):
        results = {}
        try:
            # What the user opens at the beginning
            self.close()
            for action in json.loads(Path(PLAN).read_text()):
                results[action['name']] = self.open(action)
        except Exception:
            results['driver'] = {'errors': [traceback.format_exc()]}
        finally:
            Path(RESULT).write_text(json.dumps(results, indent=1))
            Gtk.main_quit() if Gtk.main_level() else Main().quit()

    def open(self, action):
        "Open the action from the first of its records that it takes"
        result = None
        for id_ in action['ids'] or [None]:
            data = {'model': action['model'], 'id': id_, 'ids': [id_]}
            if id_ is None:
                data = {}
            result = self.open_with(action, data)
            if result['shown'] or result['errors']:
                break
        return result

    def open_with(self, action, data):
        for seen in [self.errors, self.messages, self.wizards, self.files]:
            seen.clear()
        shown = []
        try:
            Action.execute(action['id'], data, context={})
            self.settle()
            shown += self.show_wizards()
            shown += self.show_pages()
            shown += ['report' for _ in self.files]
        except RPCException:
            pass
        except Exception:
            self.errors.append(traceback.format_exc())
        self.close()
        return {
            'shown': shown,
            'messages': list(self.messages),
            'errors': list(self.errors),
            }

    def settle(self):
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            while Gtk.events_pending():
                Gtk.main_iteration()
            time.sleep(0.01)

    def show_wizards(self):
        for wizard in list(self.wizards):
            if wizard.screen:
                yield f'wizard {wizard.screen.model_name}'
            if wizard.session_id and wizard.state != wizard.end_state:
                wizard.end()
                self.settle()
            elif not self.messages:
                yield 'wizard'

    def show_pages(self):
        "Show the pages of the tab and each of the views"
        for page in list(Main().pages):
            if isinstance(page, Board):
                yield from self.show_board(page)
                continue
            screen = page.screen
            notebook = getattr(screen.screen_container, 'notebook', None)
            for number in range(
                    notebook.get_n_pages() if notebook else 0):
                notebook.set_current_page(number)
                self.settle()
            seen = []
            while screen.current_view not in seen:
                seen.append(screen.current_view)
                yield screen.current_view.view_type
                if not screen.current_record and len(screen.group):
                    screen.current_record = screen.group[0]
                screen.switch_view()
                self.settle()

    def show_board(self, page):
        for action in page.board.actions:
            yield f'board {action.screen.current_view.view_type}'

    def close(self):
        for page in list(Main().pages):
            Main()._win_del(page.widget)
        self.settle()


def start():
    driver = Driver()
    get_preferences = Main.get_preferences

    def drive():
        driver.run()
        return False

    def get_preferences_and_drive(main):
        Main.get_preferences = get_preferences
        get_preferences(main)
        # Once the client waits for its user
        GLib.timeout_add(1000, drive)
    Main.get_preferences = get_preferences_and_drive
    sys.argv[1:] = sys.argv[4:]
    client.main()


if __name__ == '__main__':
    start()
