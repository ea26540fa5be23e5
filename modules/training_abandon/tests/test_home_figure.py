# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.model.exceptions import AccessError
from trytond.modules.training_abandon import tools
from trytond.modules.training_abandon.home.figure import FEWEST
from trytond.pool import Pool
from trytond.pyson import PYSONDecoder
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import (
    DATE, DAY, NoticeTestCase, analyse, as_user, create_enrolments,
    create_user, decide, get_to_decision, open_cases, set_up, today)


class FigureTestCase(NoticeTestCase):
    "Test the numbers of the home and what they open"

    def opened(self, figures):
        "Return the records that the figures open"
        pool = Pool()
        Open = pool.get('training.figure.open', type='wizard')
        session_id, start, _ = Open.create()
        with Transaction().set_context(
                active_model=figures[0].__name__,
                active_id=figures[0].id,
                active_ids=[f.id for f in figures]):
            (action, _), = Open.execute(session_id, {}, start)['actions']
        domain = PYSONDecoder({}).decode(action['pyson_domain'])
        return pool.get(action['res_model']).search(domain)

    @with_transaction()
    def test_step(self):
        "Test the open cases by step"
        pool = Pool()
        Figure = pool.get('training.figure.step')
        with set_up() as (company, session, prescriber):
            enrolments = create_enrolments(session, 3, prescriber=prescriber)
            one, other, decided = open_cases(enrolments)
            one.skip_step([one], "Told by phone")
            decided.cancel([decided])
            with today(DATE):
                inform, ask = Figure.search([])
                self.assertEqual(inform.label, "1. Inform the Prescriber")
                self.assertEqual(
                    [(f.on_time, f.late) for f in [inform, ask]],
                    [(1, 0), (1, 0)])
                self.assertEqual(self.opened([inform]), [other])
                self.assertEqual(self.opened([ask]), [one])
            tools.forget_read()
            with today(DATE + 60 * DAY):
                self.assertEqual(
                    [(f.on_time, f.late) for f in Figure.search([])],
                    [(0, 1), (0, 1)])

    @with_transaction()
    def test_month(self):
        "Test what is decided by month"
        pool = Pool()
        Figure = pool.get('training.figure.month')
        with set_up() as (company, session, prescriber):
            abandoned, moved, away = [
                get_to_decision(e) for e in create_enrolments(session, 3)]
            decide(abandoned)
            decide(moved, ground='postponed')
            decide(away, ground='force_majeure')
            figure, = Figure.search([])
            self.assertEqual(
                (figure.label, figure.date), ('2026-03', dt.date(2026, 3, 1)))
            self.assertEqual(
                (figure.abandoned, figure.retained, figure.other), (1, 1, 1))
            self.assertEqual(
                set(self.opened([figure])), {abandoned, moved, away})
            tools.forget_read()
            with today(DATE + 400 * DAY):
                self.assertEqual(Figure.search([]), [])

    @with_transaction()
    def test_reason(self):
        "Test that a category is not told below a number of cases"
        pool = Pool()
        Figure = pool.get('training.figure.reason')
        Reason = pool.get('training.abandon.reason')
        with set_up() as (company, session, prescriber):
            user = create_user('assistant', company, 'training')
            cases = open_cases(create_enrolments(session, FEWEST + 1))
            for case in cases:
                while case.next_kind != 'analyse':
                    case.skip_step([case], "Not needed")
            analyse(cases[:FEWEST - 1])
            self.assertEqual(Figure.search([]), [])
            analyse(cases[FEWEST - 1:FEWEST])
            figure, = Figure.search([])
            self.assertEqual((figure.declared, figure.determined), (0, FEWEST))
            self.assertTrue(figure.label)
            self.assertEqual(
                set(self.opened([figure])), set(cases[:FEWEST]))
            Reason.write(Reason.search([
                        ('code', '=', 'time.lack')]), {'sensitive': True})
            tools.forget_read()
            with as_user(user):
                figure, = Figure.search([])
                self.assertEqual(figure.label, "Personal reason")

    @with_transaction()
    def test_reason_order(self):
        "Test that the categories are in the order of the letter"
        pool = Pool()
        Figure = pool.get('training.figure.reason')
        with set_up() as (company, session, prescriber):
            cases = open_cases(create_enrolments(session, FEWEST))
            *letter, other = cases[0].procedure.reasons
            for case in cases:
                while case.next_kind != 'analyse':
                    case.skip_step([case], "Not needed")
            type(case).declare_reasons(cases, [other, *reversed(letter)])
            self.assertEqual(
                [f.label for f in Figure.search([])],
                [r.family.name for r in [*letter, other]])

    @with_transaction()
    def test_attendance(self):
        "Test the attendance by course"
        pool = Pool()
        Figure = pool.get('training.figure.attendance')
        with set_up() as (company, session, prescriber):
            one, other = create_enrolments(session, 2)
            self.fill(session.slots[:2], {one: 'present', other: 'present'})
            self.fill(session.slots[2:3], {one: 'present', other: 'absent'})
            figure, = Figure.search([])
            self.assertEqual(figure.course, session.course)
            self.assertEqual(figure.rate, 83)
            self.assertEqual(set(self.opened([figure])), {one, other})

    @with_transaction()
    def test_gone(self):
        "Test that a number that is gone refuses nothing"
        pool = Pool()
        Figure = pool.get('training.figure.step')
        Open = pool.get('training.figure.open', type='wizard')
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            case, other = open_cases(create_enrolments(session, 2))
            other.skip_step([other], "Told by phone")
            user = create_user('assistant', company, 'training')
            names = ['label', 'number', 'company.rec_name', 'rec_name']
            ids = [f.id for f in Figure.search([])]
            self.assertEqual(len(ids), 2)
            case.cancel([case])
            tools.forget_read()
            with as_user(user):
                gone, left = Figure.read(ids, names)
                self.assertEqual(gone['id'], ids[0])
                self.assertEqual(
                    {gone.get(name) for name in names}, {None})
                self.assertEqual((left['id'], left['number']), (ids[1], 1))
                self.assertEqual(
                    self.opened(Figure.browse(ids)), [other])
                session_id, start, _ = Open.create()
                with Transaction().set_context(
                        active_model=Figure.__name__, active_id=ids[0],
                        active_ids=ids[:1]):
                    self.assertNotIn(
                        'actions', Open.execute(session_id, {}, start))
            User.write([user], {
                    'company': None,
                    'employee': None,
                    'employees': [('remove', [
                                e.id for e in user.employees])],
                    'companies': [('remove', [company.id])],
                    })
            with as_user(user), self.assertRaises(AccessError):
                Figure.read(ids[1:], names)

    @with_transaction()
    def test_companies(self):
        "Test the user without company"
        pool = Pool()
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            open_cases(create_enrolments(session))
            user = create_user('assistant', company, 'training')
            Figure = pool.get('training.figure.step')
            with as_user(user):
                self.assertEqual(len(Figure.search([])), 1)
            User.write([user], {
                    'company': None,
                    'employee': None,
                    'employees': [('remove', [
                                e.id for e in user.employees])],
                    'companies': [('remove', [company.id])],
                    })
            for name in ['step', 'month', 'reason', 'attendance']:
                with as_user(user):
                    self.assertEqual(
                        pool.get(f'training.figure.{name}').search([]), [])


del NoticeTestCase
