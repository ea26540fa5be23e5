# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who is told of what goes wrong"
import re

from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.transaction import Transaction


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
