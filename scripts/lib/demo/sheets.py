# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The sheet, the justifications and the calendar that the assistant of the
demo handles"""

import datetime as dt

from proteus import Report, Wizard

from .work import CASE

ATTENDANCE = 'training.attendance'
NOTICE = 'training.attendance.notice'
SESSION = 'training.session'
SHEET = 'feuille-emargement.pdf'
JUSTIFICATION = 'training.justification'
SLOT = 'training.session.slot'
LATE_BY = dt.timedelta(minutes=20)
# Kind, note and decision of the justifications received
JUSTIFICATIONS = [
    ('transport', "Attestation de la SNCF.", 'accept'),
    ('work', "Attestation de l'employeur.", None),
    ('family', "", None),
    ('other', "Photographie illisible.", 'refuse'),
    ]


class Sheets:

    def __init__(self, demo):
        self.demo = demo
        self.config = demo.configs['assistant']

    def run(self):
        self.close_sheet()
        self.justify()
        self.print_sheet()
        self.share_calendar()

    def summary(self):
        Notice = self.demo.model(NOTICE)
        counts = {
            state: len(self.demo.search_read(
                    JUSTIFICATION, [('state', '=', state)], 'id'))
            for state in ['received', 'accepted', 'refused']}
        session = self.session.rec_name
        yield (f"Avis d'absence ou de retard : {len(Notice.find([]))}, "
            f"justificatifs : {counts['received']} à décider, "
            f"{counts['accepted']} accepté, {counts['refused']} refusé")
        yield f"Feuille d'émargement de {session} : {SHEET}"
        yield f"Calendrier de {session} : {self.url}"

    def call(self, model, method, *args, **context):
        proxy = self.config.get_proxy(model)
        return getattr(proxy, method)(
            *args, dict(self.config.context, **context))

    def close_sheet(self):
        "Close a sheet of the day, with an absence and a lateness"
        now = dt.datetime.now(dt.timezone.utc).replace(tzinfo=None)
        slots = self.demo.search_read(
            SLOT, [('state', '=', 'open'), ('start_at', '<=', now)],
            'attendances', 'end_at')
        # The notices of the others leave once they have ended
        slots = sorted(
            (s for s in slots if len(s['attendances']) > 2),
            key=lambda s: s['end_at'] > now)
        if not slots:
            # Nobody has come yet on that day
            return
        absent, late, *present = slots[0]['attendances']
        self.call(ATTENDANCE, 'write', present, {'state': 'present'})
        self.call(ATTENDANCE, 'write', [absent], {'state': 'absent'})
        self.call(ATTENDANCE, 'write', [late], {
                'state': 'late',
                'late_by': LATE_BY,
                })
        self.call(SLOT, 'close', [slots[0]['id']], skip_sheet_notices=True)

    def justify(self):
        "Record what arrived for some of the absences, the latest first"
        absences = self.demo.search_read(
            ATTENDANCE, [
                ('state', '=', 'absent'),
                ('slot.state', '=', 'held'),
                ('enrolment.state', 'in', ['confirmed', 'started']),
                ('enrolment.consecutive_absences', '<', 3),
                ], 'enrolment', 'date')
        latest = {a['enrolment']: a['date'] for a in sorted(
                absences, key=lambda a: a['date'])}
        for (enrolment, date), (kind, note, decision) in zip(
                sorted(latest.items(), key=lambda x: (x[1], x[0]),
                    reverse=True),
                JUSTIFICATIONS):
            id_, = self.call(JUSTIFICATION, 'create', [{
                        'enrolment': enrolment,
                        'company': self.config.context['company'],
                        'kind': kind,
                        'start_date': date,
                        'end_date': date,
                        'note': note,
                        }])
            if decision == 'accept':
                self.call(JUSTIFICATION, 'accept', [id_])
            elif decision == 'refuse':
                self.refuse(id_)

    def refuse(self, id_):
        Justification = self.demo.model(JUSTIFICATION)
        wizard = Wizard(
            f'{JUSTIFICATION}.refuse', [Justification(id_)],
            config=self.config)
        wizard.form.reason = "Le document ne porte ni nom ni date."
        wizard.execute('apply')

    @property
    def session(self):
        return self.demo.model(CASE)(self.demo.case.id).enrolment.session

    def print_sheet(self):
        "Print the sheets of the last days of the session of the case"
        slots = self.demo.model(SLOT).find([
                ('session', '=', self.session.id),
                ('state', '=', 'held'),
                ], order=[('date', 'DESC'), ('start', 'DESC')], limit=6)
        report = Report(
            'training.session.slot.sign_in_sheet', config=self.config)
        _, content, *_ = report.execute(slots)
        (self.demo.directory / SHEET).write_bytes(content)

    def share_calendar(self):
        "Make a link to the calendar of the session for its trainer"
        Session = self.demo.model(SESSION)
        wizard = Wizard(
            'training.calendar.link', [Session(self.session.id)],
            config=self.config)
        wizard.form.name = "Formateur"
        wizard.execute('apply')
        self.url = wizard.form.url
