# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the decisions say of their cases, kept for the indicators"
from collections import defaultdict

from sql import Column, Null
from sql.conditionals import Case as SQLCase

from trytond.model import Index, fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..attendance.evidence import ATTENDED
from ..case.follow_up import HEARD_OUTCOMES
from ..stored import of_ids

STORED = [
    'decided_on', 'first_absence', 'first_contact', 'contact_days',
    'decision_days', 'decided_ground', 'decided_owner']


class Case(metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    decided_on = fields.Date(
        "Decided on", readonly=True,
        help="The day on which the decision was taken: the indicators count "
        "it in the period of that day.\n"
        "It stays when the decision is taken back and taken again with the "
        "same ground.")
    decided_ground = fields.Selection(
        'get_decided_grounds', "Ground Decided", readonly=True,
        help="The ground of the decision of that day.")
    decided_owner = fields.Many2One(
        'company.employee', "Owner at the Decision", readonly=True,
        ondelete='RESTRICT',
        help="The employee who answered for the case on that day.")
    first_absence = fields.Date(
        "First Absence", readonly=True,
        help="The first of the absences without presence in between that "
        "led to the case.")
    first_contact = fields.Date(
        "First Contact", readonly=True,
        help="The day, from the first absence to the decision, of the first "
        "mail to the trainee or its guardians that did not come back, or of "
        "the first follow-up in which one of them was heard.")
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
        return super()._protected_fields() | set(STORED)

    @classmethod
    def get_decided_grounds(cls):
        return cls.fields_get(['ground'])['ground']['selection']

    @classmethod
    def on_modification(cls, mode, cases, field_names=None):
        super().on_modification(mode, cases, field_names=field_names)
        if mode == 'write' and 'decision' in field_names:
            # The decision that is taken back and then taken again corrected
            # stays of its day
            cls._store_decisions({
                    c: tools.today(c.company) for c in cases
                    if c.decision and c.ground != c.decided_ground})

    @classmethod
    def _store_decisions(cls, dates):
        """Store when the decisions of the cases were taken and what had
        happened until then"""
        absences = cls._first_absences(dates)
        contacts = cls._first_contacts({
                c: (absences.get(c, c.opening_date), date)
                for c, date in dates.items()})
        values = {}
        for case, date in dates.items():
            absence, contact = absences.get(case), contacts.get(case)
            values[case.id] = (
                date, absence, contact, _days(absence, contact),
                _days(absence, date), case.ground,
                case.owner.id if case.owner else None)
        for sub_ids in grouped_slice(list(values), tools.BATCH):
            cls._store_values({id_: values[id_] for id_ in sub_ids})

    @classmethod
    def _store_values(cls, values):
        "Store the values by id, by one statement"
        table = cls.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [Column(table, name) for name in STORED],
                [
                    cls._fields[name].sql_cast(SQLCase(*(
                                (table.id == id_, row[position])
                                for id_, row in values.items())))
                    for position, name in enumerate(STORED)],
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
    def _first_contacts(cls, periods):
        """Return by case, of the first and the last day of each, the day of
        the first contact with the trainee's side"""
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        cursor = Transaction().connection.cursor()
        result = {}
        mail, follow_up = Mail.__table__(), FollowUp.__table__()
        for table, at, reached in [
                (mail, mail.sent_at, mail.bounced_at == Null),
                (follow_up, follow_up.done_at,
                    follow_up.outcome.in_(HEARD_OUTCOMES))]:
            for sub_cases in grouped_slice(periods, tools.BATCH):
                by_enrolment = defaultdict(list)
                for case in sub_cases:
                    by_enrolment[case.enrolment.id].append(case)
                sides = {
                    c: {p.id for p in c.trainee_side()}
                    for cases in by_enrolment.values() for c in cases}
                cursor.execute(*tools.apply_types(
                        table.select(
                            at.as_('at'), table.enrolment, table.party,
                            where=of_ids(by_enrolment)(table.enrolment)
                            & (at != Null) & reached),
                        'TIMESTAMP'))
                for at_, enrolment, party in cursor:
                    for case in by_enrolment[enrolment]:
                        start, end = periods[case]
                        date = case.local_date(at_)
                        if party in sides[case] and start <= date <= end:
                            result[case] = min(date, result.get(case, date))
        return result


def _days(start, end):
    "Return the number of days, that the past may not make negative"
    if start and end:
        return max((end - start).days, 0)
