# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the parties answered"
from trytond.pool import Pool, PoolMeta

from .. import tools
from ..mail.reply import reply_address


class _ReplyToMixin:
    __slots__ = ()

    def _reply_to(self):
        address = reply_address()
        if not address:
            return super()._reply_to()
        return (self._signatory() or self.company).party.name, address


class Enrolment(_ReplyToMixin, metaclass=PoolMeta):
    __name__ = 'training.enrolment'


class Case(_ReplyToMixin, metaclass=PoolMeta):
    __name__ = 'training.abandon.case'

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
