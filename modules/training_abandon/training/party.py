# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import json
import re
from functools import partial

from sql import Column, Literal, Null
from sql.conditionals import Coalesce
from sql.functions import Lower
from sql.operators import Concat, Like, Or

from trytond.i18n import gettext, ngettext
from trytond.model import Index, ModelView, fields
from trytond.modules.party.exceptions import InvalidPhoneNumber
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval, If
from trytond.tools import escape_wildcard, grouped_slice
from trytond.transaction import Transaction, inactive_records
from trytond.wizard import Button, StateView

from .. import tools
from .enrolment import CURRENT_STATES

PHONE_TYPES = {'phone', 'mobile', 'fax'}
# With the number of the extension, if any
PHONE = re.compile(
    r'[\s(+]*\d[\d\s()./+-]*((ext|x|poste|p)\.?\s*\d+\s*)?', re.IGNORECASE)


class Party(metaclass=PoolMeta):
    __name__ = 'party.party'

    external_codes = fields.One2Many(
        'training.external_code', 'record', "External Codes",
        help="The codes by which the imports find the record again.")

    @classmethod
    def copy(cls, parties, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('external_codes')
        return super().copy(parties, default=default)

    @classmethod
    def on_write(cls, parties, values):
        functions = super().on_write(parties, values)
        if values.get('active') is False and not values.get('replaced_by'):
            functions.append(
                partial(cls._tell_enrolled, [p for p in parties if p.active]))
        return functions

    @classmethod
    def _tell_enrolled(cls, parties):
        "Tell the user of the trainees archived while they are enrolled"
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolments = Enrolment.search([
                ('trainee.party', 'in', [p.id for p in parties]),
                ('state', 'in', CURRENT_STATES),
                ], order=[('id', 'ASC')])
        if enrolments:
            Enrolment.notify_user(
                enrolments, 'tryton-warning', ngettext(
                    'training_abandon.msg_party_archive_enrolled',
                    len(enrolments), count=len(enrolments)),
                tools.names(enrolments, 5))

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
            },
        help="What the mail server answered when the mail came back.")

    mailbox = fields.Function(fields.Char(
            "Mailbox",
            help="The email address whatever its case."),
        'get_mailbox', searcher='search_mailbox')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (Lower(t.value_compact), Index.Equality())),
                # What is searched of a Char that may be empty
                Index(t, (
                        Index.Unaccent(Coalesce(t.value_compact, '')),
                        Index.Similarity())),
                })
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
    def validate_fields(cls, mechanisms, field_names):
        super().validate_fields(mechanisms, field_names)
        cls.check_phone(mechanisms, field_names)

    @classmethod
    def check_phone(cls, mechanisms, field_names=None):
        "Check that a telephone can call the numbers"
        if field_names and not field_names & {'type', 'value'}:
            return
        for mechanism in mechanisms:
            if (mechanism.type in PHONE_TYPES and mechanism.value
                    and not PHONE.fullmatch(mechanism.value)):
                raise InvalidPhoneNumber(gettext(
                        'training_abandon.msg_party_phone',
                        phone=mechanism.value,
                        party=mechanism.party.rec_name))

    @classmethod
    def get_mailbox(cls, mechanisms, name):
        return {
            m.id: m.value_compact.lower()
            if m.type == 'email' and m.value_compact else None
            for m in mechanisms}

    @classmethod
    def search_mailbox(cls, name, clause):
        _, operator, value = clause
        table = cls.__table__()
        # One lower case, as it is in the index
        mailbox = Lower(table.value_compact)
        if operator in {'in', 'not in'}:
            # The list of PostgreSQL takes no expression
            where = Or([mailbox == Lower(v) for v in value]
                or [Literal(False)])
            if operator == 'not in':
                where = ~where
        else:
            where = fields.SQL_OPERATORS[operator](mailbox, Lower(value))
        return [('id', 'in', table.select(
                    table.id, where=(table.type == 'email') & where))]

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
        return cls.search([('mailbox', '=', address)])

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

    kept = StateView(
        'party.erase.kept', 'training_abandon.erase_kept_view_form', [
            Button("OK", 'end', 'tryton-ok', default=True),
            ])

    def transition_erase(self):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        for party in self._parties():
            Enrolment.erase_planned_reasons(Enrolment.search([
                        ('trainee.party', '=', party.id),
                        ]))
            for Model, domain, resource, columns, _ in self.to_erase(
                    party.id):
                with inactive_records():
                    records = Model.search(domain)
                # The logs of the records say what is removed
                Model.log(records, 'write', ','.join(columns))
                self._remove_files(Model, records, columns)
                if resource:
                    self._remove_attached(Model, records)
            self._forget_words(party)
        state = super().transition_erase()
        return 'kept' if self._kept_words() else state

    def default_kept(self, fields):
        return {'kept': '\n'.join(self._kept_words())}

    def _kept_words(self):
        return [
            ngettext(f'training_abandon.{message_id}', count, count=count)
            for message_id, count in self.kept_by_law(
                [p.id for p in self._parties()])
            if count]

    def kept_by_law(self, party_ids):
        """Return the list of the (id of message, count) for what stays of the
        parties because the law has it kept"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        return [('msg_erase_kept_enrolments', Enrolment.search([
                        ('trainee.party', 'in', party_ids),
                        ], count=True))]

    def _parties(self):
        "Return the party and those that it replaces"
        pool = Pool()
        Party = pool.get('party.party')
        parties = replaced = [self.ask.party]
        with inactive_records():
            while replaced:
                replaced = Party.search([
                        ('replaced_by', 'in', [p.id for p in replaced]),
                        ])
                parties = parties + replaced
        return parties

    def _forget_words(self, party):
        """Delete what shows for a while who the party is: notifications, the
        forms of wizards that nobody ended and the tasks that are done"""
        pool = Pool()
        Notification = pool.get('res.notification')
        Queue = pool.get('ir.queue')
        Session = pool.get('ir.session.wizard')
        words = {
            w for w in [party.name, *(
                    m.value for m in party.contact_mechanisms)] if w}
        # JSON may escape the accents
        words |= {json.dumps(w)[1:-1] for w in words}
        if not words:
            return
        is_told = re.compile('|'.join(
                rf'(?<!\w){re.escape(w)}(?!\w)' for w in words)).search
        cursor = Transaction().connection.cursor()
        for Model, names in [
                (Notification, ['label', 'description']),
                (Session, ['data']),
                (Queue, ['data']),
                ]:
            table = Model.__table__()
            columns = [Column(table, n).cast('VARCHAR') for n in names]
            where = Or([
                    Like(c, f'%{escape_wildcard(w)}%', escape='\\')
                    for c in columns for w in words])
            if Model == Queue:
                # What waits still has to be done
                where &= table.finished_at != Null
            cursor.execute(*table.select(table.id, *columns, where=where))
            told = [
                id_ for id_, *texts in cursor
                if any(is_told(t or '') for t in texts)]
            for sub_ids in grouped_slice(told, tools.BATCH):
                cursor.execute(*table.delete(
                        where=fields.SQL_OPERATORS['in'](
                            table.id, list(sub_ids))))

    def _remove_attached(self, Model, records):
        "Remove the files attached to the records"
        for Resource in self.get_resources():
            for sub_records in grouped_slice(records, tools.BATCH):
                with inactive_records():
                    attached = Resource.search([
                            ('resource', 'in', list(map(str, sub_records))),
                            ])
                self._remove_files(Resource, attached, list(Resource._fields))

    def _remove_files(self, Model, records, names):
        """Have the files of the records removed from the disk at the next
        run of the scheduled action, without the delay of what is deleted"""
        pool = Pool()
        Queue = pool.get('ir.filestore.queue')
        queue = Queue.__table__()
        cursor = Transaction().connection.cursor()
        for name in names:
            field = Model._fields[name]
            if not isinstance(field, fields.Binary) or not field.file_id:
                continue
            for sub_records in grouped_slice(records, tools.BATCH):
                ids = [r.id for r in sub_records]
                field.queue_for_removal(Model, name, ids)
                table = Model.__table__()
                file_id = Column(table, field.file_id)
                cursor.execute(*queue.update(
                        [queue.create_date], [dt.datetime(1970, 1, 1)],
                        where=(queue.model == Model.__name__)
                        & queue.file_id.in_(table.select(
                                file_id,
                                where=fields.SQL_OPERATORS['in'](
                                    table.id, ids)
                                & (file_id != Null)))))

    def to_erase(self, party_id):
        pool = Pool()
        ContactMechanism = pool.get('party.contact_mechanism')
        Event = pool.get('training.enrolment.event')
        ExternalCode = pool.get('training.external_code')
        Exemption = pool.get('training.enrolment.exemption')
        Period = pool.get('training.enrolment.period')
        Trainee = pool.get('training.trainee')
        enrolment = [('enrolment.trainee.party', '=', party_id)]
        return super().to_erase(party_id) + [
            (ContactMechanism, [('party', '=', party_id)], True,
                ['bounce_reason', 'value_compact'],
                [None, None]),
            (ExternalCode, ['OR',
                    ('record.id', '=', party_id, 'party.party'),
                    ('record.party', '=', party_id, 'training.trainee'),
                    ('record.trainee.party', '=', party_id,
                        'training.enrolment'),
                    ], True,
                ['code'],
                [lambda code: Concat(
                        'erased-', code.table.id.cast('VARCHAR'))]),
            (Trainee, [('party', '=', party_id)], True,
                ['birth_date', 'family_name'],
                [None, None]),
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


class EraseKept(ModelView):
    __name__ = 'party.erase.kept'

    kept = fields.Text(
        "Kept", readonly=True,
        help="What stays without name because the law has it kept.")
