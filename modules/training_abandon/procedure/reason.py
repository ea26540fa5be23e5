# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from sql import Null, Union, Window
from sql.aggregate import Min
from sql.conditionals import Case as SQLCase
from sql.conditionals import Coalesce
from sql.functions import RowNumber

from trytond.i18n import gettext
from trytond.model import DeactivableMixin, ModelSQL, ModelView, fields, tree
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, inactive_records

from ..exceptions import TrainingValidationError
from .states import RESPONSIBLES
from .used import UsedMixin

# Whose doing the reasons of the module are, for those that had none
_RESPONSIBLES = {
    'employer': ['imposed', 'employer'],
    'provider': ['level', 'digital', 'relations'],
    'external': ['family', 'health', 'money', 'distance', 'force_majeure'],
    }
# Beyond the reasons of any letter
_UNPRINTED = 10_000


class Reason(
        UsedMixin, tree(separator=' / '), DeactivableMixin, ModelSQL,
        ModelView):
    "Declared reasons and determined causes share this tree"
    __name__ = 'training.abandon.reason'
    _order_name = 'rec_name'

    code = fields.Char("Code")
    name = fields.Char("Name", required=True, translate=True)
    parent = fields.Many2One(
        'training.abandon.reason', "Parent", ondelete='RESTRICT',
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ])
    children = fields.One2Many(
        'training.abandon.reason', 'parent', "Children")
    requires_detail = fields.Boolean(
        "Requires Detail",
        help="Check to require a comment with this reason.")
    sensitive = fields.Boolean(
        "Sensitive",
        help="Check to show the reason only to the users of the group "
        "Sensitive Reasons, and never to the prescriber.")
    responsible = fields.Selection(
        [(None, "")] + RESPONSIBLES, "Responsible", sort=False,
        help="Whose doing it usually is when it is a cause.\n"
        "Leave empty for that of the parent.")
    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty to share the reason between the companies.")

    @classmethod
    def __register__(cls, module):
        table_h = cls.__table_handler__(module)
        has_responsible = table_h.column_exist('responsible')
        super().__register__(module)
        if not has_responsible:
            cls._fill_responsible()

    @classmethod
    def _fill_responsible(cls):
        table = cls.__table__()
        Transaction().connection.cursor().execute(*table.update(
                [table.responsible], [SQLCase(*(
                            (table.code.in_(codes), responsible)
                            for responsible, codes in _RESPONSIBLES.items())
                        )],
                where=(table.company == Null)
                & table.code.in_(sum(_RESPONSIBLES.values(), []))))

    @classmethod
    def __setup__(cls):
        cls.code.search_unaccented = False
        super().__setup__()
        cls._order.insert(0, ('rec_name', 'ASC'))

    @classmethod
    def order_rec_name(cls, tables):
        """Order those of the letters as they print them, then the others by
        name, and last those that ask for words"""
        table, _ = tables[None]
        if 'printed' not in tables:
            printed = cls._printed()
            tables['printed'] = {
                None: (printed, printed.reason == table.id),
                }
        printed, _ = tables['printed'][None]
        return [
            Coalesce(table.requires_detail, False),
            Coalesce(printed.position, _UNPRINTED),
            *cls.name.convert_order('name', tables, cls)]

    @classmethod
    def _printed(cls):
        """Return the query of the positions in the letters of the active
        procedures, those of the children for their parents"""
        pool = Pool()
        Printed = pool.get(
            'training.abandon.procedure-training.abandon.reason')
        Procedure = pool.get('training.abandon.procedure')
        printed, procedure = Printed.__table__(), Procedure.__table__()
        child = cls.__table__()
        position = RowNumber(window=Window(
                [printed.procedure],
                order_by=[
                    printed.sequence == Null, printed.sequence, printed.id]))
        letter = (printed
            .join(procedure, condition=procedure.id == printed.procedure)
            .select(
                printed.reason.as_('reason'),
                position.as_('position'),
                where=procedure.state == 'active'))
        reasons = Union(
            letter.select(letter.reason, letter.position),
            letter
            .join(child, condition=child.id == letter.reason)
            .select(
                child.parent.as_('reason'), letter.position,
                where=child.parent != Null),
            all_=True)
        return reasons.select(
            reasons.reason, Min(reasons.position).as_('position'),
            group_by=[reasons.reason])

    @fields.depends('parent', '_parent_parent.sensitive')
    def on_change_parent(self):
        if self.parent and self.parent.sensitive:
            self.sensitive = True

    @classmethod
    def validate_fields(cls, reasons, field_names):
        super().validate_fields(reasons, field_names)
        cls.check_sensitive(reasons, field_names)

    @classmethod
    def check_sensitive(cls, reasons, field_names=None):
        "Check that what is under a sensitive reason is sensitive too"
        if field_names and not field_names & {'parent', 'sensitive'}:
            return
        with inactive_records():
            children = cls.search([
                    ('parent', 'in', [r.id for r in reasons]),
                    ], order=[])
        for reason in [*reasons, *children]:
            if (reason.parent and reason.parent.sensitive
                    and not reason.sensitive):
                raise TrainingValidationError(gettext(
                        'training_abandon.msg_reason_sensitive',
                        reason=reason.rec_name))

    @classmethod
    def used_fields(cls):
        return super().used_fields() | {'parent'}

    def _changes_words(self, values):
        return (super()._changes_words(values)
            # What was told in confidence
            or self.sensitive and not values.get('sensitive', True))

    @classmethod
    def used(cls, reasons):
        pool = Pool()
        Printed = pool.get(
            'training.abandon.procedure-training.abandon.reason')
        return super().used(reasons) | {
            p.reason.id for p in Printed.search([
                    ('reason', 'in', [r.id for r in reasons]),
                    ('procedure.state', '!=', 'draft'),
                    ])}

    @property
    def usual_responsible(self):
        "Whose doing it is, as a cause, unless the analysis tells otherwise"
        reason = self
        while reason:
            if reason.responsible:
                return reason.responsible
            reason = reason.parent
        return 'trainee'

    @property
    def family(self):
        "The root of the branch of the reason"
        reason = self
        while reason.parent:
            reason = reason.parent
        return reason


class Solution(UsedMixin, DeactivableMixin, ModelSQL, ModelView):
    __name__ = 'training.abandon.solution'

    code = fields.Char("Code")
    name = fields.Char("Name", required=True, translate=True)
    reasons = fields.Many2Many(
        'training.abandon.solution-training.abandon.reason',
        'solution', 'reason', "Reasons",
        domain=[
            ('company', 'in', [Eval('company', -1), None]),
            ],
        help="The causes that the solution may remedy.\n"
        "Leave empty if it may remedy any of them.")
    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty to share the solution between the companies.")

    @classmethod
    def __setup__(cls):
        cls.code.search_unaccented = False
        super().__setup__()
        cls._order.insert(0, ('code', 'ASC NULLS LAST'))

    @classmethod
    def fitting(cls, causes, company):
        "Return the solutions that may remedy the causes, best fits first"
        reasons = set()
        for cause in causes:
            while cause:
                reasons.add(cause)
                cause = cause.parent
        solutions = cls.search([
                ['OR',
                    ('reasons', 'in', [r.id for r in reasons]),
                    ('reasons', '=', None),
                    ],
                ('company', 'in', [company.id, None]),
                ])
        return sorted(
            solutions, key=lambda s: -len(reasons.intersection(s.reasons)))


class Solution_Reason(ModelSQL):
    __name__ = 'training.abandon.solution-training.abandon.reason'

    solution = fields.Many2One(
        'training.abandon.solution', "Solution", required=True,
        ondelete='CASCADE')
    reason = fields.Many2One(
        'training.abandon.reason', "Reason", required=True,
        ondelete='CASCADE')

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('solution')
