# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

from trytond.i18n import gettext
from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon.exceptions import CaseStepError
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DatabaseTestCase, analyse, as_user, create_enrolments, create_user,
    get_reason, open_cases, run_wizard, set_up)


def run_mails(name, case):
    "Return the mails that the wizard writes about the case"
    run_wizard(name, [case])
    return list(type(case)(case.id).mails)


class CaseAnalysisTestCase(DatabaseTestCase):
    "Test the reasons and the causes of the cases"

    @with_transaction()
    def test_analyse(self):
        "Test that the analysis determines a cause and details the reasons"
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            run_wizard('training.abandon.case.ask_reasons', [case])
            with self.assertRaises(CaseStepError):
                run_wizard('training.abandon.case.analyse', [case])
            with self.assertRaises(CaseStepError):
                analyse([case], reasons=[get_reason('other').id])
            analyse([case], 'no_answer', reasons=[
                    get_reason('no_answer').id])
            self.assertEqual(case.state, 'analysed')
            # Silence is no answer
            self.assertFalse(case.answered_at)
            self.assertEqual(case.certificate_kind, 'record')

    @with_transaction()
    def test_category(self):
        "Test that a category stays as the prescriber was told"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Reason = pool.get('training.abandon.reason')
        with set_up() as (company, session, prescriber):
            told, untold, declared = cases = open_cases(
                create_enrolments(session, 3, prescriber=prescriber))
            for case in cases:
                while case.next_kind != 'analyse':
                    type(case).skip_step([case], "Not needed")
            Case.declare_reasons([declared], [get_reason('time.lack')])
            analyse([told, untold])
            for case in cases:
                while case.next_kind != 'follow_up':
                    type(case).skip_step([case], "Not needed")
            mails = run_mails('training.abandon.case.follow_up', told)
            mails += run_mails('training.abandon.case.follow_up', declared)
            family = get_reason('time.lack').parent.name
            self.assertEqual(
                [family in m.body for m in mails if m.party == prescriber],
                [True, True])
            Reason.write([get_reason('time.lack')], {'sensitive': True})
            self.assertEqual(
                [Case(c.id).reason_category for c in cases],
                [family, gettext(
                        'training_abandon.msg_reason_category_personal'),
                    family])

    @with_transaction()
    def test_order(self):
        "Test that the reasons are in the order of the letter, the other last"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Cause = pool.get('training.abandon.case.cause')
        Reason = pool.get('training.abandon.reason')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            *letter, other = case.procedure.reasons
            families = [r.parent for r in letter]
            unprinted = [
                r.name for r in Reason.search([('parent', '=', None)])
                if r not in families and r != other]
            self.assertEqual(unprinted, sorted(unprinted))
            self.assertEqual(
                [r.name for r in Reason.search([('parent', '=', None)])],
                [r.name for r in families] + unprinted + [other.name])

            declared = [letter[2], get_reason('digital'), other, letter[0]]
            Case.write([case], {
                    'reasons': [('add', [r.id for r in declared])],
                    })
            Cause.save([Cause(case=case, cause=r) for r in declared])
            ordered = [letter[0], letter[2], get_reason('digital'), other]
            case = Case(case.id)
            self.assertEqual(list(case.reasons), ordered)
            self.assertEqual([c.cause for c in case.causes], ordered)
            self.assertEqual(
                case.reason_category,
                ', '.join(r.family.name for r in ordered))

    @with_transaction()
    def test_choices(self):
        "Test that the reasons to tick are in the order of the letter"
        pool = Pool()
        Analyse = pool.get('training.abandon.case.analyse', type='wizard')
        Case = pool.get('training.abandon.case')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            while case.next_kind != 'analyse':
                Case.skip_step([case], "Not needed")
            with Transaction().set_context(
                    active_model='training.abandon.case',
                    active_id=case.id, active_ids=[case.id]):
                session_id, start, _ = Analyse.create()
                view = Analyse.execute(session_id, {}, start)['view']
            printed, others = [
                [c['name'] for c in view['defaults'][f'{name}_choices']]
                for name in ['printed', 'other']]
            self.assertEqual(printed, [r.name for r in case.procedure.reasons])
            self.assertEqual(others, sorted(others))

    @with_transaction()
    def test_sensitive(self):
        "Test who reads and searches the sensitive reasons"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Cause = pool.get('training.abandon.case.cause')
        Enrolment = pool.get('training.enrolment')
        with set_up() as (company, session, prescriber):
            case, = open_cases(create_enrolments(session))
            run_wizard('training.abandon.case.ask_reasons', [case])
            reader = create_user(
                'reader', company, 'training', 'sensitive_reason')
            other = create_user('other', company, 'training')
            health, time = map(get_reason, ['health', 'time.lack'])
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
                case.reason_category, "Time and Workload, Personal reason")
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
