# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The visits of the apprentices and the delays of the mediation"
import datetime as dt
from io import BytesIO

from pypdf import PdfReader

from trytond.model.exceptions import (
    DomainValidationError, RequiredValidationError)
from trytond.modules.training_abandon.exceptions import (
    LetterError, RecipientError, TrainingValidationError)
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, add_contact, apply_wizard, count_statements,
    create_enrolments, create_party, open_wizard, run_wizard, set_up, today)


class ApprenticeshipTestCase(DatabaseTestCase):
    "Test the rules of apprenticeship"

    def activate(self, *kinds):
        pool = Pool()
        Rule = pool.get('training.apprenticeship.rule')
        Rule.write(
            Rule.search([('kind', 'in', kinds), ('active', '=', False)]),
            {'active': True, 'source': "Agreement"})

    def follow_up(self, enrolment, kind='visit', **values):
        pool = Pool()
        FollowUp = pool.get('training.follow_up')
        follow_up, = FollowUp.create([{
                    'company': enrolment.company.id,
                    'enrolment': enrolment.id,
                    'party': enrolment.trainee.party.id,
                    'kind': kind,
                    **values}])
        return follow_up

    def missing(self, *enrolments):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        records = Enrolment.browse(enrolments)
        self.assertEqual(
            [e for e in records if e.visit_missing],
            Enrolment.search(
                [('visit_missing', '=', True)], order=[('id', 'ASC')]))
        self.assertEqual(
            [e for e in records if not e.visit_missing],
            Enrolment.search([
                    ('visit_missing', '=', False),
                    ('id', 'in', [e.id for e in records]),
                    ], order=[('id', 'ASC')]))
        return [e.missing_visits for e in records]

    def plan(self, *enrolments):
        "Return what the wizard proposes for the enrolments"
        _, start = open_wizard('training.follow_up.plan', enrolments)
        return start['kind'], start['role']

    def apprentices(self, session, count=1):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolments = create_enrolments(session, count)
        Enrolment.write(enrolments, {'agreement_kind': 'apprenticeship'})
        return enrolments

    @with_transaction()
    def test_shipped(self):
        "Test that only what has a source is active"
        pool = Pool()
        Rule = pool.get('training.apprenticeship.rule')
        self.assertEqual({
                (r.kind, r.delay, r.unit) for r in Rule.search([])}, {
                ('employer_told', 5, 'days'), ('resignation', 7, 'days')})
        self.assertTrue(all(r.source for r in Rule.search([])))
        rule, *_ = Rule.search([('active', '=', False)])
        with self.assertRaises(RequiredValidationError):
            Rule.write([rule], {'active': True})

    @with_transaction()
    def test_delay(self):
        "Test the longest delays"
        pool = Pool()
        Rule = pool.get('training.apprenticeship.rule')
        rule, *_ = Rule.search([('unit', '=', 'days')])
        Rule.write([rule], {'delay': 3650})
        for values in [{'delay': 3651}, {'unit': 'months'}]:
            with self.assertRaises(DomainValidationError):
                Rule.write([rule], values)

    @with_transaction()
    def test_first_visit(self):
        "Test the apprentices whose first visit is missing"
        pool = Pool()
        Task = pool.get('training.task')
        with set_up() as (company, session, _):
            apprentice, visited, planned = self.apprentices(session, 3)
            other, = create_enrolments(session)
            all_ = apprentice, visited, planned, other
            later = dt.date(2026, 5, 2)
            self.follow_up(
                visited, done_at=dt.datetime.combine(DATE, dt.time(10)))
            self.follow_up(
                planned, planned_at=dt.datetime.combine(later, dt.time(10)))
            with today(later):
                self.assertEqual(self.missing(*all_), [''] * 4)
            self.activate('first_visit')
            with today(dt.date(2026, 5, 1)):
                self.assertEqual(self.missing(*all_), [''] * 4)
            with today(later):
                self.assertEqual(
                    self.missing(*all_),
                    ["First Visit of the Company", '', '', ''])
                task, = Task.search([('kind', '=', 'visit')])
                self.assertEqual(
                    (task.record, task.company, task.trainee),
                    (apprentice, company, apprentice.trainee))
                self.assertIn("First Visit of the Company", task.what)
                self.assertEqual(
                    task.handle([task])['wiz_name'],
                    'training.follow_up.plan')
                visit = self.follow_up(
                    apprentice,
                    planned_at=dt.datetime.combine(later, dt.time(10)))
                self.assertEqual(self.missing(*all_), [''] * 4)
                self.assertFalse(Task.search([('kind', '=', 'visit')]))
                with today(later + DAY):
                    self.assertTrue(all(self.missing(apprentice, planned)))
                type(visit).cancel([visit])
                self.assertTrue(any(self.missing(*all_)))
                missed = self.follow_up(
                    apprentice, outcome='no_answer',
                    done_at=dt.datetime.combine(DATE, dt.time(10)))
                self.assertTrue(self.missing(apprentice)[0])
                type(missed).write([missed], {'outcome': 'reached'})
                self.assertEqual(self.missing(apprentice), [''])

    @with_transaction()
    def test_periodic(self):
        "Test the visits and the meetings with the tutor of each year"
        with set_up() as (company, session, _):
            apprentice, = self.apprentices(session)
            tutor = create_party("Tutor")
            add_contact(apprentice, tutor, 'apprenticeship_supervisor')
            self.activate('visit', 'tutor_meeting')
            done_at = dt.datetime.combine(DATE + 30 * DAY, dt.time(10))
            self.follow_up(apprentice, done_at=done_at)
            self.follow_up(
                apprentice, 'meeting', done_at=done_at, party=tutor.id)
            self.follow_up(
                apprentice, 'meeting', done_at=done_at + 90 * DAY)
            with today(dt.date(2027, 4, 1)):
                self.assertEqual(self.missing(apprentice), [''])
            with today(dt.date(2027, 4, 2)):
                self.assertEqual(
                    self.missing(apprentice),
                    ["Visit of the Company, Meeting with the Tutor"])
                self.assertEqual(self.plan(apprentice), ('visit', 'employer'))
                self.follow_up(apprentice)
                self.assertEqual(self.plan(apprentice), ('meeting', 'tutor'))
                self.follow_up(
                    apprentice, 'meeting', party=tutor.id)
                self.assertEqual(self.plan(apprentice), ('call', 'trainee'))

    @with_transaction()
    def test_statements(self):
        "Test that the missing visits are read at once"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        numbers = []
        with set_up() as (company, session, _), \
                today(dt.date(2026, 9, 1)):
            self.activate('first_visit')
            # The first time reads what is cached
            for count in [1, 2, 20]:
                enrolments = self.apprentices(session, count)
                with count_statements() as statements:
                    self.assertTrue(all(
                            e.visit_missing
                            for e in Enrolment.browse(enrolments)))
                numbers.append(len(statements))
            self.assertEqual(*numbers[1:])

    @with_transaction()
    def test_letters(self):
        "Test the letters of the procedure about a visit and a mediation"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        FollowUp = pool.get('training.follow_up')
        Letter = pool.get('training.abandon.procedure.letter')
        Lang = pool.get('ir.lang')
        Mail = pool.get('training.mail')
        Party = pool.get('party.party')
        write = 'training.follow_up.write'
        with set_up() as (company, session, _):
            apprentice, = self.apprentices(session)
            employer = create_party("Employer", 'employer@example.com')
            Enrolment.write([apprentice], {'employer': employer.id})
            guardian = create_party("Guardian", 'guardian@example.com')
            add_contact(apprentice, guardian)
            visit = self.follow_up(
                apprentice, party=employer.id,
                planned_at=dt.datetime.combine(DATE + DAY, dt.time(9)))
            _, start = open_wizard(write, [visit])
            self.assertEqual(
                [(m['party'], m['send']) for m in start['mails']], [
                    (employer.id, True),
                    (apprentice.trainee.party.id, True),
                    (guardian.id, True)])
            told = start['mails'][0]
            for word in ["09:00", "Tuesday", "Trainee 0"]:
                self.assertIn(word, told['text'])
            for values in [
                    {'text': " "}, {'subject': None}, {'to': None},
                    {'text': "On ${date}"}, {'send': False},
                    {'party': company.party.id}]:
                with self.subTest(values=values), \
                        self.assertRaises((LetterError, RecipientError)):
                    run_wizard(write, [visit], mails=[{**told, **values}])
            run_wizard(
                write, [visit], mails=[{**told, 'text': "Our own words"}])
            mail, = FollowUp(visit.id).mails
            self.assertEqual(
                (mail.kind, mail.party, mail.body, mail.enrolment,
                    mail.letter.procedure),
                ('visit', employer, "Our own words\n", apprentice,
                    apprentice.procedure))
            self.assertIn(
                apprentice.procedure.revision, mail.message.decode('utf-8'))
            wizard, start = open_wizard(write, [visit])
            self.assertEqual(
                [m['send'] for m in start['mails']], [False, True, True])
            apply_wizard(wizard, [visit], start)
            # Nothing leaves twice
            with self.assertRaises(LetterError):
                apply_wizard(wizard, [visit], start)
            self.assertEqual(len(FollowUp(visit.id).mails), 3)
            FollowUp.write([visit], {
                    'done_at': dt.datetime.combine(DATE, dt.time(9)),
                    'outcome': 'reached'})
            with self.assertRaises(LetterError):
                open_wizard(write, [visit])
            call = self.follow_up(apprentice, 'call')
            asked = self.follow_up(apprentice, 'mediation')
            for follow_up in [call, asked]:
                with self.assertRaises(LetterError):
                    open_wizard(write, [follow_up])

            mediator = create_party("Chamber", 'chamber@example.com')
            asked = self.follow_up(
                apprentice, 'mediation', party=mediator.id, referred_on=DATE)
            run_wizard(write, [asked])
            self.assertEqual(
                {m.party for m in FollowUp(asked.id).mails},
                {mediator, guardian, apprentice.trainee.party})
            subject, text = FollowUp(asked.id).letter_to_party()
            letter, = Letter.search([
                    ('procedure', '=', apprentice.procedure.id),
                    ('step_kind', '=', 'mediation'),
                    ('audience', '=', 'stakeholder')])
            Letter.write([letter], {'text': "Another letter of ${contact}"})
            # What was written stays
            self.assertEqual(
                FollowUp(asked.id).letter_to_party(), (subject, text))
            other = self.follow_up(
                apprentice, 'mediation', party=mediator.id, referred_on=DATE)
            self.assertEqual(
                other.letter_to_party()[1], "Another letter of Chamber\n")
            # What was erased is written once more
            erased = [m for m in asked.mails if m.party == mediator]
            mail = Mail.__table__()
            Transaction().connection.cursor().execute(*mail.update(
                    [mail.body], [None],
                    where=mail.id.in_([m.id for m in erased])))
            self.assertEqual(
                FollowUp(asked.id).letter_to_party()[1],
                "Another letter of Chamber\n")
            Letter.write([letter], {'variant': 'reminder'})
            # The procedures of before have no letter
            subject, text = FollowUp(other.id).letter_to_party()
            for word in ["Trainee 0", "L6222-39"]:
                self.assertIn(word, text)
            Party.write([mediator], {'lang': Lang.get('fr').id})
            self.assertIn(
                "du Code du travail", FollowUp(other.id).letter_to_party()[1])

    @with_transaction()
    def test_mediation(self):
        "Test the dates that follow from the referral to the mediator"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        FollowUp = pool.get('training.follow_up')
        Party = pool.get('party.party')
        Rule = pool.get('training.apprenticeship.rule')
        with set_up() as (company, session, _):
            apprentice, = self.apprentices(session)
            with self.assertRaises(TrainingValidationError):
                run_wizard(
                    'training.follow_up.plan', [apprentice],
                    kind='mediation', role='mediator')
            mediator = create_party("Chamber")
            add_contact(apprentice, mediator, 'mediator')
            run_wizard(
                'training.follow_up.plan', [apprentice],
                kind='mediation', role='mediator', referred_on=DATE)
            follow_up, = FollowUp.search([])
            self.assertEqual(
                (follow_up.party, follow_up.referred_on,
                    follow_up.employer_told_from, follow_up.resignation_from,
                    follow_up.mediator_answer_by),
                (mediator, DATE, DATE + 5 * DAY, DATE + 12 * DAY, None))
            Letter = pool.get(
                'training.follow_up.mediation_letter', type='report')
            extension, content, *_ = Letter.execute([follow_up.id], {})
            self.assertEqual((extension, content[:4]), ('pdf', b'%PDF'))
            text = PdfReader(BytesIO(content)).pages[0].extract_text()
            for word in ["Chamber", "Trainee 0", "L6222-39", "03/02/2026"]:
                self.assertIn(word, text)
            # What was printed stays, and is printed again
            _, again, *_ = Letter.execute([follow_up.id], {})
            self.assertEqual(again, content)
            kept, = Attachment.search([('resource', '=', str(follow_up))])
            self.assertEqual(kept.data, content)
            self.assertIn("Letter to Chamber of", kept.name)
            Party.write([mediator], {'name': "Other Chamber"})
            _, other, *_ = Letter.execute([follow_up.id], {})
            self.assertNotEqual(other, content)
            kept, later = Attachment.search(
                [('resource', '=', str(follow_up))], order=[('id', 'ASC')])
            self.assertEqual([kept.data, later.data], [content, other])
            rule, = Rule.search([('kind', '=', 'employer_told')])
            Rule.write([rule], {'end_date': DATE})
            Rule.create([{
                        'kind': 'employer_told', 'delay': 6, 'unit': 'days',
                        'start_date': DATE + DAY, 'source': "New text",
                        }])
            later = FollowUp(
                company=company, kind='mediation', referred_on=DATE + DAY)
            later.on_change_referred_on()
            self.assertEqual(later.employer_told_from, DATE + 7 * DAY)
            self.assertEqual(
                FollowUp(follow_up.id).employer_told_from, DATE + 5 * DAY)
            call = self.follow_up(apprentice, 'call', referred_on=DATE)
            self.assertIsNone(call.employer_told_from)
            with self.assertRaises(TrainingValidationError):
                Letter.execute([call.id], {})
