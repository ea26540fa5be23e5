# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from trytond.i18n import gettext, ngettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import without_check_access

from .. import tools
from ..exceptions import DeclarationDoneWarning


class Case(metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    declarations = fields.One2Many(
        'training.declaration', 'case', "Declarations", readonly=True,
        states={
            'invisible': ~Eval('declarations'),
            },
        help="What the decision has to be declared to the funders and the "
        "others.")
    late_declarations = fields.Function(
        fields.Char(
            "Late Declarations",
            states={
                'invisible': ~Eval('late_declarations'),
                },
            help="What is not declared after its due date, or was declared "
            "after it; it is no step and does not change the conformity."),
        'get_late_declarations', searcher='search_late_declarations')

    @classmethod
    def _protected_fields(cls):
        return super()._protected_fields() | {'declarations'}

    @classmethod
    @without_check_access
    def get_late_declarations(cls, cases, name):
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Lang = pool.get('ir.lang')
        late = defaultdict(list)
        for sub_cases in grouped_slice(cases, tools.BATCH):
            for declaration in Declaration.search([
                        ('case', 'in', [c.id for c in sub_cases]),
                        cls._late_domain(),
                        ]):
                late[declaration.case.id].append(declaration)
        return {
            c.id: ngettext(
                'training_abandon.msg_declaration_late', len(late[c.id]),
                count=len(late[c.id]),
                date=Lang.get().strftime(late[c.id][0].due_date))
            if late[c.id] else None
            for c in cases}

    @classmethod
    def _late_domain(cls):
        pool = Pool()
        Date = pool.get('ir.date')
        Declaration = pool.get('training.declaration')
        declaration = Declaration.__table__()
        return ['OR', [
                ('state', '=', 'todo'),
                ('due_date', '<', Date.today()),
                ], [
                ('id', 'in', declaration.select(
                        declaration.id,
                        where=(declaration.state == 'done')
                        & (declaration.done_on > declaration.due_date))),
                ]]

    @classmethod
    @without_check_access
    def search_late_declarations(cls, name, clause):
        pool = Pool()
        Declaration = pool.get('training.declaration')
        late = Declaration.search([
                ('case', '!=', None),
                cls._late_domain(),
                ], order=[])
        _, operator, value = clause
        is_late = (operator in {'=', 'ilike'}) == (value is not None)
        return [('id', 'in' if is_late else 'not in', [
                    d.case.id for d in late])]

    @classmethod
    def on_decided(cls, cases):
        pool = Pool()
        Declaration = pool.get('training.declaration')
        super().on_decided(cases)
        Declaration.declare_cases(cases)

    @classmethod
    def check_undo(cls, cases):
        super().check_undo(cases)
        cls._withdraw_declarations(cases)

    @classmethod
    @without_check_access
    def _withdraw_declarations(cls, cases):
        """Cancel what the decisions that the cases will have no more had to
        declare, warn of what was declared and have it corrected"""
        pool = Pool()
        Declaration = pool.get('training.declaration')
        Warning = pool.get('res.user.warning')
        declarations = Declaration.search([
                ('case', 'in', [c.id for c in cases]),
                ('correction', '=', False),
                ('withdrawn', '=', False),
                ['OR',
                    ('event', '=', 'decision'),
                    [
                        ('event', '=', 'break'),
                        ('enrolment.break_date', '=', None),
                        ],
                    ],
                ], order=[('id', 'ASC')])
        done = [d for d in declarations if d.state == 'done']
        if done:
            key = Warning.format('training_declaration_done', done)
            if Warning.check(key):
                raise DeclarationDoneWarning(key, gettext(
                        'training_abandon.msg_declaration_done',
                        declarations=tools.names(done)))
        Declaration.withdraw(
            declarations,
            gettext('training_abandon.msg_declaration_taken_back'))
