# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What comes back to the mails of the demo"

import datetime as dt
import re
from email import message_from_bytes, message_from_string, policy
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid, parseaddr

REPLY = 'training.mail.reply'
KEPT_LINE = """Bonjour,

{line}

Je vous appelle demain matin.
"""
PRESCRIBER = """Bonjour,

Merci de m'avoir prévenue. Je reçois cette personne vendredi et je vous tiens
informés.

Cordialement,
"""
OUT_OF_OFFICE = """Bonjour,

Je suis absent jusqu'à lundi et je lirai votre message à mon retour.
"""
UNKNOWN = """Bonjour,

Je vous écris au sujet de ma formation, pouvez-vous me rappeler ?
"""
BOUNCE = """\
From: MAILER-DAEMON@mail.example.org
To: {sender}
Subject: Undelivered Mail Returned to Sender
Date: {date}
Message-ID: {message_id}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="part"

--part
Content-Type: text/plain; charset=utf-8

This is the mail system at host mail.example.org.

I'm sorry to have to inform you that your message could not be delivered.

<{to}>: host mail.example.org said: 552 5.2.2 Mailbox full

--part
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.org

Final-Recipient: rfc822; {to}
Action: failed
Status: 5.2.2
Diagnostic-Code: smtp; 552 5.2.2 Mailbox full

--part
Content-Type: text/rfc822-headers

Message-ID: {bounced}

--part--
"""


class Replies:
    """Gives to Tryton what the parties answer

    cases are the cases by what becomes of them, files the paths of the mails
    received by Message-ID."""

    def __init__(self, demo, cases, files):
        self.demo = demo
        self.cases = cases
        self.files = files

    def run(self):
        for name, kind, write in [
                ('waiting', 'ask_reasons', self.reason),
                ('exchanged', 'ask_reasons', self.out_of_office),
                ('informed', 'inform', self.prescriber),
                ('proposed', 'ask_reasons', self.bounce),
                ]:
            for mail in self.mails(self.cases[name], kind)[:1]:
                self.receive(write(mail))
        self.receive(self.unknown())

    def mails(self, cases, kind):
        "The messages received for the steps of that kind of the cases"
        return [
            message_from_bytes(
                self.files[mail['message_id']].read_bytes(),
                policy=policy.default)
            for mail in self.demo.search_read('training.mail', [
                    ('case', 'in', cases), ('kind', '=', kind),
                    ('state', '=', 'sent')], 'message_id')]

    def receive(self, message):
        config = self.demo.configs['administrateur']
        config.get_proxy(REPLY).receive(message.as_bytes(), config.context)

    def reason(self, mail):
        line = kept_line(mail.get_body(['plain']).get_content())
        return self.answer(mail, KEPT_LINE.format(line=line))

    def prescriber(self, mail):
        return self.answer(mail, PRESCRIBER)

    def answer(self, mail, text):
        quoted = ''.join(
            f'> {line}\n' for line in
            mail.get_body(['plain']).get_content().splitlines())
        message = reply_to(mail)
        message.set_content(
            f"{text}\nLe {dt.date.today():%d/%m/%Y}, "
            f"{mail['From']} a écrit :\n{quoted}")
        return message

    def out_of_office(self, mail):
        message = reply_to(mail)
        del message['Subject']
        message['Subject'] = f"Réponse automatique : {mail['Subject']}"
        message['Auto-Submitted'] = 'auto-replied'
        message.set_content(OUT_OF_OFFICE)
        return message

    def bounce(self, mail):
        return message_from_string(BOUNCE.format(
                sender=parseaddr(mail['From'])[1],
                to=parseaddr(mail['To'])[1],
                date=now(),
                message_id=make_msgid(domain='mail.example.org'),
                bounced=mail['Message-ID']))

    def unknown(self):
        message = new_message(
            'Camille Rey <camille.rey@inconnue.example.org>')
        message['To'] = 'reponses@azur-talents.example.org'
        message['Subject'] = "Ma formation"
        message.set_content(UNKNOWN)
        return message


def now():
    return format_datetime(dt.datetime.now(dt.timezone.utc))


def new_message(from_):
    message = EmailMessage()
    message['From'] = from_
    message['Date'] = now()
    message['Message-ID'] = make_msgid(
        domain=parseaddr(from_)[1].partition('@')[2])
    return message


def reply_to(mail):
    message = new_message(str(mail['To']))
    message['To'] = mail['Reply-To']
    message['Subject'] = f"Re: {mail['Subject']}"
    message['In-Reply-To'] = mail['Message-ID']
    message['References'] = mail['Message-ID']
    return message


def kept_line(text):
    "One of the last lines of the letter's lists: a reason"
    return re.findall(r'^\s*[-•] .*$', text, re.MULTILINE)[-2].strip()
