# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The messages that the mails deliver"
import datetime as dt
import secrets
from email import policy
from email.charset import Charset
from email.header import Header
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid, parseaddr
from functools import lru_cache

import trytond.config as config
from trytond.i18n import gettext
from trytond.tools import grouped_slice
from trytond.transaction import Transaction

from .. import tools
from ..exceptions import MailStorageError
from ..procedure.letter import Frame
from .address import ascii_address, check_address, mailbox, reply_address
from .message import token_hash

LOGO_SIZE = (240, 80)
# The most messages that a new one refers to
REFERENCES = 20


class _Headers(HeaderRegistry):
    "The mails have most of their headers in common, that parse slowly"
    __getitem__ = lru_cache(maxsize=64)(HeaderRegistry.__getitem__)
    __call__ = lru_cache(maxsize=256)(HeaderRegistry.__call__)


# The policies of email forget the quotes of the names and encode the
# identifiers in the lines that they fold: the lines come folded or stay long
LONG_LINES = policy.SMTP.clone(max_line_length=998)
_POLICY = LONG_LINES.clone(header_factory=_Headers())
# The most characters of a name in a header
NAME_SIZE = 120


class CompositionMixin:
    "Mails made from letters"
    __slots__ = ()

    @classmethod
    def create_letters(cls, lines, queue=True):
        """Create the mails of the lines, one for each mailbox, and queue them.

        The lines are dictionaries like those of Renderer.render, with the
        record that the letter is about and, if any, the attachments as a list
        of (name, data, mimetype), the identifiers of the messages that it
        refers to as references and values for the mail.  Those without letter
        have their kind and their report."""
        stationery = Stationery()
        mails = []
        for line in lines:
            check_address(line['to'], line['party'])
        for line in cls.merge_lines(lines):
            about = line['about']
            mails.append(cls.from_message(
                    cls._compose(line, stationery),
                    to=line['to'],
                    company=stationery.company(about),
                    letter=line['letter'],
                    kind=line.get('kind') or line['letter'].step_kind,
                    party=line['party'],
                    language=line['language'],
                    subject=line['subject'],
                    body=line['text'],
                    **({'also_for': line['also_for']}
                        if line['also_for'] else {}),
                    **about.mail_values(),
                    **line.get('values', {})))
        try:
            for sub_mails in grouped_slice(mails, tools.BATCH):
                cls.save(list(sub_mails))
        except OSError as exception:
            raise MailStorageError(gettext(
                    'training_abandon.msg_mail_storage',
                    error=exception.strerror or exception)) from exception
        if queue:
            cls.queue(mails)
        return mails

    @classmethod
    def merge_lines(cls, lines):
        """Return the lines with one for those that write the same to one
        mailbox: the first one, also for the parties of the others.

        What is written about different days has different keys."""
        merged = {}
        for line in lines:
            address = mailbox(line['to'])
            key = (
                line.get('about') or line.get('case'), line['letter'],
                line.get('key'), address or line['party'])
            first = merged.setdefault(key, line)
            if first is line:
                line['also_for'] = list(line.get('also_for', []))
                continue
            for party in [line['party'], *line.get('also_for', [])]:
                if party not in [first['party'], *first['also_for']]:
                    first['also_for'].append(party)
        return list(merged.values())

    @classmethod
    def _compose(cls, line, stationery):
        about = line['about']
        company = stationery.company(about)
        frame = stationery.frame(line)
        with Transaction().set_context(language=line['language'].code):
            html = frame.render(
                about, company, subject=line['subject'], text=line['text'])
            footer = gettext(
                'training_abandon.msg_letter_footer',
                company=company.party.name,
                code=about.procedure.code,
                revision=about.procedure.revision)
        return cls.compose(
            company, line['party'], line['to'],
            line['subject'], f"{line['text']}\n-- \n{footer}\n", html,
            reply_to=stationery.reply_to(about),
            logo=stationery.logo(company),
            attachments=line.get('attachments'),
            references=line.get('references'))

    @classmethod
    def sender(cls, company):
        "Return the From address of the company"
        address = parseaddr(config.get('email', 'from', default=''))[1]
        return cls._address(company.party.name, address or 'noreply@localhost')

    @classmethod
    def _address(cls, name, email):
        # A line break would begin another header
        email = ''.join(ascii_address(email).split())
        name = printable(name)[:NAME_SIZE].strip()
        if name.isascii() and '=?' not in name:
            return formataddr((name, email))
        # As formataddr does, in one word: not all programs join them
        return f"{Charset('utf-8').header_encode(name)} <{email}>"

    @classmethod
    def _encode(cls, text, header_name=None):
        """Return the value of a header as encoded words.

        The policies of email lose or double spaces where they fold."""
        return Header(printable(text), 'utf-8', header_name=header_name
            ).encode(linesep='\r\n')

    @classmethod
    def compose(
            cls, company, party, to, subject, text, html,
            reply_to=None, logo=None, attachments=None, references=None):
        """Return the message as EmailMessage.

        text and html are the two alternatives of the body; logo is the PNG
        that html refers to as cid:logo, attachments a list of
        (name, data, mimetype) and references the identifiers of the messages
        before it."""
        message = EmailMessage(policy=_POLICY)
        sender = cls.sender(company)
        message.set_raw('From', sender)
        message.set_raw('To', cls._address(party.name if party else '', to))
        if reply_to:
            message.set_raw('Reply-To', cls._address(*reply_to))
        message.set_raw('Subject', cls._encode(subject, 'Subject'))
        cls._stamp(message)
        message['Auto-Submitted'] = 'auto-generated'
        message.set_content(text, cte='quoted-printable')
        message.add_alternative(
            html, subtype='html', cte='quoted-printable')
        if logo:
            message.get_payload()[-1].add_related(
                logo, 'image', 'png', cid='<logo>',
                disposition='inline', filename='logo.png')
        for name, data, mimetype in attachments or []:
            maintype, subtype = mimetype.split('/', 1)
            message.add_attachment(
                data, maintype=maintype, subtype=subtype, filename=name)
        if references:
            message.set_raw('In-Reply-To', references[-1])
            message.set_raw(
                'References', '\r\n '.join(references[-REFERENCES:]))
        return message

    @classmethod
    def _stamp(cls, message):
        "Set the headers that make the message unique"
        domain = parseaddr(message['From'])[1].rpartition('@')[2]
        message['Date'] = format_datetime(
            dt.datetime.now(dt.timezone.utc))
        message['Message-ID'] = make_msgid(domain=domain)
        if address := reply_address():
            name = parseaddr(message['Reply-To'] or '')[0]
            local, _, domain = address.rpartition('@')
            del message['Reply-To']
            message.set_raw('Reply-To', cls._address(
                    name, f'{local}+{secrets.token_hex(16)}@{domain}'))

    @classmethod
    def _get_bytes(cls, message):
        "Return the bytes as the servers receive them"
        data = message.as_bytes()
        return data if data.endswith(b'\r\n') else data + b'\r\n'

    @classmethod
    def from_message(cls, message, **values):
        """Return the unsaved mail that will deliver the message, whose bytes
        no longer change."""
        return cls(state='queued', **cls.message_values(message), **values)

    @classmethod
    def message_values(cls, message):
        "Return the values of the mail that come from its message"
        values = {
            'from_': message['From'],
            'message': cls._get_bytes(message),
            'message_id': message['Message-ID'],
            }
        if reply_address():
            local = parseaddr(message['Reply-To'])[1].rpartition('@')[0]
            values['reply_token'] = token_hash(local.rpartition('+')[2])
        return values


def printable(text):
    "Return the text on one line, without the characters that no one reads"
    return ' '.join(''.join(
            c for c in text or ''
            if c.isspace()
            or (c.isprintable() and not '\ud800' <= c <= '\udfff')).split())


class Stationery:
    "What many letters have in common, read once"

    def __init__(self):
        self._companies, self._logos = {}, {}
        self._frames, self._reply_to = {}, {}

    def company(self, about):
        # One instance keeps its logo, address and contacts
        return self._companies.setdefault(about.company, about.company)

    def logo(self, company):
        "Return the PNG of the logo of the company for the mails, or None"
        if company not in self._logos:
            logo = tools.resized_logo(company, *LOGO_SIZE)
            self._logos[company] = logo[0] if logo else None
        return self._logos[company]

    def frame(self, line):
        report = line.get('report') or line['letter'].report
        if report not in self._frames:
            self._frames[report] = Frame(report)
        return self._frames[report]

    def reply_to(self, about):
        "Return the name and address that answers must reach, or None"
        company = self.company(about)
        sender = about.signatory() or company
        if sender not in self._reply_to:
            self._reply_to[sender] = self._find_reply_to(sender, company)
        return self._reply_to[sender]

    def _find_reply_to(self, sender, company):
        if address := reply_address():
            return sender.party.name, address
        for party in [sender.party, company.party]:
            if party.email:
                return party.name, party.email
