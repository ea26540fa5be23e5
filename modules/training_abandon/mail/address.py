# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The addresses that mails are written to and answered at"
import re
from email.errors import MessageError
from email.headerregistry import Address

import trytond.config as config
from trytond.i18n import gettext
from trytond.tools.email_ import convert_ascii_email

from ..exceptions import RecipientError

# What the token leaves of the 64 characters before the @
LOCAL_SIZE = 31
_LOCAL = r"[\w.!#$%&'*/=?^`{|}~-]+"


def ascii_address(email):
    "Return the address with its domain as the mail servers know it"
    local, at, domain = convert_ascii_email(email).rpartition('@')
    try:
        domain = domain.encode('idna').decode('ascii')
    except UnicodeError:
        return email
    return f'{local}{at}{domain}'


def mailbox(email):
    "Return what the addresses of one mailbox have in common"
    return ascii_address((email or '').strip()).lower()


def check_address(email, party):
    "Raise an error if that is not an address to write to the party"
    email = (email or '').strip()
    try:
        Address(addr_spec=ascii_address(email)).addr_spec.encode('ascii')
    except (ValueError, IndexError, MessageError) as exception:
        raise RecipientError(gettext(
                'training_abandon.msg_step_invalid_address',
                address=email,
                party=party.rec_name if party else '')) from exception


def reply_address():
    """Return the address that receives the replies, to which each mail adds
    a token, or None."""
    address = (config.get(
            'training_abandon', 'reply_to', default='') or '').strip()
    if not address:
        return None
    local, _, domain = address.rpartition('@')
    if (not re.fullmatch(_LOCAL, local, re.ASCII)
            or len(local) > LOCAL_SIZE
            or not re.fullmatch(r'[\w-]+(\.[\w-]+)*', domain)):
        raise RecipientError(gettext(
                'training_abandon.msg_reply_to_invalid',
                address=address, size=LOCAL_SIZE))
    return address
