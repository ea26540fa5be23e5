# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.model import DeactivableMixin, ModelSQL, ModelView, fields, tree
from trytond.pyson import Eval


class Reason(
        tree(separator=' / '), DeactivableMixin, ModelSQL, ModelView):
    "Declared reasons and determined causes share this tree"
    __name__ = 'training.abandon.reason'

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
    company = fields.Many2One(
        'company.company', "Company",
        help="Leave empty to share the reason between the companies.")

    @classmethod
    def __setup__(cls):
        cls.code.search_unaccented = False
        super().__setup__()
        cls._order.insert(0, ('code', 'ASC NULLS LAST'))

    @property
    def family(self):
        "The root of the branch of the reason"
        reason = self
        while reason.parent:
            reason = reason.parent
        return reason


class Solution(DeactivableMixin, ModelSQL, ModelView):
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
                ('reasons', 'in', [r.id for r in reasons]),
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
