# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from sql.conditionals import Coalesce

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..exceptions import AgreementKindWarning

# What tells to whom it is declared
TERMS = {
    'agreement_kind', 'fundings', 'client', 'employer', 'prescriber',
    'trainee_kind'}


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    trainee_kind = fields.Selection(
        'get_trainee_kinds', "Kind of Trainee Then", sort=False,
        help="What the trainee was during the training, for the declarations, "
        "the annual report and the indicators: it is kept when the trainee "
        "becomes another kind after the first presence, a decision or the "
        "end, and may be corrected.\n"
        "Leave empty as long as it is the one of the trainee.")

    @classmethod
    def get_trainee_kinds(cls):
        pool = Pool()
        Trainee = pool.get('training.trainee')
        return [(None, "")] + Trainee.fields_get(['kind'])['kind']['selection']

    @property
    def kind_of_trainee(self):
        return self.trainee_kind or self.trainee.kind

    @classmethod
    def sql_kind_of_trainee(cls, enrolment, trainee):
        return Coalesce(enrolment.trainee_kind, trainee.kind)

    @classmethod
    def kind_of_trainee_domain(cls, kind, path=''):
        "Return the domain of what is, by the path, of the enrolments"
        return ['OR',
            (f'{path}trainee_kind', '=', kind),
            [
                (f'{path}trainee_kind', '=', None),
                (f'{path}trainee.kind', '=', kind),
                ],
            ]

    @property
    def is_over(self):
        today = tools.today(self.company)
        return (self.end_date or today) < today or (
            self.session.end_date < today)

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('trainee_kind')
        return super().copy(enrolments, default=default)

    @classmethod
    def on_write(cls, enrolments, values):
        if 'agreement_kind' in values:
            cls._warn_counted([
                    e for e in enrolments
                    if e.agreement_kind != values['agreement_kind']])
        return super().on_write(enrolments, values)

    @classmethod
    @without_check_access
    def _warn_counted(cls, enrolments):
        "Warn of the annual reports that count the enrolments by their kind"
        pool = Pool()
        Warning = pool.get('res.user.warning')
        by_year = defaultdict(list)
        for enrolment in enrolments:
            by_year[tools.today(enrolment.company).year].append(enrolment)
        counted = [
            e for year, group in by_year.items()
            for e in cls._counted_before(group, year)]
        if counted:
            key = Warning.format('training_agreement_kind', counted)
            if Warning.check(key):
                raise AgreementKindWarning(key, gettext(
                        'training_abandon.msg_bpf_agreement_kind',
                        enrolments=tools.names(counted)))

    @classmethod
    def _counted_before(cls, enrolments, year):
        """Hook that returns those of the enrolments that the annual reports of
        the years before count"""
        return [
            e for e in enrolments
            if e.first_presence and e.first_presence.year < year]

    @classmethod
    def write(cls, enrolments, values, *args):
        # The lines of the fundings are deleted before the others are created
        with Transaction().set_context(_written_with_enrolment=True):
            super().write(enrolments, values, *args)

    @classmethod
    def on_modification(cls, mode, enrolments, field_names=None):
        pool = Pool()
        Declaration = pool.get('training.declaration')
        super().on_modification(mode, enrolments, field_names=field_names)
        if mode == 'create':
            Declaration.follow_breaks(
                [e for e in enrolments if e.break_date])
        elif mode == 'write':
            if 'break_date' in field_names:
                Declaration.follow_breaks(enrolments)
            if not TERMS.isdisjoint(field_names):
                Declaration.follow_terms(enrolments)


class Funding(metaclass=PoolMeta):
    __name__ = 'training.enrolment.funding'

    @classmethod
    def on_modification(cls, mode, fundings, field_names=None):
        super().on_modification(mode, fundings, field_names=field_names)
        if mode == 'create' or mode == 'write' and 'funder' in field_names:
            cls._follow({f.enrolment for f in fundings})

    @classmethod
    def on_delete(cls, fundings):
        enrolments = {f.enrolment for f in fundings}
        return super().on_delete(fundings) + [lambda: cls._follow(enrolments)]

    @classmethod
    def _follow(cls, enrolments):
        if Transaction().context.get('_written_with_enrolment'):
            return
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Enrolment = pool.get('training.enrolment')
        # What was read of them has the former funders
        Declaration.follow_terms(tools.browse_sets(Enrolment, enrolments))


class Trainee(metaclass=PoolMeta):
    __name__ = 'training.trainee'

    @classmethod
    def on_write(cls, trainees, values):
        if 'kind' in values:
            cls._keep_kinds([t for t in trainees if t.kind != values['kind']])
        return super().on_write(trainees, values)

    @classmethod
    @without_check_access
    def _keep_kinds(cls, trainees):
        """Keep what the trainees were where they came, in the cases that are
        decided and during the trainings that are over"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolments = cls._enrolments(trainees)
        decided = cls._decided(enrolments)
        kept = defaultdict(list)
        for enrolment in enrolments:
            if not enrolment.trainee_kind and (
                    enrolment.first_presence or enrolment in decided
                    or enrolment.is_over):
                kept[enrolment.trainee.kind].append(enrolment)
        for kind, enrolments in kept.items():
            Enrolment.write(enrolments, {'trainee_kind': kind})

    @classmethod
    def _decided(cls, enrolments):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        decided = set()
        for sub_enrolments in grouped_slice(enrolments, tools.BATCH):
            decided.update(c.enrolment for c in Case.search([
                        ('enrolment', 'in', [e.id for e in sub_enrolments]),
                        ('decision', '!=', None),
                        ], order=[]))
        return decided

    @classmethod
    def on_modification(cls, mode, trainees, field_names=None):
        pool = Pool()
        Declaration = pool.get('training.declaration')
        super().on_modification(mode, trainees, field_names=field_names)
        if mode == 'write' and 'kind' in field_names:
            # The months that are over were those of the former kind
            Declaration.follow_terms(
                cls._enrolments(trainees), ['decision', 'break'])

    @classmethod
    def _enrolments(cls, trainees):
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        enrolments = []
        for sub_trainees in grouped_slice(trainees, tools.BATCH):
            enrolments += Enrolment.search([
                    ('trainee', 'in', [t.id for t in sub_trainees]),
                    ], order=[('id', 'ASC')])
        return enrolments
