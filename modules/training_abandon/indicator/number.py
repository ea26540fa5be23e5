# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The records behind the numbers"
from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import PYSONEncoder
from trytond.wizard import Button, StateAction, StateView, Wizard

from .source import GROUNDS

_ON_TIME = ['in_time', 'late', 'missing', 'evidence_missing']


def _cases(*domain):
    return lambda window: [
        *window.domain('decided_on'),
        ('state', '!=', 'cancelled'),
        ('ground', '!=', 'unfounded'),
        *domain,
        ]


def _steps(*domain):
    return lambda window: [
        *window.domain('due_date'),
        ('case.state', '!=', 'cancelled'),
        *domain,
        ]


def _alerts(*domain):
    return lambda window: [
        *window.domain_at('first_seen'),
        ('state', '!=', 'open'),
        *domain,
        ]


def _settlements(window):
    return [
        *window.domain('case.decided_on'),
        ('case.state', '!=', 'cancelled'),
        ('case.ground', '=', 'abandonment'),
        ('state', '!=', 'cancelled'),
        ('withdrawn', '=', False),
        ]


_ASKED = [('kind', '=', 'ask_reasons'), ('state', '=', 'done')]
# The action, the kind of the records and the domain in a window, by number
NUMBERS = {
    'started': ('act_enrolment_form', 'enrolment',
        lambda window: window.domain('first_presence')),
    'decided': ('act_case_form', 'case', _cases()),
    **{
        name: ('act_case_form', 'case', _cases(('ground', 'in', grounds)))
        for name, grounds in GROUNDS.items()},
    'contact_days': ('act_case_form', 'case',
        _cases(('contact_days', '!=', None))),
    'decision_days': ('act_case_form', 'case',
        _cases(('decision_days', '!=', None))),
    'steps_due': ('act_case_step_form', 'step',
        _steps(('conformity', 'in', _ON_TIME))),
    'steps_on_time': ('act_case_step_form', 'step',
        _steps(('conformity', '=', 'in_time'))),
    'asked': ('act_case_step_form', 'step', _steps(*_ASKED)),
    'answered': ('act_case_step_form', 'step',
        _steps(*_ASKED, ('case.answered_at', '!=', None))),
    'alerts': ('act_alert_form', 'alert', _alerts()),
    'alerts_right': ('act_alert_form', 'alert', _alerts(
            ('case', '!=', None),
            ('case.state', '!=', 'cancelled'),
            ['OR',
                ('case.ground', '=', None),
                ('case.ground', '!=', 'unfounded'),
                ])),
    'hours_lost': ('act_case_form', 'case',
        _cases(('ground', '=', 'abandonment'))),
    'revenue_lost': ('act_settlement_form', 'settlement', _settlements),
    }


class OpenStart(ModelView):
    __name__ = 'training.indicator.open.start'

    numbers = fields.Char("Numbers", readonly=True)
    number = fields.Selection(
        'get_numbers', "Number", required=True, sort=False,
        help="The number whose records are opened.")

    @fields.depends('numbers')
    def get_numbers(self):
        pool = Pool()
        model = self.numbers or 'training.indicator.company'
        Indicator = pool.get(model)
        labels = Indicator.fields_get(list(NUMBERS))
        return [
            (name, labels[name]['string'])
            for name in NUMBERS if name in labels]


class Open(Wizard):
    "The records that a number counts"
    __name__ = 'training.indicator.open'

    start = StateView(
        'training.indicator.open.start',
        'training_abandon.indicator_open_start_view_form', [
            Button("Cancel", 'end', 'tryton-cancel'),
            Button("Open", 'open_', 'tryton-ok', default=True),
            ])
    open_ = StateAction('training_abandon.act_case_form')

    def default_start(self, fields):
        return {
            'numbers': self.model.__name__,
            'number': 'abandoned',
            }

    def do_open_(self, action):
        pool = Pool()
        Action = pool.get('ir.action')
        ModelData = pool.get('ir.model.data')
        # What is gone since it was drawn has no company
        indicators = [r for r in self.records if r.company]
        numbers = dict(self.start.get_numbers())
        if not indicators or self.start.number not in numbers:
            return
        name, model, get_domain = NUMBERS[self.start.number]
        domain = ['OR']
        for indicator in indicators:
            window, records = indicator.opened(model)
            domain.append([*get_domain(window), *records])
        action = Action(Action.get_action_id(
                ModelData.get_id('training_abandon', name)))
        value = action.get_action_value()
        value['name'] = ' - '.join([
                numbers[self.start.number],
                *(i.rec_name for i in indicators)])
        value['pyson_domain'] = PYSONEncoder().encode(domain)
        value['domains'] = []
        return value, {}
