# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from collections import defaultdict

from sql.aggregate import Min
from sql.conditionals import Case as SQLCase

from trytond.i18n import gettext, ngettext
from trytond.model import fields
from trytond.pool import Pool, PoolMeta
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..exceptions import DeclarationDoneWarning
from ..stored import SLICE, of_all, of_ids
from .declaration import CONFORMITIES, conformity_where

RANKED = [conformity for conformity, _ in CONFORMITIES]


class Case(metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

    declarations = fields.One2Many(
        'training.declaration', 'case', "Declarations", readonly=True,
        states={
            'invisible': ~Eval('declarations'),
            },
        help="What the decision has to be declared to the funders and the "
        "others.")
    declaration_conformity = fields.Function(
        fields.Selection(
            [(None, "")] + CONFORMITIES, "Declarations in Time", sort=False,
            states={
                'invisible': ~Eval('declaration_conformity'),
                },
            help="The worst of the declarations with a due date.\n"
            "They are no steps and do not change the conformity."),
        'get_declaration_conformity', searcher='search_declaration_conformity')
    late_declarations = fields.Function(
        fields.Char(
            "Late Declarations",
            states={
                'invisible': ~Eval('late_declarations'),
                },
            help="What is still to declare after its due date, and what was "
            "declared after it."),
        'get_late_declarations')

    @classmethod
    def _protected_fields(cls):
        return super()._protected_fields() | {'declarations'}

    @classmethod
    def get_declaration_conformity(cls, cases, name):
        cursor = Transaction().connection.cursor()
        conformities = dict.fromkeys(c.id for c in cases)
        for sub_cases in grouped_slice(cases, SLICE):
            cursor.execute(*cls.declared_query(
                    of_ids(c.id for c in sub_cases)))
            conformities.update(cursor)
        return conformities

    @classmethod
    def search_declaration_conformity(cls, name, clause):
        case, query = cls.__table__(), cls.declared_query()
        return [('id', 'in', case
                .join(query, 'LEFT', condition=query.case == case.id)
                .select(
                    case.id,
                    where=conformity_where(query.conformity, clause)))]

    @classmethod
    def declared_query(cls, of=of_all):
        "Return the query of the cases with the worst of their declarations"
        pool = Pool()
        Declaration = pool.get('training.declaration')
        declaration = Declaration.__table__()
        worst = Min(Declaration.sql_conformity(
                declaration, **{c: rank for rank, c in enumerate(RANKED)}))
        return declaration.select(
            declaration.case.as_('case'),
            SQLCase(*((worst == rank, c) for rank, c in enumerate(RANKED))
                ).as_('conformity'),
            where=of(declaration.case),
            group_by=[declaration.case])

    @classmethod
    @without_check_access
    def get_late_declarations(cls, cases, name):
        pool = Pool()
        Declaration = pool.get('training.declaration')
        late = {'missing': defaultdict(list), 'late': defaultdict(list)}
        for sub_cases in grouped_slice(cases, tools.BATCH):
            ids = [c.id for c in sub_cases]
            for conformity, by_case in late.items():
                for declaration in Declaration.search([
                            ('case', 'in', ids),
                            ('conformity', '=', conformity),
                            ]):
                    by_case[declaration.case.id].append(declaration)
        return {
            c.id: ' '.join(
                cls._late_words(conformity, by_case[c.id])
                for conformity, by_case in late.items() if by_case[c.id])
            or None
            for c in cases}

    @classmethod
    def _late_words(cls, conformity, declarations):
        pool = Pool()
        Lang = pool.get('ir.lang')
        return ngettext(
            f'training_abandon.msg_declaration_{conformity}',
            len(declarations), count=len(declarations),
            date=Lang.get().strftime(declarations[0].due_date))

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
