# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What became of the concerns, told to those who raised them"
from collections import defaultdict
from contextlib import suppress

from trytond.i18n import gettext
from trytond.model import fields
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction, without_check_access

from .. import tools
from ..exceptions import LetterError, RecipientError
from ..mail.address import check_address
from ..notify import AdministratorsMixin
from ..procedure.letter import Renderer

LETTER_KIND = 'concern'


class OutcomeMixin(AdministratorsMixin):
    "Alerts of which those who raised them are told what became"
    __slots__ = ()

    raised_by = fields.Many2One(
        'res.user', "Raised by", readonly=True,
        states={
            'invisible': ~Eval('raised_by'),
            },
        help="The user who raised it and reads what becomes of it.")
    raised_by_party = fields.Many2One(
        'party.party', "Raised by Mail by", readonly=True,
        ondelete='RESTRICT',
        context={
            'company': Eval('company', -1),
            },
        states={
            'invisible': ~Eval('raised_by_party'),
            },
        depends={'company'},
        help="The party whose reply raised it, and who is written to when "
        "something becomes of it.")
    outcome = fields.Function(
        fields.Text(
            "What Became of It",
            help="What the one who raised it is told: neither reasons nor "
            "words."),
        'get_outcome')

    @classmethod
    def get_outcome(cls, alerts, name):
        return {a.id: a.describe_outcome() for a in alerts}

    def describe_outcome(self):
        """Return what became of it, in the language of the transaction

        It tells neither a reason nor what anybody said."""
        pool = Pool()
        Lang = pool.get('ir.lang')
        lang = Lang.get()

        outcome, at = self.state, self.closed_at
        if self.withdrawn:
            outcome = 'withdrawn'
        elif self.case and self.case.closed_at:
            outcome, at = 'case_closed', self.case.closed_at
        elif self.case:
            outcome = 'case'
        elif self.follow_up:
            outcome, at = 'follow_up', self.follow_up.done_at
        return gettext(
            f'training_abandon.msg_concern_{outcome}',
            date=at and lang.strftime(tools.local_date(at, self.company)))

    @classmethod
    @without_check_access
    def tell_outcome(cls, alerts):
        """Tell those who raised the alerts what became of them: a user is
        notified, another one is written to."""
        by_user, by_mail = defaultdict(list), []
        for alert in alerts:
            if alert.raised_by:
                by_user[alert.raised_by].append(alert)
            elif alert.raised_by_party:
                by_mail.append(alert)
        for user, user_alerts in by_user.items():
            # Who closes it knows
            if user.active and user.id != Transaction().user:
                cls._notify(
                    user, user_alerts, cls._describe_outcomes, 'tryton-info')
        cls._write_outcome(by_mail)

    @classmethod
    def _describe_outcomes(cls, alerts):
        "Return the label and the description of the notification"
        alerts = cls.browse(alerts)
        return (
            gettext('training_abandon.msg_concern_notify'),
            ' · '.join(tools.first([
                        gettext('training_abandon.msg_concern_notify_line',
                            trainee=a.trainee.rec_name,
                            outcome=a.describe_outcome())
                        for a in alerts])))

    @classmethod
    def _write_outcome(cls, alerts):
        """Write to the parties who raised the alerts and are still concerned,
        as far as there is a letter and an address, and tell the
        administrators of the others"""
        pool = Pool()
        Enrolment = pool.get('training.enrolment')
        Mail = pool.get('training.mail')
        renderer = Renderer(Enrolment, [a.enrolment.id for a in alerts])
        lines, told = [], set()
        for alert in alerts:
            enrolment, party = alert.enrolment, alert.raised_by_party
            procedure = enrolment.procedure
            letter = procedure and procedure.get_letter(
                LETTER_KIND, 'standard', 'stakeholder')
            if (not letter or enrolment.is_archived(party)
                    or party not in enrolment.concerned_parties()):
                continue
            with suppress(LetterError, RecipientError):
                check_address(party.reachable_email, party)
                lines.append({
                        **renderer.render(
                            enrolment, party, letter,
                            lambda enrolment: enrolment.concern_context(
                                party, alert)),
                        'about': enrolment,
                        'key': alert.id,
                        })
                told.add(alert)
        if lines:
            Mail.create_letters(lines)
        if untold := [a for a in alerts if a not in told]:
            cls.notify_administrators(untold, cls._describe_untold)

    @classmethod
    def _describe_untold(cls, alerts):
        "Return the label and the description of the notification"
        alerts = cls.browse(alerts)
        return (
            gettext('training_abandon.msg_concern_untold'),
            ' · '.join(tools.first([
                        gettext('training_abandon.msg_concern_untold_line',
                            party=a.raised_by_party.rec_name,
                            trainee=a.trainee.rec_name)
                        for a in alerts])))
