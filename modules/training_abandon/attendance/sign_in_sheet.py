# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from itertools import groupby

from trytond.pool import Pool
from trytond.report import Report
from trytond.tools import grouped_slice, slugify

from ..pdf_report import PDFReport, get_logo
from ..tools import BATCH, browse_by_id
from .minutes import MINUTES
from .week import week_dates

# The most slots, and so columns, of a page
COLUMNS = 6
# What is written in the place of the signature on the sheets that are
# official
STRUCK = ['absent', 'excused']


class SignInSheet(PDFReport):
    "What the trainees and the trainers sign, one column per slot"
    __name__ = 'training.session.sign_in_sheet'

    @classmethod
    def get_context(cls, records, header, data):
        context = super().get_context(records, header, data)
        pages = cls._pages(cls._slots([r.id for r in records]))
        context.update(get_logo(context['company']))
        context.update(
            pages=pages,
            sheets=list(cls._sheets(pages)),
            numbered=True,
            )
        return context

    @classmethod
    def _sheets(cls, pages):
        """Yield the pages with their number of columns, that is the same on
        those of a session, and what begins them"""
        for _, pages in groupby(pages, key=lambda p: p.session):
            pages = list(pages)
            columns = max(len(p.slots) for p in pages) or 1
            for number, page in enumerate(pages):
                yield page, columns, cls._get_start(number)

    @classmethod
    def _get_start(cls, number):
        "Return what begins the page of the session"
        return 'page'

    @classmethod
    def _slots(cls, ids, name='session'):
        "Return the slots to sign, by session in time order"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        slots = []
        for sub_ids in grouped_slice(ids, BATCH):
            slots += Slot.search([
                    (name, 'in', list(sub_ids)),
                    ('state', '!=', 'cancelled'),
                    ])
        return sorted(slots, key=lambda s: (
                s.session.start_date, s.session.id, s.date, s.start, s.id))

    @classmethod
    def _pages(cls, slots):
        """Return the pages: the slots of a week of a session, the days that
        do not fit go to the next page"""
        pool = Pool()
        Slot = pool.get('training.session.slot')
        rows = cls._rows(slots)
        names = Slot.names_said(slots)
        pages = []
        for (session, _), slots in groupby(
                slots, key=lambda s: (s.session, week_dates(s.date)[0])):
            page = []
            for _, day in groupby(slots, key=lambda s: s.date):
                day = list(day)
                if page and len(page) + len(day) > COLUMNS:
                    pages += cls._split(session, page)
                    page = []
                page += day
            pages += cls._split(session, page)
        for page in pages:
            page.set_rows(rows)
            page.names = [names[s.id] for s in page.slots]
        return pages

    @classmethod
    def _split(cls, session, slots):
        return [
            Page(session, slots[i:i + COLUMNS])
            for i in range(0, len(slots), COLUMNS)]

    @classmethod
    def _rows(cls, slots):
        """Return the enrolments expected at the slots by slot, each with its
        attendance if there is one"""
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        rows = {s.id: {} for s in slots}
        couples, attendances = [], {}
        for sub_slots in grouped_slice(slots, BATCH):
            sub_slots = list(sub_slots)
            ids = [s.id for s in sub_slots]
            # An official sheet has those who stood on it
            couples += Attendance.expected_at(
                [s for s in sub_slots if s.state != 'held'])
            for attendance in Attendance.search(
                    [('slot', 'in', ids)], order=[]):
                couple = (attendance.enrolment.id, attendance.slot.id)
                attendances[couple] = attendance
                couples.append(couple)
        enrolments = browse_by_id(Enrolment, sorted({e for e, _ in couples}))
        for enrolment, slot in couples:
            rows[slot][enrolments[enrolment]] = attendances.get(
                (enrolment, slot))
        return rows


class SlotSignInSheet(SignInSheet):
    __name__ = 'training.session.slot.sign_in_sheet'

    @classmethod
    def header_key(cls, record, data):
        return Report.header_key(record, data) + (
            ('company', record.session.company),
            )

    @classmethod
    def _slots(cls, ids, name='id'):
        return super()._slots(ids, name=name)


class Page:

    def __init__(self, session, slots):
        self.session = session
        self.slots = slots

    def set_rows(self, rows):
        # In the order in which they are read together
        enrolments = sorted(
            {e for s in self.slots for e in rows[s.id]}, key=int)
        trainees = {e: self._trainee(e, rows) for e in enrolments}
        self.rows = [
            (trainees[enrolment], [
                    self._cell(slot, enrolment, rows[slot.id])
                    for slot in self.slots])
            for enrolment in sorted(
                enrolments, key=lambda e: (
                    slugify(e.trainee.family_name or trainees[e]).casefold(),
                    slugify(trainees[e]).casefold(), e.id))]

    def _cell(self, slot, enrolment, rows):
        """Return what is written in the cell, struck or not, in the place of
        the signature"""
        if enrolment not in rows:
            return 'none', ''
        attendance = rows[enrolment]
        if attendance and slot.state == 'held':
            if attendance.state in STRUCK:
                return 'struck', attendance.state_string
            minutes = [
                f'{attendance.state_string} {value}'
                for value in (
                    getattr(attendance, name) for name in MINUTES) if value]
            return 'sign', ', '.join(minutes)
        return 'sign', ''

    def _trainee(self, enrolment, rows):
        "Return the name of the trainee, as the official sheets say it"
        attendances = [
            rows[s.id][enrolment] for s in self.slots
            if enrolment in rows[s.id]]
        return ' / '.join(dict.fromkeys(
                a.name_said if a else enrolment.trainee.rec_name
                for a in attendances))

    def said(self, name):
        "Return what the sheets of the page say"
        return list(dict.fromkeys(
                n[name] for n in self.names if n[name]))

    def columns(self, count):
        columns = [
            (s, n['trainer_name'] or '')
            for s, n in zip(self.slots, self.names)]
        return columns + [(None, '')] * (count - len(columns))

    def padded(self, cells, count):
        return cells + [('blank', '')] * (count - len(cells))
