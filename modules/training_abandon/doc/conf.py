# This file is part of Tryton.  The COPYRIGHT file at the top level of
# this repository contains the full copyright notices and license terms.
import configparser
import os

modules_url = 'https://docs.tryton.org/{series}/modules-{module}/'
trytond_url = 'https://docs.tryton.org/{series}/server/'


def get_info():
    config = configparser.ConfigParser()
    module_dir = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    config.read(os.path.join(module_dir, 'tryton.cfg'))
    info = dict(config.items('tryton'))
    info['series'] = '.'.join(info['version'].split('.', 2)[:2])
    modules = (
        info.get('depends', '').split()
        + info.get('extras_depend', '').split())
    info['modules'] = set(modules) - {'ir', 'res'}
    return info


info = get_info()

html_title = "Tryton module for training abandonment"
master_doc = 'index'
project = 'trytond_training_abandon'
release = version = info['series']
default_role = 'ref'
highlight_language = 'none'
extensions = [
    'sphinx.ext.intersphinx',
    ]
intersphinx_mapping = {
    'trytond': (trytond_url.format(series=version), None),
    }
intersphinx_mapping.update({
        m: (modules_url.format(
                module=m.replace('_', '-'), series=version), None)
        for m in info['modules']
        })

del get_info, info, modules_url, trytond_url
