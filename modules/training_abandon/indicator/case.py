# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the decisions say of their cases, kept for the indicators"
from collections import defaultdict

from sql import Column, Null
from sql.aggregate import Min
from sql.conditionals import Case as SQLCase

from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..attendance.evidence import ATTENDED
from ..stored import of_ids

DATES = ['decided_on', 'first_absence', 'first_contact']
COUNTS = ['contact_days', 'decision_days']


class Case(metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    decided_on = fields.Date(
        "Decided on", readonly=True,
        help="The day on which the decision was taken: the indicators count "
        "it in the period of that day.")
    first_absence = fields.Date(
        "First Absence", readonly=True,
        help="The first of the absences without presence in between that "
        "led to the case.")
    first_contact = fields.Date(
        "First Contact", readonly=True,
        help="The day of the first mail sent or of the first call, meeting "
        "or visit done about the case.")
    contact_days = fields.Integer(
        "Days to the First Contact", readonly=True,
        help="The days from the first absence to the first contact.")
    decision_days = fields.Integer(
        "Days to the Decision", readonly=True,
        help="The days from the first absence to the decision.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(Index(
                t, (t.decided_on, Index.Range()), (t.id, Index.Range()),
                where=t.decided_on != Null))

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        is_dated = table_h.column_exist('decided_on')
        super().__register__(module)
        if not is_dated:
            cls._date_past_decisions()

    @classmethod
    def _date_past_decisions(cls):
        "Date the decisions by the step that took them, else by their effect"
        table = cls.__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table.select(
                table.id, where=table.decision != Null, order_by=[table.id]))
        for sub_ids in grouped_slice(
                [id_ for id_, in cursor.fetchall()], tools.BATCH):
            cases = cls.browse(list(sub_ids))
            cls._store_decisions({c: c._past_decision_date() for c in cases})

    def _past_decision_date(self):
        at = self.closed_at if self.decision == 'invalidated' else None
        step = self.get_step('decide')
        if not at and step:
            at = step.done_at
        return self.local_date(at) if at else self.effective_date

    @classmethod
    def _protected_fields(cls):
        return super()._protected_fields() | {*DATES, *COUNTS}

    @classmethod
    def on_modification(cls, mode, cases, field_names=None):
        super().on_modification(mode, cases, field_names=field_names)
        if mode == 'write' and 'decision' in field_names:
            cls._store_decisions({
                    c: tools.today(c.company) if c.decision else None
                    for c in cases})

    @classmethod
    def _store_decisions(cls, dates):
        """Store when the decisions of the cases were taken and what had
        happened until then"""
        decided = [c for c, date in dates.items() if date]
        absences = cls._first_absences(decided)
        contacts = cls._first_contacts(decided)
        values = {}
        for case, date in dates.items():
            absence, contact = absences.get(case), contacts.get(case)
            values[case.id] = (
                date, absence, contact, _days(absence, contact),
                _days(absence, date))
        for sub_ids in grouped_slice(list(values), tools.BATCH):
            cls._store_values({id_: values[id_] for id_ in sub_ids})

    @classmethod
    def _store_values(cls, values):
        "Store the values by id, by one statement"
        table = cls.__table__()
        names = DATES + COUNTS
        Transaction().connection.cursor().execute(*table.update(
                [Column(table, name) for name in names],
                [
                    cls._fields[name].sql_cast(SQLCase(*(
                                (table.id == id_, row[position])
                                for id_, row in values.items())))
                    for position, name in enumerate(names)],
                where=of_ids(values)(table.id)))
        tools.forget(cls, list(values))

    @classmethod
    def _first_absences(cls, cases):
        """Return by case the first of the absences, at the latest on the day
        it was opened, without presence in between"""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        cursor = Transaction().connection.cursor()
        result = {}
        for sub_cases in grouped_slice(cases, tools.BATCH):
            by_enrolment = defaultdict(list)
            for case in sub_cases:
                by_enrolment[case.enrolment.id].append(case)
            held = Attendance._held_query(of_ids(by_enrolment))
            cursor.execute(*tools.apply_types(
                    held.select(
                        held.date.as_('date'), held.enrolment, held.state,
                        order_by=[
                            held.enrolment, held.start_at,
                            held.state.in_(ATTENDED)]),
                    'DATE'))
            for date, enrolment, state in cursor:
                for case in by_enrolment[enrolment]:
                    if date > case.opening_date:
                        continue
                    elif state == 'absent':
                        result.setdefault(case, date)
                    elif state != 'excused':
                        result.pop(case, None)
        return result

    @classmethod
    def _first_contacts(cls, cases):
        """Return by case the day of the first mail sent or of the first call,
        meeting or visit done"""
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        cursor = Transaction().connection.cursor()
        result = {}
        for Model, name in [(Mail, 'sent_at'), (FollowUp, 'done_at')]:
            for sub_cases in grouped_slice(cases, tools.BATCH):
                by_id = {c.id: c for c in sub_cases}
                table = Model.__table__()
                at = Column(table, name)
                cursor.execute(*tools.apply_types(
                        table.select(
                            Min(at).as_('at'), table.case,
                            where=of_ids(by_id)(table.case) & (at != Null),
                            group_by=[table.case]),
                        'TIMESTAMP'))
                for at, id_ in cursor:
                    case = by_id[id_]
                    date = case.local_date(at)
                    result[case] = min(date, result.get(case, date))
        return result


def _days(start, end):
    "Return the number of days, that the past may not make negative"
    if start and end:
        return max((end - start).days, 0)
