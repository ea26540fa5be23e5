# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import ngettext
from trytond.model import ModelView, fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval, If
from trytond.tools import escape_wildcard
from trytond.transaction import inactive_records

from .. import tools
from ..exceptions import PartyArchiveWarning
from .enrolment import CURRENT_STATES


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    external_codes = fields.One2Many(
        'training.external_code', 'record', "External Codes")

    @classmethod
    def copy(cls, parties, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('external_codes')
        return super().copy(parties, default=default)

    @classmethod
    def check_modification(cls, mode, parties, values=None, external=False):
        super().check_modification(
            mode, parties, values=values, external=external)
        if (mode == 'write' and external
                and values.get('active') is False
                and not values.get('replaced_by')):
            cls._warn_enrolled([p for p in parties if p.active])

    @classmethod
    def _warn_enrolled(cls, parties):
        "Warn of the trainees who are archived while they are enrolled"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Warning = pool.get('res.user.warning')
        enrolments = Enrolment.search([
                ('trainee.party', 'in', [p.id for p in parties]),
                ('state', 'in', CURRENT_STATES),
                ], order=[('id', 'ASC')])
        if not enrolments:
            return
        key = Warning.format('training_party_archive', enrolments)
        if Warning.check(key):
            raise PartyArchiveWarning(key, ngettext(
                    'training_abandon.msg_party_archive_enrolled',
                    len(enrolments), count=len(enrolments),
                    enrolments=tools.names(enrolments, 5)))

    @property
    def reachable_email(self):
        """The first email address that did not bounce, or None.

        Nobody writes to who is archived."""
        if not self.active:
            return None
        for mechanism in self.contact_mechanisms:
            if mechanism.type == 'email' and not mechanism.bounced_at:
                return mechanism.value


class ContactMechanism(metaclass=PoolMeta):
    __name__ = 'party.contact_mechanism'

    bounced_at = fields.DateTime(
        "Bounced at", readonly=True,
        states={
            'invisible': ~Eval('bounced_at'),
            },
        help="When a mail to the address came back: the letters of the "
        "procedure are not written to it any more.")
    bounce_reason = fields.Char(
        "Bounce Reason", readonly=True,
        states={
            'invisible': ~Eval('bounced_at'),
            })

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            trust={
                'invisible': ~Eval('bounced_at'),
                'depends': ['bounced_at'],
                })

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual', If(Bool(Eval('bounced_at')), 'danger', '')),
            ]

    @classmethod
    def preprocess_values(cls, mode, values):
        values = super().preprocess_values(mode, values)
        if mode == 'write' and 'value' in values:
            values = {'bounced_at': None, 'bounce_reason': None, **values}
        return values

    @classmethod
    def copy(cls, mechanisms, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('bounced_at')
        default.setdefault('bounce_reason')
        return super().copy(mechanisms, default=default)

    @classmethod
    @ModelView.button
    def trust(cls, mechanisms):
        "Write again to the addresses"
        cls.write(mechanisms, {'bounced_at': None, 'bounce_reason': None})

    @classmethod
    def with_address(cls, address):
        "Return the contact mechanisms of the email address"
        if not address:
            return []
        return cls.search([
                ('type', '=', 'email'),
                ('value_compact', 'ilike', escape_wildcard(address)),
                ])

    @classmethod
    def bounce(cls, address, at, reason):
        cls.write(cls.with_address(address), {
                'bounced_at': at,
                'bounce_reason': reason,
                })

    @classmethod
    def trust_address(cls, address, at):
        "Write again to the address, from which somebody has written"
        cls.trust([
                m for m in cls.with_address(address)
                if m.bounced_at and m.bounced_at <= at])


class Replace(metaclass=PoolMeta):
    __name__ = 'party.replace'

    @classmethod
    def fields_to_replace(cls):
        return super().fields_to_replace() + [
            ('training.session-party.party', 'trainer'),
            ('training.session.slot', 'trainer'),
            ('training.trainee', 'party'),
            ('training.enrolment', 'prescriber'),
            ('training.enrolment', 'client'),
            ('training.enrolment', 'employer'),
            ('training.enrolment.contact', 'party'),
            ('training.enrolment.funding', 'funder'),
            ('training.external_code', 'record'),
            ]

    def transition_replace(self):
        pool = Pool()
        Trainee = pool.get('training.trainee')
        trainees = Trainee.search([
                ('party', 'in', [
                        self.ask.source.id, self.ask.destination.id]),
                ('active', 'in', [True, False]),
                ])
        if len(trainees) > 1:
            source, = [t for t in trainees if t.party == self.ask.source]
            destination, = [t for t in trainees if t != source]
            source.replace_by(destination)
        return super().transition_replace()


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def transition_erase(self):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Enrolment.erase_planned_reasons(Enrolment.search([
                    ('trainee.party', '=', self.ask.party.id),
                    ]))
        for Model, domain, _, columns, _ in self.to_erase(self.ask.party.id):
            with inactive_records():
                records = Model.search(domain)
            # The logs of the records say what is removed
            Model.log(records, 'write', ','.join(columns))
        return super().transition_erase()

    def to_erase(self, party_id):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Event = pool.get('training.enrolment.event')
        Exemption = pool.get('training.enrolment.exemption')
        Period = pool.get('training.enrolment.period')
        Trainee = pool.get('training.trainee')
        enrolment = [('enrolment.trainee.party', '=', party_id)]
        return super().to_erase(party_id) + [
            (ContactMechanism, [('party', '=', party_id)], True,
                ['bounce_reason'],
                [None]),
            (Trainee, [('party', '=', party_id)], True,
                ['birth_date'],
                [None]),
            (Period, enrolment, True,
                ['reason'],
                [None]),
            (Exemption, enrolment, True,
                ['reason'],
                ['****']),
            (Event, enrolment, True,
                ['reason', 'description'],
                [None, None]),
            ]
