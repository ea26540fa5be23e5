# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What keeps its words once something rests on it"
from trytond.i18n import gettext
from trytond.model import fields
from trytond.model.exceptions import AccessError


class UsedMixin:
    "A record whose words are those of the cases and letters that use it"
    __slots__ = ()

    @classmethod
    def used_fields(cls):
        "Return the names of the fields that stay once the record is used"
        return {'name', 'code', 'company'}

    @classmethod
    def used(cls, records):
        "Hook that returns the ids of those of the records that are used"
        return set()

    @classmethod
    def check_modification(cls, mode, records, values=None, external=False):
        super().check_modification(
            mode, records, values=values, external=external)
        # The updates of the module are not refused
        if mode == 'write' and external:
            changed = [r for r in records if r._changes_words(values)]
            used = cls.used(changed) if changed else set()
            for record in changed:
                if record.id in used:
                    raise AccessError(gettext(
                            'training_abandon.msg_reason_used',
                            record=record.rec_name))

    def _changes_words(self, values):
        for name in values.keys() & self.used_fields():
            old, new = getattr(self, name), values[name]
            if isinstance(self.__class__._fields[name], fields.Many2One):
                old = old.id if old else None
            if old != new:
                return True
        return False
