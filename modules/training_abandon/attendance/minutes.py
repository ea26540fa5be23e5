# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.model import fields
from trytond.pyson import Eval

PARTIAL_STATES = ['late', 'left_early']
# The duration of each field in minutes
MINUTES = {
    'late_minutes': 'late_by',
    'left_minutes': 'left_by',
    }


class MinutesMixin:
    "The lateness and the early departure in minutes, as they are typed"
    __slots__ = ()

    _minutes_states = {
        'readonly': Eval('slot_state') != 'open',
        }

    late_minutes = fields.Function(
        fields.Integer(
            "Late (min)",
            domain=['OR',
                ('late_minutes', '=', None),
                ('late_minutes', '>=', 0),
                ],
            states=_minutes_states,
            help="How many minutes after the start the trainee came."),
        'get_minutes', setter='set_minutes', searcher='search_minutes')
    left_minutes = fields.Function(
        fields.Integer(
            "Left (min)",
            domain=['OR',
                ('left_minutes', '=', None),
                ('left_minutes', '>=', 0),
                ],
            states=_minutes_states,
            help="How many minutes before the end the trainee left."),
        'get_minutes', setter='set_minutes', searcher='search_minutes')

    del _minutes_states

    def get_minutes(self, name):
        duration = getattr(self, MINUTES[name])
        if duration is not None:
            return round(duration.total_seconds() / 60)

    @classmethod
    def set_minutes(cls, attendances, name, value):
        cls.write(attendances, {MINUTES[name]: _duration(value or None)})

    @classmethod
    def search_minutes(cls, name, clause):
        _, operator, value, *extra = clause
        if isinstance(value, (list, tuple, set)):
            value = [_duration(v) for v in value]
        else:
            value = _duration(value)
        return [(MINUTES[name], operator, value, *extra)]

    @fields.depends('late_minutes', methods=['_set_partial_state'])
    def on_change_late_minutes(self):
        self.late_by = _duration(self.late_minutes or None)
        self._set_partial_state()

    @fields.depends('left_minutes', methods=['_set_partial_state'])
    def on_change_left_minutes(self):
        self.left_by = _duration(self.left_minutes or None)
        self._set_partial_state()

    @fields.depends('state', 'late_minutes', 'left_minutes')
    def _set_partial_state(self):
        "Set the state that the minutes tell"
        self.source = 'sheet'
        if self.late_minutes:
            self.state = 'late'
        elif self.left_minutes:
            self.state = 'left_early'
        elif self.state in PARTIAL_STATES:
            self.state = 'present'

    @fields.depends('state')
    def on_change_state(self):
        self.source = 'sheet'
        if self.state not in PARTIAL_STATES:
            self.late_by = self.left_by = None
            self.late_minutes = self.left_minutes = None

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'write' and (
                values.get('state', 'late') not in PARTIAL_STATES):
            values.setdefault('late_by')
            values.setdefault('left_by')
        return values


def _duration(minutes):
    return None if minutes is None else dt.timedelta(minutes=minutes)
