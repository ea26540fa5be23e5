# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import re
from collections import defaultdict

from trytond.modules.company.model import employee_field
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

ENDED_STATES = ['closed', 'cancelled']


def one_line(text):
    "Return the text as the description of a notification, which has one line"
    return re.sub(r'\s*[\t\n\r\x0b\x0c]\s*', ' ', text.strip())


class Case(metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    owner = employee_field("Owner", states=ENDED_STATES)

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        has_owner = table_h.column_exist('owner')
        super().__register__(module)
        if not has_owner:
            table = cls.__table__()
            Transaction().connection.cursor().execute(*table.update(
                    [table.owner], [table.opened_by]))

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.owner.help = (
            "The employee who is told what goes wrong with the case: "
            "the one who opened it, unless changed.")

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'create' and not values.get('owner'):
            values['owner'] = values.get('opened_by')
        return values

    @classmethod
    def notify_owners(cls, cases, describe, icon='tryton-warning'):
        """Notify the users who are the owners of the cases, and the
        administrators for the cases that have none, once for all the cases
        of each of them.

        describe returns the label and the description of the notification
        for a list of cases, in the language of the transaction."""
        owners = cls._users_of({c.owner for c in cases if c.owner})
        orphans = [c for c in cases if not owners.get(c.owner)]
        by_user = defaultdict(list)
        for case in cases:
            for user in owners.get(case.owner, []):
                by_user[user].append(case)
        for user, user_cases in by_user.items():
            cls._notify(user, user_cases, describe, icon)
        if orphans:
            cls.notify_administrators(orphans, describe, icon=icon)

    @classmethod
    def notify_administrators(cls, cases, describe, icon='tryton-warning'):
        "Notify the administrators of the trainings of the companies"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        User = pool.get('res.user')
        group = ModelData.get_id('training_abandon', 'group_training_admin')
        for user in User.search([('groups', '=', group)]):
            user_cases = [c for c in cases if c.company in user.companies]
            if user_cases:
                cls._notify(user, user_cases, describe, icon)

    @classmethod
    def _notify(cls, user, cases, describe, icon):
        language = user.language.code if user.language else None
        with Transaction().set_context(language=language):
            label, description = describe(cases)
        if description:
            description = one_line(description)
        cls.notify_user(cases, icon, label, description, user=user)

    @classmethod
    def _users_of(cls, employees):
        "Return the list of the active users by employee"
        pool = Pool()
        User = pool.get('res.user')
        users = defaultdict(list)
        if employees:
            for user in User.search([
                        ('employees', 'in', [e.id for e in employees]),
                        ]):
                for employee in user.employees:
                    users[employee].append(user)
        return users
