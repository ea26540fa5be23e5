# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"The ZIP file of a pack, that is written one file after the other"
import hashlib
import re
from contextlib import suppress
from pathlib import PurePath
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from .. import tools

MANIFEST = 'manifest.sha256'
LENGTH = 60
# What opens without running anything: a file of a stranger may be a page with
# a script, or a program
SUFFIXES = {
    '.csv', '.doc', '.docx', '.eml', '.gif', '.heic', '.jpeg', '.jpg', '.odp',
    '.ods', '.odt', '.pdf', '.png', '.pptx', '.rtf', '.tif', '.tiff', '.txt',
    '.webp', '.xls', '.xlsx'}


def safe_name(text):
    """Return the text as a part of a name that is good on any disk: lower
    case letters, digits and hyphens"""
    words = re.sub(r'[^a-z0-9]+', '-', tools.unaccented(text or '').lower())
    return words[:LENGTH].strip('-')


def safe_suffix(name):
    "Return the extension of the name of a file, if it runs nothing"
    suffix = PurePath(name or '').suffix.lower()
    return suffix if suffix in SUFFIXES else '.bin'


class Archive:
    "A ZIP file with the list of the SHA-256 of its files"

    def __init__(self, file, at):
        self._zip = ZipFile(file, 'w', ZIP_DEFLATED)
        self._date_time = at.timetuple()[:6]
        self._hashes, self._folders = {}, set()

    def folder(self, name):
        "Return the name, with a number if there is already such a folder"
        name = self._unique(name, self._folders)
        self._folders.add(name)
        return name

    @staticmethod
    def _unique(name, names):
        path = PurePath(name)
        number = 1
        while name in names:
            number += 1
            name = str(path.with_name(f'{path.stem}-{number}{path.suffix}'))
        return name

    def add(self, name, data):
        "Add the file and return its name"
        if isinstance(data, str):
            data = data.encode('utf-8')
        name = self._unique(name, self._hashes)
        self._hashes[name] = hashlib.sha256(data).hexdigest()
        self._write(name, data)
        return name

    def add_lines(self, name, lines):
        "Add the file of the lines, of which one is in memory, as add does"
        name = self._unique(name, self._hashes)
        digest = hashlib.sha256()
        with self._zip.open(self._info(name), 'w') as file:
            for line in lines:
                data = f'{line}\n'.encode()
                digest.update(data)
                file.write(data)
        self._hashes[name] = digest.hexdigest()
        return name

    def close(self):
        "End the file with its manifest and return the hash of this"
        manifest = ''.join(
            f'{digest}  {name}\n'
            for name, digest in sorted(self._hashes.items())).encode()
        self._write(MANIFEST, manifest)
        self._zip.close()
        return hashlib.sha256(manifest).hexdigest()

    def discard(self):
        "Forget the file, of which the end is not wanted"
        with suppress(OSError):
            self._zip.close()

    def _write(self, name, data):
        self._zip.writestr(self._info(name), data)

    def _info(self, name):
        info = ZipInfo(name, self._date_time)
        info.compress_type = ZIP_DEFLATED
        # A file that its owner reads
        info.external_attr = 0o644 << 16
        return info
