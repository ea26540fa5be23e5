# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The parsing of messages that do not follow the standards"
import codecs
import re
from email import message_from_bytes
from email.parser import BytesHeaderParser
from email.policy import Compat32

_DEPTH = 20
# What the charsets of one byte that are often told wrongly stand for
_LATIN = {
    'ascii': 'cp1252',
    'cp1252': 'cp1252',
    'iso8859-1': 'cp1252',
    'iso8859-15': 'iso8859-15',
    }
_CHARSET = re.compile(rb'charset\s*=\s*"?([\w.:-]{1,40})', re.IGNORECASE)
_SURROGATES = re.compile(r'[\udc80-\udcff]')
# A line that separates two parts, before the headers of the next one
_DELIMITER = re.compile(
    r'^--(?P<boundary>[^\r\n]{1,200}?)[ \t]*\r?\n(?=content-[\w-]+[ \t]*:)',
    re.IGNORECASE | re.MULTILINE)
_PREAMBLE = 1_000


class Policy(Compat32):
    "Decode the headers that programs write without encoding them"
    # The charset of the body
    charset = None

    def header_fetch_parse(self, name, value):
        if isinstance(value, str) and _SURROGATES.search(value):
            value = raw_text(
                value.encode('utf-8', 'surrogateescape'), self.charset)
        return super().header_fetch_parse(name, value)


def parse(data):
    "Return the message of the bytes"
    message = message_from_bytes(data, policy=_policy(data))
    _repair(message)
    return message


def parse_whole(data):
    "Return the message of the bytes as one part"
    return BytesHeaderParser(policy=_policy(data)).parsebytes(data)


def _policy(data):
    charset = _CHARSET.search(data)
    return Policy(charset=charset[1].decode() if charset else None)


def raw_text(data, charset=None):
    "Return the text of the bytes of a header, which tells no charset"
    try:
        return data.decode('utf-8')
    except UnicodeError:
        # The programs put together words of several encodings
        return ' '.join(to_text(w, charset) for w in data.split(b' '))


def to_text(data, charset=None):
    """Return the bytes as text.

    Many programs do not say the charset, or not the right one."""
    try:
        codec = codecs.lookup(charset or 'ascii').name
    except (LookupError, UnicodeError, ValueError):
        codec = 'ascii'
    # What reads as UTF-8 is nothing else than that
    names = ['utf-8', _LATIN[codec]] if codec in _LATIN else [codec, 'utf-8']
    for name in names:
        try:
            return data.decode(name)
        except (LookupError, UnicodeError, ValueError):
            continue
    if codec not in _LATIN and codec != 'utf-8':
        try:
            return data.decode(codec, 'replace')
        except (LookupError, UnicodeError, ValueError):
            pass
    return data.decode('cp1252', 'replace')


def _repair(message, depth=0):
    "Find the parts that the boundary of the header does not separate"
    if depth > _DEPTH:
        return
    payload = message.get_payload()
    if isinstance(payload, str) and _is_divided(message, payload):
        delimiter = _DELIMITER.search(payload)
        if delimiter:
            _divide(message, payload, delimiter['boundary'])
        elif message.get_content_maintype() == 'multipart':
            message.set_type('text/plain')
    if message.is_multipart():
        for part in message.get_payload():
            _repair(part, depth + 1)


def _is_divided(message, payload):
    "Return if the payload must have parts or begins with one"
    if message.get_content_maintype() == 'multipart':
        return True
    delimiter = _DELIMITER.search(payload[:_PREAMBLE])
    return (
        delimiter and message.get_content_type() == 'text/plain'
        and not message.get('Content-Transfer-Encoding')
        and f'--{delimiter["boundary"]}' in payload[delimiter.end():]
        and _is_preamble(payload[:delimiter.start()]))


def _is_preamble(text):
    return not text.strip() or bool(
        re.search(r'\bmime\b|multi-?part', text, re.IGNORECASE))


def _divide(message, payload, boundary):
    type_ = message.get_content_type()
    if not type_.startswith('multipart/'):
        type_ = 'multipart/mixed'
    boundary = boundary.replace('\\', '\\\\').replace('"', '\\"')
    source = f'Content-Type: {type_}; boundary="{boundary}"\n\n{payload}'
    parsed = message_from_bytes(
        source.encode('utf-8', 'surrogateescape'), policy=message.policy)
    if parsed.is_multipart():
        if message.get_content_maintype() != 'multipart':
            message.set_type(type_)
        message.set_payload(parsed.get_payload())
