# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt

from trytond.modules.training_abandon.exceptions import SlotCalendarWarning
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction, without_check_access

from .common import DATE, DatabaseTestCase, as_user, create_user, set_up


def period(start, end):
    "Return the domain of what a calendar shows from a day to another one"
    start, end = (
        dt.datetime.combine(d, dt.time()) for d in [start, end])
    return [
        'AND', [('state', '!=', 'cancelled')], [
            ('start_at', '!=', None),
            ('end_at', '!=', None),
            ['OR',
                ['AND', ('start_at', '>=', start), ('start_at', '<', end)],
                ['AND', ('end_at', '>=', start), ('end_at', '<', end)],
                ]]]


class SlotCalendarTestCase(DatabaseTestCase):
    "Test that a calendar tells that it does not show all"

    @with_transaction()
    def test_limit(self):
        "Test that who opens a calendar beyond its limit is told, once"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        Warning = pool.get('res.user.warning')
        month = period(DATE, DATE + dt.timedelta(days=30))
        with set_up() as (company, session, _):
            user = create_user('assistant', company, 'training')
            with as_user(user), \
                    Transaction().set_context(slot_calendar=True):
                self.assertEqual(len(Slot.search(month, limit=4)), 4)
                with self.assertRaisesRegex(
                        SlotCalendarWarning, "only 3 of the 4") as error:
                    Slot.search(month, limit=3)
                with without_check_access():
                    Warning.skip(error.exception.name)
                self.assertEqual(len(Slot.search(month, limit=3)), 3)
                # Another period is another calendar
                with self.assertRaises(SlotCalendarWarning):
                    Slot.search(
                        period(DATE, DATE + dt.timedelta(days=7)), limit=3)
                # A list has pages
                self.assertEqual(len(Slot.search([], limit=3)), 3)
            with as_user(user):
                self.assertEqual(len(Slot.search(month, limit=3)), 3)

    @with_transaction()
    def test_empty(self):
        "Test a calendar opened on a month without slot"
        pool = Pool()
        Slot = pool.get('training.session.slot')
        with set_up(), Transaction().set_context(
                slot_calendar=True, _skip_warnings=False):
            empty = period(
                DATE + dt.timedelta(days=90), DATE + dt.timedelta(days=120))
            self.assertEqual(Slot.search(empty, limit=10000), [])
            self.assertEqual(Slot.search(empty, limit=10000, count=True), 0)

    @with_transaction()
    def test_actions(self):
        "Test that all the calendars of slots tell it"
        pool = Pool()
        Data = pool.get('ir.model.data')
        View = pool.get('ir.action.act_window.view')
        calendar = Data.get_id('training_abandon', 'slot_view_calendar')
        actions = {
            v.act_window for v in View.search([('view', '=', calendar)])}
        self.assertTrue(actions)
        for action in actions:
            with self.subTest(action=action.name):
                self.assertIn('slot_calendar', action.context)
