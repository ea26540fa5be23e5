# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The concerns that people raise"
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import check_access
from trytond.wizard import Button, StateTransition, StateView, Wizard

from ..exceptions import AlertError
from ..training.enrolment import CURRENT_STATES
from .alert import CONCERNS, LEVELS


class Raise(Wizard):
    __name__ = 'training.alert.raise'

    start = StateView(
        'training.alert.raise.start',
        'training_abandon.alert_raise_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Raise", 'apply', 'tryton-ok', default=True),
            ])
    apply = StateTransition()

    def default_start(self, fields):
        choices = [e.id for e in self._choices()]
        return {
            'choices': choices,
            # Of a whole class, those of concern are to choose
            'enrolments': (
                [] if self.model.__name__ == 'training.session'
                else choices),
            }

    def _choices(self):
        "Return the current enrolments of the records"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        ids = [r.id for r in self.records]
        name = self.model.__name__
        if name == 'training.enrolment':
            domain = ('id', 'in', ids)
        elif name == 'training.trainee':
            domain = ('trainee', 'in', ids)
        elif name == 'training.session':
            domain = ('session', 'in', ids)
        else:
            domain = ('attendances', 'where', [('id', 'in', ids)])
        with check_access():
            return Enrolment.search([
                    ('state', 'in', CURRENT_STATES),
                    domain,
                    ])

    def transition_apply(self):
        pool = Pool()
        Alert = pool.get('training.alert')
        enrolments = [
            e for e in self._choices() if e in self.start.enrolments]
        word = self.start.checked_word()
        if not enrolments:
            raise AlertError(gettext(
                    'training_abandon.msg_alert_no_enrolment'))
        Alert.raise_concern(
            enrolments, self.start.kind, word, self.start.level)
        return 'end'


class ConcernMixin:
    "What somebody is concerned about"
    __slots__ = ()

    kind = fields.Selection(
        CONCERNS, "Concern", required=True, sort=False,
        help="What it is about.")
    level = fields.Selection(
        LEVELS, "Level", required=True, sort=False,
        help="How grave it is.")
    word = fields.Text(
        "Word", required=True,
        help="What was seen or heard.  Do not write any health detail.")

    @classmethod
    def default_level(cls):
        return 'watch'

    def checked_word(self):
        "Return the word, without which nobody knows what it is about"
        word = (self.word or '').strip()
        if not word:
            raise AlertError(gettext('training_abandon.msg_alert_no_word'))
        return word


class RaiseStart(ConcernMixin, ModelView):
    __name__ = 'training.alert.raise.start'

    choices = fields.Many2Many(
        'training.enrolment', None, None, "Choices", readonly=True)
    enrolments = fields.Many2Many(
        'training.enrolment', None, None, "Trainees", required=True,
        domain=[
            ('id', 'in', Eval('choices', [])),
            ])
