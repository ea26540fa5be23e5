# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""Since when the steps wait for an answer, stored by what changes it

What decides reads the definition itself, Step.waiting_parties: the lists read
what is stored."""
from sql import Null
from sql.aggregate import Min

from trytond.model import Index, fields
from trytond.pool import Pool
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from ..procedure.states import ANSWERED_KINDS, PROGRESS_STATES
from ..stored import SLICE, StoredMixin

in_ = fields.SQL_OPERATORS['in']


class StepAwaitedMixin(StoredMixin):
    "Steps with the time since when they wait for an answer"
    __slots__ = ()

    waiting_since = fields.DateTime(
        "Waiting since", readonly=True,
        help="When the first of those who have not answered was reached.")
    waiting = fields.Function(
        fields.Boolean(
            "Waiting for an Answer",
            help="Check if somebody who was written to has not answered."),
        'get_waiting', searcher='search_waiting')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        t = cls.__table__()
        cls._sql_indexes.add(
            Index(t, (t.waiting_since, Index.Range()), (t.id, Index.Range())))

    @classmethod
    def __register__(cls, module):
        is_stored = cls.__table_handler__(module).column_exist(
            'waiting_since')
        super().__register__(module)
        if not is_stored:
            cls.store(names=['waiting_since'])

    @classmethod
    def get_waiting(cls, steps, name):
        return {s.id: s.waiting_since is not None for s in steps}

    @classmethod
    def search_waiting(cls, name, clause):
        _, operator, value = clause
        is_waiting = (operator == '=') == bool(value)
        return [('waiting_since', '!=' if is_waiting else '=', None)]

    @classmethod
    def stored_queries(cls):
        return {
            **super().stored_queries(),
            ('waiting_since',): cls._waiting_since_query,
            }

    @classmethod
    def _waiting_since_query(cls, of):
        "Return the query of the id of the steps and since when they wait"
        step = cls.__table__()
        waiting, told = cls._waiting_query(of)
        waiting.columns = [
            told.step.as_('step'), Min(told.since).as_('since')]
        waiting.order_by = None
        waiting.where &= (told.since != Null) & (told.refused == 0)
        waiting.group_by = [told.step]
        return (step
            .join(waiting, 'LEFT', condition=waiting.step == step.id)
            .select(
                step.id.as_('id'), waiting.since.as_('waiting_since'),
                where=of(step.id)))

    @classmethod
    def store_waiting(cls, case_ids):
        """Store since when the steps of the cases wait and keep the cases for
        this transaction alone."""
        cls.keep_cases(case_ids)
        cls._store_waiting(case_ids)

    @classmethod
    def _store_waiting(cls, case_ids):
        for sub_ids in grouped_slice(sorted(set(case_ids)), SLICE):
            cls.store(cls.of_cases(sub_ids), ['waiting_since'])

    @classmethod
    def on_modification(cls, mode, steps, field_names=None):
        super().on_modification(mode, steps, field_names=field_names)
        if mode == 'write' and {'case', 'kind', 'state', 'done_at'} & (
                field_names):
            cls._store_waiting(
                s.case.id for s in steps if s.kind in ANSWERED_KINDS)


class CaseAwaitedMixin:
    "Cases that end what their steps wait for"
    __slots__ = ()

    @classmethod
    def on_modification(cls, mode, cases, field_names=None):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        super().on_modification(mode, cases, field_names=field_names)
        if mode == 'write' and (
                {'enrolment', 'answered_at', 'closed_at'} & field_names):
            Step._store_waiting(c.id for c in cases)

    @classmethod
    def on_write(cls, cases, values):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        callbacks = super().on_write(cases, values)
        if 'state' in values:
            # From one step to the next nothing changes of what was asked
            in_progress = values['state'] in PROGRESS_STATES
            ids = [
                c.id for c in cases
                if (c.state in PROGRESS_STATES) != in_progress]
            callbacks.append(lambda: Step._store_waiting(ids))
        return callbacks

    @classmethod
    def open_ids(cls, get_where, ids):
        """Return the ids of the open cases.

        get_where returns the condition on the case from some of the ids."""
        cursor = Transaction().connection.cursor()
        result = set()
        for sub_ids in grouped_slice(sorted(set(ids)), SLICE):
            case = cls.__table__()
            cursor.execute(*case.select(
                    case.id,
                    where=(case.closed_at == Null)
                    & get_where(case, list(sub_ids))))
            result.update(id_ for id_, in cursor)
        return result

    @classmethod
    def open_of_enrolments(cls, ids):
        "Return the ids of the open cases of the enrolments"
        return cls.open_ids(
            lambda case, ids: in_(case.enrolment, ids), ids)

    @classmethod
    def open_of_parties(cls, ids):
        """Return the ids of the open cases that may wait for the parties, or
        for whom they answer."""
        pool = Pool()
        AlsoFor = pool.get('training.mail-also_for-party.party')
        Enrolment = pool.get('training.enrolment')
        FollowUp = pool.get('training.follow_up')
        Mail = pool.get('training.mail')
        Trainee = pool.get('training.trainee')

        def where(case, ids):
            mail, shared = Mail.__table__(), Mail.__table__()
            also_for, follow_up = AlsoFor.__table__(), FollowUp.__table__()
            enrolment, trainee = Enrolment.__table__(), Trainee.__table__()
            return (
                case.id.in_(mail.select(
                        mail.case,
                        where=in_(mail.party, ids) & (mail.case != Null)))
                | case.id.in_(shared
                    .join(also_for, condition=also_for.mail == shared.id)
                    .select(
                        shared.case,
                        where=in_(also_for.party, ids)
                        & (shared.case != Null)))
                | case.id.in_(follow_up.select(
                        follow_up.case,
                        where=in_(follow_up.party, ids)
                        & (follow_up.case != Null)))
                | case.enrolment.in_(enrolment
                    .join(trainee, condition=trainee.id == enrolment.trainee)
                    .select(enrolment.id, where=in_(trainee.party, ids))))

        return cls.open_ids(where, ids)


class AwaitedMixin:
    "Records on which it depends what the steps of some cases wait for"
    __slots__ = ()
    # The fields that it depends on, and those that tell of which cases
    _awaited = set()
    _awaited_of = set()

    @classmethod
    def awaited_cases(cls, records):
        "Return the ids of the cases"
        raise NotImplementedError

    @classmethod
    def on_modification(cls, mode, records, field_names=None):
        super().on_modification(mode, records, field_names=field_names)
        if mode != 'delete' and (
                field_names is None or cls._awaited & field_names):
            cls._store_waiting(records)()

    @classmethod
    def on_write(cls, records, values):
        callbacks = super().on_write(records, values)
        if cls._awaited_of & values.keys():
            # Those that they leave
            callbacks.append(cls._store_waiting(records))
        return callbacks

    @classmethod
    def on_delete(cls, records):
        return super().on_delete(records) + [cls._store_waiting(records)]

    @classmethod
    def _store_waiting(cls, records):
        "Return what stores since when the steps wait of the cases of now"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        case_ids = cls.awaited_cases(records)
        return lambda: Step.store_waiting(case_ids)
