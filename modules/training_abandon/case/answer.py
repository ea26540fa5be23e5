# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What a case waits for: the replies that count say it came"
from trytond.pool import Pool

from .. import tools
from ..procedure.states import TRAINEE_KINDS


class AnswerMixin:
    "Cases that wait for answers"
    __slots__ = ()

    @classmethod
    def on_answer(cls, cases):
        "Hook called when what the cases wait for may have come"

    def correspondents(self):
        "Return the list of the parties who may write about the case"
        enrolment = self.enrolment
        parties = [enrolment.trainee.party]
        parties += [p for _, p in enrolment.stakeholders()]
        parties += filter(None, [
                enrolment.prescriber, enrolment.employer, enrolment.client])
        parties += [c.party for c in enrolment.contacts]
        return list(dict.fromkeys(parties))

    def announced_on(self):
        """Return the day from which the trainee is known to abandon: it said
        so, was written to as such or gave reasons, or None"""
        if self.origin == 'declared':
            return self.opening_date
        days = [
            m.step.done_on() for m in self.mails
            if m.step and m.letter and m.letter.variant == 'announced'
            and m.state not in {'failed', 'cancelled'}]
        if self.answered_at:
            replies = [r for r in self.replies if r.counted]
            if any(
                    reason.code != 'no_answer' for record in [self, *replies]
                    for reason in record.reasons):
                days.append(self.local_date(self.answered_at))
        return min(filter(None, days), default=None)

    def trainee_side(self):
        """Return the list of the parties who answer and sign for the trainee:
        itself, its guardians and those who were written to as such."""
        parties = self.enrolment.answering()
        parties += [
            p for m in self.mails if m.kind in TRAINEE_KINDS
            for p in m.parties]
        return list(dict.fromkeys(parties))

    def _answers(self, *domain):
        "Return the replies that count as answers, the first one first"
        pool = Pool()
        Reply = pool.get('training.mail.reply')
        return Reply.search([
                ('case', '=', self.id),
                ('counted', '=', True),
                *domain], order=[('received_at', 'ASC'), ('id', 'ASC')])

    def answered_reasons(self):
        """Return the reasons and the words that the trainee answered, for
        the user who may read them."""
        if not tools.is_member('group_sensitive_reason'):
            return [], ''
        replies = [r for r in self._answers() if r.answers_reasons]
        return (
            list(dict.fromkeys(x for r in replies for x in r.reasons)),
            '\n\n'.join(filter(None, (r.text for r in replies))))

    def answered_proposals(self):
        "Return when the parties answered after the proposals, by party"
        proposed = max((
                s.done_at for s in self.steps
                if s.kind == 'propose' and s.done_at), default=None)
        if not proposed:
            return {}
        return {
            r.party: r.received_at
            for r in self._answers(('received_at', '>=', proposed))}
