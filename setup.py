#!/usr/bin/env python3
# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.

import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

MODULE = 'training_abandon'
PACKAGE = f'trytond.modules.{MODULE}'
ROOT = Path(__file__).resolve().parent
SOURCE = Path('modules') / MODULE


def read(name):
    path = ROOT / name
    return path.read_text(encoding='utf-8') if path.exists() else ''


def tryton_info():
    config = ConfigParser()
    config.read_string(read(SOURCE / 'tryton.cfg'))
    info = config['tryton']

    def modules(option):
        return [
            name for name in info.get(option, '').split()
            if name not in {'ir', 'res'}]
    return info['version'], modules('depends'), modules('extras_depend')


version, depends, extras_depend = tryton_info()
major, minor = map(int, version.split('.')[:2])


def pin(name):
    return f'{name} >= {major}.{minor}, < {major}.{minor + 1}'


def pin_modules(names):
    return [pin(f'trytond_{name}') for name in names]


def description():
    text = re.sub(r'\.\. toctree::\n(\n|( +.*\n))*', '', read('README.rst'))
    return text or "Tryton module for training abandonment"


def packages():
    "The module and the packages below it"
    source = ROOT / SOURCE
    return [
        '.'.join([PACKAGE, *path.parent.relative_to(source).parts])
        for path in sorted(source.rglob('__init__.py'))]


# The suite oldest runs with the oldest of install_requires and of what its
# tests import; the others are not tried
postgresql = ['psycopg[binary,pool] >= 3.2']
importing = [
    pin('proteus'),
    'tqdm >= 4.62',
    ]
demo = [
    'aiosmtpd >= 1.4.6',
    'Pillow >= 9.0',
    ] + importing + postgresql + pin_modules(['account_invoice', 'account_fr'])
test = [
    'aiosmtpd >= 1.4.6',
    'build >= 1.0',
    'flake8 >= 7.0',
    'hypothesis >= 6.100',
    'isort >= 5.13',
    'Pillow >= 9.0',
    'playwright >= 1.40',
    'pytest >= 7.4',
    'recurring_ical_events >= 3.8.2',
    'vobject >= 0.9.8',
    ] + importing + postgresql + pin_modules(extras_depend)

setup(
    name=f'trytond_{MODULE}',
    version=version,
    description="Tryton module for training abandonment",
    long_description=description(),
    long_description_content_type='text/x-rst',
    author="the training_abandon authors",
    keywords='tryton training abandonment qualiopi',
    license='GPL-3.0-or-later',
    package_dir={PACKAGE: str(SOURCE)},
    packages=packages(),
    package_data={
        '': ['tryton.cfg', '*.xml'],
        PACKAGE: [
            'view/*/*.xml', 'locale/*.po', 'locale/override/*.po',
            'report/*.fodt', 'report/*.html', 'icons/*.svg', 'icons/LICENSE'],
        f'{PACKAGE}.home': ['manual.html'],
        f'{PACKAGE}.tests': [
            '*.rst', '*.json', 'calendars/*.ics', 'inbound/*.eml',
            'inbound/*.json', 'foreign/*.eml', 'foreign/*.json'],
        },
    classifiers=[
        'Development Status :: 3 - Alpha',
        'Environment :: Plugins',
        'Framework :: Tryton',
        'Intended Audience :: Education',
        'Natural Language :: English',
        'Natural Language :: French',
        'Operating System :: OS Independent',
        'Programming Language :: Python :: 3',
        'Topic :: Office/Business',
        ],
    python_requires='>=3.10',
    install_requires=[
        'Genshi >= 0.7.7',
        'holidays >= 0.80',
        'html2text >= 2020.1.16',
        'icalendar >= 7.3',
        'lxml >= 5.3',
        'matplotlib >= 3.9',
        'pypdf >= 5.0',
        'python-dateutil >= 2.8.2',
        'python-sql >= 1.8',
        'python-stdnum >= 2.2',
        'relatorio >= 0.10',
        pin('trytond'),
        ] + pin_modules(depends),
    extras_require={
        'demo': demo,
        'import': importing,
        'postgresql': postgresql,
        'test': test,
        },
    zip_safe=False,
    entry_points={
        'console_scripts': [
            'training-abandon-import = '
            f'{PACKAGE}.scripts.importing.command:run',
            ],
        'trytond.modules': [f'{MODULE} = {PACKAGE}'],
        },
    )
