# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null

from trytond.i18n import gettext
from trytond.model import Index, fields
from trytond.model.exceptions import AccessError
from trytond.pool import PoolMeta
from trytond.pyson import Eval

from ..access import is_user


class Cron(metaclass=PoolMeta):
    __name__ = 'ir.cron'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.method.selection.extend([
                ('training.mail|deliver_due', "Deliver Training Mails"),
                ])


class Email(metaclass=PoolMeta):
    __name__ = 'ir.email'

    training_mail = fields.Many2One(
        'training.mail', "Training Mail", readonly=True,
        states={
            'invisible': ~Eval('training_mail'),
            },
        help="The mail of the training from which this email was archived.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.training_mail, Index.Equality()),
                where=t.training_mail != Null))

    def get_user(self, name):
        user = super().get_user(name)
        if self.training_mail:
            user = None
        return user

    @classmethod
    def copy(cls, emails, default=None):
        # What no one may create by hand says what was sent
        if is_user():
            raise AccessError(gettext('training_abandon.msg_email_copy'))
        return super().copy(emails, default=default)
