# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The replies that a provider or a script posts to an inbox"
import base64
import json
import re
from email.header import Header
from email.message import EmailMessage

from trytond.pool import Pool, PoolMeta

from .message import read_message

# The largest headers that the parser of email reads
HEADERS_SIZE = 64_000
ENCODED_WORDS = 500

# The headers that are made again with the parts of the message
_MADE = {
    'content-type', 'content-transfer-encoding', 'mime-version',
    'content-disposition'}


class InboundEmail(metaclass=PoolMeta):
    __name__ = 'inbound.email'

    def as_dict(self):
        raw = self.as_raw()
        if _is_heavy(raw):
            return _read_dict(raw)
        try:
            return super().as_dict()
        except Exception:
            return _read_dict(raw)

    def as_raw(self):
        "Return the message as bytes, made again if only its parts are known"
        if self.data_type == 'raw':
            return bytes(self.data)
        payload = json.loads(self.data)
        if self.data_type == 'postmark':
            if payload.get('RawEmail'):
                return _to_bytes(payload['RawEmail'])
            # Without the halves of characters, that no message holds
            return _rebuild(json.loads(json.dumps(
                        payload, ensure_ascii=False).encode(
                        'utf-8', 'replace')))
        elif self.data_type == 'mailchimp':
            return _to_bytes(
                payload.get('raw_msg') or payload['msg']['raw_msg'])
        name = {'mailpace': 'raw', 'sendgrid': 'email'}[self.data_type]
        return _to_bytes(payload[name])


def _is_heavy(raw):
    """Return if the headers are such that the parser of email takes the
    square of their size in time and memory"""
    headers = re.split(rb'\r?\n\r?\n', raw, maxsplit=1)[0]
    return len(headers) > HEADERS_SIZE or raw.count(b'=?') > ENCODED_WORDS


def _read_dict(raw):
    "Return what the rules match, also of what no parser reads"
    message = read_message(raw)
    return {
        'from': message.from_,
        'to': message.to.split(', '),
        'subject': message.subject,
        'text': message.body,
        'attachments': [{
                'filename': name,
                'type': type_,
                'data': data,
                } for name, data, type_ in message.attachments],
        'headers': {},
        }


def _to_bytes(text):
    try:
        return text.encode('utf-8', 'surrogateescape')
    except UnicodeEncodeError:
        # Half of a character, cut by the provider
        return text.encode('utf-8', 'replace')


def _rebuild(payload):
    "Return the message of the parts that Postmark tells"
    message = EmailMessage()
    names = {}
    for header in payload.get('Headers') or []:
        if header['Name'].lower() not in _MADE:
            _set(message, header['Name'], header['Value'])
            names.setdefault(header['Name'].lower())
    for name, value in [
            ('From', payload.get('From')),
            ('To', payload.get('To')),
            ('Cc', payload.get('Cc')),
            ('Delivered-To', payload.get('OriginalRecipient')),
            ('Subject', payload.get('Subject')),
            ('Date', payload.get('Date')),
            ('Message-ID', payload.get('MessageID')
                and f"<{payload['MessageID']}@postmark>"),
            ]:
        if value and name.lower() not in names:
            _set(message, name, value)
    message.set_content(payload.get('TextBody') or '')
    if payload.get('HtmlBody'):
        message.add_alternative(payload['HtmlBody'], subtype='html')
    for attachment in payload.get('Attachments') or []:
        maintype, _, subtype = (
            attachment.get('ContentType') or '').partition(';')[0].strip(
            ).partition('/')
        if not subtype or maintype in {'multipart', 'message'}:
            maintype, subtype = 'application', 'octet-stream'
        message.add_attachment(
            base64.b64decode(attachment.get('Content') or ''),
            maintype=maintype, subtype=subtype,
            filename=attachment.get('Name'))
    return message.as_bytes()


def _set(message, name, value):
    # The policy refuses the line breaks and what it can not parse
    value = ' '.join(str(value).split())
    if not value.isascii():
        if name.lower() == 'subject':
            value = Header(value, 'utf-8').encode()
        else:
            # Only the addresses are kept of the other headers
            value = value.encode('ascii', 'replace').decode()
    message.set_raw(name, value)


class Rule(metaclass=PoolMeta):
    __name__ = 'inbound.email.rule'

    @classmethod
    def __setup__(cls):
        super().__setup__()
        cls.action.selection.append(
            ('training.mail.reply|from_inbound', "Record Training Reply"))


class Erase(metaclass=PoolMeta):
    __name__ = 'party.erase'

    def to_erase(self, party_id):
        pool = Pool()
        InboundEmail = pool.get('inbound.email')
        model = 'training.mail.reply'
        return super().to_erase(party_id) + [
            (InboundEmail, ['OR',
                    ('result.party', '=', party_id, model),
                    ('result.enrolment.trainee.party', '=', party_id, model),
                    ], True,
                ['data', 'data_id'],
                [b'', None]),
            ]
