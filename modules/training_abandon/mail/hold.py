# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The mails that a copy of the database or of its configuration holds"
import socket

import trytond.config as config
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction

from .claim import WAITING


class HoldMixin:
    "Mails that leave only from the database and the host that are live"
    __slots__ = ()

    held = fields.Function(
        fields.Boolean(
            "Held",
            help="The mail does not leave because this database is not the "
            "one that sends."),
        'get_held', searcher='search_held')
    hold_notice = fields.Function(
        fields.Text("Held", states={
                'invisible': ~Eval('held'),
                },
            help="Why the mail does not leave from this database."),
        'get_hold_notice')

    @classmethod
    def _live_name(cls):
        "Return the name of the running database as the option live tells it"
        return f'{Transaction().database.name}@{socket.gethostname()}'

    @classmethod
    def is_live(cls):
        """Return if the running database is the one that sends.

        A copy of the database or of the configuration writes to nobody."""
        live = config.get('training_abandon', 'live', default='') or ''
        return live.strip() == cls._live_name()

    @classmethod
    def get_held(cls, mails, name):
        live = cls.is_live()
        return {m.id: not live and m.state in WAITING for m in mails}

    @classmethod
    def search_held(cls, name, clause):
        _, operator, value = clause
        values = value if operator in {'in', 'not in'} else [value]
        searched = {
            held for held in [True, False]
            if (held in map(bool, values)) == (operator in {'=', 'in'})}
        waiting = [] if cls.is_live() else WAITING
        return ['OR',
            ('state', 'in', waiting if True in searched else []),
            ('state', 'not in', waiting) if False in searched else (
                'state', 'in', []),
            ]

    def get_hold_notice(self, name):
        return self._hold_reason() if self.held else None

    @classmethod
    def _hold_reason(cls):
        return gettext(
            'training_abandon.msg_mail_hold_reason', name=cls._live_name())

    @classmethod
    def preview_notice(cls):
        "Return what to tell who is about to create mails, or None"
        if not cls.is_live():
            return gettext('training_abandon.msg_mail_hold_preview')


class HoldNoticeMixin:
    "The notice on a form from which mails will be created"
    __slots__ = ()

    hold_notice = fields.Text(
        "Held", readonly=True,
        states={
            'invisible': ~Eval('hold_notice'),
            },
        help="Why the mails will not leave from this database.")

    @classmethod
    def default_hold_notice(cls):
        pool = Pool()
        Mail = pool.get('training.mail')
        return Mail.preview_notice()
