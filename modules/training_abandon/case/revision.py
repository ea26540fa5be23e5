# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The open cases that go on with the corrected revision of their procedure"
from collections import defaultdict

from trytond.i18n import gettext
from trytond.pool import Pool

from .. import tools
from ..exceptions import CaseUndoError, ProcedureStepsWarning
from ..procedure.states import STEP_ORDER


class RevisionMixin:
    "Cases whose procedure is revised while they are open"
    __slots__ = ()

    @classmethod
    def change_procedure(cls, cases, reason):
        """Have the open cases follow the active revision of their procedure,
        all or none.

        The steps done keep what they are; those to do have the delays and
        the letters of the revision."""
        pool = Pool()
        Correction = pool.get('training.abandon.case.correction')
        Step = pool.get('training.abandon.case.step')
        cases, _ = cls._take_open(cases)
        revisions = cls._active_revisions(cases)
        cls._warn_steps(cases, revisions)
        Correction.record('procedure', cases, reason, lambda case: {
                'description': gettext(
                    'training_abandon.msg_change_procedure_description',
                    before=case.procedure.rec_name,
                    after=revisions[case].rec_name),
                })
        by_procedure = defaultdict(list)
        for case, procedure in revisions.items():
            by_procedure[procedure].append(case)
        for procedure, group in by_procedure.items():
            cls._change_steps(group, procedure)
            cls.write(group, {'procedure': procedure.id})
        Step.reschedule(cases)

    @classmethod
    def _active_revisions(cls, cases):
        "Return the active revision of the procedure of each case"
        pool = Pool()
        Procedure = pool.get('training.abandon.procedure')
        active = {
            (p.code, p.company): p for p in Procedure.search([
                    ('code', 'in', list({c.procedure.code for c in cases})),
                    ('state', '=', 'active'),
                    ])}
        revisions, refused = {}, []
        for case in cases:
            code = case.procedure.code
            procedure = (
                active.get((code, case.company)) or active.get((code, None)))
            if not procedure or procedure == case.procedure:
                refused.append(case)
            revisions[case] = procedure
        if refused:
            raise CaseUndoError(gettext(
                    'training_abandon.msg_change_procedure_none',
                    cases=tools.names(refused)))
        return revisions

    @classmethod
    def _warn_steps(cls, cases, revisions):
        pool = Pool()
        Warning = pool.get('res.user.warning')
        differ = [
            c for c in cases
            if {s.kind for s in c.steps}
            != {s.kind for s in revisions[c].steps}]
        if not differ:
            return
        key = Warning.format('training_case_procedure_steps', differ)
        if Warning.check(key):
            raise ProcedureStepsWarning(key, gettext(
                    'training_abandon.msg_change_procedure_steps',
                    cases=tools.names(differ)))

    @classmethod
    def _change_steps(cls, cases, procedure):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        revised = {s.kind: s for s in procedure.steps}
        kept, removed, added = defaultdict(list), [], []
        for case in cases:
            kinds = {s.kind for s in case.steps}
            for step in case.steps:
                if step.state != 'todo':
                    continue
                elif step.kind in revised:
                    kept[revised[step.kind]].append(step)
                else:
                    removed.append(step)
            for kind in revised.keys() - kinds:
                added.append(case._added_step(revised[kind]))
        Step.write_groups(
            (steps, {'procedure_step': procedure_step.id})
            for procedure_step, steps in kept.items())
        Step.skip(
            removed, gettext(
                'training_abandon.msg_step_skip_not_in_procedure',
                procedure=procedure.rec_name),
            by_procedure=True)
        if added:
            Step.save(added)
            cls._sort_steps(cls.browse(list({s.case for s in added})))

    def _added_step(self, procedure_step):
        "Return the unsaved step that the procedure has more"
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        position = STEP_ORDER.index
        last = max((
                position(s.kind) for s in self.steps if s.state != 'todo'),
            default=-1)
        step = Step(
            case=self,
            sequence=position(procedure_step.kind) + 1,
            kind=procedure_step.kind,
            procedure_step=procedure_step,
            state='todo',
            by_procedure=False,
            skip_reason=None)
        if step.kind == 'inform' and not self.enrolment.has_prescriber:
            step.skip_by_procedure(gettext(
                    'training_abandon.msg_step_skip_no_prescriber'))
        elif position(step.kind) < last:
            step.skip_by_procedure(gettext(
                    'training_abandon.msg_step_skip_too_late'))
        return step

    @classmethod
    def _sort_steps(cls, cases):
        pool = Pool()
        Step = pool.get('training.abandon.case.step')
        groups = defaultdict(list)
        for case in cases:
            for step in case.steps:
                sequence = STEP_ORDER.index(step.kind) + 1
                if step.sequence != sequence:
                    groups[sequence].append(step)
        Step.write_groups(
            (steps, {'sequence': sequence})
            for sequence, steps in groups.items())
