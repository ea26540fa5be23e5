# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What was wrong on the cases, and who is told that it was"
from trytond.i18n import gettext
from trytond.model import ModelSQL, ModelView, fields
from trytond.model.exceptions import AccessError
from trytond.pool import Pool
from trytond.pyson import Eval
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import RecipientError
from ..mail.address import check_address
from ..procedure.states import TRAINEE_KINDS
from ..rec_name import search_names


class Correction(ModelSQL, ModelView):
    "What was taken back or put right on a case, with what it was before"
    __name__ = 'training.abandon.case.correction'

    case = fields.Many2One(
        'training.abandon.case', "Case", required=True, readonly=True,
        ondelete='CASCADE')
    kind = fields.Selection([
            ('cancelled', "Case Cancelled"),
            ('taken_back', "Decision Taken Back"),
            ('replaced', "Decision Replaced"),
            ('undone', "Step Undone"),
            ('corrected', "Step Corrected"),
            ('issued_again', "Certificate Issued Again"),
            ('procedure', "Procedure Changed"),
            ], "What Happened", required=True, readonly=True, sort=False,
        help="What was taken back.")
    kind_string = kind.translated('kind')
    step = fields.Many2One(
        'training.abandon.case.step', "Step", readonly=True,
        ondelete='RESTRICT')
    at = fields.DateTime(
        "Date", required=True, readonly=True,
        help="When the mistake was taken back.")
    user = fields.Many2One(
        'res.user', "User", readonly=True, ondelete='RESTRICT')
    employee = fields.Many2One(
        'company.employee', "Employee", readonly=True, ondelete='RESTRICT')
    reason = fields.Text(
        "Reason", readonly=True, help="Do not write any health detail.")
    description = fields.Text(
        "Before", readonly=True,
        states={
            'invisible': ~Eval('description'),
            },
        help="What the case told before.")
    note = fields.Text(
        "Private Note", readonly=True,
        states={
            'invisible': ~Eval('note'),
            },
        help="The private words that the case had before.\n"
        "Read by the group Sensitive Reasons only.")
    message = fields.Text(
        "Message", readonly=True,
        states={
            'invisible': ~Eval('message'),
            },
        help="What those who were told wrong are told.")
    mails = fields.One2Many(
        'training.mail', 'correction', "Mails", readonly=True,
        help="The mails that told those who had been told wrong.")

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.__access__.add('case')
        cls._order = [
            ('at', 'DESC'),
            ('id', 'DESC'),
            ]

    def get_rec_name(self, name):
        return f'{self.case.rec_name} - {self.kind_string}'

    @classmethod
    def search_rec_name(cls, name, clause):
        return search_names(cls, clause, 'case.rec_name')

    @classmethod
    def check_modification(
            cls, mode, corrections, values=None, external=False):
        super().check_modification(
            mode, corrections, values=values, external=external)
        if external or mode == 'delete':
            for correction in corrections:
                raise AccessError(gettext(
                        'training_abandon.msg_case_modify',
                        case=correction.case.rec_name))

    @classmethod
    def record(cls, kind, cases, reason, get_values=lambda case: {}):
        """Record what is corrected on the cases and return it by case.

        get_values returns the other values for a case."""
        corrections = []
        for case in cases:
            corrections.append(cls(
                    case=case,
                    kind=kind,
                    at=tools.now(),
                    user=Transaction().user or None,
                    employee=tools.current_employee(case.company),
                    reason=reason,
                    **get_values(case)))
        cls.save(corrections)
        return {c.case: c for c in corrections}


class CorrectionMixin:
    "Cases of which those who were told wrong are told what is right"
    __slots__ = ()

    corrections = fields.One2Many(
        'training.abandon.case.correction', 'case', "Corrections",
        readonly=True,
        states={
            'invisible': ~Eval('corrections', [-1]),
            },
        help="What was undone, taken back or issued again, with what was "
        "before.")

    @classmethod
    def tell_correction(cls, corrections, told, step_kind, variant, **names):
        """Write to those who were told wrong.

        corrections is what is corrected and told the parties, both by case;
        names are those of the letter that are not of the case."""
        recipients = []
        for case in cls.browse(corrections):
            side = [case.enrolment.trainee.party]
            if step_kind in TRAINEE_KINDS:
                side = case.trainee_side()
            recipients += [
                (case, 'trainee' if p in side else 'stakeholder', p)
                for p in told[case]]
        lines = cls.render_letters(
            recipients, step_kind, lambda case: variant, to_end=True, **names)
        cls.send_correction(corrections, recipients, lines)

    @classmethod
    def send_correction(cls, corrections, recipients, lines, steps=None):
        """Create the mails of the lines and notify the user of the recipients
        that cannot be written to."""
        sent = []
        for line in lines:
            try:
                check_address(line['to'], line['party'])
            except RecipientError:
                continue
            if line['error']:
                continue
            line.setdefault('values', {})['correction'] = (
                corrections[line['case']])
            sent.append(line)
        cls.create_mails(steps or {}, sent)
        written = {(line['case'], line['party']) for line in sent}
        not_told = [
            (case, party) for case, _, party in recipients
            if (case, party) not in written]
        if not_told:
            cls.notify_user(
                list({case for case, _ in not_told}), 'tryton-warning',
                gettext('training_abandon.msg_correction_not_told'),
                ', '.join(tools.first(p.rec_name for _, p in not_told)))

    @classmethod
    def cancel_waiting(cls, mails):
        "Cancel those of the mails that have not left, whoever sends them"
        pool = Pool()
        Mail = pool.get('training.mail')
        mails = list(mails)
        Mail.write(
            [m for m in mails if m.state in {'draft', 'queued'}],
            Mail._end('cancelled', gettext(
                    'training_abandon.msg_mail_undone')))
        Mail.write(
            [m for m in mails if m.state == 'failed'],
            {'state': 'cancelled'})
