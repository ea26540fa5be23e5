# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"Who is told of the delays that an update adds: they are empty"
import logging
from collections import defaultdict
from weakref import WeakKeyDictionary

from trytond import backend
from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.transaction import Transaction

from .. import tools
from ..notify import AdministratorsMixin

logger = logging.getLogger(__name__)
# The names of the delays that the update has added, by model
_added = WeakKeyDictionary()


class AddedDelayMixin:
    "Records to which a new version may add delays"
    __slots__ = ()

    @classmethod
    def __register__(cls, module):
        added = []
        if backend.TableHandler.table_exist(cls._table):
            table = cls.__table_handler__(module)
            added = [
                name for name, field in cls._fields.items()
                if name.endswith('_delay')
                and isinstance(field, fields.Integer)
                and not table.column_exist(name)]
        super().__register__(module)
        if added:
            _added.setdefault(
                Transaction(), defaultdict(list))[cls.__name__] += added

    def empty_delays(self, names):
        "Return the labels of those of the delays that have no value"
        return [
            self.fields_get([name])[name]['string'] for name in names
            if getattr(self, name) is None]


class ToldAddedDelayMixin(AddedDelayMixin, AdministratorsMixin):
    "Procedures whose administrators are told of the delays to fill"
    __slots__ = ()

    @classmethod
    def tell_added_delays(cls):
        "Tell which delays that the update has added are to be filled"
        if not (names := _added.pop(Transaction(), None)):
            return
        empty = [
            p for p in cls.search([('state', '=', 'active')])
            if p._added_delays(names)]
        for procedure in empty:
            logger.warning("The procedure %s has new delays without value: %s",
                procedure.rec_name, ', '.join(procedure._added_delays(names)))

        def describe(procedures):
            return gettext('training_abandon.msg_procedure_delay_empty'), (
                ' · '.join(tools.first(
                        f'{p.rec_name}: {", ".join(p._added_delays(names))}'
                        for p in procedures)))

        for user in (
                cls._members('training_abandon', 'group_training_admin')
                or cls._members('res', 'group_admin')):
            procedures = [
                p for p in empty
                if not p.company or p.company in user.companies]
            if procedures:
                cls._notify(user, procedures, describe, 'tryton-warning')

    def _added_delays(self, names):
        "Return the labels of the empty delays, by the names of each model"
        pool = Pool()
        Step = pool.get('training.abandon.procedure.step')
        labels = self.empty_delays(names[self.__name__])
        for step in self.steps:
            labels += step.empty_delays(names[Step.__name__])
        return list(dict.fromkeys(labels))
