# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What is declared to the funders, with the examples computed by hand"
import datetime as dt
import hashlib
import json
from decimal import Decimal
from unittest.mock import patch

from trytond.exceptions import UserWarning
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.declaration.declaration import Event
from trytond.modules.training_abandon.exceptions import (
    DeclarationError, DeclarationHoursWarning, SettlementRuleError)
from trytond.modules.training_abandon.journal.record import record_faults
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, DatabaseTestCase, as_user, count_statements, create_enrolments,
    create_party, create_session, create_user, decide, get_to_decision,
    open_cases, run_wizard, set_up, today)
from .test_settlement_calculation import load_examples
from .test_settlement_settlement import Example, get_example

RECORD = 'training.declaration.record'
CANCEL = 'training.declaration.cancel'
# What the examples call the kinds
WHATS = {
    'not_started': 'not_started',
    'abandonment': 'abandonment',
    'exit': 'exit',
    'contract_break': 'contract_break',
    'presence': 'presence_state',
    }


def search(*domain):
    pool = Pool()
    Declaration = pool.get('training.declaration')
    return Declaration.search(list(domain), order=[('id', 'ASC')])


def fund(enrolment, kind='agreement', name="Funder"):
    pool = Pool()
    Enrolment = pool.get('training.enrolment')
    party = create_party(name)
    Enrolment.write([enrolment], {
            'agreement_kind': kind,
            'fundings': [('create', [{'funder': party.id, 'share': 1}])],
            })
    return party


class ExamplesTestCase(DatabaseTestCase):
    "Test the declarations of the examples"

    @with_transaction()
    def test_examples(self):
        pool = Pool()
        Declaration = pool.get('training.declaration')
        for example in load_examples():
            if 'declarations' not in example['expected']:
                continue
            with self.subTest(example=example['id']), set_up() as (
                    company, _, _):
                records = Example(company, example)
                months = [
                    d['period'] for d in example['expected']['declarations']
                    if 'period' in d]
                for month in months:
                    year, number = map(int, month.split('-'))
                    with today(dt.date(year, number + 1, 4)):
                        Declaration.declare_month()
                        Declaration.declare_month()
                found = search(('enrolment', '=', records.enrolment.id))
                self.check(records, found, example)

    def check(self, records, found, example):
        names = {party: name for name, party in records.parties.items()}
        expected = example['expected']['declarations']
        self.assertEqual(
            sorted((names[d.recipient], WHATS[d.kind]) for d in found),
            sorted((
                    "Caisse des dépôts" if d['to'] == 'EDOF' else d['to'],
                    d['what']) for d in expected))
        for declaration in found:
            values, = [
                d for d in expected if d['what'] == WHATS[declaration.kind]
                and d['to'] in {names[declaration.recipient], 'EDOF'}]
            self.check_values(declaration, values)

    def check_values(self, declaration, values):
        content = declaration.content
        if 'due_date' in values:
            self.assertEqual(str(declaration.due_date), values['due_date'])
        if 'reason' in values:
            self.assertEqual(declaration.code, values['reason'])
            self.assertIn("trainee", content)
        if 'completion_rate' in values:
            self.assertIn(f'{values["completion_rate"]} %', content)
        if 'force_majeure' in values:
            self.assertIn("Force majeure: no", content)
        if 'still_in_training' in values:
            self.assertIn("does not stay", content)
        if 'date' in values:
            self.assertEqual(str(declaration.date), values['date'])
        if 'period' in values:
            self.assertEqual(
                declaration.date.strftime('%Y-%m'), values['period'])
        self.assertEqual(
            "Reason:" in content,
            'reason' in values or 'with_reason' in values)


class DeclarationTestCase(DatabaseTestCase):
    "Test the declarations"

    @with_transaction()
    def test_due_date(self):
        "Test that the days of the delay are worked ones"
        pool = Pool()
        Closure = pool.get('training.closure')
        with set_up() as (company, session, _):
            # The recipient is not closed
            Closure.create([{
                        'company': company.id,
                        'name': "Closure",
                        'start_date': DATE + DAY,
                        'end_date': DATE + 20 * DAY,
                        }])
            enrolment, other = create_enrolments(session, 2)
            self.without, = open_cases([other])
            fund(enrolment, 'cpf')
            # A Monday
            decide(get_to_decision(enrolment), effective_date=DATE)
            declaration, = search()
            self.assertEqual(declaration.due_date, DATE + 3 * DAY)
            with today(DATE + 3 * DAY):
                case = self.check_conformity(declaration.case, 'to_come')
                self.assertFalse(case.late_declarations)
            with today(DATE + 4 * DAY):
                case = self.check_conformity(declaration.case, 'missing')
                self.assertIn("Declare what was due", case.late_declarations)
                with self.assertRaisesRegex(DeclarationError, "before"):
                    run_wizard(RECORD, [declaration], done_on=DATE - DAY)
                # What was declared late stays so
                run_wizard(RECORD, [declaration])
                case = self.check_conformity(declaration.case, 'late')
                self.assertIn("after its due date", case.late_declarations)

    def check_conformity(self, case, conformity):
        "Check the conformity and its search and return the case"
        case = type(case)(case.id)
        self.assertEqual(case.declaration_conformity, conformity)
        Declaration = type(case.declarations[0])
        self.assertEqual(
            [d.conformity for d in case.declarations], [conformity])
        for operator, value, count in [
                ('=', conformity, 1), ('=', None, 0), ('!=', None, 1),
                ('not in', [conformity], 0)]:
            self.assertEqual(Declaration.search(
                    [('conformity', operator, value)], count=True), count)
        without = self.without
        for operator, value, found in [
                ('=', conformity, {case}), ('!=', None, {case}),
                ('=', None, {without}), ('!=', conformity, {without}),
                ('in', ['in_time', conformity], {case}),
                ('in', [None, conformity], {case, without}),
                ('not in', [conformity], {without}),
                ('not in', [None, conformity], set())]:
            self.assertEqual(set(type(case).search([
                            ('declaration_conformity', operator, value)])),
                found)
        return case

    @with_transaction()
    def test_recipients(self):
        "Test that who pays or studies is not told as a funder"
        with set_up() as (company, session, _):
            pool = Pool()
            Enrolment = pool.get('training.enrolment')
            without, own, cpf = create_enrolments(session, 3)
            Enrolment.write([own], {
                    'fundings': [('create', [{
                                    'funder': own.trainee.party.id,
                                    'share': 1}])]})
            Enrolment.write([cpf], {'agreement_kind': 'cpf'})
            for enrolment in [without, own, cpf]:
                decide(get_to_decision(enrolment), effective_date=DATE)
            declaration, = search()
            self.assertEqual(declaration.enrolment, cpf)
            self.assertIsNone(declaration.recipient)

    @with_transaction()
    def test_client_funder(self):
        "Test the public funder that orders the training"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Rule = pool.get('training.declaration.rule')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            region = fund(enrolment, 'public_funding', "Region")
            Enrolment.write([enrolment], {'client': region.id})
            rule = Rule(recipient='funder')
            self.assertEqual(rule.recipients(enrolment), [region])
            Enrolment.write([enrolment], {'agreement_kind': 'agreement'})
            self.assertEqual(rule.recipients(Enrolment(enrolment.id)), [])

    @with_transaction()
    def test_other_terms(self):
        "Test that the declarations follow the agreement and the funders"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            former = fund(enrolment)
            decide(get_to_decision(enrolment), effective_date=DATE)
            agreed, = search()
            self.assertEqual(agreed.recipient, former)
            Enrolment.write([enrolment], {
                    'agreement_kind': 'cpf',
                    'fundings': [
                        ('delete', [f.id for f in enrolment.fundings])],
                    })
            self.assertEqual(agreed.state, 'cancelled')
            unnamed, = search(('state', '=', 'todo'))
            self.assertEqual(
                (unnamed.kind, unnamed.recipient), ('exit', None))
            funder = fund(Enrolment(enrolment.id), 'cpf', "Other")
            self.assertEqual(unnamed.state, 'cancelled')
            named, = search(('state', '=', 'todo'))
            self.assertEqual(named.recipient, funder)
            Case.on_decided([named.case])
            self.assertEqual(search(('state', '=', 'todo')), [named])

            # The break of a contract without case is told to who funds it now
            broken, = create_enrolments(session)
            broken_of = ('enrolment', '=', broken.id)
            fund(broken, 'apprenticeship', "Former")
            Enrolment.write([broken], {'break_date': DATE})
            first, = search(broken_of)
            funder = create_party("Latter")
            Enrolment.write([broken], {'fundings': [
                        ('delete', [f.id for f in broken.fundings]),
                        ('create', [{'funder': funder.id, 'share': 1}])]})
            self.assertEqual(first.state, 'cancelled')
            second, = search(broken_of, ('state', '=', 'todo'))
            self.assertEqual(
                (second.event, second.recipient), ('break', funder))

    @with_transaction()
    def test_direct_funding(self):
        "Test the fundings and the kinds that are written directly"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Funding = pool.get('training.enrolment.funding')
        Rule = pool.get('training.declaration.rule')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            decide(get_to_decision(enrolment), effective_date=DATE)
            self.assertEqual(search(), [])

            def recipients():
                return [d.recipient for d in search(('state', '=', 'todo'))]

            first, second = create_party("First"), create_party("Second")
            funding, = Funding.create([{
                        'enrolment': enrolment.id, 'funder': first.id,
                        'share': 1}])
            self.assertEqual(recipients(), [first])
            content = search()[0].content
            Funding.write([funding], {'funder': second.id})
            self.assertEqual(recipients(), [second])
            # What was called off says what it said
            former, = search(('state', '=', 'cancelled'))
            self.assertEqual(former.content, content)
            Funding.delete([funding])
            self.assertEqual(recipients(), [])

            Funding.create([{
                        'enrolment': enrolment.id, 'funder': first.id,
                        'share': 1}])
            declaration, = search(('state', '=', 'todo'))
            Rule.deactivate([declaration.rule])
            Rule.write([declaration.rule], {'trainee_kind': 'job_seeker'})
            Rule.activate([declaration.rule])
            # What is decided keeps the kind that it had, unless it is mended
            Trainee.write([enrolment.trainee], {'kind': 'job_seeker'})
            self.assertEqual(recipients(), [])
            self.assertEqual(
                Enrolment(enrolment.id).trainee_kind, 'employee')
            for kind, parties in [('job_seeker', [first]), ('employee', [])]:
                Enrolment.write([enrolment], {'trainee_kind': kind})
                self.assertEqual(recipients(), parties)

    @with_transaction()
    def test_funder_afterwards(self):
        "Test that what was declared to nobody is not declared again"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            Enrolment.write([enrolment], {'agreement_kind': 'cpf'})
            decide(get_to_decision(enrolment), effective_date=DATE)
            declaration, = search()
            run_wizard(RECORD, [declaration])
            fund(enrolment, 'cpf')
            self.assertEqual(search(), [declaration])

    @with_transaction()
    def test_open_sheets(self):
        "Test that the hours of sheets that are not closed are warned of"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            fund(enrolment, 'cpf')
            decide(get_to_decision(enrolment), effective_date=DATE)
            declaration, = search()
            slots = [s for s in session.slots if s.date == DATE]
            for step in [None, Slot.open]:
                if step:
                    step(slots)
                declaration = Declaration(declaration.id)
                self.assertIn("not closed", declaration.content)
                with Transaction().set_context(_skip_warnings=False), \
                        self.assertRaises(DeclarationHoursWarning):
                    run_wizard(RECORD, [declaration])
            Slot.close(slots)
            declaration = Declaration(declaration.id)
            self.assertNotIn("not closed", declaration.content)
            with Transaction().set_context(_skip_warnings=False):
                run_wizard(RECORD, [declaration])
            self.assertEqual(declaration.state, 'done')

    @with_transaction()
    def test_exclusion(self):
        "Test that the employer is told of the exclusion"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            employer = create_party("Employer")
            Enrolment.write([enrolment], {'employer': employer.id})
            decide(
                get_to_decision(enrolment), ground='exclusion',
                effective_date=DATE)
            declaration, = search()
            self.assertEqual(declaration.kind, 'exclusion')
            self.assertEqual(declaration.recipient, employer)
            self.assertTrue(declaration.to_confirm)

    @with_transaction()
    def test_record(self):
        "Test that what is done never changes"
        pool = Pool()
        Entry = pool.get('training.journal.entry')
        Declaration = pool.get('training.declaration')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            fund(enrolment, 'cpf')
            decide(get_to_decision(enrolment), effective_date=DATE)
            declaration, = search()
            content = declaration.content
            with self.assertRaises(DeclarationError):
                run_wizard(RECORD, [declaration], done_on=DATE + 30 * DAY)
            run_wizard(
                RECORD, [declaration], reference="E1", proof=b'proof',
                proof_name="proof.pdf", note="Done")
            self.assertEqual(declaration.state, 'done')
            self.assertEqual(declaration.content, content)
            self.assertEqual(declaration.proof, b'proof')
            self.assertEqual(declaration.done_by.id, Transaction().user)
            event, = [
                e for e in declaration.case.events
                if e.kind == 'declaration']
            self.assertIn("E1", event.summary)
            entry, = Entry.search([
                    ('case', '=', declaration.case.id),
                    ('kind', '=', 'declaration'),
                    ])
            told = json.loads(entry.content)
            self.assertEqual(
                (told['state'], told['proof_sha256']),
                ('done', hashlib.sha256(b'proof').hexdigest()))
            self.assertEqual(list(record_faults([declaration.case.id])), [])
            table = Declaration.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.done_on], [DATE - DAY],
                    where=table.id == declaration.id))
            fault, = record_faults([declaration.case.id])
            self.assertEqual(fault.number, entry.number)
            with self.assertRaises(DeclarationError):
                run_wizard(RECORD, [declaration])
            for name, value in [('note', "x"), ('due_date', DATE)]:
                with self.assertRaises(AccessError):
                    Declaration.write([declaration], {name: value})
            with self.assertRaises(AccessError):
                Declaration.delete([declaration])
            with self.assertRaises(AccessError):
                Declaration.copy([declaration])

    @with_transaction()
    def test_code(self):
        "Test that a ground without code needs one"
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            fund(enrolment, 'cpf')
            decide(
                get_to_decision(enrolment), ground='exclusion',
                effective_date=DATE)
            declaration, = search()
            with self.assertRaises(DeclarationError):
                run_wizard(RECORD, [declaration])
            self.assertIn("Completion rate", declaration.content)
            Enrolment = type(enrolment)
            # There is no rate of no whole minute
            Enrolment.write(
                [enrolment], {'agreed_hours': dt.timedelta(seconds=30)})
            declaration = type(declaration)(declaration.id)
            self.assertNotIn("Completion rate", declaration.content)
            run_wizard(RECORD, [declaration], code='provider')
            self.assertEqual(declaration.code, 'provider')
            self.assertIn('provider', declaration.declared)

    @with_transaction()
    def test_bulk(self):
        "Test that many are recorded at once, all or none"
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 2)
            for enrolment in enrolments:
                fund(enrolment)
                decide(get_to_decision(enrolment), effective_date=DATE)
            first, second = search()
            run_wizard(RECORD, [first, second], reference="B1")
            self.assertEqual(
                [d.reference for d in search()], ["B1", "B1"])

    @with_transaction()
    def test_cancel(self):
        "Test that what somebody cancelled stays so, as long as it is so"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            fund(enrolment)
            decide(get_to_decision(enrolment), effective_date=DATE)
            declaration, = search()
            with self.assertRaises(DeclarationError):
                run_wizard(CANCEL, [declaration], reason=" ")
            run_wizard(CANCEL, [declaration], reason="Told by phone")
            self.assertEqual(declaration.state, 'cancelled')
            event, = [
                e for e in declaration.case.events
                if e.kind == 'declaration_cancelled']
            self.assertIn("Told by phone", event.summary)
            # What the decision still needs is not to do again
            Case.on_decided([declaration.case])
            self.assertEqual(search(), [declaration])
            # but another decision needs it
            Case.take_back([declaration.case], "Mistake")
            self.assertTrue(declaration.withdrawn)
            decide(declaration.case, effective_date=DATE)
            _, again = search()
            self.assertEqual(again.state, 'todo')

    @with_transaction()
    def test_take_back(self):
        "Test that what was declared is corrected and the rest cancelled"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, _):
            done_enrolment, todo_enrolment = create_enrolments(session, 2)
            cases = []
            for enrolment in [done_enrolment, todo_enrolment]:
                fund(enrolment)
                case = get_to_decision(enrolment)
                decide(case, effective_date=DATE)
                cases.append(case)
            done, todo = search()
            run_wizard(RECORD, [done], reference="R1")
            with Transaction().set_context(_skip_warnings=False), \
                    self.assertRaises(UserWarning):
                Case.take_back(cases, "Mistake")
            Case.take_back(cases, "Mistake")
            self.assertEqual(todo.state, 'cancelled')
            self.assertTrue(todo.cancel_reason)
            self.assertEqual(done.state, 'done')
            self.assertTrue(done.withdrawn)
            correction, = search(('state', '=', 'todo'))
            self.assertEqual(correction.corrects, done)
            self.assertIn("R1", correction.content)
            # Another decision takes the place of the correction
            decide(cases[0], ground='force_majeure', effective_date=DATE)
            again, = search(
                ('state', '=', 'todo'), ('case', '=', cases[0].id))
            self.assertEqual(again.corrects, done)
            self.assertEqual(again.ground, 'force_majeure')
            self.assertEqual(correction.state, 'cancelled')
            # What was declared first is still to correct without it
            Case.take_back(cases[:1], "Mistake")
            self.assertEqual(again.state, 'cancelled')
            correction, = search(('state', '=', 'todo'))
            self.assertTrue(correction.correction)
            self.assertEqual(correction.corrects, done)
            decide(cases[0], ground='force_majeure', effective_date=DATE)
            again, = search(('state', '=', 'todo'))
            self.assertEqual(again.corrects, done)
            run_wizard(CANCEL, [again], reason="Withdrawn by phone")
            correction, = search(('state', '=', 'todo'))
            self.assertEqual(correction.corrects, done)
            run_wizard(CANCEL, [correction], reason="Withdrawn by phone")
            Case.take_back(cases[:1], "Mistake")
            self.assertEqual(search(('state', '=', 'todo')), [])

    @with_transaction()
    def test_break(self):
        "Test that a break is declared once, and again on another day"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, _):
            broken, decided = create_enrolments(session, 2)
            for enrolment in [broken, decided]:
                fund(enrolment, 'apprenticeship')
            for _ in range(2):
                Enrolment.write([broken], {'break_date': DATE})
            declaration, = search()
            run_wizard(RECORD, [declaration])
            Enrolment.write([broken], {'break_date': DATE + DAY})
            again, = search(('state', '=', 'todo'))
            self.assertEqual(again.date, DATE + DAY)
            self.assertEqual(again.corrects, declaration)
            Enrolment.write([broken], {'break_date': None})
            # There is still what was declared first to correct
            self.assertEqual(again.state, 'cancelled')
            correction, = search(('state', '=', 'todo'))
            self.assertTrue(correction.correction)
            self.assertEqual(correction.corrects, declaration)
            case = get_to_decision(decided)
            decide(case, effective_date=DATE)
            self.assertEqual(search(('enrolment', '=', decided.id)), [])
            Case.complete_decisions([case], contract_end_date=DATE)
            declaration, = search(('enrolment', '=', decided.id))
            self.assertEqual(declaration.case, case)

    @with_transaction()
    def test_again(self):
        "Test that what was declared wrongly is corrected"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Rule = pool.get('training.declaration.rule')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            fund(enrolment)
            decide(get_to_decision(enrolment), effective_date=DATE)
            declaration, = search()
            with self.assertRaises(DeclarationError):
                Declaration.declare_again([declaration])
            run_wizard(RECORD, [declaration], reference="R1")
            for _ in range(2):
                Declaration.declare_again([declaration])
            self.assertTrue(declaration.withdrawn)
            again, = search(('state', '=', 'todo'))
            self.assertEqual(again.corrects, declaration)
            self.assertFalse(again.correction)
            self.assertEqual(again.kind, declaration.kind)
            self.assertIn("R1", again.content)
            self.assertIn(declaration.content, again.content)
            # The rules do not ask for it any more
            run_wizard(RECORD, [again])
            Rule.deactivate([again.rule])
            Declaration.declare_again([again])
            correction, = search(('state', '=', 'todo'))
            self.assertEqual(correction.corrects, again)
            self.assertTrue(correction.correction)

    @with_transaction()
    def test_statements(self):
        "Test that the number of statements does not grow with the cases"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        with set_up() as (company, session, _):
            enrolments = create_enrolments(session, 6)
            cases = [get_to_decision(e) for e in enrolments]
            for enrolment, case in zip(enrolments, cases):
                fund(enrolment)
                decide(case, effective_date=DATE)
            counts = []
            for number in [1, 5]:
                declarations = search(limit_to(cases[-number:]))
                Transaction().cache.clear()
                with count_statements() as statements:
                    for declaration in Declaration.browse(declarations):
                        self.assertTrue(declaration.content)
                counts.append(len(statements))
            self.assertEqual(*counts)

    @with_transaction()
    def test_access(self):
        "Test who reads and records the declarations"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            fund(enrolment)
            decide(get_to_decision(enrolment), effective_date=DATE)
            declaration, = search()
            for group in ['trainer', 'auditor']:
                user = create_user(group, company, group)
                with as_user(user), self.assertRaises(AccessError):
                    Declaration.read([declaration.id], ['state'])
            user = create_user('accountant', company, 'accounting')
            with as_user(user), \
                    Transaction().set_context(_skip_warnings=True):
                with self.assertRaises(AccessError):
                    Declaration.write(
                        [Declaration(declaration.id)], {'note': "x"})
                run_wizard(RECORD, [Declaration(declaration.id)])
            self.assertEqual(declaration.state, 'done')

    @with_transaction()
    def test_task(self):
        "Test that the declarations are tasks"
        pool = Pool()
        Task = pool.get('training.task')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            party = fund(enrolment)
            decide(get_to_decision(enrolment), effective_date=DATE)
            with as_user(create_user('staff', company, 'training')):
                task, = Task.search([('kind', '=', 'declaration')])
                self.assertIn(party.name, task.what)


def limit_to(cases):
    return ('case', 'in', [c.id for c in cases])


class MonthTestCase(DatabaseTestCase):
    "Test the declarations of each month"

    @with_transaction()
    def test_month(self):
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            seeker, employee = create_enrolments(session, 2)
            Trainee.write([seeker.trainee], {'kind': 'job_seeker'})
            for enrolment in [seeker, employee]:
                fund(enrolment, 'public_funding')
            with today(dt.date(2026, 3, 31)):
                Declaration.declare_month()
            self.assertEqual(search(), [])
            for day in [1, 2]:
                with today(dt.date(2026, 4, day)):
                    Declaration.declare_month()
                    declaration, = search()
                    self.assertEqual(declaration.enrolment, seeker)
                    self.assertEqual(declaration.date, dt.date(2026, 3, 31))
                    if day == 1:
                        run_wizard(
                            CANCEL, [declaration], reason="Nothing to tell")
            self.assertEqual(declaration.state, 'cancelled')

    @with_transaction()
    def test_slept(self):
        "Test that the months since the last declared one are made up for"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, _, _):
            # From January to June
            session = create_session(company, dt.date(2026, 1, 12), 150)
            other = create_session(company, dt.date(2026, 4, 6), 2)
            seekers = create_enrolments(session) + create_enrolments(other)
            for enrolment in seekers:
                Trainee.write([enrolment.trainee], {'kind': 'job_seeker'})
                fund(enrolment, 'public_funding')

            def months(day):
                with today(day):
                    Declaration.declare_month()
                return sorted(
                    (d.date.month, seekers.index(d.enrolment))
                    for d in search())

            # The months before the first one are not
            self.assertEqual(months(dt.date(2026, 3, 2)), [(2, 0)])
            self.assertEqual(
                months(dt.date(2026, 6, 1)),
                [(2, 0), (3, 0), (4, 0), (4, 1), (5, 0)])

    @with_transaction()
    def test_made_up_for(self):
        "Test who is confirmed late and whose prescriber is corrected"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Enrolment = pool.get('training.enrolment')
        Rule = pool.get('training.declaration.rule')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, _, _):
            session = create_session(company, dt.date(2026, 2, 2), 100)
            seeker, late = create_enrolments(session, 2)
            for enrolment in [seeker, late]:
                Trainee.write([enrolment.trainee], {'kind': 'job_seeker'})
                fund(enrolment, 'public_funding')
            Enrolment.write([late], {'state': 'draft'})
            for month in [3, 4, 5]:
                with today(dt.date(2026, month, 1)):
                    Declaration.declare_month()
            funder = create_party("Other Funder")
            with today(dt.date(2026, 5, 2)):
                Enrolment.write([seeker], {
                        'fundings': [
                            ('delete', [f.id for f in seeker.fundings]),
                            ('create', [{'funder': funder.id, 'share': 1}])],
                        })
                Enrolment.write([late], {'state': 'confirmed'})
                standing = search(('state', '=', 'todo'))
                self.assertEqual(
                    [(d.enrolment, d.recipient, d.date.month)
                        for d in standing],
                    [(seeker, funder, m) for m in [2, 3, 4]])
                Declaration.declare_month()
                self.assertEqual(
                    [(d.enrolment, d.date.month) for d in search(
                            ('id', '>', standing[-1].id))],
                    [(late, m) for m in [2, 3, 4]])
                Declaration.declare_month()
                todo = search(('state', '=', 'todo'))
                self.assertEqual(len(todo), 6)
                Declaration.write(todo, {
                        'state': 'done', 'done_on': dt.date(2026, 5, 2)})
                other = create_party("Third Funder")
                Enrolment.write([seeker], {
                        'prescriber': other.id,
                        'fundings': [
                            ('delete', [
                                    f.id for f in
                                    Enrolment(seeker.id).fundings]),
                            ('create', [{'funder': other.id, 'share': 1}])],
                        })
                # A new funder is not told of the months before it
                Declaration.declare_month()
                self.assertFalse(search(('state', '=', 'todo')))
                # Nor does a new rule look back
                rule, = Rule.search([
                        ('event', '=', 'month'),
                        ('state', '!=', 'inactive'),
                        ], limit=1)
                Rule.activate(Rule.copy([rule], {'recipient': 'prescriber'}))
                Declaration.declare_month()
                self.assertEqual(
                    {d.date.month for d in search(('state', '=', 'todo'))},
                    {4})

    @with_transaction()
    def test_co_funders(self):
        "Test that what one funder was told hides nothing from another one"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Enrolment = pool.get('training.enrolment')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, _, _):
            session = create_session(company, dt.date(2026, 2, 2), 100)
            seeker, = create_enrolments(session, 1)
            Trainee.write([seeker.trainee], {'kind': 'job_seeker'})
            one, two, three = map(
                create_party, ["First Funder", "Second Funder", "Third"])
            Enrolment.write([seeker], {
                    'agreement_kind': 'public_funding',
                    'fundings': [('create', [
                                {'funder': p.id, 'share': Decimal('0.5')}
                                for p in [one, two]])],
                    })
            with today(dt.date(2026, 3, 2)):
                Declaration.declare_month()
                declared, = search(('recipient', '=', one.id))
                Declaration.write([declared], {
                        'state': 'done', 'done_on': dt.date(2026, 3, 2)})
                _, second = Enrolment(seeker.id).fundings
                Enrolment.write([seeker], {
                        'fundings': [
                            ('write', [second.id], {'funder': three.id})],
                        })
                other, = search(('state', '=', 'todo'))
                self.assertEqual(other.recipient, three)
                Declaration.write([other], {
                        'state': 'done', 'done_on': dt.date(2026, 3, 2)})
                Declaration.declare_again([declared])
                again, = search(('state', '=', 'todo'))
                self.assertEqual(
                    [again.recipient, again.corrects, again.correction],
                    [one, declared, False])

    @with_transaction()
    def test_replaced(self):
        "Test the funders and the prescribers that take the place of others"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Enrolment = pool.get('training.enrolment')
        Rule = pool.get('training.declaration.rule')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, _, _):
            session = create_session(company, dt.date(2026, 2, 2), 100)
            seeker, wrong = create_enrolments(session, 2)
            a, b, c, d, prescriber = map(create_party, "ABCDE")
            for enrolment, parties in [(seeker, [a, b]), (wrong, [a])]:
                Trainee.write([enrolment.trainee], {'kind': 'job_seeker'})
                Enrolment.write(
                    [enrolment], {'agreement_kind': 'public_funding'})
                self.replace(enrolment, None, *parties)
            with today(dt.date(2026, 3, 2)):
                self.assertEqual(self.told(seeker), [a, b])
                declared, _ = search(('enrolment', '=', seeker.id))
                run_wizard(RECORD, [declared])
                # Another line is created once the former one is deleted
                self.replace(seeker, b, c)
                self.assertEqual(self.todo(seeker), [c])
                # What was removed by mistake is put back
                self.replace(seeker, c)
                self.assertEqual(self.told(seeker), [])
                self.replace(seeker, None, c)
                self.assertEqual(self.told(seeker), [c])

                # What is made again tells nobody else, nor by another rule
                run_wizard(RECORD, search(
                        ('state', '=', 'todo'),
                        ('enrolment', '=', seeker.id)))
                self.replace(seeker, c, d)
                self.assertEqual(self.told(seeker), [])
                Rule.activate(Rule.copy(
                        [declared.rule], {'recipient': 'prescriber'}))
                Enrolment.write([seeker], {'prescriber': prescriber.id})
                Declaration.declare_again([declared])
                self.assertEqual(self.todo(seeker), [a])
                self.replace(seeker, a, b)
                todo = self.todo(seeker)
                self.assertIn(b, todo)
                self.assertNotIn(prescriber, todo)

                # Nobody was told instead of the funder
                declared, = search(('enrolment', '=', wrong.id))
                run_wizard(CANCEL, [declared], reason="Not the funder")
                self.assertEqual(self.told(wrong), [])
                self.replace(wrong, a, c)
                self.assertEqual(self.told(wrong), [c])

    def replace(self, enrolment, former, *parties):
        "Replace the lines of the former funder in one save"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolment = Enrolment(enrolment.id)
        Enrolment.write([enrolment], {'fundings': [
                    ('delete', [
                            f.id for f in enrolment.fundings
                            if f.funder == former]),
                    ('create', [
                            {'funder': p.id, 'share': Decimal('0.5')}
                            for p in parties]),
                    ]})

    def told(self, enrolment):
        "Return who is still to be told after the night"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Declaration.declare_month()
        return self.todo(enrolment)

    def todo(self, enrolment):
        return [
            d.recipient for d in search(
                ('enrolment', '=', enrolment.id),
                ('state', '=', 'todo'),
                ('correction', '=', False))]

    @with_transaction()
    def test_other_month(self):
        "Test that a month is never corrected by another"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            enrolment, = create_enrolments(session)
            Trainee.write([enrolment.trainee], {'kind': 'job_seeker'})
            fund(enrolment, 'public_funding')
            march, april = [
                Event(enrolment, None, None, date)
                for date in [dt.date(2026, 3, 31), dt.date(2026, 4, 30)]]
            first, = Declaration.declare('month', [march])
            run_wizard(RECORD, [first])
            Declaration.declare_again([first])
            again, = search(('state', '=', 'todo'))
            other, = Declaration.declare('month', [april])
            self.assertIsNone(other.corrects)
            self.assertEqual(again.state, 'todo')
            self.assertEqual(again.corrects, first)

    @with_transaction()
    def test_called_off(self):
        "Test who attended before the enrolment was cancelled"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Declaration = pool.get('training.declaration')
        Enrolment = pool.get('training.enrolment')
        Slot = pool.get('training.session.slot')
        Trainee = pool.get('training.trainee')
        with set_up() as (company, session, _):
            attended, never = create_enrolments(session, 2)
            for enrolment in [attended, never]:
                Trainee.write([enrolment.trainee], {'kind': 'job_seeker'})
                fund(enrolment, 'public_funding')
            slot = min(session.slots, key=lambda s: s.start_at)
            Slot.open([slot])
            Attendance.write([
                    a for a in slot.attendances
                    if a.enrolment == attended], {'state': 'present'})
            Attendance.write([
                    a for a in slot.attendances
                    if a.enrolment == never], {'state': 'absent'})
            Slot.close([slot])
            Enrolment.write([attended, never], {'state': 'cancelled'})
            with today(dt.date(2026, 4, 1)):
                Declaration.declare_month()
                declaration, = search()
                self.assertEqual(declaration.enrolment, attended)
                # Nothing is kept when nothing is missing
                with patch.object(tools, 'lock') as lock:
                    Declaration.declare_month()
                lock.assert_not_called()
            self.assertEqual(search(), [declaration])


class RuleTestCase(DatabaseTestCase):
    "Test the rules of the declarations"

    @with_transaction()
    def test_shipped(self):
        "Test that the rules to confirm say by whom"
        pool = Pool()
        Rule = pool.get('training.declaration.rule')
        rules = Rule.search([])
        self.assertEqual({
                r.kind for r in rules if r.state == 'active'},
            {'exit', 'abandonment', 'presence'})
        for rule in rules:
            with self.subTest(rule=rule.name):
                self.assertEqual(
                    rule.state == 'active', not rule.confirmed_by)
                self.assertTrue(rule.source)

    @with_transaction()
    def test_overlap(self):
        "Test that two rules do not ask for the same declaration"
        pool = Pool()
        Rule = pool.get('training.declaration.rule')
        rule, = Rule.search([('kind', '=', 'exit')])
        other, = Rule.copy([rule])
        self.assertEqual(other.state, 'inactive')
        with self.assertRaises(SettlementRuleError):
            Rule.activate([other])
        Rule.write([other], {'agreement_kinds': ['agreement']})
        Rule.activate([other])

    @with_transaction()
    def test_inactive(self):
        "Test that an inactive or an ended rule declares nothing"
        pool = Pool()
        Rule = pool.get('training.declaration.rule')
        with set_up() as (company, session, _):
            ended, inactive = create_enrolments(session, 2)
            rule, = Rule.search([('kind', '=', 'exit')])
            Rule.write([rule], {'end_date': DATE - DAY})
            fund(ended, 'cpf')
            decide(get_to_decision(ended), effective_date=DATE)
            Rule.write([rule], {'end_date': None})
            Rule.deactivate([rule])
            fund(inactive, 'cpf')
            decide(get_to_decision(inactive), effective_date=DATE)
            self.assertEqual(search(), [])

    @with_transaction()
    def test_example(self):
        "Test that the words of the trainee are never declared"
        with set_up() as (company, _, _):
            records = Example(company, get_example('D13'))
            declaration, = search(
                ('enrolment', '=', records.enrolment.id))
            self.assertTrue(declaration.rule.with_category)
            self.assertIn(
                declaration.case.reason_category or '…',
                declaration.content)
