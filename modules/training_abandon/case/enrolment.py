# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.model import ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Bool, Eval
from trytond.tools import grouped_slice

from .. import tools
from ..exceptions import CaseOpenWarning
from ..training.enrolment import CURRENT_STATES


class Enrolment(metaclass=PoolMeta):
    __name__ = 'training.enrolment'

    follow_ups = fields.One2Many(
        'training.follow_up', 'enrolment', "Follow-Ups",
        domain=[
            ('company', '=', Eval('company', -1)),
            ],
        help="The calls, the meetings and the visits about the trainee, "
        "with or without a case.")
    cases = fields.One2Many(
        'training.abandon.case', 'enrolment', "Cases", readonly=True,
        help="The abandonment cases of the enrolment, those that are over "
        "too.")
    current_case = fields.Function(
        fields.Many2One(
            'training.abandon.case', "Open Case",
            help="The abandonment case of the enrolment that is not over."),
        'get_current_case', searcher='search_current_case')
    transferred_from = fields.Many2One(
        'training.enrolment', "Transferred from", readonly=True,
        ondelete='RESTRICT',
        states={
            'invisible': ~Eval('transferred_from'),
            },
        help="The enrolment on which the hours attended before stay.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls._buttons.update(
            open_case={
                'invisible': (
                    ~Eval('state').in_(CURRENT_STATES)
                    | Bool(Eval('current_case'))),
                'depends': ['state', 'current_case'],
                })

    @classmethod
    def copy(cls, enrolments, default=None):
        default = default.copy() if default is not None else {}
        default.setdefault('follow_ups')
        default.setdefault('cases')
        default.setdefault('transferred_from')
        return super().copy(enrolments, default=default)

    @classmethod
    def get_current_case(cls, enrolments, name):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cases = dict.fromkeys(map(int, enrolments))
        for sub_ids in grouped_slice(sorted(cases), tools.BATCH):
            for case in Case.search([
                        ('enrolment', 'in', list(sub_ids)),
                        ('closed_at', '=', None),
                        ], order=[]):
                cases[case.enrolment.id] = case.id
        return cases

    @classmethod
    def search_current_case(cls, name, clause):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        _, operator, value = clause[:3]
        domain = [('closed_at', '=', None)]
        if value is None and '.' not in clause[0]:
            # Those who have none, or any
            return [('id', 'not in' if operator == '=' else 'in',
                    cls._with_case(Case.search(
                            domain, order=[], query=True)))]
        nested = clause[0][len(name) + 1:]
        if not nested:
            nested = 'rec_name' if isinstance(value, str) else 'id'
        return [('id', 'in', cls._with_case(Case.search(
                        [*domain, (nested, *clause[1:])],
                        order=[], query=True)))]

    @classmethod
    def _with_case(cls, cases):
        "Return the query of the ids of the enrolments of the cases"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        case = Case.__table__()
        return case.select(case.enrolment, where=case.id.in_(cases))

    @classmethod
    def kept_open(cls, enrolments):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        kept = {
            c.enrolment for c in Case.undecided(
                'enrolment', [e.id for e in enrolments])}
        kept.update(super().kept_open(enrolments))
        return [e for e in enrolments if e in kept]

    @classmethod
    def on_modification(cls, mode, enrolments, field_names=None):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        super().on_modification(mode, enrolments, field_names=field_names)
        if mode == 'write' and 'state' in field_names:
            Case.on_enrolment_end(
                [e for e in enrolments if e.state not in CURRENT_STATES])
            Case.end_waiting([e for e in enrolments if e.state == 'started'])

    @classmethod
    @ModelView.button
    def complete(cls, enrolments):
        cls._warn_undecided(enrolments)
        super().complete(enrolments)

    @classmethod
    @ModelView.button
    def cancel(cls, enrolments):
        cls._warn_undecided(enrolments)
        super().cancel(enrolments)

    @classmethod
    def check_reopen(cls, enrolments):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        super().check_reopen(enrolments)
        cases = [
            c for c in Case.search([
                    ('enrolment', 'in', [e.id for e in enrolments]),
                    ('decision', '=', 'validated'),
                    ('state', '!=', 'cancelled'),
                    ]) if c.has_ended_enrolment]
        if cases:
            raise AccessError(gettext(
                    'training_abandon.msg_enrolment_reopen_case',
                    cases=tools.names(cases)))

    @classmethod
    def _warn_undecided(cls, enrolments):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        Warning = pool.get('res.user.warning')
        cases = Case.undecided('enrolment', [e.id for e in enrolments])
        if not cases:
            return
        key = Warning.format('training_enrolment_end', cases)
        if Warning.check(key):
            raise CaseOpenWarning(key, gettext(
                    'training_abandon.msg_enrolment_end_case',
                    cases=tools.names(cases)))

    def stakeholders(self, *roles):
        parties = super().stakeholders(*roles)
        # The funders are written to as organisations when they are asked for
        if 'funder' in roles and not any(
                c.role == 'funder' for c in self.contacts):
            told = {self.trainee.party, *(party for _, party in parties)}
            parties += [
                ('funder', party)
                for party in dict.fromkeys(f.funder for f in self.fundings)
                if party not in told]
        return parties

    @classmethod
    @ModelView.button_action('training_abandon.wizard_case_open')
    def open_case(cls, enrolments):
        pass
