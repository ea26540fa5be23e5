# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The lines of the annual report, checked against the attendance"
import datetime as dt
from collections import defaultdict
from io import BytesIO

from lxml import etree
from pypdf import PdfReader

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.attendance.evidence import ATTENDED
from trytond.modules.training_abandon.exceptions import (
    AgreementKindWarning, TrainingValidationError)
from trytond.modules.training_abandon.training.enrolment import hours_name
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DAY, DatabaseTestCase, as_user, create_enrolments, create_session,
    create_user, set_up, today, wizard_context)

KINDS = ['employee', 'apprentice', 'job_seeker', 'individual', 'other']
STATES = ['present', 'absent', 'late', 'present', 'excused']


def lines(company, year, *sections):
    pool = Pool()
    Line = pool.get('training.bpf.line')
    with Transaction().set_context(company=company.id, year=year):
        return {
            (x.section, x.category): (x.trainees, x.enrolments, x.hours)
            for x in Line.search([('section', 'in', list(sections))])}


class BPFTestCase(DatabaseTestCase):
    "Test the annual report"

    def hold(self, session):
        "Hold the slots but the last one, that stays open"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        *slots, last = sorted(session.slots, key=lambda s: s.start_at)
        with today(session.end_date):
            Slot.open([*slots, last])
            for index, slot in enumerate(slots):
                for rank, line in enumerate(slot.attendances):
                    state = STATES[(index + rank) % len(STATES)]
                    values = {'state': state}
                    if state == 'late':
                        values['late_by'] = dt.timedelta(minutes=20)
                    Attendance.write([line], values)
            Slot.close(slots)

    def expected(self, year):
        "Count by going through all the attendances"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        hours = defaultdict(dt.timedelta)
        for line in Attendance.search([]):
            slot = line.slot
            if (slot.state == 'held' and slot.date.year == year
                    and line.state in ATTENDED):
                missed = line.late_by or dt.timedelta()
                hours[line.enrolment] += slot.duration - missed
        result = defaultdict(lambda: [set(), 0, dt.timedelta()])
        for enrolment, time in hours.items():
            kind = enrolment.trainee_kind or enrolment.trainee.kind
            if kind == 'individual' and (
                    enrolment.agreement_kind != 'contract'):
                kind = 'unclassified'
            for place in [
                    ('trainees', kind),
                    ('objective', enrolment.session.course.kind)]:
                result[place][0].add(enrolment.trainee)
                result[place][1] += 1
                result[place][2] += time
        return {
            place: (len(trainees), count, time)
            for place, (trainees, count, time) in result.items()}

    def total(self, found, section):
        return sum(
            (hours for place, (*_, hours) in found.items()
                if place[0] == section),
            dt.timedelta())

    @with_transaction()
    def test_brute_force(self):
        pool = Pool()
        Course = pool.get('training.course')
        Enrolment = pool.get('training.enrolment')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            other = create_session(company)
            Course.write([other.course], {'kind': 'vae'})
            for each in [session, other]:
                enrolments = create_enrolments(each, len(KINDS) + 1)
                if each == other:
                    # Who attends two trainings
                    Enrolment.write([enrolments[0]], {
                            'trainee': session.enrolments[0].trainee.id})
                for enrolment, kind in zip(enrolments, KINDS):
                    Trainee.write([enrolment.trainee], {'kind': kind})
                own = enrolments[-1]
                Trainee.write([own.trainee], {'kind': 'individual'})
                Enrolment.write([own], {'agreement_kind': 'contract'})
                self.hold(each)
            year = session.start_date.year
            expected = self.expected(year)
            found = lines(company, year, 'trainees', 'objective')
            self.assertEqual(found, expected)
            self.assertIn(('trainees', 'unclassified'), found)
            self.assertIn(('trainees', 'individual'), found)
            totals = [self.total(found, s) for s in ['trainees', 'objective']]
            self.assertEqual(*totals)
            self.assertGreater(totals[0], dt.timedelta())
            self.assertEqual(
                lines(company, year - 1, 'trainees', 'objective'), {})

    @with_transaction()
    def test_kept_kind(self):
        "Test that a year is not changed by what the trainees become"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            Trainee.write([enrolment.trainee], {'kind': 'job_seeker'})
            self.hold(session)
            year = session.start_date.year

            def told():
                return [k for _, k in lines(company, year, 'trainees')]

            for day, kind in [
                    (session.start_date + DAY, 'employee'),
                    (dt.date(year + 1, 1, 15), 'other')]:
                with today(day):
                    Trainee.write([enrolment.trainee], {'kind': kind})
                self.assertEqual(told(), ['job_seeker'])
            # A mistake is mended
            Enrolment.write([enrolment], {'trainee_kind': 'apprentice'})
            self.assertEqual(told(), ['apprentice'])
            # Another agreement changes no past year without a word
            with Transaction().set_context(_skip_warnings=False):
                with today(dt.date(year, 12, 31)):
                    Enrolment.write([enrolment], {'agreement_kind': 'cpf'})
                with today(dt.date(year + 1, 1, 15)):
                    Enrolment.write([enrolment], {'agreement_kind': 'cpf'})
                    with self.assertRaises(AgreementKindWarning):
                        Enrolment.write(
                            [enrolment], {'agreement_kind': 'agreement'})

    @with_transaction()
    def test_printed(self):
        "Test the report printed and what its lines open"
        pool = Pool()
        Line = pool.get('training.bpf.line')
        Open = pool.get('training.bpf.open', type='wizard')
        Report = pool.get('training.bpf', type='report')
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 2)
            self.hold(session)
            with Transaction().set_context(
                    company=company.id, year=session.start_date.year):
                with as_user(create_user('a', company, 'accounting')), \
                        Transaction().set_context(
                            year=session.start_date.year):
                    found = Line.search([])
                    # All the lines are told
                    extension, content, _, _ = Report.execute(
                        [found[0].id], {})
                    with wizard_context(found[:1]):
                        session_id, _, _ = Open.create()
                        (action, _), = Open.execute(
                            session_id, {}, 'open_')['actions']
                self.assertEqual(
                    PYSONDecoder().decode(action['pyson_domain']),
                    [['id', 'in', [e.id for e in enrolments]]])
            self.assertEqual(extension, 'pdf')
            self.assertEqual(
                PdfReader(BytesIO(content)).metadata.title,
                "Annual Report of the Trainings")
            text = '\n'.join(
                p.extract_text() for p in PdfReader(BytesIO(content)).pages)
            for line in found:
                self.assertIn(line.category_string, text)
                self.assertIn(hours_name(line.hours), text)
            with Transaction().set_context(
                    company=company.id, year=session.start_date.year - 1), \
                    self.assertRaises(TrainingValidationError):
                Report.execute([], {})

    @with_transaction()
    def test_total(self):
        "Test that who is in two categories is not counted twice in a total"
        pool = Pool()
        Line = pool.get('training.bpf.line')
        tree = etree.fromstring(Line.fields_view_get(view_type='tree')['arch'])
        self.assertEqual(
            {
                f.get('name') for f in tree.iter('field')
                if f.get('sum')} & {'trainees', 'enrolments', 'hours'},
            {'enrolments', 'hours'})

    @with_transaction()
    def test_access(self):
        pool = Pool()
        Line = pool.get('training.bpf.line')
        with set_up() as (company, session, _):
            create_enrolments(session)
            self.hold(session)
            year = session.start_date.year
            for group in ['training', 'accounting']:
                with as_user(create_user(group, company, group)):
                    self.assertTrue(lines(company, year, 'trainees'))
            for group in ['trainer', 'auditor']:
                with as_user(create_user(group, company, group)), \
                        self.assertRaises(AccessError):
                    Line.search([])
