# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import json
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

import polib
from lxml import etree

from trytond.model import ModelView
from trytond.model.exceptions import AccessError, SQLConstraintError
from trytond.model.modelstorage import DomainValidationError
from trytond.modules.company.tests import (
    CompanyTestMixin, PartyCompanyCheckEraseMixin, create_company)
from trytond.modules.party.tests import PartyCheckReplaceMixin
from trytond.modules.training_abandon.exceptions import (
    CaseOpenError, CaseStepError, CertificateError, EnrolmentDuplicateError,
    LetterError, LetterValidationError, ProcedureError, RecipientError,
    TrainingValidationError)
from trytond.modules.training_abandon.procedure.letter import blocks
from trytond.modules.training_abandon.training.working_day import (
    WorkingCalendar)
from trytond.pool import Pool
from trytond.pyson import PYSONEncoder
from trytond.tests.test_tryton import ModuleTestCase, with_transaction
from trytond.tools import misc
from trytond.transaction import Transaction

from .common import (
    DATE, apply_wizard, as_user, at, count_statements, create_enrolments,
    create_session, create_user, open_wizard, run_wizard, set_up, today)

DAY = dt.timedelta(days=1)


class TrainingAbandonTestCase(
        PartyCompanyCheckEraseMixin, PartyCheckReplaceMixin,
        CompanyTestMixin, ModuleTestCase):
    "Test Training Abandon module"
    module = 'training_abandon'

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # The checks of the models search the entry points again and again
        patcher = patch.object(
            misc, 'import_module', lru_cache(None)(misc.import_module))
        patcher.start()
        cls.addClassCleanup(patcher.stop)

    @property
    def _skip_company_rule(self):
        # Records without company are shared between the companies
        return super()._skip_company_rule | {
            ('training.course', 'company'),
            ('training.abandon.reason', 'company'),
            ('training.abandon.solution', 'company'),
            ('training.abandon.procedure', 'company'),
            }

    def open_cases(self, enrolments, date=DATE, origin='absence'):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        return Case.browse(
            Case.open_cases(list(enrolments), origin, date))

    def get_reason(self, code):
        pool = Pool()
        Reason = pool.get('training.abandon.reason')
        reason, = Reason.search([('code', '=', code)])
        return reason

    def analyse(self, cases, code='time.lack', **values):
        run_wizard(
            'training.abandon.case.analyse', cases, causes=[{
                    'cause': self.get_reason(code).id,
                    'responsible': 'trainee',
                    'note': "Private note",
                    }], **values)

    @with_transaction()
    def test_tree_views_datetime(self):
        "Test that tree views tell how to show a date and time"
        pool = Pool()
        View = pool.get('ir.ui.view')
        for view in View.search([
                    ('module', '=', 'training_abandon'),
                    ('type', '=', 'tree'),
                    ]):
            Model = pool.get(view.model)
            for field in etree.fromstring(view.arch).iter('field'):
                with self.subTest(view=view.name, field=field.get('name')):
                    if Model._fields[field.get('name')]._type in {
                            'datetime', 'timestamp'}:
                        self.assertIn(field.get('widget'), {'date', 'time'})

    @with_transaction()
    def test_working_calendar(self):
        "Test the working days: week-ends, holidays of the region, closures"
        pool = Pool()
        Closure = pool.get('training.closure')
        Configuration = pool.get('training.configuration')
        company = create_company()
        calendar = WorkingCalendar(company)
        friday = dt.date(2026, 4, 3)
        for date, days, expected in [
                (friday, 0, friday),
                (dt.date(2026, 4, 4), 0, dt.date(2026, 4, 7)),
                # Easter Monday
                (friday, 1, dt.date(2026, 4, 7)),
                # Year end
                (dt.date(2026, 12, 31), 1, dt.date(2027, 1, 4)),
                (dt.date(2026, 12, 24), 5, dt.date(2027, 1, 4)),
                ]:
            with self.subTest(date=date, days=days):
                self.assertEqual(calendar.add(date, days), expected)

        configuration = Configuration(1)
        configuration.set_multivalue(
            'holiday_region', '6AE', company=company.id)
        # Good Friday is a holiday in Alsace
        self.assertEqual(
            WorkingCalendar(company).add(friday, 0), dt.date(2026, 4, 7))

        Closure.create([{
                    'company': company.id,
                    'name': "Summer",
                    'start_date': dt.date(2026, 8, 3),
                    'end_date': dt.date(2026, 8, 21),
                    }, {
                    'company': company.id,
                    'name': "Bridge",
                    'start_date': dt.date(2026, 8, 10),
                    'end_date': dt.date(2026, 8, 11),
                    }])
        self.assertEqual(
            WorkingCalendar(company).add(dt.date(2026, 7, 31), 1),
            dt.date(2026, 8, 24))

    @with_transaction()
    def test_slot_utc(self):
        "Test the UTC times of the slots on both sides of a DST change"
        pool = Pool()
        with set_up() as (company, _, _):
            company.timezone = 'Europe/Paris'
            company.save()
            session = create_session(company, start=dt.date(2026, 3, 28))
            self.assertEqual(
                [s.start_at.hour for s in session.slots], [8, 13, 7, 12])
            self.assertEqual(
                {s.duration for s in session.slots}, {dt.timedelta(hours=3)})
        del pool

    @with_transaction()
    def test_slot_dates_out_of_order(self):
        "Test the refusal of dates and times out of order"
        pool = Pool()
        Session = pool.get('training.session')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            slot = session.slots[0]
            with self.assertRaises(TrainingValidationError):
                Slot.write([slot], {'end': dt.time(8)})
            with self.assertRaises(TrainingValidationError):
                Slot.write([slot], {'date': DATE - DAY})
            with self.assertRaises(DomainValidationError):
                Session.write([session], {'end_date': DATE - DAY})

    @with_transaction()
    def test_enrolment_duplicate(self):
        "Test that a trainee is enrolled once in a session"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            values = {
                'company': company.id,
                'session': session.id,
                'trainee': enrolment.trainee.id,
                'currency': company.currency.id,
                }
            Enrolment.withdraw([enrolment])
            again, = Enrolment.create([values])
            with self.assertRaisesRegex(
                    EnrolmentDuplicateError, again.number):
                Enrolment.create([values])

    @with_transaction()
    def test_attendance_missed_too_long(self):
        "Test that nobody is late by more than the slot"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            Slot.open(session.slots[:1])
            attendance, = enrolment.attendances
            with self.assertRaises(TrainingValidationError):
                Attendance.write([attendance], {
                        'state': 'late',
                        'late_by': dt.timedelta(hours=4),
                        })

    @with_transaction()
    def test_attendance_missed(self):
        "Test the time missed of new attendances whatever is given"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        minutes = dt.timedelta(minutes=1)
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 6)
            slot = session.slots[0]
            attendances = Attendance.create([{
                        'enrolment': enrolment.id,
                        'slot': slot.id,
                        **values,
                        } for enrolment, values in zip(enrolments, [
                            {'state': 'present'},
                            {'state': 'late', 'late_by': 5 * minutes},
                            {'state': 'left_early', 'left_by': 7 * minutes},
                            {'state': 'absent'},
                            {'state': 'excused', 'missed': minutes},
                            {'late_by': minutes, 'missed': minutes},
                            ])])
            self.assertEqual(
                [a.missed for a in attendances], [
                    0 * minutes, 5 * minutes, 7 * minutes,
                    slot.duration, slot.duration, 0 * minutes])

    @with_transaction()
    def test_attendance_other_session(self):
        "Test that the slot is one of the session of the enrolment"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            slot = create_session(company).slots[0]
            with self.assertRaises(TrainingValidationError):
                Attendance.create([{
                            'enrolment': enrolment.id,
                            'slot': slot.id,
                            'state': 'present',
                            }])

    @with_transaction()
    def test_open_without_slot(self):
        "Test a session without slots"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, prescriber):
            Slot.delete(list(session.slots))
            case, = self.open_cases(
                create_enrolments(session, prescriber=prescriber))
            _, start = open_wizard('training.abandon.case.inform', [case])
            self.assertEqual(len(start['mails']), 1)

    @with_transaction()
    def test_open_refused(self):
        "Test the enrolments on which no case is opened, all or none"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 3)
            first, second, third = enrolments
            Enrolment.complete([first])
            with self.assertRaisesRegex(CaseOpenError, first.trainee.rec_name):
                self.open_cases(enrolments)
            with self.assertRaises(CaseOpenError):
                self.open_cases([second], date=DATE + 2 * DAY)
            self.open_cases([second])
            with self.assertRaises(CaseOpenError):
                self.open_cases([second, third])
            self.assertEqual(len(Case.search([])), 1)

    @with_transaction()
    def test_open_no_procedure(self):
        "Test opening without an active procedure"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        with set_up() as (company, session, _):
            Procedure.archive(Procedure.search([]))
            with self.assertRaises(ProcedureError):
                self.open_cases(create_enrolments(session))

    @with_transaction()
    def test_due_dates(self):
        "Test the due dates at opening and after a step"
        with set_up() as (company, session, prescriber):
            enrolments = create_enrolments(session, prescriber=prescriber)
            case, = self.open_cases(enrolments)
            self.assertEqual(
                [s.due_date for s in case.steps], [
                    dt.date(2026, 3, 4), dt.date(2026, 3, 4),
                    dt.date(2026, 3, 9), dt.date(2026, 3, 16),
                    dt.date(2026, 3, 23), dt.date(2026, 3, 26),
                    dt.date(2026, 4, 10), dt.date(2026, 4, 24)])
            with at(dt.datetime(2026, 3, 5, 9)):
                run_wizard('training.abandon.case.inform', [case])
            self.assertEqual(
                [s.due_date for s in case.steps][:3], [
                    dt.date(2026, 3, 4), dt.date(2026, 3, 5),
                    dt.date(2026, 3, 10)])

    @with_transaction()
    def test_delay_zero(self):
        "Test that a step without delay is due the same working day"
        with set_up() as (company, session, _):
            session = create_session(company, start=dt.date(2026, 2, 28))
            enrolments = create_enrolments(session)
            # A Sunday, without prescriber to inform before
            case, = self.open_cases(enrolments, date=dt.date(2026, 3, 1))
            self.assertEqual(case.steps[0].state, 'skipped')
            self.assertTrue(case.steps[0].skip_reason)
            self.assertEqual(case.next_kind, 'ask_reasons')
            self.assertEqual(case.next_due_date, dt.date(2026, 3, 2))

    @with_transaction()
    def test_open_statements(self):
        "Test that opening costs a fixed number of statements per slice"
        counts = {}
        with set_up() as (company, session, prescriber):
            for number in [10, 500]:
                enrolments = create_enrolments(
                    session, number, prescriber=prescriber)
                with count_statements() as statements:
                    self.open_cases(enrolments)
                # SQLite inserts the rows one by one
                counts[number] = len(
                    [s for s in statements if not s.startswith('INSERT')])
        # 500 cases make 3 slices of 200 and 20 slices of steps
        self.assertLess(counts[500], 8 * counts[10])

    @with_transaction()
    def test_list_statements(self):
        "Test that a list of cases costs always as much"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        names = [
            'number', 'rec_name', 'trainee', 'trainee.rec_name', 'course',
            'course.rec_name', 'prescriber', 'next_kind', 'next_due_date',
            'evidence', 'state']
        with set_up() as (company, session, prescriber):
            cases = self.open_cases(
                create_enrolments(session, 60, prescriber=prescriber))
            ids = [c.id for c in cases]
            counts = []
            for number in [5, 60]:
                for cache in Transaction().cache.values():
                    cache.clear()
                with count_statements() as statements:
                    Case.read(ids[:number], names)
                counts.append(len(statements))
            self.assertEqual(*counts)

    @with_transaction()
    def test_one_open_case(self):
        "Test that the database refuses a second open case"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            case, = self.open_cases(create_enrolments(session))
            transaction = Transaction()
            table = Case.__table__()
            columns = [
                table.company, table.enrolment, table.procedure,
                table.origin, table.opening_date, table.state]
            values = [
                case.company.id, case.enrolment.id, case.procedure.id,
                'absence', DATE, 'draft']
            with self.assertRaises(
                    transaction.database.IntegrityError
                    if hasattr(transaction.database, 'IntegrityError')
                    else Exception) as raised:
                transaction.connection.cursor().execute(
                    *table.insert(columns, [values]))
            self.assertIn('enrolment', str(raised.exception))

    @with_transaction()
    def test_number_unique(self):
        "Test the words of the constraint on the open case"
        with set_up() as (company, session, _):
            case, = self.open_cases(create_enrolments(session))
            with self.assertRaisesRegex(
                    SQLConstraintError, "only one open case"):
                with patch.object(
                        type(case), '_check_open', lambda *args: None):
                    self.open_cases([case.enrolment])

    @with_transaction()
    def test_delete_and_copy_case(self):
        "Test that a case is neither deleted nor copied"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            cases = self.open_cases(create_enrolments(session))
            with self.assertRaises(AccessError):
                Case.delete(cases)
            with self.assertRaises(AccessError):
                Case.copy(cases)

    @with_transaction()
    def test_step_not_next(self):
        "Test that only the first step to do applies, all or none"
        with set_up() as (company, session, prescriber):
            first, second = self.open_cases(
                create_enrolments(session, 2, prescriber=prescriber))
            with self.assertRaises(CaseStepError):
                self.analyse([first])
            run_wizard('training.abandon.case.inform', [first])
            with self.assertRaisesRegex(CaseStepError, first.number):
                run_wizard('training.abandon.case.inform', [first, second])
            self.assertEqual(second.state, 'draft')
            self.assertFalse(second.mails)

    @with_transaction()
    def test_several_cases(self):
        "Test a step of several cases: each mail is about its case"
        with set_up() as (company, session, prescriber):
            cases = self.open_cases(
                create_enrolments(session, 3, prescriber=prescriber))
            run_wizard('training.abandon.case.inform', cases)
            run_wizard('training.abandon.case.ask_reasons', cases)
            for case in cases:
                to = case.enrolment.trainee.party.email
                self.assertEqual(
                    [m.to for m in case.mails], [to, 'adviser@example.com'])
                others = {c.trainee.rec_name for c in cases} - {
                    case.trainee.rec_name}
                for other in others:
                    self.assertNotIn(other, case.mails[1].body)

    @with_transaction()
    def test_many_cases(self):
        "Test that a step of many cases shows one line per letter"
        with set_up() as (company, session, prescriber):
            cases = self.open_cases(
                create_enrolments(session, 51, prescriber=prescriber))
            wizard, start = open_wizard(
                'training.abandon.case.inform', cases)
            mail, = start['mails']
            self.assertFalse(mail.get('case'))
            apply_wizard(wizard, cases, start)
            self.assertEqual({c.state for c in cases}, {'informed'})
            self.assertEqual({len(c.mails) for c in cases}, {1})

    @with_transaction()
    def test_no_address(self):
        "Test a party without address: named, then told by phone"
        pool = Pool()
        Mechanism = pool.get('party.contact_mechanism')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(
                create_enrolments(session, prescriber=prescriber))
            Mechanism.delete(list(prescriber.contact_mechanisms))
            wizard, start = open_wizard(
                'training.abandon.case.inform', [case])
            with self.assertRaisesRegex(RecipientError, "Job Centre"):
                apply_wizard(wizard, [case], start)
            mail, = start['mails']
            with self.assertRaisesRegex(RecipientError, "not-an-address"):
                apply_wizard(wizard, [case], {
                        **start,
                        'mails': [{**mail, 'to': 'not-an-address'}]})
            with self.assertRaises(RecipientError):
                apply_wizard(wizard, [case], {
                        **start, 'mails': [{**mail, 'send': False}]})
            self.assertEqual(case.state, 'draft')
            apply_wizard(wizard, [case], {
                    **start, 'mails': [{**mail, 'channel': 'call'}]})
            self.assertEqual(case.state, 'informed')
            self.assertFalse(case.mails)
            follow_up, = case.follow_ups
            self.assertEqual(follow_up.kind, 'call')
            self.assertEqual(case.steps[0].evidence, 'proven')

    @with_transaction()
    def test_letter_not_rendered(self):
        "Test a letter that cannot be written: named and nothing sent"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        Mail = pool.get('training.mail')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(
                create_enrolments(session, prescriber=prescriber))
            letter = case.procedure.get_letter(
                'inform', 'standard', 'stakeholder')
            for text in ["${__import__('os')}", "${trainee"]:
                with self.subTest(text=text), \
                        self.assertRaises(LetterValidationError):
                    Letter.write([letter], {'text': text})
            Letter.write([letter], {'text': "Hello ${nobody}"})
            with self.assertRaisesRegex(LetterError, "DR-AT014"):
                open_wizard('training.abandon.case.inform', [case])
            self.assertFalse(Mail.search([]))

    @with_transaction()
    def test_announced_letter(self):
        "Test that the letter follows the one of the customer"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(
                create_enrolments(session), origin='declared')
            _, start = open_wizard(
                'training.abandon.case.ask_reasons', [case])
            self.assertTrue(start['declared'])
            mail, = start['mails']
            text = mail['text']
            elements = [
                "Bookkeeping", "- Lack of time",
                "- Lack of motivation for the subject",
                "- Compulsory nature of the training", "- Other:"]
            positions = [text.index(e) for e in elements]
            self.assertEqual(positions, sorted(positions))

    @with_transaction()
    def test_letter_names(self):
        "Test that every letter can be written with odd names"
        pool = Pool()
        Letter = pool.get('training.abandon.procedure.letter')
        name = "Éloïse D'Arcy-N'Guyen 🙂"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            enrolment.trainee.party.name = name
            enrolment.trainee.party.save()
            case, = self.open_cases([enrolment])
            for absences in [[], [(DATE, dt.time(9), dt.time(12))]]:
                context = case.letter_context(
                    enrolment.trainee.party, absences)
                self.assertEqual(
                    [context['hours_planned'], context['hours_attended']],
                    ['12:00', '00:00'])
                for letter in Letter.search([
                            ('step_kind', '!=', 'attendance')]):
                    with self.subTest(letter=letter.rec_name):
                        subject, text = letter.render(**context)
                        self.assertTrue(subject)
                        self.assertNotIn('\n\n\n', text)
                        self.assertNotIn('${', text)
            run_wizard('training.abandon.case.inform', [case])
            mail, = case.mails
            self.assertIn(name, mail.body)

    @with_transaction()
    def test_procedure_active(self):
        "Test that an active revision cannot be edited"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.procedure.step')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(create_enrolments(session))
            procedure, = Procedure.search([])
            admin = create_user('admin2', company, 'training_admin')
            with as_user(admin):
                step = Step(procedure.steps[0].id)
                with self.assertRaises(AccessError):
                    Step.write([step], {'delay': 5})
                with self.assertRaises(AccessError):
                    Procedure.write([procedure], {'place': "Cannes"})
                action = Procedure.revise([procedure])
                revision = Procedure(action['res_id'][0])
                self.assertEqual(revision.revision, '05')
                self.assertEqual(revision.state, 'draft')
                self.assertEqual(len(revision.steps), 8)
                self.assertEqual(
                    [r.code for r in revision.reasons],
                    [r.code for r in procedure.reasons])
                Step.write([revision.steps[0]], {'delay': 5})
                Procedure.activate([revision])
            self.assertEqual(procedure.state, 'archived')
            # The open case keeps its own
            self.assertEqual(case.procedure, procedure)
            other, = self.open_cases(create_enrolments(session))
            self.assertEqual(other.procedure, revision)

    @with_transaction()
    def test_procedure_incomplete(self):
        "Test that a procedure is complete to be activated"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.procedure.step')
        Letter = pool.get('training.abandon.procedure.letter')
        procedure, = Procedure.search([])
        for action in [
                lambda p: Step.delete([p.get_step('decide')]),
                lambda p: Step.write([p.get_step('decide')], {'sequence': 1}),
                lambda p: Letter.delete([
                        p.get_letter('ask_reasons', 'silent', 'trainee')]),
                ]:
            revision, = Procedure.copy(
                [procedure], default={'revision': 'test'})
            action(revision)
            with self.assertRaises(ProcedureError):
                Procedure.activate(Procedure.browse([revision]))
            Procedure.delete([revision])

    @with_transaction()
    def test_analyse(self):
        "Test that the analysis determines a cause and details the reasons"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(create_enrolments(session))
            run_wizard('training.abandon.case.ask_reasons', [case])
            with self.assertRaises(CaseStepError):
                run_wizard('training.abandon.case.analyse', [case])
            with self.assertRaises(CaseStepError):
                self.analyse([case], reasons=[self.get_reason('other').id])
            self.analyse([case], 'no_answer', reasons=[
                    self.get_reason('no_answer').id])
            self.assertEqual(case.state, 'analysed')
            # Silence is no answer
            self.assertFalse(case.answered_at)
            self.assertEqual(case.certificate_kind, 'record')

    @with_transaction()
    def test_skip(self):
        "Test that skipping needs a reason and keeps the state"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(
                create_enrolments(session, prescriber=prescriber))
            with self.assertRaises(CaseStepError):
                run_wizard('training.abandon.case.skip', [case], reason=" ")
            user = create_user('assistant', company, 'training')
            with as_user(user):
                with self.assertRaises(AccessError):
                    run_wizard(
                        'training.abandon.case.skip', [case], reason="Told")
            admin = create_user('admin2', company, 'training_admin')
            with as_user(admin):
                run_wizard(
                    'training.abandon.case.skip', [case], reason="Told")
            step = case.steps[0]
            self.assertEqual(case.state, 'draft')
            self.assertEqual(
                (step.state, step.skip_reason, step.done_by_user),
                ('skipped', "Told", admin))
            self.assertEqual(case.next_kind, 'ask_reasons')

    @with_transaction()
    def test_skip_decide(self):
        "Test that the decision cannot be skipped"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(create_enrolments(session))
            while case.next_kind != 'decide':
                type(case).skip_step([case], "Not needed")
            with self.assertRaises(CaseStepError):
                type(case).skip_step([case], "Not needed")

    def decide(self, case, **values):
        run_wizard('training.abandon.case.decide', [case], **{
                'decision': 'validated',
                'ground': 'abandonment',
                'effective_date': DATE + DAY,
                **values})

    def get_to_decision(self, enrolment):
        case, = self.open_cases([enrolment])
        while case.next_kind != 'decide':
            type(case).skip_step([case], "Not needed")
        return case

    @with_transaction()
    def test_decide_grounds(self):
        "Test what each ground makes of the enrolment and the slots"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            for ground, state in [
                    ('abandonment', 'withdrawn'),
                    ('exclusion', 'withdrawn'),
                    ('force_majeure', 'withdrawn'),
                    ('legitimate_reason', 'withdrawn'),
                    ('no_show', 'cancelled'),
                    ('withdrawal_period', 'cancelled'),
                    ('transfer', 'cancelled'),
                    ('postponed', 'suspended'),
                    ]:
                with self.subTest(ground=ground):
                    session = create_session(company, days=4)
                    enrolment, = create_enrolments(session)
                    case = self.get_to_decision(enrolment)
                    self.decide(case, ground=ground)
                    self.assertEqual(case.state, 'validated')
                    self.assertEqual(enrolment.state, state)
                    self.assertEqual(enrolment.end_date, DATE + DAY)
                    self.assertEqual(
                        case.next_kind,
                        'certify' if ground == 'abandonment' else None)
                    # The later slots do not expect the trainee
                    with today(DATE + 3 * DAY):
                        Slot.open(session.slots)
                    dates = {a.slot.date for a in Attendance.search([
                                ('enrolment', '=', enrolment.id)])}
                    self.assertLessEqual(dates, {DATE, DATE + DAY})

    @with_transaction()
    def test_decide_refused(self):
        "Test the decisions that are refused"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            case = self.get_to_decision(*create_enrolments(session))
            for values in [
                    {'ground': None},
                    {'effective_date': None},
                    {'ground': 'resumed'},
                    {'decision': 'invalidated'},
                    {'effective_date': DATE + 2 * DAY},
                    {'effective_date': DATE - DAY},
                    ]:
                with self.subTest(values=values), \
                        self.assertRaises(CaseStepError):
                    self.decide(case, **values)
            self.decide(
                case, ground='no_show', effective_date=DATE - DAY)
            self.assertEqual(case.enrolment.state, 'cancelled')

            case = self.get_to_decision(*create_enrolments(session))
            Enrolment.complete([case.enrolment])
            with self.assertRaises(CaseStepError):
                self.decide(case)

    @with_transaction()
    def test_resume(self):
        "Test that the trainee may resume from any open state"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(
                create_enrolments(session, prescriber=prescriber))
            run_wizard('training.abandon.case.inform', [case])
            run_wizard('training.abandon.case.decide', [case])
            self.assertEqual(
                (case.state, case.ground), ('invalidated', 'resumed'))
            self.assertTrue(case.closed_at)
            self.assertEqual(case.enrolment.state, 'started')
            self.assertEqual(
                {s.state for s in case.steps}, {'done', 'skipped'})
            self.assertEqual(
                [m.kind for m in case.mails], ['decide'] * 2 + ['inform'])
            type(case).close([case])
            self.assertEqual(case.state, 'closed')
            # Another case may follow
            self.open_cases([case.enrolment])

    @with_transaction()
    def test_resume_validated(self):
        "Test that resuming gives back the enrolment"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session)
            case = self.get_to_decision(enrolment)
            for ground in ['abandonment', 'no_show', 'postponed']:
                with self.subTest(ground=ground):
                    self.decide(case, ground=ground)
                    run_wizard('training.abandon.case.decide', [case])
                    self.assertEqual(case.state, 'invalidated')
                    self.assertEqual(
                        (enrolment.state, enrolment.end_date),
                        ('started', None))
                    case = self.get_to_decision(enrolment)

    @with_transaction()
    def test_cancel(self):
        "Test that a cancelled case sends nothing any more"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(
                create_enrolments(session, prescriber=prescriber))
            run_wizard('training.abandon.case.inform', [case])
            type(case).cancel([case])
            self.assertEqual(case.state, 'cancelled')
            self.assertTrue(case.closed_at)
            self.assertEqual({m.state for m in case.mails}, {'cancelled'})
            with self.assertRaises(CaseStepError):
                run_wizard('training.abandon.case.decide', [case])

    @with_transaction()
    def test_certificate_not_converted(self):
        "Test that without LibreOffice the step is not done"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        with set_up() as (company, session, _):
            case = self.get_to_decision(*create_enrolments(session))
            self.decide(case)
            with patch.dict('os.environ', {'PATH': ''}), \
                    patch('trytond.report.report.logger'), \
                    self.assertRaisesRegex(CertificateError, "LibreOffice"):
                run_wizard('training.abandon.case.certify', [case])
            self.assertFalse(Certificate.search([]))

    @with_transaction()
    def test_certify_many(self):
        "Test the certificates of many cases: one by one, told if refused"
        pool = Pool()
        Certificate = pool.get('training.abandon.certificate')
        Report = pool.get('training.abandon.certificate', type='report')
        with set_up() as (company, session, _):
            cases = []
            for enrolment in create_enrolments(session, 3):
                cases.append(self.get_to_decision(enrolment))
                self.decide(cases[-1])
            Transaction().tasks.clear()
            Case = type(cases[0])
            with patch.object(Transaction(), 'commit'), \
                    patch.object(Transaction(), 'rollback'), \
                    patch.object(Report, 'convert') as convert:
                convert.side_effect = [
                    ('pdf', b'%PDF 1'), ('odt', b'no'), ('pdf', b'%PDF 3'),
                    ('pdf', b'%PDF 2')]
                Case.certify_all(cases, 'email')
                self.assertEqual(
                    [c.state for c in Case.browse(cases)],
                    ['certified', 'validated', 'certified'])
                notification, = Transaction().user_notifications
                self.assertIn("LibreOffice", notification.description)
                # One task delivers the mails of all
                self.assertEqual(len(Transaction().tasks), 1)
                Case.certify_all(cases, 'email')
            self.assertEqual(
                [c.state for c in Case.browse(cases)], ['certified'] * 3)
            self.assertEqual(len(Transaction().user_notifications), 1)
            self.assertEqual(
                sorted(c.document for c in Certificate.search([])),
                [b'%PDF 1', b'%PDF 2', b'%PDF 3'])
            self.assertEqual(
                [len(c.mails) for c in Case.browse(cases)], [1, 1, 1])
            Transaction().user_notifications.clear()

    @with_transaction()
    def test_certificate_record(self):
        "Test the paper record for a silent trainee and its outcomes"
        with set_up() as (company, session, _):
            self.assertFalse(company.party.addresses[0].street)
            for outcome, state in [
                    ('sign', 'signed'), ('refuse', 'refused'),
                    ('no_answer', 'unanswered')]:
                with self.subTest(outcome=outcome):
                    case = self.get_to_decision(*create_enrolments(session))
                    self.decide(case)
                    with patch.object(
                            Pool().get('training.abandon.certificate',
                                type='report'),
                            'convert', lambda *args, **kw: ('pdf', b'%PDF')):
                        run_wizard(
                            'training.abandon.case.certify', [case],
                            channel='paper')
                    certificate, = case.certificates
                    self.assertEqual(certificate.kind, 'record')
                    self.assertEqual(certificate.state, 'issued')
                    self.assertEqual(case.steps[-1].evidence, 'proven')
                    getattr(type(certificate), outcome)([certificate])
                    self.assertEqual(certificate.state, state)
                    type(case).close([case])
                    self.assertEqual(case.state, 'closed')

    @with_transaction()
    def test_sensitive(self):
        "Test who reads and searches the sensitive reasons"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Cause = pool.get('training.abandon.case.cause')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(create_enrolments(session))
            run_wizard('training.abandon.case.ask_reasons', [case])
            reader = create_user(
                'reader', company, 'training', 'sensitive_reason')
            other = create_user('other', company, 'training')
            health, time = map(self.get_reason, ['health', 'time.lack'])
            with as_user(other):
                # Whoever runs the step may not read it afterwards
                run_wizard(
                    'training.abandon.case.analyse', [case],
                    reasons=[health.id, time.id],
                    reason_comment="Hospital", analysis="Ill", causes=[{
                            'cause': health.id,
                            'responsible': 'external',
                            }, {
                            'cause': time.id,
                            'responsible': 'trainee',
                            }])
            self.assertEqual(
                case.reason_category, "Personal reason, Time and Workload")
            with as_user(reader):
                readable, = Case.read(
                    [case.id], ['reasons', 'causes', 'reason_comment'])
                self.assertEqual(
                    set(readable['reasons']), {health.id, time.id})
                self.assertEqual(len(readable['causes']), 2)
                self.assertEqual(readable['reason_comment'], "Hospital")
                for domain in [
                        [('reasons', '=', health.id)],
                        [('causes.cause', '=', health.id)],
                        ]:
                    self.assertEqual(Case.search(domain), [case])
            with as_user(other):
                readable, = Case.read([case.id], ['reasons', 'causes'])
                self.assertEqual(list(readable['reasons']), [time.id])
                self.assertEqual(
                    [c.cause for c in Cause.browse(readable['causes'])],
                    [time])
                for name in ['reason_comment', 'analysis', 'note']:
                    with self.subTest(name=name), \
                            self.assertRaises(AccessError):
                        Case.read([case.id], [name])
                for domain in [
                        [('reasons', '=', health.id)],
                        [('reasons.name', 'ilike', '%h%')],
                        [('causes.cause.name', 'ilike', '%h%')],
                        [('reason_comment', 'ilike', '%h%')],
                        ]:
                    with self.subTest(domain=domain), \
                            self.assertRaises(AccessError):
                        Case.search(domain)
                with self.assertRaises(AccessError):
                    Enrolment.search([('cases.reasons', '=', health.id)])
                self.assertFalse(
                    Cause.search([('cause', '=', health.id)]))

    @with_transaction()
    def test_access(self):
        "Test what the users may do"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Mail = pool.get('training.mail')
        Procedure = pool.get('training.abandon.procedure')
        Step = pool.get('training.abandon.case.step')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(
                create_enrolments(session, prescriber=prescriber))
            run_wizard('training.abandon.case.inform', [case])
            other_company = create_company(
                "Other", currency=company.currency)
            stranger = create_user('stranger', other_company, 'training')
            outsider = create_user('outsider', company)
            assistant = create_user('assistant', company, 'training')
            with as_user(stranger):
                self.assertFalse(Case.search([]))
                self.assertFalse(Enrolment.search([]))
                self.assertFalse(Mail.search([]))
                with self.assertRaises(AccessError):
                    Case.read([case.id], ['number'])
                with self.assertRaises(AccessError):
                    run_wizard('training.abandon.case.ask_reasons', [case])
            with as_user(outsider):
                for Model in [Case, Enrolment, Mail]:
                    with self.assertRaises(AccessError):
                        Model.search([])
                with self.assertRaises(AccessError):
                    run_wizard('training.abandon.case.ask_reasons', [case])
            with as_user(assistant):
                with self.assertRaises(AccessError):
                    Case.write([case], {'state': 'closed'})
                with self.assertRaises(AccessError):
                    Case.create([{'enrolment': case.enrolment.id}])
                with self.assertRaises(AccessError):
                    Step.write(list(case.steps), {'state': 'done'})
                with self.assertRaises(AccessError):
                    Mail.write(list(case.mails), {'state': 'sent'})
                with self.assertRaises(AccessError):
                    Procedure.create([{'code': 'X'}])
                run_wizard('training.abandon.case.ask_reasons', [case])
            self.assertEqual(
                case.steps[1].done_by.party.name, "Assistant")

    @with_transaction()
    def test_party_erase(self):
        "Test that erasing a trainee erases what was written"
        pool = Pool()
        Erase = pool.get('party.erase', type='wizard')
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(create_enrolments(session))
            party = case.trainee.party
            run_wizard('training.abandon.case.ask_reasons', [case])
            self.analyse(
                [case], reasons=[self.get_reason('time.lack').id],
                reason_comment="Private")
            session_id, _, _ = Erase.create()
            party.active = False
            party.save()
            with self.assertRaisesRegex(Exception, "open abandonment case"):
                Erase(session_id).check_erase(party)
            type(case).cancel([case])
            Erase.execute(
                session_id, {'ask': {'party': party.id}}, 'erase')
            for cache in Transaction().cache.values():
                cache.clear()
            case = type(case)(case.id)
            self.assertIsNone(case.reason_comment)
            self.assertIsNone(case.causes[0].note)
            mail, = case.mails
            self.assertEqual((mail.to, mail.body), ('****', None))
            self.assertFalse(mail.message)

    @with_transaction()
    def test_party_replace(self):
        "Test that replacing a trainee keeps one trainee"
        pool = Pool()
        Party = pool.get('party.party')
        Replace = pool.get('party.replace', type='wizard')
        with set_up() as (company, session, prescriber):
            source, = create_enrolments(session)
            destination, = create_enrolments(create_session(company))
            session_id, _, _ = Replace.create()
            with patch.object(
                    Replace, 'check_similarity', lambda self: None):
                Replace.execute(session_id, {'ask': {
                            'source': source.trainee.party.id,
                            'destination': destination.trainee.party.id,
                            }}, 'replace')
            self.assertEqual(source.trainee, destination.trainee)
            self.assertEqual(
                len(Party.search([('replaced_by', '!=', None),
                            ('active', 'in', [True, False])])), 1)

    @with_transaction()
    def test_apply_statements(self):
        "Test that a mail more costs few statements more"
        counts = {}
        with set_up() as (company, session, prescriber):
            for number in [5, 40]:
                cases = self.open_cases(create_enrolments(
                        session, number, prescriber=prescriber))
                wizard, start = open_wizard(
                    'training.abandon.case.inform', cases)
                with count_statements() as statements:
                    apply_wizard(wizard, cases, start)
                counts[number] = len(
                    [s for s in statements if not s.startswith('INSERT')])
        self.assertLess((counts[40] - counts[5]) / 35, 4)

    @with_transaction()
    def test_exchange_before_opening(self):
        "Test that an exchange is about the proposals of the case"
        with set_up() as (company, session, prescriber):
            case, = self.open_cases(
                create_enrolments(session, prescriber=prescriber))
            while case.next_kind != 'exchange':
                type(case).skip_step([case], "Not needed")
            wizard, start = open_wizard(
                'training.abandon.case.exchange', [case])
            for line in start['exchanges']:
                line['outcome'] = 'reached'
                line['at'] = dt.datetime.combine(DATE - DAY, dt.time(9))
            with self.assertRaises(CaseStepError):
                apply_wizard(wizard, [case], start)
            first, second = start['exchanges']
            first['at'] = second['at'] = dt.datetime.combine(
                DATE, dt.time(9))
            with self.assertRaisesRegex(CaseStepError, "Job Centre"):
                apply_wizard(wizard, [case], {
                        **start, 'exchanges': [first]})
            apply_wizard(wizard, [case], start)
            step, = [s for s in case.steps if s.kind == 'exchange']
            self.assertEqual(step.evidence, 'proven')
            self.assertEqual(len(step.follow_ups), 2)
            user = create_user('assistant', company, 'training')
            with as_user(user), self.assertRaises(AccessError):
                type(case.follow_ups[0]).write(
                    list(case.follow_ups), {'outcome': 'no_answer'})

    @with_transaction()
    def test_exchange_after_midnight(self):
        "Test that days are those of the company, not of UTC"
        with set_up() as (company, session, prescriber):
            company.timezone = 'Europe/Paris'
            company.save()
            case, = self.open_cases(
                create_enrolments(session, prescriber=prescriber),
                date=DATE)
            while case.next_kind != 'exchange':
                type(case).skip_step([case], "Not needed")
            wizard, start = open_wizard(
                'training.abandon.case.exchange', [case])
            for line in start['exchanges']:
                line['outcome'] = 'reached'
                line['at'] = dt.datetime.combine(
                    DATE - DAY, dt.time(23, 30))
            apply_wizard(wizard, [case], start)
            self.assertEqual(case.state, 'exchanged')

    @with_transaction()
    def test_relation_access(self):
        "Test that nobody changes the relations around the procedure"
        pool = Pool()
        with set_up() as (company, session, _):
            outsider = create_user('outsider', company)
            admin = create_user('admin2', company, 'training_admin')
            for name in [
                    'training.abandon.procedure-training.abandon.reason',
                    'training.abandon.solution-training.abandon.reason',
                    'training.configuration.sequence',
                    ]:
                Model = pool.get(name)
                with self.subTest(name=name), as_user(outsider), \
                        self.assertRaises(AccessError):
                    Model.delete(Model.search([], limit=1) or Model.create([
                                {}]))
            Relation = pool.get(
                'training.abandon.procedure-training.abandon.reason')
            with as_user(admin), self.assertRaises(AccessError):
                Relation.delete(Relation.search([], limit=1))

    @with_transaction()
    def test_domains_today(self):
        """Test that the tabs and the colours ask the clients which day is
        today"""
        pool = Pool()
        Domain = pool.get('ir.action.act_window.domain')
        dates = []

        def collect(values):
            if values.get('__class__') == 'Date' and values['y'] != 9999:
                dates.append(values['start'])
            return values.get('__class__')

        for domain in Domain.search([
                    ('act_window.res_model', 'like', 'training.%'),
                    ]):
            json.loads(domain.domain or '[]', object_hook=collect)
        tabs = len(dates)
        for _, model in pool.iterobject():
            if (model.__name__.startswith('training.')
                    and issubclass(model, ModelView)):
                for attribute in model.view_attributes():
                    json.loads(
                        PYSONEncoder().encode(attribute[2]),
                        object_hook=collect)
        self.assertGreater(len(dates), tabs)
        self.assertEqual(set(dates), {'DateTime'})

    @with_transaction()
    def test_french(self):
        "Test that everything is translated in French"
        pool = Pool()
        Lang = pool.get('ir.lang')
        Set = pool.get('ir.translation.set', type='wizard')
        Translation = pool.get('ir.translation')
        Update = pool.get('ir.translation.update', type='wizard')
        french, = Lang.search([('code', '=', 'fr')])
        session_id, _, _ = Set.create()
        Set.execute(session_id, {}, 'set_')
        session_id, _, _ = Update.create()
        Update.execute(
            session_id, {'start': {'language': french.id}}, 'update')
        exported = polib.pofile(Translation.translation_export(
                'fr', 'training_abandon').decode('utf-8'))
        path = Path(__file__).parent.parent / 'locale' / 'fr.po'
        translated = {
            (e.msgctxt, e.msgid) for e in polib.pofile(str(path))
            if e.translated()}
        self.assertGreater(len(exported), 900)
        self.assertFalse(
            {(e.msgctxt, e.msgid) for e in exported} - translated)

    def test_blocks(self):
        "Test the paragraphs and lists of the letters"
        self.assertEqual(
            blocks("Hello,\nyou\n\n- a\n- b\n\n- c\n\nBye"), [
                ('paragraph', ["Hello,", "you"]),
                ('list', ["a", "b", "c"]),
                ('paragraph', ["Bye"]),
                ])


del ModuleTestCase
