# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"What the servers say of the mails that they do not deliver"
import re
from dataclasses import dataclass

# The part of a text in which a server speaks of a bounce
_READ = 20_000
_STATUS = re.compile(r'(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.])')
_CODE = re.compile(r'(?<![\d.])(5\d\d)[ -](?=\S)')
_SENDERS = re.compile(
    r'^(mailer-daemon|postmaster|mail-daemon|mdaemon)@'
    r'|^microsoftexchange[0-9a-f]{8,}@', re.IGNORECASE)
_SUBJECTS = re.compile(
    r'undeliver(ed|able)|delivery (status notification|failure|has failed)'
    r'|mail delivery (failed|system|error)|failure notice|returned mail'
    r'|message (not delivered|could not be delivered)'
    r'|non[ -]?(remis|distribué|délivré)|non[ -]remise'
    r'|échec (de|de la) (remise|livraison|distribution)'
    r'|remise impossible|n.a pas pu être (remis|distribué|délivré)'
    r'|avis de non[ -]remise|courrier (refusé|rejeté)',
    re.IGNORECASE)
_DELAYS = re.compile(
    r'\(delay\)|delayed|warning: (message|could not send)|still being retried'
    r'|(remise|livraison|distribution) (différée|retardée)'
    r'|will (be retried|continue to be)|do not need to resend'
    r'|différé|retardé', re.IGNORECASE)
_FAILURES = re.compile(
    r'(permanent|fatal) error|could not be delivered|giv(en|ing) up'
    r'|wasn.t delivered|was not delivered|did not reach'
    r'|couldn.t be delivered|unable to deliver|delivery (has )?failed'
    r'|n.a pas pu être (remis|distribué|délivré)|n.ont pas pu être (remis'
    r'|distribués)|n.existe pas|adresse (inconnue|introuvable)'
    r'|impossible de (remettre|distribuer|délivrer)', re.IGNORECASE)
_QMAIL = re.compile(r'\s*Hi\. This is the [\w-]+ program at ')
_REASON = re.compile(r'\b(reason|raison)\s*:\s*\S', re.IGNORECASE)
# The status of what is wrong with the sender or the message
_NOT_ADDRESS = ('5.2.3', '5.3.4', '5.6.', '5.7.')


@dataclass
class Bounce:
    "What a server says of one mail"
    action: str     # failed, delayed or delivered
    status: str = ''
    reason: str = ''

    @property
    def about_address(self):
        "If the address, not the message or the sender, is refused"
        return (
            self.action == 'failed'
            and not self.status.startswith(_NOT_ADDRESS))


def read_bounce(message, sender, subject, text):
    """Return the Bounce that the message is, or None.

    The worst action wins when a message tells several."""
    bounces = [
        _from_fields(fields) for part in _parts(message)
        if part.get_content_type() == 'message/delivery-status'
        for fields in _blocks(part)]
    bounces = [b for b in bounces if b]
    for action in ['failed', 'delayed', 'delivered']:
        for bounce in bounces:
            if bounce.action == action:
                return bounce
    return _from_text(message, sender, subject, text[:_READ])


def _parts(message):
    "Yield the parts of the message but not those of the ones it encloses"
    yield message
    if message.get_content_maintype() == 'multipart':
        for part in _blocks(message):
            yield from _parts(part)


def _blocks(part):
    payload = part.get_payload()
    return payload if isinstance(payload, list) else []


def _from_fields(fields):
    "Return the Bounce of the fields of one recipient of RFC 3464"
    action = _field(fields, 'Action').lower()
    action = {
        'failed': 'failed',
        'delayed': 'delayed',
        'delivered': 'delivered',
        'relayed': 'delivered',
        'expanded': 'delivered',
        }.get(action.split(' ')[0] if action else None)
    status = _STATUS.search(_field(fields, 'Status'))
    status = status[1] if status else ''
    if not action:
        action = {'5': 'failed', '4': 'delayed', '2': 'delivered'}.get(
            status[:1])
    if not action:
        return None
    return Bounce(
        action, status,
        _typed(_field(fields, 'Diagnostic-Code')) or status)


def _field(fields, name):
    try:
        value = fields.get(name, '')
    except (ValueError, IndexError, AttributeError, TypeError):
        return ''
    return ' '.join(str(value).replace('\x00', '').split())


def _typed(value):
    "Return the value without its type, like smtp; or rfc822;"
    kind, separator, rest = value.partition(';')
    if separator and re.fullmatch(r'[\w-]+', kind.strip()):
        return rest.strip()
    return value


def _from_text(message, sender, subject, text):
    "Return the Bounce that only words make"
    failed = message.get('X-Failed-Recipients')
    is_report = (
        failed
        or message.get_content_type() == 'multipart/report'
        and str(message.get_param('report-type', '')).lower() in {
            '', 'delivery-status'}
        or _QMAIL.match(text)
        or _SENDERS.search(sender or '') and (
            _SUBJECTS.search(subject) or _DELAYS.search(subject)
            or _FAILURES.search(text)))
    if not is_report:
        return None
    delayed = _DELAYS.search(subject) or (
        _DELAYS.search(text) and not _FAILURES.search(text) and not failed)
    status = _STATUS.search(text)
    return Bounce(
        'delayed' if delayed else 'failed',
        status[1] if status else '',
        _reason(text))


def _reason(text):
    "Return the line of the text in which a server gives its answer"
    lines = [' '.join(line.split()) for line in text.splitlines()]
    for pattern in [_CODE, _STATUS, _REASON, _FAILURES]:
        for position, line in enumerate(lines):
            if pattern.search(line):
                following = lines[position + 1:position + 2]
                if line.endswith((':', ',')) and following:
                    line = f'{line} {following[0]}'
                return line
    return next(filter(None, lines), '')
