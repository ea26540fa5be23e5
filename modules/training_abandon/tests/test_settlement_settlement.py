# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The settlements of the decided cases, with the examples computed by hand"
import datetime as dt
from decimal import Decimal
from unittest.mock import patch

from trytond.exceptions import UserWarning
from trytond.model.exceptions import AccessButtonError, AccessError
from trytond.modules.company.tests import create_company
from trytond.modules.training_abandon.exceptions import (
    SettlementError, SettlementRuleError)
from trytond.modules.training_abandon.settlement.terms import Invoiced
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DAY, DatabaseTestCase, apply_wizard, as_user, count_statements,
    create_enrolments, create_party, create_session, create_user, decide,
    get_to_decision, open_cases, open_wizard, run_wizard, set_up, today,
    unvalidated)
from .test_settlement_calculation import date, decimal, load_examples, minutes

MINUTE = dt.timedelta(minutes=1)
HALF_DAY = 4 * 60


class Example:
    "The records of an example, its session held and its case decided"

    @unvalidated()
    def __init__(self, company, example):
        self.company = company
        self.example = example
        self.parties = {}
        self.trainee = self.create_trainee()
        self.session = self.create_session()
        self.enrolment = self.create_enrolment()
        self.hold()
        self.case = self.decide()

    def create_trainee(self):
        pool = Pool()
        Trainee = pool.get('training.trainee')
        party = create_party("Trainee", 'trainee@example.com')
        trainee, = Trainee.create([{
                    'party': party.id,
                    'kind': self.example['enrolment']['trainee_kind'],
                    }])
        self.parties['trainee'] = party
        return trainee

    def create_session(self):
        "Create a session whose slots are the time that is held"
        pool = Pool()
        Course = pool.get('training.course')
        Session = pool.get('training.session')
        start, end = (
            date(self.example['session'][n])
            for n in ['start_date', 'end_date'])
        day, held = start, minutes(self.example['attendance']['held'])
        slots = []
        while held:
            for begin in [6, 10, 14, 18]:
                duration = min(held, HALF_DAY)
                held -= duration
                if duration:
                    at = dt.datetime.combine(day, dt.time(begin))
                    slots.append({
                            'date': day,
                            'start': at.time(),
                            'end': (at + duration * MINUTE).time(),
                            })
            day += dt.timedelta(days=1)
        course, = Course.create([{'name': "Course", 'days': 5}])
        session, = Session.create([{
                    'company': self.company.id,
                    'course': course.id,
                    'start_date': start,
                    'end_date': end,
                    'slots': [('create', slots)],
                    }])
        return session

    def party(self, name):
        if name not in self.parties:
            self.parties[name] = create_party(name)
        return self.parties[name]

    def create_enrolment(self):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        values, terms = self.example['enrolment'], self.example['terms']
        if values['client']:
            self.parties['client'] = create_party(values['client'])
        if values.get('employer'):
            self.parties['employer'] = create_party(values['employer'])
        enrolment, = Enrolment.create([{
                    'company': self.company.id,
                    'session': self.session.id,
                    'trainee': self.trainee.id,
                    'currency': self.company.currency.id,
                    'agreement_kind': values['agreement_kind'],
                    'price': Decimal(values['price']),
                    'price_tax_included': decimal(
                        values.get('price_tax_included')),
                    'indivisible_fees': Decimal(values['indivisible_fees']),
                    'client': self.parties.get('client'),
                    'employer': self.parties.get('employer'),
                    'agreed_hours': minutes(
                        self.example['attendance']['planned']) * MINUTE,
                    'fundings': [('create', [{
                                    'sequence': f['sequence'],
                                    'funder': self.party(f['funder']).id,
                                    'share': decimal(f['share']),
                                    'amount': decimal(f['amount']),
                                    'ceiling': decimal(f['ceiling']),
                                    'hourly_rate': decimal(
                                        terms.get('hourly_rate')),
                                    } for f in values['fundings']])],
                    **self.agreement(terms),
                    }])
        Enrolment.confirm([enrolment])
        Enrolment.start([enrolment])
        return enrolment

    def agreement(self, terms):
        clause = terms.get('indemnity')
        values = {
            'agreement_date': date(terms.get('agreement_date')),
            'withdrawal_date': date(terms.get('withdrawal_date')),
            'contract_start': date(terms.get('contract_start')),
            'contract_end': date(terms.get('contract_end')),
            'npec_annual': decimal(terms.get('npec_annual')),
            'diploma_level': (
                str(terms['diploma_level'])
                if 'diploma_level' in terms else None),
            'break_date': date(terms.get('break_date')),
            'practical_days': terms.get('practical_days_in_company'),
            }
        if clause:
            values.update(
                indemnity_kind=clause['kind'],
                indemnity_grounds=clause['grounds'],
                indemnity_rate=decimal(clause.get('rate')),
                indemnity_scale=[('create', [{
                                'days_before_start': (
                                    band['days_before_start_min']),
                                'rate': Decimal(band['rate']),
                                } for band in clause.get('scale', [])])])
        return values

    def hold(self):
        "Hold the slots, at which the trainee attends the time attended"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        attended = minutes(self.example['attendance']['attended'])
        slots = sorted(self.session.slots, key=lambda s: s.start_at)
        if not slots:
            return
        with today(date(self.example['session']['end_date'])):
            Slot.open(slots)
            lines = {a.slot.id: a for s in slots for a in s.attendances}
            for slot in slots:
                duration = slot.duration // MINUTE
                if attended >= duration:
                    values = {'state': 'present'}
                elif attended:
                    values = {
                        'state': 'left_early',
                        'left_by': (duration - attended) * MINUTE}
                else:
                    values = {'state': 'absent'}
                attended -= min(attended, duration)
                Attendance.write([lines[slot.id]], values)
            Slot.close(slots)
        assert not attended

    def decide(self, **values):
        "Take the decision of the example on its case, made if needed"
        case = self.example['case']
        effective_date = date(case['effective_date'])
        with today(max(
                    date(self.example['session']['end_date']),
                    effective_date)):
            record = get_to_decision(self.enrolment)
            run_wizard('training.abandon.case.decide', [record], **{
                    'decision': case['decision'],
                    'ground': case['ground'],
                    'effective_date': effective_date,
                    **values})
        return record

    def invoiced(self):
        "Return what was invoiced, as the hook does"
        return {self.enrolment.id: [
                Invoiced(
                    self.party(i['payer']), Decimal(i['untaxed']),
                    date(i['date']), Decimal(i['paid'])
                    * Decimal(i['untaxed']) / Decimal(i['total']))
                for i in self.example['invoices']]}


def get_example(id_):
    example, = [e for e in load_examples() if e['id'] == id_]
    return example


def activate_rules():
    pool = Pool()
    Rule = pool.get('training.abandon.settlement.rule')
    Rule.activate(Rule.search([('code', 'in', [
                            'cpf_pay', 'apprenticeship_days'])]))


class ExamplesTestCase(DatabaseTestCase):
    "Test the settlements of the examples to the cent"

    def check(self, example, expected, active=False):
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _):
            if active:
                activate_rules()
            records = Example(company, example)
            with patch.object(
                    Settlement, 'invoiced',
                    lambda enrolments: records.invoiced()):
                if expected.get('error'):
                    with self.assertRaises(SettlementError) as catched:
                        run_wizard(
                            'training.abandon.case.settle', [records.case])
                    self.assertIn(
                        records.case.ground_string, str(catched.exception))
                    self.assertEqual(Settlement.search([]), [])
                    return
                run_wizard('training.abandon.case.settle', [records.case])
                settlement, = Settlement.search([])
                before = settlement.write_date, settlement.lines
                run_wizard('training.abandon.case.settle', [records.case])
            again, = Settlement.search([])
            self.assertEqual((again.write_date, again.lines), before)
            self.check_amounts(settlement, expected)
            self.check_lines(records, settlement, expected)
            self.assertTrue(settlement.explanation)

    def check_amounts(self, settlement, expected):
        for name, value in expected['settlement'].items():
            if name in {'planned', 'done'}:
                value = minutes(value) * MINUTE
            elif isinstance(value, str):
                value = Decimal(value)
            self.assertEqual(getattr(settlement, name), value, name)
        if 'warnings' in expected:
            self.assertEqual(
                set(settlement.warnings), set(expected['warnings']))
            self.assertEqual(
                bool(settlement.warning_words), bool(expected['warnings']))

    def check_lines(self, records, settlement, expected):
        names = {party: name for name, party in records.parties.items()}
        lines = [x for x in settlement.lines
            if x.kind not in {'indemnity', 'carried'}]
        self.assertEqual(
            [(names[x.payer], x.due, x.invoiced, x.amount) for x in lines],
            [(p['payer'], *(Decimal(p[n])
                        for n in ['due', 'invoiced', 'balance']))
                for p in expected.get('payer_due', [])])
        self.assertEqual(
            sorted((names[x.payer], x.kind, x.amount)
                for x in settlement.lines if x.kind not in {
                    'none', 'carried'}),
            sorted((x['payer'], x['kind'], Decimal(x['untaxed']))
                for x in expected['lines']))
        for line in lines:
            self.assertTrue(line.words or not line.due)
            self.assertTrue(line.rule.source)


def _test_example(example, expected, active=False):
    @with_transaction()
    def test(self):
        self.check(example, expected, active)
    return test


for _example in load_examples():
    _name = f"test_{_example['id']}"
    setattr(ExamplesTestCase, _name, _test_example(
            _example, _example['expected']))
    if 'expected_if_rule_active' in _example:
        setattr(ExamplesTestCase, f'{_name}_active', _test_example(
                _example, _example['expected_if_rule_active'], True))


class SettlementTestCase(DatabaseTestCase):
    "Test what is made of the cases, by whom and when not"

    def create(self, company, id_='D02', **values):
        example = get_example(id_)
        example = {**example, **values}
        return Example(company, example)

    def settle(self, records):
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        run_wizard('training.abandon.case.settle', [records.case])
        return Settlement.current([records.case])[records.case]

    @with_transaction()
    def test_refused(self):
        "Test the cases that are not settled, and what the error asks"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Enrolment = pool.get('training.enrolment')
        Settlement = pool.get('training.abandon.settlement')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, session, _):
            records = self.create(company)

            def refuse(words):
                with self.assertRaisesRegex(SettlementError, words):
                    run_wizard(
                        'training.abandon.case.settle', [records.case])

            def write(**values):
                Enrolment.write([Enrolment(records.enrolment.id)], values)

            write(agreed_hours=None)
            refuse("agreed hours")
            write(agreed_hours=dt.timedelta(hours=70), price=None,
                indivisible_fees=None)
            refuse("no price")
            write(price=Decimal(1000), client=None)
            refuse("Nobody pays")
            write(employer=create_party("Employer").id)
            self.assertEqual(self.settle(records).lines[0].payer.name,
                "Employer")
            slot = min(records.session.slots, key=lambda s: s.start_at)
            with today(slot.date):
                Slot.open([slot])
            refuse("2026-04-07|04/07/2026")
            attendance, = Attendance.search([
                    ('slot', '=', slot.id),
                    ('enrolment', '=', records.enrolment.id)])
            self.assertEqual(attendance.slot.state, 'open')
            self.assertEqual(len(Settlement.search([])), 1)
            other, = Enrolment.copy([records.enrolment], {
                    'session': session.id})
            Enrolment.confirm([other])
            Enrolment.start([other])
            records.case = get_to_decision(other)
            refuse("no decision")

    @with_transaction()
    def test_correction(self):
        "Test that a correction has a reason and keeps what is calculated"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _):
            records = self.create(company)
            for due, reason, error in [
                    (Decimal(-1), "Reason", "not negative"),
                    (Decimal(1000), " ", "reason"),
                    (Decimal(4000), "Reason", "more than the price"),
                    (Decimal(1000), "A day was held twice", None)]:
                wizard, start = open_wizard(
                    'training.abandon.case.settle', [records.case])
                start['lines'][0].update(due=due, reason=reason)
                with self.subTest(due=due, reason=reason):
                    if error:
                        with self.assertRaisesRegex(SettlementError, error):
                            apply_wizard(wizard, [records.case], start)
                    else:
                        apply_wizard(wizard, [records.case], start)
            settlement, = Settlement.search([])
            line, indemnity = settlement.lines
            self.assertEqual(
                (line.calculated, line.due, line.reason),
                (Decimal('1276.07'), Decimal(1000), "A day was held twice"))
            self.assertEqual(settlement.due_amount, Decimal(1000))
            self.assertEqual(
                settlement.undelivered_amount, Decimal('2480.00'))
            self.assertEqual(indemnity.due, Decimal('661.18'))
            # The form keeps what was corrected
            _, start = open_wizard(
                'training.abandon.case.settle', [records.case])
            self.assertEqual(start['lines'][0]['due'], Decimal(1000))
            # So do a settlement without the form and what is posted
            Settlement.settle([records.case])
            self.assertEqual(Settlement(settlement.id).due_amount, 1000)
            Settlement.post([settlement])
            self.assertEqual(self.settle(records), settlement)
            self.assertEqual(Settlement.search([]), [settlement])

    @with_transaction()
    def test_posted(self):
        "Test that a posted settlement stays, and is completed"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Line = pool.get('training.abandon.settlement.line')
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _):
            records = self.create(company)
            settlement = self.settle(records)
            Settlement.post([settlement])
            self.assertEqual(settlement.state, 'posted')
            for values in [{'due_amount': 0}, {'explanation': "Other"}]:
                with self.assertRaises(AccessError):
                    Settlement.write([Settlement(settlement.id)], values)
            with self.assertRaises(AccessError):
                Line.write(list(settlement.lines), {'due': 0})
            with self.assertRaises(AccessError):
                Settlement.delete([settlement])
            # The figures are the same
            self.assertEqual(self.settle(records), settlement)
            Enrolment.write(
                [records.enrolment], {'indivisible_fees': Decimal(0)})
            other = self.settle(records)
            self.assertNotEqual(other, settlement)
            self.assertEqual(other.state, 'draft')
            self.assertEqual(
                Settlement(settlement.id).due_amount, Decimal('1276.07'))
            # 23:15 of 70:00 without fees, and 30 % of the rest: only what
            # the posted one does not ask is left
            self.assertEqual(
                [(x.kind, x.due, x.invoiced, x.amount) for x in other.lines],
                [
                    ('credit', Decimal('1155.86'), Decimal('1276.07'),
                        Decimal('-120.21')),
                    ('indemnity', Decimal('697.24'), Decimal('661.18'),
                        Decimal('36.06')),
                    ])
            Enrolment.write(
                [records.enrolment], {'indivisible_fees': Decimal(180)})
            self.assertEqual(self.settle(records), settlement)
            self.assertEqual(Settlement(other.id).state, 'cancelled')

    @with_transaction()
    def test_no_indemnity_any_more(self):
        "Test that the indemnity that is posted is credited"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _):
            records = self.create(company)
            first = self.settle(records)
            Settlement.post([first])
            Enrolment.write(
                [records.enrolment], {'indemnity_kind': None})
            settlement = self.settle(records)
            Settlement.post([settlement])
            line, indemnity = settlement.lines
            self.assertEqual(line.amount, 0)
            self.assertEqual(
                (indemnity.due, indemnity.amount), (0, Decimal('-661.18')))
            self.assertEqual(self.settle(records), settlement)

    @with_transaction()
    def test_warnings(self):
        "Test that many warnings change nothing the second time"
        pool = Pool()
        Attachment = pool.get('ir.attachment')
        Settlement = pool.get('training.abandon.settlement')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            records = self.create(company, case={
                    **get_example('D02')['case'], 'ground': 'exclusion'})
            Slot.create([{
                        'session': records.session.id,
                        'date': dt.date(2026, 4, 14),
                        'start': dt.time(8),
                        'end': dt.time(9),
                        }])
            settlement = self.settle(records)
            self.assertEqual(set(settlement.warnings), {
                    'sheets_missing', 'exclusion_procedure_evidence_missing'})
            write_date = settlement.write_date
            self.settle(records)
            self.assertEqual(
                Settlement(settlement.id).write_date, write_date)
            Settlement.post([settlement])
            Attachment.create([{
                        'name': "Letter", 'resource': str(records.case),
                        'data': b'Letter'}])
            self.assertEqual(self.settle(records), settlement)

    @with_transaction()
    def test_missing_rule(self):
        "Test that what rests on a rule to confirm is not posted"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _):
            records = self.create(company, 'D09')
            settlement = self.settle(records)
            self.assertIn("Funder", settlement.explanation)
            with self.assertRaisesRegex(SettlementError, "missing rule"):
                Settlement.post([settlement])
            activate_rules()
            settlement = self.settle(records)
            self.assertEqual(settlement.due_amount, Decimal('640.70'))
            Settlement.post([settlement])

    @with_transaction()
    def test_taken_back(self):
        "Test the settlements of a decision that is taken back"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Line = pool.get('training.abandon.settlement.line')
        ModelData = pool.get('ir.model.data')
        Settlement = pool.get('training.abandon.settlement')
        Window = pool.get('ir.action.act_window')
        with set_up() as (company, _, _):
            records = self.create(company)
            draft = self.settle(records)
            Case.take_back([records.case], "Mistake")
            self.assertEqual(draft.state, 'cancelled')
            with self.assertRaisesRegex(SettlementError, "no decision"):
                self.settle(records)
            day = dt.date(2026, 4, 14)
            with today(day):
                decide(Case(records.case.id), effective_date=day)
            posted = self.settle(records)
            Settlement.post([posted])
            with Transaction().set_context(_skip_warnings=False), \
                    self.assertRaises(UserWarning):
                Case.take_back([Case(records.case.id)], "Mistake")
            Case.take_back([Case(records.case.id)], "Mistake")
            posted = Settlement(posted.id)
            self.assertEqual((posted.state, posted.withdrawn), (
                    'posted', True))
            self.assertEqual(Settlement.current([records.case]), {})
            window = Window(ModelData.get_id(
                    'training_abandon', 'act_settlement_indemnity'))
            self.assertEqual(
                Line.search(PYSONDecoder().decode(window.pyson_domain)), [])
            # What is decided next is completed, not asked again
            with today(day):
                decide(Case(records.case.id), ground='force_majeure',
                    effective_date=day)
            settlement = self.settle(records)
            self.assertEqual(
                [(x.kind, x.amount) for x in settlement.lines],
                [('none', 0), ('indemnity', Decimal('-661.18'))])

    @with_transaction()
    def test_certificate_corrected(self):
        "Test that the settlements stay as long as the decision does"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Report = pool.get('training.abandon.certificate', type='report')
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _), patch.object(
                Report, 'convert', lambda *args, **kw: ('pdf', b'%PDF')):
            records = self.create(company)
            run_wizard(
                'training.abandon.case.certify', [records.case],
                kind='statement', channel='paper')
            settlement = self.settle(records)
            Case.issue_again([Case(records.case.id)])
            self.assertEqual(Settlement(settlement.id).state, 'draft')
            Settlement.post([Settlement(settlement.id)])
            Case.issue_again([Case(records.case.id)])
            self.assertFalse(Settlement(settlement.id).withdrawn)

    @with_transaction()
    def test_replaced(self):
        "Test the settlement of a decision that another one replaces"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _):
            records = self.create(company)
            settlement = self.settle(records)
            Settlement.post([settlement])
            day = dt.date(2026, 4, 16)
            with today(day):
                decide(
                    records.case, decision='invalidated', ground='resumed',
                    effective_date=day)
            self.assertTrue(Settlement(settlement.id).withdrawn)

    @with_transaction()
    def test_outdated(self):
        "Test that what the decision does not say any more is not posted"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _):
            records = self.create(company)
            settlement = self.settle(records)
            Case.write([records.case], {'ground': 'force_majeure'})
            with self.assertRaisesRegex(SettlementError, "has changed"):
                Settlement.post([settlement])

    @with_transaction()
    def test_outdated_amounts(self):
        "Test that the amounts that are posted are those of today"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _):
            records = self.create(company)
            settlement = self.settle(records)
            Enrolment.write(
                [records.enrolment], {'indivisible_fees': Decimal(0)})
            with self.assertRaisesRegex(SettlementError, "changed"):
                Settlement.post([settlement])
            self.settle(records)
            Settlement.post([settlement])

    @with_transaction()
    def test_access(self):
        "Test that an accountant settles and decides nothing"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _):
            records = self.create(company)
            accountant = create_user('accountant', company, 'accounting')
            for group in ['training', 'training_reading', 'auditor']:
                user = create_user(group, company, group)
                with self.subTest(group=group), as_user(user), \
                        self.assertRaises(AccessError):
                    run_wizard('training.abandon.case.settle', [records.case])
            with as_user(accountant):
                run_wizard(
                    'training.abandon.case.settle', [Case(records.case.id)])
                settlement, = Settlement.search([])
                self.assertEqual(settlement.lines[0].due, Decimal('1276.07'))
                with self.assertRaises(AccessError):
                    Settlement.write([settlement], {'due_amount': 0})
                with self.assertRaises(AccessError):
                    run_wizard('training.abandon.case.decide', [
                            Case(records.case.id)])
                with self.assertRaises(AccessError):
                    Case.read([records.case.id], ['decision_note'])
                Settlement.post([settlement])
            with as_user(create_user('other', company, 'training')), \
                    self.assertRaises(AccessButtonError):
                Settlement.cancel([Settlement(settlement.id)])

    @with_transaction()
    def test_cancelled_hours(self):
        "Test that what the provider cancelled leaves the indemnity only"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            records = self.create(company)
            slot, = Slot.create([{
                        'session': records.session.id,
                        'date': dt.date(2026, 4, 22),
                        'start': dt.time(8),
                        'end': dt.time(15),
                        }])
            Slot.cancel([slot])
            settlement = self.settle(records)
            self.assertEqual(settlement.due_amount, Decimal('1276.07'))
            # 3,300 × (70:00 − 23:15 − 7:00) / 70:00 = 1,873.93
            self.assertEqual(settlement.indemnity, Decimal('562.18'))
            self.assertEqual(list(settlement.warnings), ['cancelled_hours'])

    @with_transaction()
    def test_cancelled_elsewhere(self):
        "Test that what is cancelled outside the periods leaves nothing"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Settlement = pool.get('training.abandon.settlement')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            records = self.create(company)
            slot, = Slot.create([{
                        'session': records.session.id,
                        'date': dt.date(2026, 4, 22),
                        'start': dt.time(8),
                        'end': dt.time(15),
                        }])
            Slot.cancel([slot])
            planned, read = Enrolment._planned_spans, []

            def late(enrolment):
                "Have the trainee expected until the day before"
                read.append(enrolment)
                return [
                    {**span, 'end': 2 * dt.date(2026, 4, 21).toordinal() + 1}
                    for span in planned(enrolment)]

            with patch.object(Enrolment, '_planned_spans', late):
                settlement = self.settle(records)
                read.clear()
                Settlement.propose([records.case])
            self.assertEqual(read, [records.enrolment])
            self.assertEqual(list(settlement.warnings), [])

    @with_transaction()
    def test_cancelled_all(self):
        "Test that an indemnity without base is shown and may be corrected"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            records = self.create(company)
            slots = Slot.create([{
                        'session': records.session.id,
                        'date': dt.date(2026, 4, day),
                        'start': dt.time(6),
                        'end': dt.time(18),
                        } for day in range(20, 24)])
            Slot.cancel(slots)
            settlement = self.settle(records)
            _, indemnity = settlement.lines
            self.assertEqual(indemnity.due, Decimal('265.18'))
            payer = indemnity.payer
            settlement, = Settlement.settle([records.case], {
                    (records.case, payer, 'indemnity'): (
                        Decimal('661.18'), "Cancelled as nobody was left")})
            self.assertEqual(settlement.indemnity, Decimal('661.18'))

    @with_transaction()
    def test_attended_after(self):
        "Test that what was attended after the effective date is told"
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            records = self.create(company, 'D01')
            slot, = Slot.create([{
                        'session': records.session.id,
                        'date': dt.date(2026, 3, 5),
                        'start': dt.time(8),
                        'end': dt.time(15),
                        }])
            with today(slot.date):
                Slot.open([slot])
                Attendance.create([{
                            'slot': slot.id,
                            'enrolment': records.enrolment.id,
                            'state': 'present',
                            }])
                Slot.close([slot])
            settlement = self.settle(records)
            self.assertEqual(settlement.due_amount, Decimal('525.53'))
            self.assertEqual(list(settlement.warnings), ['attended_after'])

    @with_transaction()
    def test_late_start(self):
        "Test that the days before the start are those of the trainee"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        example = get_example('D01')
        with set_up() as (company, _, _):
            records = self.create(
                company, 'D01', attendance={
                    **example['attendance'],
                    'held': '0:00', 'attended': '0:00'},
                case={
                    **example['case'], 'ground': 'cancellation',
                    'effective_date': '2026-02-28'})
            Enrolment.write([records.enrolment], {
                    'start_date': dt.date(2026, 3, 5),
                    'end_date': None,
                    'indemnity_kind': 'scale',
                    'indemnity_scale': [('create', [
                                {'days_before_start': 3,
                                    'rate': Decimal('0.1')},
                                {'rate': Decimal('0.5')}])],
                    })
            self.assertEqual(
                self.settle(records).indemnity, Decimal('125.13'))

    @with_transaction()
    def test_corrections_bounded(self):
        "Test that nobody owes more than it can"
        pool = Pool()
        Settlement = pool.get('training.abandon.settlement')
        reason = "Reason"
        with set_up() as (company, _, _):
            records = self.create(company, 'D11')
            funder, client = (
                records.parties[n] for n in ['OPCO EP', 'client'])
            for payer, kind, due, error in [
                    (funder, 'due', 1501, "ceiling"),
                    (client, 'indemnity', 341, "not delivered"),
                    (client, 'indemnity', 340, None)]:
                corrections = {
                    (records.case, payer, kind): (Decimal(due), reason)}
                with self.subTest(due=due):
                    if error:
                        with self.assertRaisesRegex(SettlementError, error):
                            Settlement.settle([records.case], corrections)
                    else:
                        Settlement.settle([records.case], corrections)
            settlement, = Settlement.settle([records.case], {
                    (records.case, client, 'due'): (Decimal(900), reason)})
            self.assertIn('indemnity_not_corrected', settlement.warnings)
            self.assertEqual(settlement.indemnity, Decimal('102.24'))
            settlement, = Settlement.settle([records.case], {
                    (records.case, client, 'due'): (Decimal(900), reason),
                    (records.case, client, 'indemnity'): (
                        Decimal(120), reason)})
            self.assertNotIn('indemnity_not_corrected', settlement.warnings)

    @with_transaction()
    def test_sheets_missing(self):
        "Test that a slot of the past without sheet is told"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up() as (company, _, _):
            records = self.create(company)
            Slot.create([{
                        'session': records.session.id,
                        'date': dt.date(2026, 4, 14),
                        'start': dt.time(8),
                        'end': dt.time(9),
                        }])
            self.assertEqual(
                list(self.settle(records).warnings), ['sheets_missing'])

    @with_transaction()
    def test_trial(self):
        "Test what a rule would have given for the past cases"
        pool = Pool()
        Rule = pool.get('training.abandon.settlement.rule')
        Settlement = pool.get('training.abandon.settlement')
        name = 'training.abandon.settlement.rule.trial'
        with set_up() as (company, _, _):
            records = self.create(company, 'D09')
            expected = records.example['expected_if_rule_active']

            def try_(code, days=0):
                rule, = Rule.search([('code', '=', code)])
                wizard, start = open_wizard(name, [rule])
                day = records.case.effective_date + days * DAY
                start.update(from_date=day, to_date=day)
                view = apply_wizard(wizard, [rule], start, 'result')['view']
                return [
                    (x['case'], x['due'], x['tried'], x['difference'])
                    for x in view['defaults']['lines']]

            due = Decimal(expected['settlement']['due_amount'])
            self.assertEqual(
                try_('cpf_pay'), [(records.case.id, None, due, due)])
            self.assertEqual(try_('cpf_pay', 1), [])
            self.assertEqual(try_('pro_rata'), [])
            rule, = Rule.search([('code', '=', 'cpf_pay')])
            self.assertEqual(rule.state, 'inactive')
            self.assertEqual(Settlement.search([]), [])
            for owner, count in [(company, 1), (create_company("Other"), 0)]:
                user = create_user(f'head{count}', owner, 'training_admin')
                with as_user(user):
                    self.assertEqual(len(try_('cpf_pay')), count)
            rules = Rule.search([], limit=2)
            with self.assertRaises(SettlementRuleError):
                wizard, start = open_wizard(name, rules)
                apply_wizard(wizard, rules, start, 'result')

    @with_transaction()
    def test_statements(self):
        "Test that many cases are calculated at once"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Settlement = pool.get('training.abandon.settlement')
        with set_up() as (company, _, _):
            counts = []
            records = [self.create(company, 'D01').case for _ in range(4)]
            for day, case in enumerate(records, 1):
                Enrolment.write([case.enrolment], {
                        'agreement_date': dt.date(2026, 1, day)})
            for cases in [records[:1], records]:
                cases = type(cases[0]).browse(cases)
                with Transaction().set_context(_check_access=False), \
                        count_statements() as statements:
                    Settlement.propose(cases)
                counts.append(len(statements))
            self.assertLessEqual(counts[1], counts[0] + 2)

    @with_transaction()
    def test_lists(self):
        "Test the cases that wait for their settlement, and for whom"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Enrolment = pool.get('training.enrolment')
        Line = pool.get('training.abandon.settlement.line')
        ModelData = pool.get('ir.model.data')
        Settlement = pool.get('training.abandon.settlement')
        Task = pool.get('training.task')
        Window = pool.get('ir.action.act_window')

        def listed(name, Model):
            window = Window(ModelData.get_id('training_abandon', name))
            return Model.search(PYSONDecoder().decode(window.pyson_domain))

        with set_up() as (company, session, _):
            records = self.create(company)
            self.create(company, 'D14')
            head = create_user('head', company, 'training_admin')
            reader = create_user('reader', company, 'training')

            def waiting(user):
                with as_user(user):
                    return len(Task.search([('kind', '=', 'settle')]))

            self.assertEqual(
                listed('act_case_not_settled', Case), [records.case])
            self.assertEqual((waiting(head), waiting(reader)), (1, 0))
            open_cases([create_enrolments(session)[0]])
            accountant = create_user('accountant', company, 'accounting')
            with as_user(accountant), today(dt.date(2026, 12, 31)):
                task, = Task.search([])
                self.assertEqual((task.kind, task.record), (
                        'settle', records.case))
                self.assertEqual(
                    Task.handle([task])['wiz_name'],
                    'training.abandon.case.settle')
            with as_user(reader), today(dt.date(2026, 12, 31)):
                self.assertIn('step', {t.kind for t in Task.search([])})
            settlement = self.settle(records)
            self.assertEqual(listed('act_case_not_settled', Case), [])
            self.assertEqual(waiting(head), 0)
            self.assertEqual(
                [x.due for x in listed('act_settlement_indemnity', Line)],
                [Decimal('661.18')])
            Settlement.cancel([settlement])
            self.assertEqual(waiting(head), 1)
            # An apprenticeship is paid by day, without price
            for kind, count in [('agreement', 0), ('apprenticeship', 1)]:
                Enrolment.write([records.enrolment], {
                        'agreement_kind': kind,
                        'price': None,
                        'indivisible_fees': None,
                        'indemnity_kind': None,
                        })
                self.assertEqual(waiting(head), count)
            self.assertEqual(listed('act_settlement_indemnity', Line), [])

    @with_transaction()
    def test_transfer(self):
        "Test that a draft says where a transfer leads once it is known"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        case = {**get_example('D02')['case'], 'ground': 'transfer'}
        with set_up() as (company, _, _):
            records = self.create(company, case=case)
            settlement = self.settle(records)
            self.assertIn("complete the decision", settlement.explanation)
            Case.complete_decisions(
                [records.case],
                new_session=create_session(company, dt.date(2027, 3, 1)))
            again = self.settle(records)
            self.assertEqual(again, settlement)
            self.assertNotIn("complete the decision", again.explanation)
