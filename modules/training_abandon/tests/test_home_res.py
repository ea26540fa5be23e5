# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.pool import Pool
from trytond.tests.test_tryton import with_transaction
from trytond.transaction import Transaction

from .common import DatabaseTestCase, as_user, create_user, set_up


class UserTestCase(DatabaseTestCase):
    "Test what opens at login"

    def home(self):
        pool = Pool()
        Data = pool.get('ir.model.data')
        return Data.get_id('training_abandon', 'act_home')

    @with_transaction()
    def test_home(self):
        "Test that the home opens first, until the user chooses otherwise"
        pool = Pool()
        Data = pool.get('ir.model.data')
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            user = create_user('assistant', company, 'training')
            sheets = Data.get_id('training_abandon', 'act_sheet_form')
            User.write([user], {'actions': [('add', [sheets])]})

            def actions():
                with as_user(user):
                    return User.get_preferences()['actions']

            def set_preferences(**values):
                # As the remote procedure call
                with as_user(user), Transaction().set_context(
                        _check_access=False):
                    User.set_preferences(values)

            def choose(*args):
                set_preferences(actions=list(args))

            self.assertEqual(actions(), [self.home(), sheets])
            choose(('remove', [self.home(), sheets]))
            self.assertEqual(actions(), [])
            choose(('add', [self.home(), sheets]))
            self.assertEqual(actions(), [self.home(), sheets])
            self.assertEqual(
                [a.id for a in User(user.id).actions], [sheets])
            set_preferences(training_home=False)
            self.assertEqual(actions(), [sheets])

    @with_transaction()
    def test_homes(self):
        "Test that each opens what is theirs to do"
        pool = Pool()
        Action = pool.get('ir.action')
        Data = pool.get('ir.model.data')
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            for groups, name in [
                    (['accounting'], 'act_task_settle'),
                    (['trainer'], 'act_sheet_form'),
                    (['accounting', 'training'], 'act_home'),
                    ]:
                with self.subTest(groups=groups):
                    user = create_user('-'.join(groups), company, *groups)
                    with as_user(user):
                        home = User._home_action()
                        self.assertEqual(
                            User.get_preferences()['actions'][0], home)
                        self.assertEqual(
                            home, Action.get_action_id(
                                Data.get_id('training_abandon', name)))
                        # They may open it
                        self.assertEqual(
                            [a.id for a in Action.search(
                                    [('id', '=', home)])], [home])

    @with_transaction()
    def test_other_users(self):
        "Test that those who do not train are left alone"
        pool = Pool()
        User = pool.get('res.user')
        with set_up() as (company, session, prescriber):
            user = create_user('other', company)
            with as_user(user):
                preferences = User.get_preferences()
                self.assertEqual(preferences['actions'], [])
                self.assertNotIn(
                    'training_home', User.get_preferences(context_only=True))


del DatabaseTestCase
