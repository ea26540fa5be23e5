# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval

from ..tools import not_sortable


class Attendance(metaclass=PoolMeta):
    __name__ = 'training.attendance'

    justified_by = fields.Many2One(
        'training.justification', "Justified by", readonly=True,
        ondelete='RESTRICT',
        states={
            'invisible': ~Eval('justified_by'),
            },
        help="The justification that excuses the absence.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.justification.states['readonly'] = Bool(Eval('justified_by'))
        not_sortable(cls.justified_by)

    def compute_fields(self, field_names=None):
        values = super().compute_fields(field_names=field_names)
        justified_by = getattr(self, 'justified_by', None)
        if ((field_names is None
                or field_names & {'state', 'late_by', 'left_by'})
                and self.state != 'excused'
                and justified_by):
            # The sheet looks for what justifies the lateness when it closes
            values.update(justified_by=None, justification=None)
            justified_by = None
        justified = bool(justified_by)
        if getattr(self, 'justified', None) != justified:
            values['justified'] = justified
        return values

    @classmethod
    def _expected_values(cls, couples):
        pool = Pool()
        Justification = pool.get('training.justification')
        Slot = pool.get('training.session.slot')
        values = super()._expected_values(couples)
        slots = Slot.browse(sorted({slot for _, slot in couples}))
        excused = {
            (enrolment, slot): id_
            for enrolment, slot, id_ in Justification.expected_excused(slots)}
        names = {
            j.id: j.rec_name
            for j in Justification.browse(list(set(excused.values())))}
        for line in values:
            id_ = excused.get((line['enrolment'], line['slot']))
            if id_ is not None:
                line.update(
                    state='excused',
                    justified_by=id_,
                    justification=names[id_])
        # Those that have the same columns are inserted together
        return sorted(values, key=lambda line: line['state'])

    @property
    def is_excused(self):
        "If what was missed is excused, and nobody is told of it"
        return self.state == 'excused' or bool(self.justified)

    @property
    def told_state(self):
        "The state of which somebody was told, even if it is justified now"
        if self.state == 'excused' and self.justified:
            return 'absent'
        return self.state

    def missed_periods(self):
        "Return the list of the (start, end) of what was missed of the slot"
        start, end = (
            dt.datetime.combine(self.slot.date, time)
            for time in [self.slot.start, self.slot.end])
        periods = []
        if self.late_by:
            periods.append((start, start + self.late_by))
        if self.left_by:
            periods.append((end - self.left_by, end))
        return periods or [(start, end)]

    def describe_missed(self):
        "Return the words for the lateness and for the early departure"
        words = []
        for duration, label in [
                (self.late_by, 'late_by'), (self.left_by, 'left_by')]:
            if duration:
                words.append(gettext(
                        f'training_abandon.msg_notice_{label}',
                        duration=_describe_duration(duration)))
        return ', '.join(words) or gettext(
            f'training_abandon.msg_notice_{self.state}')


def _describe_duration(duration):
    hours, minutes = divmod(round(duration.total_seconds() / 60), 60)
    if hours:
        return f'{hours} h {minutes:02}' if minutes else f'{hours} h'
    return f'{minutes} min'
