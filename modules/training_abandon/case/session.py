# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
from trytond.i18n import ngettext
from trytond.pool import Pool, PoolMeta
from trytond.transaction import without_check_access

from .. import tools


class Session(metaclass=PoolMeta):
    __name__ = 'training.session'

    @classmethod
    def on_write(cls, sessions, values):
        callbacks = super().on_write(sessions, values)
        names = values.keys() & {'start_date', 'end_date'}
        moved = [
            s for s in sessions
            if any(getattr(s, name) != values[name] for name in names)]
        if moved:
            callbacks.append(lambda: cls._tell_cases(
                    moved, 'training_abandon.msg_cases_session_dates'))
        return callbacks

    @classmethod
    def on_done(cls, sessions):
        super().on_done(sessions)
        cls._tell_cases(sessions, 'training_abandon.msg_cases_session_done')

    @classmethod
    @without_check_access
    def _tell_cases(cls, sessions, message_id):
        "Tell the owners of the cases without decision of the sessions"
        pool = Pool()
        Case = pool.get('training.abandon.case')
        cases = Case.undecided(
            'enrolment.session', [s.id for s in sessions])
        Case.notify_owners(
            cases,
            lambda cases: (
                ngettext(message_id, len(cases), count=len(cases)),
                ' · '.join(tools.first(c.rec_name for c in cases))),
            icon='tryton-info')

    @classmethod
    def cancel_consequences(cls, sessions):
        pool = Pool()
        Case = pool.get('training.abandon.case')
        consequences = super().cancel_consequences(sessions)
        cases = Case.undecided(
            'enrolment.session', [s.id for s in sessions])
        if cases:
            consequences.append(ngettext(
                    'training_abandon.msg_session_cancel_cases',
                    len(cases), count=len(cases),
                    cases=tools.names(cases, 5)))
        if mails := Case.waiting_mails(cases):
            consequences.append(ngettext(
                    'training_abandon.msg_session_cancel_mails',
                    len(mails), count=len(mails),
                    mails=', '.join(tools.first(
                            (f'"{m.subject}"' for m in mails), 5))))
        return consequences
