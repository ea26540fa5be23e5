# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The work of the scheduled actions, by batches that keep their steps"
from trytond import backend
from trytond.exceptions import UserError
from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import CaseBusyError


class StepBatchMixin:
    "Steps that are processed while nobody else has them"
    __slots__ = ()

    @classmethod
    def lock_free(cls, ids):
        """Keep for this transaction alone the steps that nobody else has and
        return their ids."""
        ids = tools.lock_free(cls, ids)
        tools.forget_read()
        return ids

    @classmethod
    def each_free(cls, ids, process, refuse=None):
        """Call process with the ids of the steps, by batches, each in a
        transaction of its own that keeps them for itself.

        The steps that somebody else has are left for the next time.  A batch
        with an error is processed one by one and refuse is called with the
        id and the error of those that have one."""
        for sub_ids in grouped_slice(ids, tools.BATCH):
            sub_ids = list(sub_ids)
            try:
                cls._process_free(sub_ids, process)
            except UserError as exception:
                if len(sub_ids) > 1:
                    for id_ in sub_ids:
                        cls.each_free([id_], process, refuse)
                elif refuse:
                    refuse(sub_ids[0], exception)
                else:
                    cls._report(sub_ids[0], exception)

    @classmethod
    def _process_free(cls, ids, process):
        transaction = Transaction()
        try:
            # See what the others have committed meanwhile
            transaction.commit()
            if ids := cls.lock_free(ids):
                process(ids)
            transaction.commit()
        except (CaseBusyError, tools.OutdatedError,
                backend.DatabaseOperationalError):
            transaction.rollback()
        except UserError:
            transaction.rollback()
            raise

    @classmethod
    def _report(cls, id_, exception):
        "Tell the owner of the case what keeps it from being handled"
        pool = Pool()
        Case = pool.get('training.abandon.case')

        def tell(ids):
            Case.notify_owners(
                [s.case for s in cls.browse(ids)],
                lambda cases: (
                    gettext('training_abandon.msg_case_not_handled',
                        case=cases[0].rec_name),
                    exception.message))

        cls._process_free([id_], tell)
