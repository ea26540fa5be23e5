# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from sql import Literal

from trytond.modules.company.model import employee_field
from trytond.pool import Pool
from trytond.transaction import Transaction

from ..notify import AdministratorsMixin

ENDED_STATES = ['closed', 'cancelled']


class OwnerMixin(AdministratorsMixin):
    "Cases that an employee answers for"
    __slots__ = ()

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
    def _owners_query(cls, owner):
        "Return the query of the active users who are the owner"
        pool = Pool()
        User = pool.get('res.user')
        UserEmployee = pool.get('res.user-company.employee')
        user, user_employee = User.__table__(), UserEmployee.__table__()
        return user_employee.join(
            user, condition=user.id == user_employee.user).select(
                user.id,
                where=(user_employee.employee == owner)
                & (user.active == Literal(True)))

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
