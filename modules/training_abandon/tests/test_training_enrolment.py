# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from hypothesis import given
from hypothesis import strategies as st
from sql import Literal

from trytond.model import fields
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import (
    EnrolmentDuplicateError, TrainingValidationError)
from trytond.modules.training_abandon.scripts.importing.importer import request
from trytond.modules.training_abandon.training.trainee import majority_date
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, add_contact, as_user, create_enrolments,
    create_party, create_user, examples, set_up, today)

CONTACTS = st.lists(
    st.fixed_dictionaries({
            'role': st.sampled_from(
                ['prescriber', 'employer', 'tutor', 'legal_guardian']),
            'party': st.integers(0, 3),
            'notify': st.booleans(),
            }), max_size=5, unique_by=lambda c: (c['role'], c['party']))


def to_tell(contacts, organisations, archived, of_age):
    "Return the set of who is written to, computed from the definitions"
    told = set()
    for role in {*(c['role'] for c in contacts), *organisations}:
        named = [c for c in contacts if c['role'] == role]
        if role == 'legal_guardian' and of_age:
            continue
        persons = {
            c['party'] for c in named
            if c['notify'] and c['party'] not in archived}
        told |= persons
        if not persons and all(c['notify'] for c in named):
            told |= {organisations.get(role)} - {None} - archived
    return told


class EnrolmentTestCase(DatabaseTestCase):
    "Test the enrolments"

    @with_transaction()
    def test_stakeholders_naive(self):
        "Test who is written to beside a naive computation"
        with set_up() as (company, session, _):
            parties = [create_party(f'Party {i}') for i in range(6)]

            @examples(20)
            @given(
                CONTACTS, st.sets(st.integers(0, 5)),
                st.sampled_from([None, False, True]))
            def check(contacts, archived, of_age):
                enrolment, = create_enrolments(
                    session, prescriber=parties[4])
                enrolment.employer = parties[5]
                for contact in contacts:
                    add_contact(
                        enrolment, parties[contact['party']],
                        contact['role'], notify=contact['notify'])
                enrolment.save()
                if of_age is not None:
                    enrolment.trainee.birth_date = dt.date(
                        1990 if of_age else 2015, 1, 1)
                    enrolment.trainee.save()
                for i, party in enumerate(parties):
                    party.active = i not in archived
                    party.save()
                found = [
                    party for _, party in
                    type(enrolment)(enrolment.id).stakeholders()]
                self.assertEqual(len(found), len(set(found)))
                self.assertEqual(
                    {parties.index(p) for p in found}, to_tell(
                        contacts, {'prescriber': 4, 'employer': 5},
                        archived, of_age))
                self.check_answering(
                    enrolment, enrolment.trainee.party, *(
                        parties[c['party']] for c in contacts
                        if c['role'] == 'legal_guardian' and c['notify']
                        and c['party'] not in archived and not of_age))

            check()

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
    def test_stakeholders_archived(self):
        "Test that the organisation is in the place of an archived person"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            adviser, other = (
                create_party(name, 'adviser@example.com')
                for name in ["Adviser", "Other"])
            for party in [adviser, other]:
                add_contact(enrolment, party, 'prescriber')
            self.assertEqual(
                enrolment.stakeholders(),
                [('prescriber', adviser), ('prescriber', other)])
            adviser.active = False
            adviser.save()
            self.assertEqual(
                enrolment.stakeholders(), [('prescriber', other)])
            other.active = False
            other.save()
            self.assertEqual(
                enrolment.stakeholders(), [('prescriber', prescriber)])
            self.assertIn(adviser, [c.party for c in enrolment.contacts])
            prescriber.active = False
            prescriber.save()
            self.assertEqual(enrolment.stakeholders(), [])
            self.assertFalse(enrolment.has_prescriber)
            self.assertIsNone(prescriber.reachable_email)

    @with_transaction()
    def test_stakeholders_not_notified(self):
        "Test that archiving who is not to notify has nobody written to"
        with set_up() as (company, session, prescriber):
            enrolment, = create_enrolments(session, prescriber=prescriber)
            adviser = create_party("Adviser", 'adviser@example.com')
            add_contact(enrolment, adviser, 'prescriber', notify=False)
            adviser.active = False
            adviser.save()
            self.assertEqual(enrolment.stakeholders(), [])

    def check_answering(self, enrolment, *parties):
        "Check that the query finds the same parties who answer"
        table = enrolment.__table__()
        party = Pool().get('party.party').__table__()
        cursor = Transaction().connection.cursor()
        cursor.execute(*table
            .join(party, condition=party.id.in_(
                    enrolment.answering_query(
                        table, fields.DateTime('at').sql_cast(
                            Literal(str(tools.now()))))))
            .select(party.id, where=table.id == enrolment.id))
        self.assertEqual(
            sorted(id_ for id_, in cursor), sorted(p.id for p in parties))
        self.assertEqual(
            {p.id for p in type(enrolment)(enrolment.id).answering()},
            {p.id for p in parties})

    @with_transaction()
    def test_guardians(self):
        "Test that the guardians are those of who is not of age on the day"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            mother = create_party("Mother", 'mother@example.com')
            add_contact(enrolment, mother)
            self.assertIsNone(enrolment.is_trainee_of_age)
            self.assertEqual(enrolment.guardians(), [mother])
            self.check_answering(enrolment, enrolment.trainee.party, mother)

            trainee = enrolment.trainee
            trainee.birth_date = DATE.replace(year=DATE.year - 18)
            trainee.save()
            with today(DATE - DAY):
                self.assertIs(enrolment.is_trainee_of_age, False)
                self.assertEqual(enrolment.guardians(), [mother])
                self.check_answering(enrolment, trainee.party, mother)
            with today(DATE):
                self.assertTrue(enrolment.is_trainee_of_age)
                self.assertEqual(enrolment.stakeholders(), [])
                self.check_answering(enrolment, trainee.party)
            mother.active = False
            mother.save()
            with today(DATE - DAY):
                self.assertEqual(enrolment.guardians(), [])

    def test_majority_date(self):
        "Test the day of the majority, of the 29th of February too"
        for birth_date, date in [
                (dt.date(2008, 3, 2), dt.date(2026, 3, 2)),
                (dt.date(2008, 2, 29), dt.date(2026, 3, 1)),
                (dt.date(2002, 2, 28), dt.date(2020, 2, 28)),
                ]:
            with self.subTest(birth_date=birth_date):
                self.assertEqual(majority_date(birth_date), date)

    @with_transaction()
    def test_birth_date(self):
        "Test that nobody is born later and that a merge keeps the date"
        pool = Pool()
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            trainee, other = (
                e.trainee for e in create_enrolments(session, 2))
            Trainee.write([other], {'birth_date': DATE.replace(year=2010)})
            other.enrolments[0].cancel(other.enrolments)
            other.replace_by(trainee)
            self.assertEqual(
                Trainee(trainee.id).birth_date, DATE.replace(year=2010))
            with self.assertRaises(TrainingValidationError):
                Trainee.write([trainee], {'birth_date': DATE + 7 * DAY})

    @with_transaction()
    def test_enrol(self):
        "Test that what is created confirmed is as what is confirmed later"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Import = pool.get('training.import')
        Party = pool.get('party.party')
        Trainee = pool.get('training.trainee')

        def told(enrolment):
            return (
                enrolment.state, enrolment.agreed_hours,
                enrolment.hours_planned,
                [{n: v for n, v in p.span.items() if n != 'known_since'}
                    for p in enrolment.periods],
                [(e.kind, e.user, e.reason) for e in enrolment.events])

        with set_up() as (company, session, _):
            trainees = Trainee.create([{'party': p.id} for p in Party.create([
                            {'name': n} for n in ["Un", "Deux", "Trois"]])])
            values = [{
                    'company': company.id,
                    'session': session.id,
                    'trainee': trainee.id,
                    'currency': company.currency.id,
                    'start_date': DATE,
                    } for trainee in trainees]
            with as_user(create_user('assistant', company, 'training')):
                (enrolled,), = Import.apply([
                        request('training.enrolment', 'enrol', values[:1])])
                confirmed, = Enrolment.create(values[1:2])
                Enrolment.confirm([confirmed])
                with self.assertRaises(AccessError):
                    Enrolment.create([{**values[2], 'state': 'confirmed'}])
            enrolled, confirmed = Enrolment.browse([enrolled, confirmed.id])
            self.assertEqual(told(enrolled), told(confirmed))
            self.assertEqual(enrolled.state, 'confirmed')
            self.assertTrue(enrolled.agreed_hours)
            with as_user(create_user('reader', company)), \
                    self.assertRaises(AccessError):
                Enrolment.enrol(values[2:])
            self.assertEqual(
                Enrolment.create(values[2:])[0].state, 'draft')

    @with_transaction()
    def test_numbers(self):
        "Test that the numbers of another system are kept"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Session = pool.get('training.session')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            party = create_party("Trainee")
            with as_user(create_user('assistant', company, 'training')):
                new, = Session.create([{
                            'number': 'S-07',
                            'course': session.course.id,
                            'start_date': DATE,
                            'end_date': DATE,
                            }])
                trainee, = Trainee.create([{
                            'code': 'T-07', 'party': party.id}])
                enrolment, = Enrolment.create([{
                            'number': 'E-07',
                            'session': new.id,
                            'trainee': trainee.id,
                            }])
                for record, name in [
                        (new, 'number'), (trainee, 'code'),
                        (enrolment, 'number')]:
                    with self.assertRaises(AccessError):
                        record.write([record], {name: '8'})
            self.assertEqual(
                (new.number, trainee.code, enrolment.number),
                ('S-07', 'T-07', 'E-07'))
