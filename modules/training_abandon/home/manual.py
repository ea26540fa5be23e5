# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The manual of the users, in French, which the server shows to anybody"
from pathlib import Path

from trytond.wizard import StateAction, Wizard

from .. import tools

FILE = Path(__file__).with_suffix('.html')
PATH = '/training_abandon/manual'


class OpenManual(Wizard):
    "The desktop client needs the whole address"
    __name__ = 'training.manual.open'
    start_state = 'open_'
    open_ = StateAction('training_abandon.act_manual')

    def do_open_(self, action):
        action['url'] = tools.base_url() + PATH
        return action, {}
