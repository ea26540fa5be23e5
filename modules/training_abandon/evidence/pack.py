# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import datetime as dt
import errno
import logging
import mmap
import os
import shutil
import tempfile
from collections import defaultdict
from urllib.parse import quote

import trytond.config as config
from trytond import backend
from trytond.filestore import FileStore, filestore
from trytond.i18n import gettext, ngettext
from trytond.model import Index, ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval, If
from trytond.tools import grouped_slice, slugify
from trytond.transaction import Transaction

from .. import tools
from ..pdf_report import in_language_of
from .builder import Builder

logger = logging.getLogger(__name__)

# The time after which a building of which nothing is heard is interrupted
LEASE = dt.timedelta(minutes=15)
# How often who makes a pack tells that it still does
BEAT = LEASE / 15
# How often a building that is interrupted is started again
ATTEMPTS = 5
# The most cases for which the user waits where there is no worker
INLINE = 20
# The most bytes of the files that are read otherwise than by their link: the
# reads are not logged
READABLE = {'file': 64 * 2 ** 20, 'sensitive_file': 0}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Pack(ModelSQL, ModelView):
    "All that proves what was done for cases, in a file for the auditor"
    __name__ = 'training.evidence_pack'

    company = fields.Many2One(
        'company.company', "Company", required=True, readonly=True)
    requested_by = fields.Many2One(
        'res.user', "Requested by", required=True, readonly=True,
        ondelete='RESTRICT',
        help="The user with whose rights the pack is made.")
    requested_at = fields.DateTime(
        "Requested at", required=True, readonly=True,
        help="When the pack was asked for, the last time.")
    choice = fields.Text(
        "Choice", readonly=True, help="Which cases were asked for.")
    cases = fields.Many2Many(
        'training.evidence_pack-training.abandon.case', 'pack', 'case',
        "Cases", readonly=True, help="The cases that the pack tells of.")
    sensitive = fields.Boolean(
        "With Sensitive Data", readonly=True,
        help="The pack has the reasons and the words of the trainees, and "
        "their documents: it is read by the group Sensitive Reasons only.")
    state = fields.Selection([
            ('requested', "Requested"),
            ('building', "Being Made"),
            ('done', "Done"),
            ('failed', "Failed"),
            ], "State", required=True, readonly=True, sort=False,
        help="A pack that is interrupted is started again by the server.")
    case_count = fields.Integer(
        "Number of Cases", required=True, readonly=True,
        help="The number of cases that were asked for.")
    done_count = fields.Integer(
        "Cases Done", required=True, readonly=True,
        help="The number of cases that are in the file until now.")
    progress = fields.Function(
        fields.Float(
            "Progress", digits=(1, 4),
            help="The part of the cases that is in the file until now."),
        'on_change_with_progress')
    attempts = fields.Integer(
        "Attempts", required=True, readonly=True,
        help="The number of times that the server has begun the file.")
    claim = fields.Integer(
        "Claim", required=True, readonly=True,
        help="The number of the process that makes it, which is never that of "
        "an earlier one.")
    next_attempt = fields.DateTime(
        "Next Attempt", readonly=True,
        help="While the pack is being made, the time at which another "
        "process may begin it again.")
    ended_at = fields.DateTime(
        "Ended at", readonly=True, help="When it was done or failed.")
    problems = fields.Text(
        "Problems", readonly=True,
        help="What the pack should have and has not, or why it failed.")
    file = fields.Binary(
        "File", filename='filename', readonly=True, file_id='file_id',
        store_prefix=None,
        states={
            'invisible': ~Eval('file_id'),
            },
        depends={'file_id'},
        help="The ZIP file to unpack anywhere: open its index.html.")
    file_id = fields.Char("File ID", readonly=True)
    sensitive_file = fields.Binary(
        "File with Sensitive Data", filename='filename', readonly=True,
        file_id='sensitive_file_id', store_prefix=None,
        states={
            'invisible': (
                ~Eval('sensitive', False) | (Eval('state') != 'done')),
            },
        help="Read by the group Sensitive Reasons only.")
    sensitive_file_id = fields.Char("Sensitive File ID", readonly=True)
    manifest_sha256 = fields.Char(
        "SHA-256 of the Manifest", readonly=True,
        states={
            'invisible': ~Eval('manifest_sha256'),
            },
        help="The hash of the list of the files of the pack, which stays when "
        "the file is removed: it tells if a copy is the pack that was made.")
    filename = fields.Function(fields.Char("File Name"), 'get_filename')
    download = fields.Function(
        fields.Char(
            "Download",
            states={
                'invisible': Eval('state') != 'done',
                },
            help="The link to the ZIP file: unpack it anywhere and open its "
            "index.html. A file with sensitive data is for the group "
            "Sensitive Reasons only, and it is logged who downloads it."),
        'get_download')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(
                t, (t.state, Index.Equality(cardinality='low')),
                where=t.state.in_(['requested', 'building'])))
        # It is a name: its parts are looked for too
        cls.choice.search_full_text = False
        cls._order = [('requested_at', 'DESC'), ('id', 'DESC')]
        cls._buttons.update(
            remove={
                'invisible': Eval('state') != 'done',
                'depends': ['state'],
                },
            retry={
                'invisible': Eval('state') != 'failed',
                'depends': ['state'],
                })

    @classmethod
    def default_state(cls):
        return 'requested'

    @classmethod
    def default_done_count(cls):
        return 0

    @classmethod
    def default_attempts(cls):
        return 0

    @classmethod
    def default_claim(cls):
        return 0

    @fields.depends('case_count', 'done_count')
    def on_change_with_progress(self, name=None):
        if self.case_count:
            return round((self.done_count or 0) / self.case_count, 4)
        return 0

    def get_filename(self, name):
        return '-'.join([
                slugify(gettext('training_abandon.msg_evidence_pack_name')),
                tools.local_date(
                    self.requested_at, self.company).isoformat(),
                str(self.id)]) + '.zip'

    def get_download(self, name):
        # As the path of the cookie of the session
        database = quote(
            Transaction().database.name, safe="!$&'()*+,:=@")
        return '{}/{}/training/evidence_pack/{}'.format(
            tools.base_url(), database, self.id)

    def get_rec_name(self, name):
        pool = Pool()
        Lang = pool.get('ir.lang')
        return ' - '.join([
                Lang.get().strftime(
                    tools.local_date(self.requested_at, self.company)),
                ngettext(
                    'training_abandon.msg_evidence_pack_cases',
                    self.case_count, count=self.case_count)])

    @classmethod
    def search_rec_name(cls, name, clause):
        return [('choice', *clause[1:])]

    @classmethod
    def view_attributes(cls):
        return super().view_attributes() + [
            ('/tree', 'visual',
                If(Eval('state') == 'failed', 'danger',
                    If(Eval('problems', ''), 'warning', ''))),
            ]

    @classmethod
    def read(cls, ids, fields_names):
        if Transaction().check_access:
            cls._check_readable(ids, fields_names)
        return super().read(ids, fields_names)

    @classmethod
    def _check_readable(cls, ids, names):
        "Check that the contents that are asked for are not to be downloaded"
        context = Transaction().context
        for name in READABLE.keys() & set(names):
            key = f'{cls.__name__}.{name}'
            if context.get(key) == 'size':
                continue
            with Transaction().set_context({key: 'size'}):
                rows = super().read(ids, [name])
            if any(row[name] > READABLE[name] for row in rows):
                raise AccessError(gettext(
                        'training_abandon.msg_evidence_pack_download'))

    @classmethod
    def open_file(cls, id_):
        """Return the name and the opened file of the pack, or None if it has
        none, and log who has it.

        The user is the one of the transaction, with its rights."""
        row, = cls.read([id_], ['sensitive', 'filename'])
        name = 'sensitive_file_id' if row['sensitive'] else 'file_id'
        (file,) = cls.read([id_], [name])
        if not file[name]:
            return
        cls.log([cls(id_)], 'button', 'download')
        # The store has no other way that does not read it into memory
        path = filestore._filename(file[name], Transaction().database.name)
        try:
            return row['filename'], open(path, 'rb')
        except FileNotFoundError:
            logger.error("%s has no file any more", cls(id_), exc_info=True)

    @classmethod
    def request(cls, cases, choice, sensitive=False):
        """Ask for the packs of the cases, one for each company, and return
        them.

        choice is the words for which cases they are."""
        pool = Pool()
        PackCase = pool.get('training.evidence_pack-training.abandon.case')
        if sensitive and not tools.is_member('group_sensitive_reason'):
            raise AccessError(gettext(
                    'training_abandon.msg_evidence_pack_sensitive'))
        by_company = defaultdict(list)
        for case in cases:
            by_company[case.company].append(case.id)
        packs = cls.create([{
                    'company': company.id,
                    'requested_by': Transaction().user,
                    'requested_at': tools.now(),
                    'choice': choice,
                    'sensitive': sensitive,
                    'case_count': len(ids),
                    } for company, ids in by_company.items()])
        tools.create_sets(PackCase, [
                {'pack': pack.id, 'case': id_}
                for pack, ids in zip(packs, by_company.values())
                for id_ in sorted(ids)])
        # What tells who has asked for the sensitive data, and when
        cls.log(packs, 'button', 'request')
        cls.queue(packs)
        return packs

    @classmethod
    def queue(cls, packs):
        "Have the packs made once the transaction is committed"
        has_worker = config.getboolean('queue', 'worker', default=False)
        for pack in packs:
            # Else the scheduled action makes it
            if has_worker or pack.case_count <= INLINE:
                cls.__queue__.build([pack])

    @classmethod
    @ModelView.button
    def retry(cls, packs):
        tools.lock(cls, packs)
        failed = [p for p in cls.browse(packs) if p.state == 'failed']
        if any(p.sensitive for p in failed) and not tools.is_member(
                'group_sensitive_reason'):
            raise AccessError(gettext(
                    'training_abandon.msg_evidence_pack_sensitive'))
        cls.write(failed, {
                'requested_by': Transaction().user,
                'requested_at': tools.now(),
                'state': 'requested',
                'attempts': 0,
                'done_count': 0,
                'ended_at': None,
                'problems': None,
                })
        cls.queue(failed)

    @classmethod
    @ModelView.button
    def remove(cls, packs):
        "Remove the files; the button is logged"
        cls._remove(packs)

    @classmethod
    def remove_due(cls):
        "Remove the files of the packs that are kept no longer"
        pool = Pool()
        Company = pool.get('company.company')
        Configuration = pool.get('training.configuration')
        configuration = Configuration(1)
        for company in Company.search([], order=[('id', 'ASC')]):
            days = dt.timedelta(configuration.get_multivalue(
                    'evidence_pack_days', company=company.id))
            old = cls.search([
                    ('company', '=', company.id),
                    ('ended_at', '<', tools.now() - days),
                    ['OR',
                        ('file_id', '!=', None),
                        ('sensitive_file_id', '!=', None),
                        ],
                    ], order=[('id', 'ASC')])
            for sub_packs in grouped_slice(old, tools.BATCH):
                cls._remove(list(sub_packs))

    @classmethod
    def _remove(cls, packs):
        cls.write(packs, {'file': None, 'sensitive_file': None})

    @classmethod
    def build_due(cls):
        """Make the first of the packs that wait or whose making was
        interrupted, unless another one is being made: the other scheduled
        actions wait meanwhile."""
        now = tools.now()
        if cls.search([
                    ('state', '=', 'building'),
                    ('next_attempt', '>', now),
                    ], limit=1):
            return
        waiting = [('state', '=', 'requested')]
        if config.getboolean('queue', 'worker', default=False):
            # It makes them, unless it is away
            waiting.append(('requested_at', '<=', now - LEASE))
        due = cls.search(['OR', waiting, [
                    ('state', '=', 'building'),
                    ('next_attempt', '<=', now),
                    ]], order=[('id', 'ASC')], limit=1)
        cls.build(due)

    @classmethod
    def build(cls, packs):
        for id_ in [p.id for p in packs]:
            if claim := cls._claim(id_):
                cls(id_)._build(claim)

    @classmethod
    def _claim(cls, id_):
        """Keep the pack for this process and return the number of its claim,
        or None if another one makes it."""
        transaction = Transaction()
        claim = None
        if tools.lock_free(cls, [id_]):
            tools.forget_read()
            pack = cls(id_)
            if pack.is_due():
                if pack.attempts >= ATTEMPTS:
                    pack._end('failed', gettext(
                            'training_abandon.msg_evidence_pack_interrupted',
                            count=ATTEMPTS))
                else:
                    claim = pack.claim + 1
                    cls.write([pack], {
                            'state': 'building',
                            'attempts': pack.attempts + 1,
                            'claim': claim,
                            'next_attempt': tools.now() + LEASE,
                            'done_count': 0,
                            'problems': None,
                            })
        transaction.commit()
        return claim

    def is_due(self):
        return self.state == 'requested' or (
            self.state == 'building' and self.next_attempt <= tools.now())

    def _build(self, claim):
        "Make the file, store what has become of the pack and commit"
        transaction = Transaction()
        try:
            self._make(claim)
        except _Lost:
            transaction.rollback()
            logger.warning("%s is made by another process", self)
            return
        except backend.DatabaseOperationalError:
            # It is interrupted: the next process begins it again
            transaction.rollback()
            raise
        except AccessError as exception:
            transaction.rollback()
            self._fail(claim, exception.message)
        except OSError as exception:
            transaction.rollback()
            logger.error("%s not made", self, exc_info=True)
            self._fail(claim, gettext(
                    'training_abandon.msg_evidence_pack_'
                    f'{"full" if exception.errno in FULL else "failed"}',
                    reference=self))
        except Exception:
            transaction.rollback()
            logger.error("%s not made", self, exc_info=True)
            self._fail(claim, gettext(
                    'training_abandon.msg_evidence_pack_failed',
                    reference=self))
        transaction.commit()

    def _make(self, claim):
        company = self.company
        with Transaction().set_user(self.requested_by.id), \
                Transaction().set_context(company=company.id), \
                in_language_of(company):
            if self.sensitive and not tools.is_member(
                    'group_sensitive_reason'):
                raise AccessError(gettext(
                        'training_abandon.msg_evidence_pack_sensitive'))
            path = config.get('database', 'path')
            os.makedirs(path, mode=0o770, exist_ok=True)
            # Without a name: nothing is left of a file that is interrupted
            with tempfile.TemporaryFile(dir=path) as file:
                heart = _Heart(self, claim)
                builder = Builder(self, file, heart.beat)
                try:
                    for count in builder.build():
                        heart.tell(count)
                    heart.tell(self.case_count)
                    file_id = _store(file, path)
                finally:
                    builder.archive.discard()
        try:
            self._keep(claim, self.case_count, commit=False)
            self._end(
                'done', '\n'.join(builder.problems) or None, file_id=file_id,
                manifest_sha256=builder.manifest_sha256)
            Transaction().commit()
        except BaseException:
            # Nothing else would know of the file any more
            filestore.delete(file_id, Transaction().database.name)
            raise

    def _keep(self, claim, count, commit=True):
        "Tell how many cases are done, unless another process has the pack"
        transaction = Transaction()
        cursor = transaction.connection.cursor()
        table = self.__table__()
        cursor.execute(*table.update(
                [table.done_count, table.next_attempt],
                [count, tools.now() + LEASE],
                where=(table.id == self.id) & (table.state == 'building')
                & (table.claim == claim)))
        if cursor.rowcount != 1:
            raise _Lost
        if commit:
            transaction.commit()

    def _fail(self, claim, problem):
        try:
            self._keep(claim, self.done_count, commit=False)
        except _Lost:
            return
        self._end('failed', problem)

    def _end(self, state, problems, file_id=None, manifest_sha256=None):
        name = 'sensitive_file_id' if self.sensitive else 'file_id'
        self.write([self], {
                'state': state,
                'problems': problems,
                'next_attempt': None,
                'ended_at': tools.now(),
                name: file_id,
                'manifest_sha256': manifest_sha256,
                })

    def case_ids(self):
        "Return the ids of the cases, without what else is known of them"
        pool = Pool()
        PackCase = pool.get('training.evidence_pack-training.abandon.case')
        cursor = Transaction().connection.cursor()
        table = PackCase.__table__()
        cursor.execute(*table.select(
                table.case, where=table.pack == self.id,
                order_by=table.case))
        return [id_ for id_, in cursor]


class _Lost(Exception):
    "Another process makes the pack"


class _Heart:
    "Tells that the process still makes the pack"

    def __init__(self, pack, claim):
        self._pack, self._claim = pack, claim
        self._count, self._told_at = 0, tools.now()

    def tell(self, count):
        self._pack._keep(self._claim, count)
        # The memory does not grow with the cases
        tools.forget_read()
        self._count, self._told_at = count, tools.now()

    def beat(self):
        "Tell it while a set is half read, not more often than needed"
        if tools.now() - self._told_at >= BEAT:
            self._pack._keep(self._claim, self._count)
            self._told_at = tools.now()


def _store(file, path):
    "Store the file without reading it into memory and return its id"
    size = file.tell()
    if shutil.disk_usage(path).free < size:
        # It would fail once all is written
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    file.flush()
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _WholeFileStore().set(data, Transaction().database.name)


class _WholeFileStore(FileStore):
    "The store, where nothing is left of a file that is not whole"
    _begun = None

    def set(self, data, prefix=''):
        try:
            return super().set(data, prefix)
        except BaseException:
            # Nothing else would know of it any more
            if self._begun:
                self.delete(self._begun, prefix)
            raise

    def _id(self, data):
        self._begun = super()._id(data)
        return self._begun


class PackCase(ModelSQL):
    __name__ = 'training.evidence_pack-training.abandon.case'

    pack = fields.Many2One(
        'training.evidence_pack', "Pack", required=True, ondelete='CASCADE')
    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('pack')
        t = cls.__table__()
        cls._sql_indexes.update({
                Index(t, (t.pack, Index.Equality()), (t.case, Index.Range())),
                Index(t, (t.case, Index.Equality())),
                })
