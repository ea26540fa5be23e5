# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import gettext
from trytond.pool import Pool
from trytond.transaction import Transaction

from .. import tools
from ..pdf_report import PDFReport
from ..training.res import HOURS_CONVERTER


def sorted_replies(case):
    return sorted(case.replies, key=lambda r: (r.received_at, r.id))


def sorted_follow_ups(case):
    "Return the follow-ups of the case in the order in which they were done"
    return sorted(
        case.follow_ups,
        key=lambda f: (f.done_at or f.planned_at or f.create_date, f.id))


class CaseFile(PDFReport):
    "All that is known of a case, as an auditor reads it"
    __name__ = 'training.abandon.case.file'

    @classmethod
    def get_context(cls, records, header, data):
        pool = Pool()
        Attendance = pool.get('training.attendance')
        Case = pool.get('training.abandon.case')
        User = pool.get('res.user')
        context = super().get_context(records, header, data)
        case = Case(records[0].id)
        enrolment = case.enrolment.id
        sensitive = tools.is_member('group_sensitive_reason')

        def at(value):
            if not value:
                return ''
            return cls.format_datetime(
                value, format='%x %H:%M', timezone=case.company.timezone)

        context.update(
            at=at,
            case=case,
            causes=case.causes if sensitive else [],
            facts=Attendance.facts([enrolment])[enrolment],
            generated_at=at(tools.now()),
            generated_by=User(Transaction().user).rec_name,
            hours=lambda value: cls.format_timedelta(value, HOURS_CONVERTER),
            mails=sorted(case.mails, key=lambda m: m.id),
            outcome=cls._get_outcome(case),
            paragraphs=lambda text: (text or '').splitlines() or [''],
            reasons=case.reasons if sensitive else [],
            reserved=gettext('training_abandon.msg_case_file_reserved'),
            replies=cls._get_replies(case, sensitive),
            follow_ups=cls._get_follow_ups(case, sensitive),
            private_texts=cls._get_private_texts(case, sensitive),
            sensitive=sensitive,
            )
        return context

    @classmethod
    def _get_outcome(cls, case):
        "Return what comes after the decision, with its labels"
        values = {
            'new_enrolment': (
                case.new_enrolment and case.new_enrolment.session.rec_name),
            **{name: value and cls.format_date(value) for name, value in [
                    ('return_date', case.return_date),
                    ('return_ended_on', case.return_ended_on),
                    ('contract_end_date', case.contract_end_date),
                    ]},
            }
        return ' – '.join(
            f"{case.__names__(name)['field']} {value}"
            for name, value in values.items() if value)

    @classmethod
    def _get_replies(cls, case, sensitive):
        "Return the replies with their text and the names of the attachments"
        # The text must not even be read by those who may not
        return [
            (
                r,
                r.text if sensitive else None,
                [a.name for a in r.attachments] if sensitive else [],
                ) for r in sorted_replies(case)]

    @classmethod
    def _get_follow_ups(cls, case, sensitive):
        return [
            (f, f.note if sensitive else None)
            for f in sorted_follow_ups(case)]

    @classmethod
    def _get_private_texts(cls, case, sensitive):
        "Return the label and the value of the free texts of the case"
        names = ['note', 'reason_comment', 'analysis', 'decision_note']
        if not sensitive:
            return []
        texts = [
            (case.__names__(name)['field'], getattr(case, name))
            for name in names]
        return [(label, text) for label, text in texts if text]
