# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import re
from collections import defaultdict

from sql import Literal

from trytond.i18n import gettext
from trytond.modules.company.model import employee_field
from trytond.pool import Pool, PoolMeta
from trytond.transaction import Transaction

ENDED_STATES = ['closed', 'cancelled']


def one_line(text):
    "Return the text as the description of a notification, which has one line"
    return re.sub(r'\s*[\t\n\r\x0b\x0c]\s*', ' ', text.strip())


class AdministratorsMixin:
    "Records with a company of which somebody must be told in the end"
    __slots__ = ()

    @classmethod
    def notify_administrators(cls, records, describe, icon='tryton-warning'):
        """Notify the administrators of the trainings of the companies, or
        those of the system for the companies that have none."""
        told = set()
        for user in cls._members('training_abandon', 'group_training_admin'):
            user_records = [r for r in records if r.company in user.companies]
            if user_records:
                cls._notify(user, user_records, describe, icon)
                told.update(r.company for r in user_records)
        untold = [r for r in records if r.company not in told]

        def describe_untold(records):
            label, description = describe(records)
            companies = dict.fromkeys(r.company.rec_name for r in records)
            return label, ' · '.join(filter(None, [
                        gettext('training_abandon.msg_administrator_lacking',
                            companies=', '.join(companies)),
                        description]))

        if untold:
            for user in cls._members('res', 'group_admin'):
                cls._notify(user, untold, describe_untold, icon)

    @classmethod
    def _members(cls, module, group):
        "Return the active users of the group"
        pool = Pool()
        ModelData = pool.get('ir.model.data')
        User = pool.get('res.user')
        return User.search([
                ('groups', '=', ModelData.get_id(module, group)),
                ])

    @classmethod
    def _notify(cls, user, records, describe, icon):
        language = user.language.code if user.language else None
        with Transaction().set_context(language=language):
            label, description = describe(records)
        if description:
            description = one_line(description)
        cls.notify_user(records, icon, label, description, user=user)


class Case(AdministratorsMixin, metaclass=PoolMeta):
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
