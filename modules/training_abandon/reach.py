# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""What who is given a part of the trainings reaches of them, by any door

A model or a field that is added later is hidden until it is named."""
from trytond.pool import Pool

# What any model tells of a record
COMMON = {
    'id', 'create_date', 'create_uid', 'last_modified_at', 'rec_name',
    'write_date', 'write_uid', 'xml_id'}
MODES = ['read', 'write', 'create', 'delete']


class Reach:
    "The fields that are read and written, by name of model"

    def __init__(self, read, written):
        self.read = read
        self.written = written

    def applies(self):
        "Return if the user reaches no more than this"
        raise NotImplementedError

    def rule_context(self):
        "Return what the rules know of the user"
        raise NotImplementedError

    def cache_key(self):
        "Return what the rules of the user depend on"
        raise NotImplementedError

    def restrict_models(self, accesses):
        "Return the access to the models, by name"
        return {m: self.restrict_model(m, a) for m, a in accesses.items()}

    def restrict_model(self, name, access, reads_all=False):
        """Return the access to the model

        reads_all tells that only what is written is restricted."""
        pool = Pool()
        if name in self.read or not self._follows(pool.get(name)):
            return access
        return {
            # What links two models has no name of its own
            'read': access['read'] and ('-' in name or reads_all),
            'write': False,
            'create': False,
            'delete': False,
            }

    def _follows(self, Model):
        "Return if the access to the model follows from what is read"
        targets = [
            getattr(Model, name).get_target() for name in Model.__access__]
        return any(
            t.__name__ in self.read or self._follows(t) for t in targets)

    def restrict_fields(self, name, accesses, reads_all=False):
        "Return the access to the fields of the model"
        pool = Pool()
        if name not in self.read:
            return accesses
        result = dict(accesses)
        for field_name in pool.get(name)._fields.keys() - COMMON:
            access = accesses.get(field_name, dict.fromkeys(MODES, True))
            read = access['read'] and (
                reads_all or field_name in self.read[name])
            written = field_name in self.written.get(name, ())
            result[field_name] = {
                'read': read,
                **{
                    mode: read and written and access[mode]
                    for mode in ['write', 'create', 'delete']},
                }
        return result
