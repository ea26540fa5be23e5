# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What is shown of a step to whom asks for its proof"
from collections import defaultdict

from trytond.model import fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.tools import grouped_slice
from trytond.transaction import check_access

from .. import tools


def _proof(name, model, string, help):
    return fields.Function(
        fields.Many2Many(
            model, None, None, string,
            states={
                'invisible': ~Eval(name),
                },
            help=help),
        'get_proofs')


# What proves the steps besides their mails and follow-ups
_KINDS = {
    'inform': {'training.mail.reply'},
    'ask_reasons': {'training.mail.reply'},
    'analyse': {'training.abandon.case.cause'},
    'propose': {'training.abandon.proposal'},
    'exchange': {'training.mail.reply', 'training.abandon.proposal'},
    'follow_up': {'training.mail.reply'},
    'decide': {'training.mail.reply'},
    'certify': {'training.mail.reply', 'training.abandon.certificate'},
    }


class ProofMixin:
    "Steps that show what proves them, wherever it is recorded"
    __slots__ = ()

    recorded = fields.Function(
        fields.Char(
            "Decision",
            states={
                'invisible': ~Eval('recorded'),
                },
            help="The decision that proves the step."),
        'get_recorded')
    replies = _proof(
        'replies', 'training.mail.reply', "Replies",
        help="What those who were written to at this step answered.")
    causes = _proof(
        'causes', 'training.abandon.case.cause', "Causes",
        help="The causes that prove the analysis.")
    proposals = _proof(
        'proposals', 'training.abandon.proposal', "Proposals",
        help="The proposals that the step is about.")
    certificates = _proof(
        'certificates', 'training.abandon.certificate', "Certificates",
        help="The certificates that prove the step.")

    def mark(self, today):
        "Return what became of the step, for the band of the case"
        if self.state == 'skipped':
            return 'skipped'
        elif self.state == 'done':
            if self.evidence in {'failed', 'pending'}:
                return self.evidence
            return 'done'
        elif self.due_date and self.due_date < today:
            return 'late'
        return 'todo'

    @classmethod
    def get_recorded(cls, steps, name):
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()
        return {
            step.id: ' – '.join(filter(None, [
                        step.case.decision_string,
                        step.case.ground_string,
                        step.case.effective_date
                        and lang.strftime(step.case.effective_date)]))
            if step.kind == 'decide' and step.case.decision else None
            for step in steps}

    @classmethod
    def get_proofs(cls, steps, names):
        pool = Pool()
        result = {}
        for name in names:
            model = cls._fields[name].get_target().__name__
            Model = pool.get(model)
            # The replies are those to the mails of the step
            of = 'mail.step' if name == 'replies' else 'case'
            by_owner = defaultdict(list)
            proven = [s for s in steps if model in _KINDS[s.kind]]
            owners = {
                s.id if of == 'mail.step' else s.case.id for s in proven}
            for sub_ids in grouped_slice(sorted(owners), tools.BATCH):
                # The user sees what the rules let it see
                with check_access():
                    records = Model.search([
                            (of, 'in', list(sub_ids)),
                            ], order=[('id', 'ASC')])
                for record in Model.browse(records):
                    owner = (
                        record.mail.step if of == 'mail.step'
                        else record.case)
                    by_owner[owner.id].append(record.id)
            result[name] = {s.id: [] for s in steps}
            for step in proven:
                owner = step if of == 'mail.step' else step.case
                result[name][step.id] = by_owner[owner.id]
        return result
