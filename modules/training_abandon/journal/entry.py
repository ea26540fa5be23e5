# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import json
import secrets
from collections import defaultdict
from decimal import Decimal
from itertools import groupby

from sql import For, Literal
from sql.aggregate import Max
from sql.conditionals import Coalesce
from sql.functions import CurrentTimestamp

from trytond.i18n import gettext
from trytond.model import Index, ModelSQL, ModelView, Unique, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Bool, Eval, If
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..rec_name import search_names
from ..stored import SLICE, of_ids
from .state import CaseStates
from .verify import canonical, chain_hash, digest

KINDS = [
    ('state', "State at the Beginning of the Journal"),
    ('opening', "Opening"),
    ('step', "Step Done"),
    ('skipped', "Step Skipped"),
    ('reopened', "Step to Do Again"),
    ('mail_queued', "Mail Queued"),
    ('mail_sent', "Mail Sent"),
    ('mail_failed', "Mail Failed"),
    ('mail_cancelled', "Mail Cancelled"),
    ('mail_bounced', "Mail Bounced"),
    ('reply', "Reply"),
    ('answer', "Reasons Given"),
    ('follow_up', "Follow-Up"),
    ('follow_up_deleted', "Follow-Up Deleted"),
    ('proposal', "Proposal"),
    ('response', "Response to the Proposal"),
    ('decision', "Decision"),
    ('withdrawal', "Decision Withdrawn"),
    ('completion', "Decision Completed"),
    ('certificate', "Certificate"),
    ('justification', "Absence Justified"),
    ('settlement', "Settlement"),
    ('declaration', "Declaration"),
    ('correction', "Correction"),
    ('document', "Document"),
    ('closing', "Closing"),
    ('erased', "Personal Data Erased"),
    ]
# The entries that are inserted at once
ROWS = 500


class _ForHead(For):
    "Keep the rows, and let others refer to them"
    __slots__ = ()

    def __str__(self):
        return 'FOR NO KEY UPDATE'


class Entry(ModelSQL, ModelView):
    "An event of a case, chained to the one before"
    __name__ = 'training.journal.entry'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True,
        ondelete='RESTRICT')
    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, readonly=True,
        ondelete='RESTRICT',
        domain=[
            ('company', '=', Eval('company', -1)),
            ])
    number = fields.Integer(
        "Number", required=True, readonly=True,
        help="The place of the entry in the journal of the case.")
    kind = fields.Selection(
        KINDS, "Kind", required=True, readonly=True, sort=False,
        help="What happened.")
    kind_string = kind.translated('kind')
    at = fields.DateTime(
        "At", required=True, readonly=True,
        help="What the clock of the server told.  The number tells the order, "
        "whatever the clock tells.")
    user = fields.Many2One(
        'res.user', "User", readonly=True, ondelete='RESTRICT',
        help="Who did it; nobody for what the scheduled actions do.")
    resource = fields.Reference(
        "Resource", selection='get_resources', readonly=True,
        help="The record of which it is an event.")
    origin = fields.Function(
        fields.Reference(
            "Origin", selection='get_resources',
            help="The record of which it is an event, for those who may read "
            "it."),
        'get_origin', searcher='search_origin')
    content = fields.Text(
        "Content", readonly=True,
        help="What the event was, in JSON; empty once the trainee was "
        "erased.\n"
        "The words that only some users read are there by their hash.")
    is_anonymised = fields.Function(
        fields.Boolean(
            "Anonymised", help="The digest alone tells the content."),
        'get_is_anonymised')
    digest = fields.Char(
        "Digest", required=True, readonly=True,
        help="The SHA-256 of the salt and of the content.")
    salt = fields.Char(
        "Salt", readonly=True,
        help="What keeps the content from being found from its digest.")
    secret = fields.Char(
        "Secret", readonly=True,
        help="What keeps the private words from being found from their "
        "hash.\n"
        "Read by the group Sensitive Reasons only.")
    previous = fields.Char(
        "Previous Hash", readonly=True,
        help="The hash of the entry before.")
    hash = fields.Char(
        "Hash", required=True, readonly=True,
        help="The SHA-256 of the entry, with the digest of its content and "
        "the hash of the entry before.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_constraints += [
            ('case_number_unique', Unique(t, t.case, t.number),
                'training_abandon.msg_journal_number_unique'),
            ]
        cls._sql_indexes.add(Index(t, (t.resource, Index.Equality())))
        cls._order = [
            ('case', 'DESC'),
            ('number', 'DESC'),
            ('id', 'DESC'),
            ]
        tools.not_sortable(cls.kind, cls.user, cls.resource, cls.at)

    @classmethod
    def __register__(cls, module):
        super().__register__(module)
        # The cases that have a journal are left as they are
        cls.record_states()

    @classmethod
    def order_case(cls, tables):
        "The cases are in the order of their numbers"
        table, _ = tables[None]
        return [table.case]

    @classmethod
    def get_resources(cls):
        pool = Pool()
        Model = pool.get('ir.model')
        return [(None, "")] + [
            (m, Model.get_name(m)) for m in cls._get_resources()]

    @classmethod
    def _get_resources(cls):
        return [
            'ir.attachment',
            'training.abandon.case',
            'training.abandon.case.completion',
            'training.abandon.case.correction',
            'training.abandon.case.step',
            'training.abandon.certificate',
            'training.abandon.proposal',
            'training.abandon.proposal.response',
            'training.abandon.settlement',
            'training.declaration',
            'training.follow_up',
            'training.justification',
            'training.mail',
            'training.mail.reply',
            ]

    @classmethod
    def get_origin(cls, entries, name):
        pool = Pool()
        by_model = defaultdict(set)
        for entry in entries:
            if entry.resource and entry.resource.id >= 0:
                by_model[entry.resource.__name__].add(entry.resource.id)
        readable = {
            f'{name},{id_}' for name, ids in by_model.items()
            if tools.may_read(Model := pool.get(name))
            for id_ in tools.readable_ids(Model, ids)}
        return {
            e.id: r if (r := str(e.resource)) in readable else None
            for e in entries}

    @classmethod
    def search_origin(cls, name, clause):
        return [('resource' + clause[0][len(name):], *clause[1:])]

    def get_is_anonymised(self, name):
        return self.content is None

    def get_rec_name(self, name):
        return f'{self.case.rec_name} - {self.number} - {self.kind_string}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'case.rec_name')

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Bool(Eval('is_anonymised')), 'muted', '')),
            ]

    @classmethod
    def check_modification(cls, mode, entries, values=None, external=False):
        super().check_modification(
            mode, entries, values=values, external=external)
        for entry in entries:
            raise AccessError(gettext(
                    'training_abandon.msg_journal_modify',
                    case=entry.case.rec_name))

    @classmethod
    def copy(cls, entries, default=None):
        for entry in entries:
            raise AccessError(gettext(
                    'training_abandon.msg_journal_modify',
                    case=entry.case.rec_name))
        return []

    @classmethod
    def lock_heads(cls, case_ids):
        """Keep the heads of the cases for this transaction alone and return
        the company, the length and the hash of the last entry, by id."""
        pool = Pool()
        Case = pool.get('training.abandon.case')
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = Case.__table__()
        heads = {}
        if case_ids := set(case_ids):
            # The head is the one of which nobody writes the next entry
            tools.lock_database(Case)
        for sub_ids in grouped_slice(sorted(case_ids), SLICE):
            query = table.select(
                table.id, table.company, Coalesce(table.journal_length, 0),
                table.journal_head,
                where=of_ids(sub_ids)(table.id), order_by=[table.id])
            if transaction.database.has_select_for():
                # Everybody waits in the same order; the others are locked
                # by the change of which this is the event
                query.for_ = _ForHead('UPDATE')
            cursor.execute(*query)
            heads.update((id_, head) for id_, *head in cursor)
        return heads

    @classmethod
    def record(cls, events):
        "Write the events at the end of the journals of their cases"
        events = list(events)
        if not events:
            return
        heads = cls.lock_heads(e.case for e in events)
        now, user = tools.now(), Transaction().user or None
        rows = []
        for event in events:
            head = heads[event.case]
            row = cls._row(event, head, now, user)
            head[1:] = row['number'], row['hash']
            rows.append(row)
        cls._insert(rows)
        cls._store_heads(heads)

    @classmethod
    def _row(cls, event, head, now, user):
        "Return the values of the entry of the event after the head"
        company, number, previous = head
        secret = None
        if event.private and any(event.private):
            secret = secrets.token_hex(16)
        content = cls.content_of(event, secret)
        row = {
            'company': company,
            'case': event.case,
            'number': number + 1,
            'kind': event.kind,
            'at': now,
            'user': user,
            'resource': event.resource,
            'content': content,
            'salt': (salt := secrets.token_hex(8)),
            'secret': secret,
            'digest': digest(content, salt),
            'previous': previous,
            }
        row['hash'] = chain_hash(_exported(row))
        return row

    @classmethod
    def content_of(cls, event, secret):
        "Return what the entry tells of the event, with its secret"
        content = {
            k: v for k, v in event.content.items() if v not in (None, [])}
        if event.private and any(event.private):
            content['private'] = digest(
                canonical(event.private, default=_plain), secret or '')
        return canonical(content, default=_plain)

    @classmethod
    def _insert(cls, rows):
        # The ORM would read each of them again and forget all that was read
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        names = list(rows[0])
        user, now = Literal(Transaction().user), CurrentTimestamp()
        columns = [
            table.create_uid, table.create_date,
            *(getattr(table, n) for n in names)]
        for sub_rows in grouped_slice(rows, ROWS):
            cursor.execute(*table.insert(columns, [
                        [user, now, *r.values()] for r in sub_rows]))

    @classmethod
    def _store_heads(cls, case_ids):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cursor = Transaction().connection.cursor()
        case = Case.__table__()
        for sub_ids in grouped_slice(sorted(case_ids), SLICE):
            last, entry = cls.__table__(), cls.__table__()
            numbers = last.select(
                last.case, Max(last.number).as_('number'),
                where=of_ids(sub_ids)(last.case), group_by=[last.case])
            heads = numbers.join(entry,
                condition=(entry.case == numbers.case)
                & (entry.number == numbers.number)
                ).select(entry.case, entry.number, entry.hash)
            cursor.execute(*case.update(
                    [case.journal_length, case.journal_head],
                    [heads.number, heads.hash],
                    from_=[heads], where=case.id == heads.case))

    @classmethod
    def kinds_since_queued(cls, resources):
        "Return the kinds of the entries of the mails since they were queued"
        cursor = Transaction().connection.cursor()
        table = cls.__table__()
        kinds = defaultdict(set)
        for sub_resources in grouped_slice(sorted(resources), SLICE):
            cursor.execute(*table.select(
                    table.resource, table.kind,
                    where=fields.SQL_OPERATORS['in'](
                        table.resource, list(sub_resources)),
                    order_by=[table.number]))
            for resource, kind in cursor:
                if kind == 'mail_queued':
                    kinds[resource].clear()
                kinds[resource].add(kind)
        return kinds

    @classmethod
    def record_states(cls):
        "Write the state of the cases that have no journal yet"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cursor = Transaction().connection.cursor()
        case, entry = Case.__table__(), cls.__table__()
        cursor.execute(*case.select(case.id,
                where=~case.id.in_(entry.select(entry.case)),
                order_by=[case.id]))
        ids = [id_ for id_, in cursor]
        for sub_ids in grouped_slice(ids, SLICE):
            cls.record(CaseStates(list(sub_ids)).events())

    @classmethod
    def export(cls, cases):
        "Yield the lines of the journals of the cases, in the order of the ids"
        for row in cls.rows(map(int, cases)):
            yield canonical(row)

    @classmethod
    def rows(cls, case_ids):
        "Yield the entries of the cases, each followed by its head"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cursor = Transaction().connection.cursor()
        names = [
            'case', 'number', 'kind', 'at', 'user', 'resource', 'content',
            'salt', 'digest', 'previous', 'hash']
        for sub_ids in grouped_slice(sorted(set(case_ids)), tools.SET):
            sub_ids = list(sub_ids)
            table, case = cls.__table__(), Case.__table__()
            cursor.execute(*case.select(
                    case.id, Coalesce(case.journal_length, 0),
                    case.journal_head,
                    where=of_ids(sub_ids)(case.id)))
            heads = {id_: head for id_, *head in cursor}
            cursor.execute(*table.select(
                    *(getattr(table, n) for n in names),
                    where=of_ids(sub_ids)(table.case),
                    order_by=[table.case, table.number, table.id]))
            rows = [dict(zip(names, row)) for row in cursor]
            by_case = {
                id_: list(rows)
                for id_, rows in groupby(rows, lambda r: r['case'])}
            for id_ in sub_ids:
                for row in by_case.get(id_, []):
                    yield _exported(row)
                length, head = heads.get(id_, (0, None))
                yield {'case': id_, 'length': length, 'head': head}


def _exported(row):
    "Return what the lines of the file have of the values of the entry"
    content = row['content']
    if content is not None:
        try:
            content = json.loads(content)
        except ValueError:
            # Somebody has altered it
            pass
    return {
        'case': row['case'],
        'number': row['number'],
        'kind': row['kind'],
        'at': row['at'].isoformat(),
        'user': row['user'],
        'resource': row['resource'],
        'content': content,
        'salt': row['salt'],
        'digest': row['digest'],
        'previous': row['previous'],
        'hash': row.get('hash'),
        }


def _plain(value):
    "Return what JSON writes for the value"
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    elif isinstance(value, Decimal):
        return str(value)
    raise TypeError(f"{value!r} is not written in the journal")
