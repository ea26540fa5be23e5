# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from lxml import etree

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.exceptions import CaseStepError
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction

from .common import (
    DATE, DAY, DatabaseTestCase, analyse, apply_wizard, as_user,
    count_statements, create_enrolments, create_user, get_reason, open_cases,
    open_wizard, run_wizard, set_up, wizard_context)


class CaseWizardTestCase(DatabaseTestCase):
    "Test the wizards of the steps"

    @with_transaction()
    def test_several_cases(self):
        "Test a step of several cases: each mail is about its case"
        with set_up() as (company, session, prescriber):
            cases = open_cases(
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
            cases = open_cases(
                create_enrolments(session, 51, prescriber=prescriber))
            wizard, start = open_wizard(
                'training.abandon.case.inform', cases)
            mail, = start['mails']
            self.assertFalse(mail.get('case'))
            apply_wizard(wizard, cases, start)
            self.assertEqual({c.state for c in cases}, {'informed'})
            self.assertEqual({len(c.mails) for c in cases}, {1})

    @with_transaction()
    def test_apply_statements(self):
        "Test that a mail more costs few statements more"
        counts = {}
        with set_up() as (company, session, prescriber):
            for number in [5, 40]:
                cases = open_cases(create_enrolments(
                        session, number, prescriber=prescriber))
                wizard, start = open_wizard(
                    'training.abandon.case.inform', cases)
                with count_statements() as statements:
                    apply_wizard(wizard, cases, start)
                counts[number] = len(
                    [s for s in statements if not s.startswith('INSERT')])
        self.assertLess((counts[40] - counts[5]) / 35, 4)

    def skip_to(self, kind, *cases):
        while cases[0].next_kind != kind:
            type(cases[0]).skip_step(list(cases), "Not needed")

    def buttons(self, name, cases, start=None):
        """Return the labels of the buttons by state, those hidden by the
        values of the form left out"""
        pool = Pool()
        Wizard = pool.get(name, type='wizard')
        session_id, _, _ = Wizard.create()
        with wizard_context(cases):
            view = Wizard.execute(session_id, {}, 'start')['view']
        values = {**view['defaults'], **(start or {})}
        return {
            b['state']: b['string'] for b in view['buttons']
            if not PYSONDecoder(values).decode(b['states']).get('invisible')}

    @with_transaction()
    def test_analyse_ticks(self):
        "Test that the reasons ticked are the causes, with who is responsible"
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            self.skip_to('analyse', case)
            wizard, start = open_wizard(
                'training.abandon.case.analyse', [case])
            printed = start['printed_choices']
            self.assertEqual(
                [c['reason'] for c in printed],
                [r.id for r in case.procedure.reasons])
            others = start['other_choices']
            offered = [c['reason'] for c in [*printed, *others]]
            self.assertEqual(len(set(offered)), len(offered))
            health, employer = (
                next(c for c in others if c['reason'] == get_reason(code).id)
                for code in ['health', 'employer'])
            self.assertEqual(
                [printed[0]['responsible'], employer['responsible'],
                    health['responsible']],
                ['trainee', 'employer', 'external'])
            printed[0]['retained'] = employer['retained'] = True
            health['responsible'] = 'provider'
            # What is added counts once
            start['causes'] = [{
                    'cause': printed[0]['reason'],
                    'responsible': 'external',
                    'note': "Works at night",
                    }]
            apply_wizard(wizard, [case], start)
            self.assertEqual(
                {(c.cause.id, c.responsible) for c in case.causes}, {
                    (printed[0]['reason'], 'external'),
                    (employer['reason'], 'employer')})
            self.assertFalse(case.reasons)

    @with_transaction()
    def test_analyse_declared(self):
        "Test that what is ticked as given is the reasons declared"
        pool = Pool()
        Start = pool.get('training.abandon.case.analyse.start')
        time, other = get_reason('time.lack'), get_reason('other')
        start = Start(
            reasons=[other],
            printed_choices=[
                {'reason': time.id, 'declared': True},
                {'reason': other.id, 'declared': False}],
            other_choices=[])
        start.on_change_printed_choices()
        self.assertEqual(list(start.reasons), [time])
        start.printed_choices[0].declared = False
        start.on_change_other_choices()
        self.assertEqual(list(start.reasons), [])

    @with_transaction()
    def test_analyse_several(self):
        "Test that the causes ticked are those of all the cases"
        with set_up() as (company, session, prescriber):
            cases = open_cases(create_enrolments(session, 3))
            self.skip_to('analyse', *cases)
            wizard, start = open_wizard(
                'training.abandon.case.analyse', cases)
            start['printed_choices'][1]['retained'] = True
            apply_wizard(wizard, cases, start)
            self.assertEqual(
                {tuple(c.cause.id for c in case.causes) for case in cases},
                {(start['printed_choices'][1]['reason'],)})

    @with_transaction()
    def test_propose_ticks(self):
        "Test that only the suggestions ticked are proposed"
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            self.skip_to('analyse', case)
            analyse([case])
            wizard, start = open_wizard(
                'training.abandon.case.propose', [case])
            self.assertEqual(
                [c['solution'] for c in start['choices']],
                start['suggestions'])
            self.assertGreater(len(start['choices']), 2)
            with self.assertRaises(CaseStepError):
                apply_wizard(wizard, [case], start)
            start['choices'][1].update(
                proposed=True, description="From Monday")
            start['proposals'] = [{'description': "Evening classes"}]
            apply_wizard(wizard, [case], start)
            self.assertEqual(
                [(p.solution.id if p.solution else None, p.description)
                    for p in case.proposals], [
                    (start['choices'][1]['solution'], "From Monday"),
                    (None, "Evening classes")])

    def proposed(self, session, prescriber, count=1, proposals=2):
        cases = open_cases(
            create_enrolments(session, count, prescriber=prescriber))
        self.skip_to('propose', *cases)
        run_wizard('training.abandon.case.propose', cases, proposals=[
                {'description': f"Solution {i}"}
                for i in range(1, proposals + 1)])
        return cases

    @with_transaction()
    def test_exchange_matrix(self):
        "Test the answers of each party to each proposal"
        pool = Pool()
        Mechanism = pool.get('party.contact_mechanism')
        with set_up() as (company, session, prescriber):
            Mechanism.create([{
                        'party': prescriber.id,
                        'type': 'phone',
                        'value': '01 23 45 67 89',
                        }])
            case, = self.proposed(session, prescriber)
            wizard, start = open_wizard(
                'training.abandon.case.exchange', [case])
            trainee, adviser = start['exchanges']
            self.assertEqual(
                [trainee['phone'], adviser['phone']],
                [None, '01 23 45 67 89'])
            trainee.update(answer_1='refused', answer_2='accepted')
            adviser.update(
                answer_2='accepted', kind='meeting', outcome='appointment')
            # The same answer is recorded once
            line, = (r for r in start['responses']
                if r['proposal'] == trainee['proposals'][0]
                and r['party'] == trainee['party'])
            line['answer'] = 'accepted'
            apply_wizard(wizard, [case], start)
            self.assertEqual(
                [(p.state, sorted((r.party.id, r.answer, r.channel)
                            for r in p.responses)) for p in case.proposals], [
                    ('refused', [(trainee['party'], 'refused', 'call')]),
                    ('accepted', sorted([
                                (trainee['party'], 'accepted', 'call'),
                                (adviser['party'], 'accepted', 'meeting'),
                                ]))])
            self.assertEqual(
                {(f.party.id, f.outcome) for f in case.follow_ups}, {
                    (trainee['party'], 'reached'),
                    (adviser['party'], 'appointment')})

    @with_transaction()
    def test_exchange_columns(self):
        "Test that the columns are the proposals"
        pool = Pool()
        Wizard = pool.get('training.abandon.case.exchange', type='wizard')

        def columns(cases):
            session_id, _, _ = Wizard.create()
            with wizard_context(cases):
                view = Wizard.execute(session_id, {}, 'start')['view']
            child, = view['fields_view']['fields']['exchanges'][
                'views'].values()
            return [
                e.get('string')
                for e in etree.fromstring(child['arch'].encode('utf-8')).xpath(
                    '//field[starts-with(@name, "answer_")]')]

        with set_up() as (company, session, prescriber):
            case, = self.proposed(session, prescriber)
            names = ["Solution 1", "Solution 2"]
            self.assertEqual(columns([case]), names)
            cases = self.proposed(session, prescriber, 2, proposals=3)
            self.assertEqual(
                columns(cases), ["Proposal 1", "Proposal 2", "Proposal 3"])
            # The view of the others is left as it is
            self.assertEqual(columns([case]), names)
            more, = self.proposed(session, prescriber, proposals=8)
            self.assertEqual(len(columns([more])), 6)
            none, = open_cases(create_enrolments(session))
            self.assertEqual(columns([none]), [])

    @with_transaction()
    def test_exchange_other_proposals(self):
        "Test that the answers stay those of the proposals that were shown"
        pool = Pool()
        Proposal = pool.get('training.abandon.proposal')
        with set_up() as (company, session, prescriber):
            case, = self.proposed(session, prescriber)
            first, second = case.proposals
            wizard, start = open_wizard(
                'training.abandon.case.exchange', [case])
            for line in start['exchanges']:
                line['answer_2'] = 'accepted'
            Proposal.write([first], {'state': 'refused'})
            apply_wizard(wizard, [case], start)
            self.assertEqual(Proposal(second.id).state, 'accepted')

    @with_transaction()
    def test_buttons(self):
        "Test that the buttons say what they do"
        with set_up() as (company, session, prescriber):
            cases = open_cases(
                create_enrolments(session, 2, prescriber=prescriber))
            name = 'training.abandon.case.inform'
            self.assertEqual(
                self.buttons(name, cases),
                {'end': "Cancel", 'apply': "Send 2 mails"})
            self.assertEqual(
                self.buttons(name, cases[:1])['apply'], "Send 1 mail")
            self.assertEqual(
                self.buttons(name, cases, {'mail_count': 1}),
                {'end': "Cancel", 'send': "Send the Mails Ticked"})
            self.assertEqual(
                self.buttons(
                    'training.abandon.case.cancel_case', cases),
                {'end': "Back", 'apply': "Cancel the Case"})
            self.skip_to('decide', cases[0])
            for values, button in [
                    ({'decision': None},
                        ('apply', "Validate the Abandonment")),
                    ({'decision': 'validated', 'ground': 'abandonment'},
                        ('apply', "Validate the Abandonment")),
                    ({'decision': 'validated', 'ground': 'transfer'},
                        ('validate', "Validate the Decision")),
                    ({'decision': 'invalidated', 'ground': 'unfounded'},
                        ('invalidate', "Invalidate the Abandonment")),
                    ({'decision': 'invalidated', 'ground': 'resumed'},
                        ('resume', "Resume the Training")),
                    ]:
                with self.subTest(**values):
                    buttons = self.buttons(
                        'training.abandon.case.decide', [cases[0]],
                        {'ground': None, **values})
                    del buttons['end']
                    self.assertEqual(buttons, dict([button]))

    @with_transaction()
    def test_other_buttons(self):
        "Test that the other buttons of a form do what apply does"
        with set_up() as (company, session, prescriber):
            informed, resumed = open_cases(
                create_enrolments(session, 2, prescriber=prescriber))
            wizard, start = open_wizard(
                'training.abandon.case.inform', [informed])
            apply_wizard(wizard, [informed], start, 'send')
            self.assertEqual(informed.state, 'informed')
            self.skip_to('decide', resumed)
            wizard, start = open_wizard(
                'training.abandon.case.decide', [resumed])
            start.update(
                decision='invalidated', ground='resumed', effective_date=DATE)
            apply_wizard(wizard, [resumed], start, 'resume')
            self.assertEqual(resumed.ground, 'resumed')

    @with_transaction()
    def test_mail_count(self):
        "Test how many mails the form tells"
        pool = Pool()
        Start = pool.get('training.abandon.case.inform.start')
        start = Start(mails=[
                {'count': 1, 'send': True, 'channel': 'email'},
                {'count': 1, 'send': False, 'channel': 'email'},
                {'count': 1, 'send': True, 'channel': 'call'},
                {'count': 60, 'send': True, 'channel': 'email'},
                ])
        self.assertEqual(start.on_change_with_mail_count(), 61)
        with set_up() as (company, session, prescriber):
            cases = open_cases(
                create_enrolments(session, 51, prescriber=prescriber))
            self.assertEqual(
                self.buttons('training.abandon.case.inform', cases)['apply'],
                "Send 51 mails")

    @with_transaction()
    def test_exchange_before_opening(self):
        "Test that an exchange is about the proposals of the case"
        with set_up() as (company, session, prescriber):
            case, = open_cases(
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
    def test_exchange_statements(self):
        "Test that the evidence is stored at once for all the cases"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        FollowUp = pool.get('training.follow_up')
        with set_up() as (company, session, _):
            counts = []
            for number in [2, 10]:
                cases = open_cases(create_enrolments(session, number))
                while cases[0].next_kind != 'exchange':
                    Case.skip_step(cases, "Not needed")
                FollowUp.create([{
                            'company': company.id,
                            'enrolment': case.enrolment.id,
                            'case': case.id,
                            'party': case.trainee.party.id,
                            'done_at': tools.now(),
                            'outcome': 'reached',
                            } for case in cases])
                with count_statements() as statements:
                    run_wizard('training.abandon.case.exchange', cases)
                counts.append(sum(
                        s.startswith('UPDATE "training_abandon_case_step" ')
                        and '"evidence" =' in s for s in statements))
                self.assertEqual(
                    {c.get_step('exchange').evidence for c in cases},
                    {'proven'})
            self.assertEqual(*counts)
            self.assertTrue(counts[0])

    @with_transaction()
    def test_exchange_after_midnight(self):
        "Test that days are those of the company, not of UTC"
        with set_up() as (company, session, prescriber):
            company.timezone = 'Europe/Paris'
            company.save()
            case, = open_cases(
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
