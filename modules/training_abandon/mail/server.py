# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import logging
import smtplib

import trytond.config as config

from .address import ascii_address

logger = logging.getLogger(__name__)

# The seconds a command may take when the address of the server sets none
TIMEOUT = 60
# The replies that are about how the server was configured, whatever the
# command
AUTHENTICATION = {530, 534, 535, 538}


class Refused(Exception):
    "The server will never take the mail"


class Delayed(Exception):
    "The mail may be taken later"


class Unavailable(Delayed):
    "What is wrong is not about the mail: others would not be taken either"


class Interrupted(Unavailable):
    "The mail was not tried because the server keeps closing the connection"


class MailServer:
    """The mail server during one batch, that tells what its answers are
    about: their words are those of the exceptions.

    It connects for the first mail and again when the server has closed the
    connection, but not twice without an answer about a mail."""

    def __init__(self, connect):
        self._connect = connect
        self._smtp = None
        self._losses = 0
        self._senders = {}
        self._failure = None

    @property
    def available(self):
        return self._failure is None

    def send(self, sender, recipient, message):
        "Give the message to the server and return its reply"
        if self._failure:
            raise self._failure
        if sender in self._senders:
            raise self._senders[sender]
        if self._smtp is None:
            self._open()
        try:
            reply = self._transmit(sender, recipient, message)
        except smtplib.SMTPResponseException as exception:
            raise self._get_refusal(exception, sender) from exception
        except OSError as exception:
            raise self._lose(exception_words(exception)) from exception
        except Exception:
            # Nobody knows what the server waits for
            self.close()
            raise
        self._losses = 0
        return reply

    def _open(self):
        try:
            self._smtp = self._connect()
            self._smtp.ehlo_or_helo_if_needed()
        except Exception as exception:
            words = exception_words(exception)
            logger.warning("mail server not available: %s", words)
            self.close()
            self._failure = Unavailable(words)
            raise self._failure from exception

    def _transmit(self, sender, recipient, message):
        """Give the message to the server and return its reply.

        smtplib's own send_message hides partial refusals and drops the
        reply that is the proof."""
        code, reply = self._smtp.mail(sender)
        if not is_positive(code):
            raise smtplib.SMTPSenderRefused(code, reply, sender)
        code, reply = self._smtp.rcpt(ascii_address(recipient))
        if not is_positive(code):
            raise smtplib.SMTPResponseException(code, reply)
        code, reply = self._smtp.data(message)
        if not is_positive(code):
            raise smtplib.SMTPDataError(code, reply)
        return reply_words(code, reply)

    def _get_refusal(self, exception, sender):
        "Return what the negative reply of the server is about"
        code, words = exception.smtp_code, exception_words(exception)
        if code == 421 or not 400 <= code <= 599:
            # What follows a reply out of place answers something else
            return self._lose(words)
        self._losses = 0
        self._reset()
        if code in AUTHENTICATION:
            self._failure = Unavailable(words)
            return self._failure
        Reason = Refused if 500 <= code <= 599 else Delayed
        if isinstance(exception, smtplib.SMTPSenderRefused):
            # The address is the one of the provider in all the mails
            self._senders[sender] = (
                Unavailable if Reason is Refused else Delayed)(words)
            return self._senders[sender]
        return Reason(words)

    def _lose(self, words):
        "Return what it means that the server has closed the connection"
        self.close()
        self._losses += 1
        if self._losses > 1:
            self._failure = Interrupted(words)
        return Unavailable(words)

    def _reset(self):
        try:
            self._smtp.rset()
        except (smtplib.SMTPException, OSError):
            self.close()

    def close(self):
        smtp, self._smtp = self._smtp, None
        if smtp is not None:
            try:
                smtp.quit()
            except (smtplib.SMTPException, OSError):
                pass


def server_uri():
    "Return the address of the server, that must not be waited for for ever"
    uri = config.get('email', 'uri')
    if 'timeout=' not in uri:
        uri += f"{'&' if '?' in uri else '?'}timeout={TIMEOUT}"
    return uri


def is_positive(code):
    "Return if the reply of the code tells that what was asked is done"
    return 200 <= code <= 299


def reply_words(code, text):
    if isinstance(text, bytes):
        text = text.decode('utf-8', errors='replace')
    # No database stores the character zero
    return ' '.join(f'{code} {text}'.replace('\0', ' ').split())


def exception_words(exception):
    "Return the words of the server, or of the system that did not reach it"
    if isinstance(exception, smtplib.SMTPResponseException):
        return reply_words(exception.smtp_code, exception.smtp_error)
    return ' '.join(str(exception).split()) or exception.__class__.__name__
