# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.


class ExpectationMixin:
    "Records that say when a trainee, or who at a slot, is expected"
    __slots__ = ()
    # The field of the enrolment or of the slot
    _expectation_of = 'enrolment'

    @classmethod
    def on_modification(cls, mode, records, field_names=None):
        super().on_modification(mode, records, field_names=field_names)
        if mode in {'create', 'write'}:
            cls._on_expectation(cls._expectations(records))

    @classmethod
    def on_write(cls, records, values):
        callbacks = super().on_write(records, values)
        if cls._expectation_of in values:
            left = cls._expectations(records)
            callbacks.append(lambda: cls._on_expectation(left))
        return callbacks

    @classmethod
    def on_delete(cls, records):
        callbacks = super().on_delete(records)
        left = cls._expectations(records)
        callbacks.append(lambda: cls._on_expectation(left))
        return callbacks

    @classmethod
    def _expectations(cls, records):
        return {getattr(r, cls._expectation_of) for r in records}

    @classmethod
    def _on_expectation(cls, records):
        cls._fields[cls._expectation_of].get_target().on_expectation(records)
