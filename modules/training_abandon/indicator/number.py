# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The records behind the numbers"
import datetime as dt

from trytond.model import ModelView, fields
from trytond.pool import Pool
from trytond.pyson import PYSONEncoder
from trytond.wizard import Button, StateAction, StateView, Wizard

from .indicator import RATES, DecisionsMixin
from .source import COUNTED, GROUNDS, Losses

_ON_TIME = ['in_time', 'late', 'missing', 'evidence_missing']


def _cases(*domain):
    return lambda window: [
        *window.domain('decided_on'),
        ('state', '!=', 'cancelled'),
        ('decision', '!=', None),
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
        *window.domain('raised_on'),
        ('state', '!=', 'open'),
        ('withdrawn', '=', False),
        *domain,
        ]


def _enrolments(*domain):
    return lambda window: [
        *window.domain('first_presence'),
        *domain,
        ]


def _losses(name):
    return lambda window: [('id', 'in', Losses.opened(window, name))]


_ASKED = [('kind', '=', 'ask_reasons'), ('state', '=', 'done')]
# The action, the kind of the records and the domain in a window, by number
NUMBERS = {
    'started': ('act_enrolment_form', 'enrolment',
        _enrolments(('is_start', '=', True))),
    'left': ('act_enrolment_form', 'enrolment',
        _enrolments(('is_abandoned', '=', True))),
    'hours_held': ('act_enrolment_form', 'enrolment',
        _enrolments(('hours_held', '>', dt.timedelta()))),
    'hours_attended': ('act_enrolment_form', 'enrolment',
        _enrolments(('hours_attended', '>', dt.timedelta()))),
    'decided': ('act_case_form', 'case', _cases()),
    **{
        name: ('act_case_form', 'case', _cases(('ground', 'in', grounds)))
        for name, grounds in GROUNDS.items()},
    **{
        name: ('act_case_form', 'case', _cases((days, '!=', None)))
        for days, cases in COUNTED.items() for name in [days, cases]},
    'steps_due': ('act_case_step_form', 'step',
        _steps(('conformity', 'in', _ON_TIME))),
    'steps_on_time': ('act_case_step_form', 'step',
        _steps(('conformity', '=', 'in_time'))),
    'asked': ('act_case_step_form', 'step', _steps(*_ASKED)),
    'answered': ('act_case_step_form', 'step',
        _steps(*_ASKED, ('case.answered_at', '!=', None))),
    'alerts': ('act_alert_form', 'alert', _alerts()),
    'alerts_right': ('act_alert_form', 'alert', _alerts(
            ('state', '=', 'handled'),
            ['OR',
                ('case', '=', None),
                [
                    ('case.state', '!=', 'cancelled'),
                    ['OR',
                        ('case.ground', '=', None),
                        ('case.ground', '!=', 'unfounded'),
                        ],
                    ],
                ])),
    'hours_lost': ('act_case_form', 'case', _losses('hours_lost')),
    'revenue_lost': ('act_settlement_form', 'settlement',
        _losses('revenue_lost')),
    }
# A rate opens those out of whom it is
NUMBERS.update((rate, NUMBERS[whole]) for rate, (_, whole) in RATES.items())
_PREVIOUS = 'previous_'


class OpenStart(ModelView):
    __name__ = 'training.indicator.open.start'

    numbers = fields.Char("Numbers", readonly=True)
    number = fields.Selection(
        'get_numbers', "Number", required=True, sort=False,
        help="The number whose records are opened.")

    @fields.depends('numbers')
    def get_numbers(self):
        pool = Pool()
        # The client may send any name
        for name, Indicator in pool.iterobject():
            if name == self.numbers and issubclass(Indicator, DecisionsMixin):
                break
        else:
            return []
        names = [
            prefix + name for name in NUMBERS for prefix in ['', _PREVIOUS]
            if prefix + name in Indicator._fields]
        labels = Indicator.fields_get(names)
        return [(name, labels[name]['string']) for name in names]


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
        number = self.start.number
        name, model, get_domain = NUMBERS[number.removeprefix(_PREVIOUS)]
        domain = ['OR']
        for indicator in indicators:
            window, records = indicator.opened(
                model, previous=number.startswith(_PREVIOUS))
            domain.append([*get_domain(window), *records])
        action = Action(Action.get_action_id(
                ModelData.get_id('training_abandon', name)))
        value = action.get_action_value()
        value['name'] = ' - '.join([
                numbers[number],
                *(i.rec_name for i in indicators)])
        value['pyson_domain'] = PYSONEncoder().encode(domain)
        value['domains'] = []
        return value, {}
