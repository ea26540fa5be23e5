# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The sheet and the justifications that the assistant of the demo handles"

import datetime as dt

from proteus import Wizard

ATTENDANCE = 'training.attendance'
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

    def call(self, model, method, *args):
        proxy = self.config.get_proxy(model)
        return getattr(proxy, method)(*args, self.config.context)

    def close_sheet(self):
        "Close a sheet of the day, with an absence and a lateness"
        slots = self.demo.search_read(
            SLOT, [('state', '=', 'open')], 'attendances')
        slots = [s for s in slots if len(s['attendances']) > 2]
        if not slots:
            # Nobody comes on that day
            return
        absent, late, *present = slots[0]['attendances']
        self.call(ATTENDANCE, 'write', present, {'state': 'present'})
        self.call(ATTENDANCE, 'write', [absent], {'state': 'absent'})
        self.call(ATTENDANCE, 'write', [late], {
                'state': 'late',
                'late_by': LATE_BY,
                })
        self.call(SLOT, 'close', [slots[0]['id']])

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
