# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
"""The company and the users of the demo

python -m lib.demo.company DATABASE CONFIG PASSWORD_FILE"""

import io
import sys
from decimal import Decimal
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from proteus import Model
from proteus import config as pconfig

COMPANY = "Azur Talents"
# login, name, groups
USERS = [
    ('assistant', "Camille Fontaine",
        ['group_training', 'group_sensitive_reason']),
    ('administrateur', "Dominique Leroy",
        ['group_training_admin', 'group_sensitive_reason']),
    ('comptable', "Pascale Morin",
        ['group_accounting', 'account.group_account']),
    ('auditeur', "Claude Vasseur", ['group_auditor']),
    ('formateur', "Andrea Lopez", ['group_trainer']),
    ]


def main(database, config_file, password_file):
    pconfig.set_trytond(database, config_file=config_file)
    password = Path(password_file).read_text().strip()
    french = set_french()
    company = create_company(french)
    for login, name, groups in USERS:
        create_user(
            company, french, login, name, password,
            map(get_group, groups))
    set_admin(company, french)
    finish_configuration()


def set_french():
    """Make French the language of the parties, with the dates as they are
    written in France, return it"""
    Configuration = Model.get('party.configuration')
    Lang = Model.get('ir.lang')
    french, = Lang.find([('code', '=', 'fr')])
    french.date = '%d/%m/%Y'
    french.save()
    configuration = Configuration(1)
    configuration.party_lang = french
    configuration.save()
    return french


def create_company(french):
    Country = Model.get('country.country')
    Company = Model.get('company.company')
    Party = Model.get('party.party')
    france = Country(name="France", code='FR', code3='FRA')
    france.save()
    party = Party(name=COMPANY, lang=french)
    address, = party.addresses or [party.addresses.new()]
    address.street_unstructured = "12 avenue Jean-Médecin"
    address.postal_code = '06000'
    address.city = "Nice"
    address.country = france
    party.contact_mechanisms.new(
        type='email', value='formation@azur-talents.example.org')
    party.contact_mechanisms.new(type='phone', value='+33 4 65 71 00 00')
    party.contact_mechanisms.new(
        type='website', value='https://azur-talents.example.org')
    party.save()
    company = Company(
        party=party, currency=create_euro(), timezone='Europe/Paris',
        logo=logo())
    company.footer = "Déclaration d'activité de démonstration"
    company.save()
    return company


def create_euro():
    Currency = Model.get('currency.currency')
    euro = Currency(
        name="Euro", symbol='€', code='EUR', numeric_code='978', digits=2,
        rounding=Decimal('0.01'))
    euro.rates.new(rate=Decimal(1))
    euro.save()
    return euro


def logo():
    "Draw a logo and return its PNG"
    image = Image.new('RGB', (640, 160), 'white')
    draw = ImageDraw.Draw(image)
    draw.ellipse((8, 8, 152, 152), fill='#0b6fa4')
    draw.polygon([(80, 34), (124, 122), (36, 122)], fill='#f4b400')
    font = ImageFont.load_default(72)
    draw.text((176, 80), COMPANY, fill='#0b3954', font=font, anchor='lm')
    output = io.BytesIO()
    image.save(output, 'PNG')
    return output.getvalue()


def create_user(company, french, login, name, password, groups):
    Employee = Model.get('company.employee')
    Party = Model.get('party.party')
    User = Model.get('res.user')
    party = Party(name=name, lang=french)
    party.contact_mechanisms.new(
        type='email', value=f'{login}@azur-talents.example.org')
    party.save()
    employee = Employee(party=party, company=company)
    employee.save()
    user = User(
        name=name, login=login, password=password, language=french,
        email=f'{login}@azur-talents.example.org')
    set_company(user, company)
    user.employees.append(employee)
    user.employee = employee
    user.groups.extend(groups)
    user.save()


def set_admin(company, french):
    User = Model.get('res.user')
    admin, = User.find([('login', '=', 'admin')])
    admin.language = french
    set_company(admin, company)
    for group in map(
            get_group, ['group_training', 'group_training_admin']):
        if group not in admin.groups:
            admin.groups.append(group)
    admin.save()


def set_company(user, company):
    if company not in user.companies:
        user.companies.append(company)
    user.company = company


def get_group(name):
    Group = Model.get('res.group')
    return Group(get_id(name))


def get_id(name):
    "Return the id of what the module, or another one, calls so"
    ModelData = Model.get('ir.model.data')
    if '.' not in name:
        name = f'training_abandon.{name}'
    return ModelData.get_id(name, pconfig.get_config().context)


def finish_configuration():
    "Do what the first login would ask to do"
    Item = Model.get('ir.module.config_wizard.item')
    items = Item.find([('state', '=', 'open')])
    for item in items:
        item.state = 'done'
    Item.save(items)


if __name__ == '__main__':
    main(*sys.argv[1:])
