# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from itertools import groupby

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval

from ..procedure.letter import describe_date, describe_slots
from .notice import LATE_STATES, MISSED_STATES


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    justifications = fields.One2Many(
        'training.justification', 'enrolment', "Justifications",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="What was received to excuse absences, and what was decided on "
        "it.")

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('justifications')
        return super().copy(enrolments, default=default)

    def announced_on(self):
        """Return the day on which the trainee announced the abandonment of
        which a case is open, or None"""
        return min(filter(None, (
                    c.announced_on() for c in self.cases
                    if not c.closed_at)), default=None)

    def notice_recipients(self):
        """Yield the audience, the party and the states of which it is told.

        The lateness is for the trainee and the persons to notify, not for an
        organisation that has named nobody."""
        persons = {c.party for c in self.contacts if c.notify}
        yield 'trainee', self.trainee.party, MISSED_STATES
        for _, party in self.stakeholders():
            yield ('stakeholder', party,
                MISSED_STATES if party in persons else ['absent'])

    def notice_context(self, party, attendances):
        """Return the names that the notices may use, in the language in which
        the enrolment was browsed.

        They are plain values and none of them tells what justifies an
        absence."""
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()

        context = self.letter_context(party)
        context.update({
                'absences': lambda: describe_slots(lang, sorted(
                        _times(a.slot) for a in attendances
                        if a.state == 'absent')),
                'date': lambda: describe_date(lang, attendances[0].slot.date),
                'lateness': lambda: [
                    gettext('training_abandon.msg_notice_lateness',
                        slot=describe_slots(lang, [_times(a.slot)])[0],
                        missed=a.describe_missed())
                    for a in attendances if a.state in LATE_STATES],
                })
        return context

    def correction_context(self, party, notices, attendances):
        """Return the names that the letters that correct the notices may use,
        in the language in which the enrolment was browsed.

        attendances are those of the official sheets by enrolment and slot."""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        states = dict(Attendance.fields_get(['state'])['state']['selection'])

        def describe(slot):
            state = 'slot_cancelled'
            if attendance := attendances.get((self, slot)):
                return states[attendance.state].lower()
            elif slot.state == 'held':
                state = 'not_expected'
            return gettext(f'training_abandon.msg_notice_correction_{state}')

        def corrections():
            slots = sorted({n.slot for n in notices}, key=lambda s: s.start_at)
            return [
                gettext('training_abandon.msg_notice_correction',
                    slot=words, state=state)
                for state, group in groupby(slots, key=describe)
                for words in describe_slots(lang, map(_times, group))]

        context = self.letter_context(party)
        context.update({
                'corrections': corrections,
                'date': lambda: describe_date(
                    lang, min(n.slot.date for n in notices)),
                })
        return context


def _times(slot):
    return slot.date, slot.start, slot.end
