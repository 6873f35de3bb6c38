"""Every route × everybody: what each person gets. A route that has no line here fails (R2, S24, S26).

One column a person, in five groups: nobody | the seven roles of Atelier Nuage: Global admin, User management admin, Billing admin, admin Agent,
Sales agent, Helpdesk agent, Referrals admin | other partners' global admins: provider, reseller, government cloud, competitor | of the customer
Maison Tellier: admin, purchaser, member | a stranger: the admin of a customer of nobody.

    +  done, or refused by a rule and not by the role      -  403: may know of it, but not do it
    0  404: may not know of it                             s  asked to sign in first

What the addresses name belongs to Atelier Nuage or its customer Maison Tellier; drafts and sessions to its sales agent. Bodies are empty but for what
stands at the end of a line.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup
from flask import Blueprint

from portal import create_app
from portal.accounts import service as accounts
from portal.accounts.models import User, UserSession
from portal.core import access, clock, tokens
from portal.core.access import CUSTOMER_ROLES, PARTNER_ROLES, POLICY, Cloud, PartnerType, Permission, Role, permissions_of
from portal.core.db import db, find, uuid7, writing
from portal.core.money import Money
from portal.core.outbox import Mail
from portal.core.routing import Feature
from portal.core.scope import EVERYTHING, Scope, scoped
from portal.directory.models import BusinessProfile, ProfileLocation, ProfileLogo
from portal.leads.models import Lead, LeadPerson
from portal.onboarding import service as onboarding
from portal.permissions import service as buying
from portal.permissions.models import Category, Notice
from portal.relationships import answers
from portal.relationships.models import RelationshipRequest
from portal.subscriptions import catalog_import, naming, ordering, reservation_requests
from portal.subscriptions import service as subscriptions
from portal.subscriptions.models import RequestKind, Reservation, ReservationScope
from tests.conftest import People
from tests.directory import entry_rows
from tests.directory.pictures import picture
from tests.relationships import rows
from tests.subscriptions import rows as subscription_rows
from tests.support import databases, make
from tests.support.page import Visitor

TABLE = """
GET  /                                                       s  +++++++  ++++  +++  +
GET  /account                                                s  +++++++  ++++  +++  +
POST /account                                                s  +++++++  ++++  +++  +
GET  /account/password                                       s  +++++++  ++++  +++  +
POST /account/password                                       s  +++++++  ++++  +++  +
GET  /account/sessions                                       s  +++++++  ++++  +++  +
POST /account/sessions/<session>/ending                      s  0000+00  0000  000  0
POST /account/sessions/ending                                s  +++++++  ++++  +++  +
GET  /activation                                             +  +++++++  ++++  +++  +
POST /activation                                             +  +++++++  ++++  +++  +
GET  /activation/<invitation>                                +  +++++++  ++++  +++  +
POST /activation/code                                        +  +++++++  ++++  +++  +
GET  /activity                                               s  ++++++-  ++++  ---  -
GET  /activity/export                                        s  ++++++-  ++++  ---  -
GET  /business-profiles                                      s  +-----+  ++0+  ---  -
GET  /business-profiles/<profile>                            s  +-----+  0000  ---  -
POST /business-profiles/<profile>                            s  +-----+  0000  ---  -
POST /business-profiles/<profile>/confirmation               s  +-----+  0000  ---  -
GET  /business-profiles/<profile>/deletion                   s  +-----+  0000  ---  -
POST /business-profiles/<profile>/deletion                   s  +-----+  0000  ---  -
GET  /business-profiles/<profile>/locations/<location>       s  +-----+  0000  ---  -
POST /business-profiles/<profile>/locations/<location>       s  +-----+  0000  ---  -
GET  /business-profiles/<profile>/locations/<location>/removal  s  +-----+  0000  ---  -
POST /business-profiles/<profile>/locations/<location>/removal  s  +-----+  0000  ---  -
GET  /business-profiles/<profile>/locations/new              s  +-----+  0000  ---  -
POST /business-profiles/<profile>/locations/new              s  +-----+  0000  ---  -
POST /business-profiles/<profile>/logo                       s  +-----+  0000  ---  -
POST /business-profiles/<profile>/logo/removal               s  +-----+  0000  ---  -
GET  /business-profiles/<profile>/preview                    s  +-----+  0000  ---  -
POST /business-profiles/<profile>/publication                s  +-----+  0000  ---  -
GET  /business-profiles/<profile>/publication/removal        s  +-----+  0000  ---  -
POST /business-profiles/<profile>/publication/removal        s  +-----+  0000  ---  -
GET  /business-profiles/new                                  s  +-----+  ++0+  ---  -
POST /business-profiles/new                                  s  +-----+  ++0+  ---  -
GET  /catalog                                                s  +-++++-  ++++  ---  -
POST /catalog                                                s  +-+----  +-++  ---  -
GET  /catalog/<offer>                                        s  +-++++-  0000  ---  -
POST /catalog/<offer>                                        s  +-+----  0-00  ---  -
GET  /catalog/<offer>/edit                                   s  +-+----  0-00  ---  -
POST /catalog/<offer>/prices                                 s  +-+----  0-00  ---  -
GET  /catalog/<offer>/prices/new                             s  +-+----  0-00  ---  -
GET  /catalog/<offer>/prices/removal                         s  +-+----  0-00  ---  -
POST /catalog/<offer>/prices/removal                         s  +-+----  0-00  ---  -
POST /catalog/<offer>/restoration                            s  +-+----  0-00  ---  -
GET  /catalog/<offer>/withdrawal                             s  +-+----  0-00  ---  -
POST /catalog/<offer>/withdrawal                             s  +-+----  0-00  ---  -
GET  /catalog/export                                         s  +-+----  +-++  ---  -
GET  /catalog/import                                         s  +-+----  +-++  ---  -
POST /catalog/import                                         s  +-+----  +-++  ---  -
GET  /catalog/import/<upload>                                s  0-+----  0-00  ---  -
POST /catalog/import/<upload>                                s  0-+----  0-00  ---  -
GET  /catalog/new                                            s  +-+----  +-++  ---  -
GET  /coming-up                                              s  ++++++-  ++++  ---  -
POST /coming-up/extension                                    s  ++-++--  ++++  ---  -
GET  /connect/<link>                                         +  +++++++  ++++  +++  +
GET  /connect/requests/<sent>                                +  -------  ----  +--  +
POST /connect/requests/<sent>/acceptance                     s  -------  ----  +--  +
GET  /connect/requests/<sent>/account                        +  +++++++  ++++  +++  +
POST /connect/requests/<sent>/account                        +  +++++++  ++++  +++  +
GET  /connect/requests/<sent>/account/confirmation           +  +++++++  ++++  +++  +
POST /connect/requests/<sent>/account/confirmation           +  +++++++  ++++  +++  +
GET  /connect/requests/<sent>/declining                      +  +++++++  ++++  +++  +
POST /connect/requests/<sent>/declining                      +  -------  ----  +--  +
GET  /connect/requests/<sent>/receipt                        s  -------  ----  0--  0
GET  /customers                                              s  ++++++-  ++++  ---  -
GET  /customers/<customer>                                   s  ++++++-  0000  ---  -
GET  /customers/<customer>/account                           s  ++++++-  0000  ---  -
GET  /customers/<customer>/account/<billing>                 s  +--+++-  0000  ---  -
GET  /customers/<customer>/account/<company>                 s  -------  0000  ---  -
GET  /customers/<added>/account/<company>                    s  +--+++-  0000  ---  -
POST /customers/<customer>/account/<billing>                 s  +--+++-  0000  ---  -
POST /customers/<customer>/account/<company>                 s  -------  0000  ---  -
POST /customers/<added>/account/<company>                    s  +--+++-  0000  ---  -
GET  /customers/<added>/activation                           s  ++-++--  0000  ---  -
POST /customers/<added>/activation                           s  ++-++--  0000  ---  -
POST /customers/<customer>/activation/person                 s  ++-++--  0000  ---  -
GET  /customers/<customer>/activity                          s  ++++++-  0000  ---  -
GET  /customers/<customer>/agreement                         s  ++++++-  0000  ---  -
POST /customers/<customer>/agreement                         s  +--++--  0-00  ---  -
POST /customers/<customer>/agreement/request                 s  ++-++--  0000  ---  -
GET  /customers/<customer>/cart                              s  +--++--  0000  ---  -
POST /customers/<customer>/cart/lines/<offer>                s  +--++--  0000  ---  -  quantity=1 was=0
GET  /customers/<customer>/cart/provider                     s  0--00--  0000  ---  -
POST /customers/<customer>/cart/provider                     s  0--00--  0000  ---  -
GET  /customers/<customer>/cart/review                       s  +--++--  0000  ---  -
GET  /customers/<customer>/delegated-administration/ending   s  +--+---  0000  ---  -
POST /customers/<customer>/delegated-administration/ending   s  +--+---  0000  ---  -
GET  /customers/<customer>/ending                            s  +------  0-00  ---  -
POST /customers/<customer>/ending                            s  +------  0-00  ---  -
POST /customers/<customer>/ending/clearing                   s  +------  0-00  ---  -
GET  /customers/<customer>/orders                            s  +-++++-  0000  ---  -
POST /customers/<customer>/orders                            s  +--++--  0000  ---  -
GET  /customers/<customer>/orders/<order>                    s  +-++++-  0000  ---  -
GET  /customers/<customer>/orders/<order>/declining          s  0--00--  0000  ---  -
POST /customers/<customer>/orders/<order>/declining          s  0--00--  0000  ---  -
POST /customers/<customer>/orders/<order>/placement          s  0--00--  0000  ---  -
GET  /customers/<customer>/orders/<order>/withdrawal         s  0--00--  0000  ---  -
POST /customers/<customer>/orders/<order>/withdrawal         s  0--00--  0000  ---  -
GET  /customers/<customer>/reservations                      s  +-++++-  0000  ---  -
GET  /customers/<customer>/reservations/<reservation>        s  +-++++-  0000  ---  -
GET  /customers/<customer>/reservations/<reservation>/cancellation  s  +--++--  0000  ---  -
POST /customers/<customer>/reservations/<reservation>/cancellation  s  +--++--  0000  ---  -
GET  /customers/<customer>/reservations/<reservation>/exchange  s  +--++--  0000  ---  -
POST /customers/<customer>/reservations/<reservation>/exchange  s  +--++--  0000  ---  -
GET  /customers/<customer>/reservations/<reservation>/first-use  s  +--++--  0000  ---  -
POST /customers/<customer>/reservations/<reservation>/first-use  s  +--++--  0000  ---  -
GET  /customers/<customer>/reservations/<reservation>/renewal  s  +--++--  0000  ---  -
POST /customers/<customer>/reservations/<reservation>/renewal  s  +--++--  0000  ---  -
GET  /customers/<customer>/reservations/<reservation>/request/declining  s  +--++--  0000  ---  -
POST /customers/<customer>/reservations/<reservation>/request/declining  s  +--++--  0000  ---  -
GET  /customers/<customer>/reservations/<reservation>/scope  s  +--++--  0000  ---  -
POST /customers/<customer>/reservations/<reservation>/scope  s  +--++--  0000  ---  -
GET  /customers/<customer>/reservations/export               s  +-++++-  0000  ---  -
GET  /customers/<customer>/permissions                       s  +--+++-  0000  ---  -
GET  /customers/<customer>/permissions/<reservations>/grant  s  +--+---  0000  ---  -
POST /customers/<customer>/permissions/<reservations>/grant  s  +--+---  0000  ---  -
POST /customers/<customer>/permissions/<reservations>/limits  s  +--+---  0000  ---  -
GET  /customers/<customer>/permissions/<reservations>/revocation  s  +--+---  0000  ---  -
POST /customers/<customer>/permissions/<reservations>/revocation  s  +--+---  0000  ---  -
GET  /customers/<customer>/subscriptions                     s  +-++++-  0000  ---  -
GET  /customers/<customer>/subscriptions/<subscription>      s  +-++++-  0000  ---  -
GET  /customers/<customer>/subscriptions/<subscription>/cancellation  s  +--++--  0000  ---  -
POST /customers/<customer>/subscriptions/<subscription>/cancellation  s  +--++--  0000  ---  -
POST /customers/<customer>/subscriptions/<subscription>/cancellation/withdrawal  s  +--++--  0000  ---  -
GET  /customers/<customer>/subscriptions/<trial>/conversion  s  +--++--  0000  ---  -
POST /customers/<customer>/subscriptions/<trial>/conversion  s  +--++--  0000  ---  -
GET  /customers/<customer>/subscriptions/<subscription>/nickname  s  +--++--  0000  ---  -
POST /customers/<customer>/subscriptions/<subscription>/nickname  s  +--++--  0000  ---  -
POST /customers/<customer>/subscriptions/<subscription>/owners  s  +--++--  0000  ---  -
POST /customers/<customer>/subscriptions/<subscription>/owners/<buyer>/removal  s  +--++--  0000  ---  -
GET  /customers/<customer>/subscriptions/<subscription>/quantity  s  +--++--  0000  ---  -
POST /customers/<customer>/subscriptions/<subscription>/quantity  s  +--++--  0000  ---  -
GET  /customers/<customer>/subscriptions/<suspended>/reactivation  s  +--++--  0000  ---  -
POST /customers/<customer>/subscriptions/<suspended>/reactivation  s  +--++--  0000  ---  -
POST /customers/<customer>/subscriptions/<subscription>/renewal  s  +--++--  0000  ---  -
GET  /customers/<customer>/subscriptions/<subscription>/reseller  s  0--00--  0000  ---  -
POST /customers/<customer>/subscriptions/<subscription>/reseller  s  0--00--  0000  ---  -
GET  /customers/<customer>/subscriptions/<subscription>/support-contact  s  +--+-+-  0000  ---  -
POST /customers/<customer>/subscriptions/<subscription>/support-contact  s  +--+-+-  0000  ---  -
GET  /customers/<customer>/subscriptions/<subscription>/suspension  s  +--++--  0000  ---  -
POST /customers/<customer>/subscriptions/<subscription>/suspension  s  +--++--  0000  ---  -
POST /customers/<customer>/subscriptions/changes             s  +--++--  0000  ---  -
GET  /customers/<customer>/subscriptions/export              s  +-++++-  0000  ---  -
GET  /customers/<customer>/users                             s  +--+-+-  0000  ---  -
POST /customers/<customer>/users                             s  +--+---  0000  ---  -
GET  /customers/<customer>/users/<person>                    s  +--+-+-  0000  ---  -
GET  /customers/<customer>/users/<person>/deactivation       s  +--+---  0000  ---  -
POST /customers/<customer>/users/<person>/deactivation       s  +--+---  0000  ---  -
POST /customers/<customer>/users/<person>/invitation         s  +--+-+-  0000  ---  -
POST /customers/<customer>/users/<person>/password-reset     s  +--+-+-  0000  ---  -
POST /customers/<customer>/users/<person>/reactivation       s  +--+---  0000  ---  -
POST /customers/<customer>/users/<person>/roles              s  +--+---  0000  ---  -
POST /customers/<customer>/users/<person>/sign-out           s  +--+-+-  0000  ---  -
GET  /customers/<customer>/users/new                         s  +--+---  0000  ---  -
GET  /customers/export                                       s  +--+---  ++++  ---  -
GET  /customers/former                                       s  ++++++-  ++++  ---  -
GET  /customers/new                                          s  ++-++--  ++++  ---  -
POST /customers/new                                          s  ++-++--  ++++  ---  -
GET  /customers/new/<draft>/discarding                       s  00-0+-0  0000  ---  -
POST /customers/new/<draft>/discarding                       s  00-0+-0  0000  ---  -
GET  /customers/new/<draft>/review                           s  00-0+-0  0000  ---  -
POST /customers/new/<draft>/review                           s  00-0+-0  0000  ---  -
GET  /customers/new/<draft>/subscriptions                    s  0--0+--  0000  ---  -
POST /customers/new/<draft>/subscriptions/lines/<offer>      s  0--0+--  0000  ---  -  quantity=1 was=0
POST /customers/new/typed                                    s  ++-++--  ++++  ---  -
GET  /directory                                              +  +++++++  ++0+  +++  +
GET  /directory/<profile>                                    +  +++++++  ++0+  +++  +
GET  /directory/<profile>/inquiry                            +  +++++++  ++0+  +++  +
POST /directory/<profile>/inquiry                            +  +++++++  ++0+  +++  +
GET  /directory/<profile>/inquiry/sent                       +  +++++++  ++0+  +++  +
GET  /directory/<profile>/locations/<location>               +  +++++++  ++0+  +++  +
GET  /directory/inquiries/links/<inquiry_link>               +  +++++++  ++0+  +++  +
GET  /directory/inquiries/<inquiry>                          +  +++++++  ++0+  +++  +
POST /directory/inquiries/<inquiry>/confirmation             +  +++++++  ++0+  +++  +
GET  /directory/logos/<logo>                                 +  +++++++  ++0+  +++  +
GET  /forgotten-password                                     +  +++++++  ++++  +++  +
POST /forgotten-password                                     +  +++++++  ++++  +++  +
GET  /forgotten-password/<reset>                             +  +++++++  ++++  +++  +
GET  /forgotten-password/new                                 +  +++++++  ++++  +++  +
POST /forgotten-password/new                                 +  +++++++  ++++  +++  +
GET  /healthz                                                +  +++++++  ++++  +++  +
POST /language                                               +  +++++++  ++++  +++  +
GET  /leads                                                  s  +---+-+  ++0+  ---  -
POST /leads                                                  s  +---+-+  ++0+  ---  -
GET  /leads/<lead>                                           s  +---+-+  0000  ---  -
GET  /leads/<lead>/acceptance                                s  +---+-+  0000  ---  -
POST /leads/<lead>/acceptance                                s  +---+-+  0000  ---  -
GET  /leads/<lead>/deal                                      s  +---+-+  0000  ---  -
POST /leads/<lead>/deal                                      s  +---+-+  0000  ---  -
GET  /leads/<lead>/declining                                 s  +---+-+  0000  ---  -
POST /leads/<lead>/declining                                 s  +---+-+  0000  ---  -
POST /leads/<lead>/favorite                                  s  +---+-+  0000  ---  -
POST /leads/<lead>/favorite/removal                          s  +---+-+  0000  ---  -
GET  /leads/<lead>/losing                                    s  +---+-+  0000  ---  -
POST /leads/<lead>/losing                                    s  +---+-+  0000  ---  -
POST /leads/<lead>/notes                                     s  +---+-+  0000  ---  -
POST /leads/<lead>/people                                    s  +---+-+  0000  ---  -
GET  /leads/<lead>/referral                                  s  +---+-+  0000  ---  -
POST /leads/<lead>/referral                                  s  +---+-+  0000  ---  -
GET  /leads/<lead>/winning                                   s  +---+-+  0000  ---  -
POST /leads/<lead>/winning                                   s  +---+-+  0000  ---  -
GET  /leads/<won>/conversion                                 s  +---+-+  0000  ---  -
POST /leads/<won>/conversion                                 s  +---+-+  0000  ---  -
GET  /leads/<won>/conversion/request                         s  +---+-+  0000  ---  -
POST /leads/<won>/conversion/request                         s  +---+-+  0000  ---  -
POST /leads/<working>/people/<member>/removal                s  +---+-+  0000  ---  -
GET  /leads/board                                            s  +---+-+  ++0+  ---  -
GET  /leads/export                                           s  +---+-+  ++0+  ---  -
GET  /leads/figures                                          s  +---+-+  ++0+  ---  -
GET  /leads/figures/export                                   s  +---+-+  ++0+  ---  -
GET  /leads/import                                           s  +---+-+  ++0+  ---  -
POST /leads/import                                           s  +---+-+  ++0+  ---  -
GET  /leads/import/template                                  s  +---+-+  ++0+  ---  -
GET  /leads/new                                              s  +---+-+  ++0+  ---  -
GET  /leads/referrals                                        s  +---+-+  ++0+  ---  -
GET  /leads/referrals/new                                    s  +---+-+  ++0+  ---  -
POST /leads/referrals/new                                    s  +---+-+  ++0+  ---  -
GET  /metrics                                                +  +++++++  ++++  +++  +
GET  /my                                                     s  -------  ----  +++  +
GET  /my/activity                                            s  -------  ----  +--  +
GET  /my/activity/export                                     s  -------  ----  +--  +
GET  /my/agreement                                           s  -------  ----  +--  +
POST /my/agreement                                           s  -------  ----  +--  +
GET  /my/company                                             s  -------  ----  +--  +
POST /my/company                                             s  -------  ----  +--  +
GET  /my/orders                                              s  -------  ----  ++-  +
GET  /my/orders/<order>                                      s  -------  ----  ++-  0
GET  /my/partners                                            s  -------  ----  +--  +
GET  /my/partners/<partner>                                  s  -------  ----  +--  0
GET  /my/partners/<partner>/delegated-administration/ending  s  -------  ----  +--  0
POST /my/partners/<partner>/delegated-administration/ending  s  -------  ----  +--  0
GET  /my/reservations                                        s  -------  ----  ++-  +
GET  /my/reservations/<reservation>                          s  -------  ----  ++-  0
POST /my/reservations/<reservation>/request                  s  -------  ----  ++-  0
POST /my/reservations/<reservation>/request/withdrawal       s  -------  ----  ++-  0
GET  /my/shop                                                s  -------  ----  ++-  +
GET  /my/shop/<partner>/<reservable>                         s  -------  ----  ++-  0
POST /my/shop/<partner>/<reservable>                         s  -------  ----  ++-  0
GET  /my/shop/<partner>/<reservable>/review                  s  -------  ----  ++-  0
GET  /my/shop/purchases                                      s  -------  ----  ++-  +
GET  /my/shop/purchases/<purchase>                           s  -------  ----  ++-  0
GET  /my/shop/purchases/<purchase>/withdrawal                s  -------  ----  ++-  0
POST /my/shop/purchases/<purchase>/withdrawal                s  -------  ----  ++-  0
GET  /my/subscriptions                                       s  -------  ----  +++  +
GET  /my/subscriptions/<subscription>                        s  -------  ----  +++  0
GET  /my/users                                               s  -------  ----  +--  +
POST /my/users                                               s  -------  ----  +--  +
GET  /my/users/<person>                                      s  -------  ----  +--  0
GET  /my/users/<person>/deactivation                         s  -------  ----  +--  0
POST /my/users/<person>/deactivation                         s  -------  ----  +--  0
POST /my/users/<person>/invitation                           s  -------  ----  +--  0
POST /my/users/<person>/reactivation                         s  -------  ----  +--  0
POST /my/users/<person>/roles                                s  -------  ----  +--  0
GET  /my/users/new                                           s  -------  ----  +--  +
GET  /orders                                                 s  +-++++-  ++++  ---  -
GET  /outbox                                                 s  ++-----  ++++  ---  -
GET  /outbox/<mail>                                          s  ++-----  0000  ---  -
POST /outbox/<mail>/sending                                  s  ++-----  0000  ---  -
GET  /partnerships                                           s  -------  ++0-  ---  -
POST /partnerships                                           s  -------  +-0-  ---  -
GET  /partnerships/<partnership>                             s  -------  ++0-  ---  -
GET  /partnerships/<partnership>/ending                      s  -------  ++0-  ---  -
POST /partnerships/<partnership>/ending                      s  -------  ++0-  ---  -
GET  /partnerships/<asked>/revocation                        s  -------  +00-  ---  -
POST /partnerships/<asked>/revocation                        s  -------  +00-  ---  -
POST /partnerships/<asked>/sending                           s  -------  +00-  ---  -
GET  /partnerships/links/<partnership_link>                  +  +++++++  ++++  +++  +
GET  /partnerships/new                                       s  -------  +-0-  ---  -
GET  /partnerships/requests/<asked>                          +  -------  -+--  ---  -
POST /partnerships/requests/<asked>/acceptance               s  -------  ++0-  ---  -
GET  /partnerships/requests/<asked>/declining                +  +++++++  ++++  +++  +
POST /partnerships/requests/<asked>/declining                +  -------  ++--  ---  -
GET  /purchases                                              s  +--+++-  ++++  ---  -
GET  /purchases/<purchase>                                   s  +--+++-  0000  ---  -
POST /purchases/<purchase>/approval                          s  +--++--  0000  ---  -
POST /purchases/<purchase>/declining                         s  +--++--  0000  ---  -
GET  /readyz                                                 +  +++++++  ++++  +++  +
GET  /relationship-requests                                  s  ++-+++-  ++++  ---  -
POST /relationship-requests                                  s  ++-++--  ++++  ---  -
GET  /relationship-requests/<sent>                           s  ++-+++-  0000  ---  -
POST /relationship-requests/<sent>                           s  ++-++--  0000  ---  -
GET  /relationship-requests/<drafted>/edit                   s  ++-++--  0000  ---  -
GET  /relationship-requests/<accepted>/receipt               s  ++-+++-  0000  ---  -
GET  /relationship-requests/<sent>/revocation                s  ++-++--  0000  ---  -
POST /relationship-requests/<sent>/revocation                s  ++-++--  0000  ---  -
POST /relationship-requests/<sent>/sending                   s  ++-++--  0000  ---  -  way=portal
GET  /relationship-requests/new                              s  ++-++--  ++++  ---  -
GET  /relationship-requests/several                          s  ++-++--  ++++  ---  -
POST /relationship-requests/several                          s  ++-++--  ++++  ---  -
GET  /reservations                                           s  +-++++-  ++++  ---  -
GET  /reservations/export                                    s  +-++++-  ++++  ---  -
GET  /robots.txt                                             +  +++++++  ++++  +++  +
GET  /settings                                               s  +------  ++++  ---  -
POST /settings                                               s  +------  ++++  ---  -
GET  /sign-in                                                +  +++++++  ++++  +++  +
POST /sign-in                                                +  +++++++  ++++  +++  +
GET  /sign-out                                               s  +++++++  ++++  +++  +
POST /sign-out                                               s  sssssss  ssss  sss  s
GET  /sitemap.xml                                            +  +++++++  ++0+  +++  +
GET  /sitemap/<sitemap>.xml                                  +  +++++++  ++0+  +++  +
GET  /subscriptions                                          s  +-++++-  ++++  ---  -
GET  /subscriptions/export                                   s  +-++++-  ++++  ---  -
GET  /users                                                  s  ++-----  ++++  ---  -
POST /users                                                  s  ++-----  ++++  ---  -
GET  /users/<colleague>                                      s  ++-----  0000  ---  -
GET  /users/<colleague>/deactivation                         s  ++-----  0000  ---  -
POST /users/<colleague>/deactivation                         s  ++-----  0000  ---  -
POST /users/<colleague>/invitation                           s  ++-----  0000  ---  -
POST /users/<colleague>/reactivation                         s  ++-----  0000  ---  -
POST /users/<colleague>/roles                                s  ++-----  0000  ---  -
GET  /users/new                                              s  ++-----  ++++  ---  -
"""

PEOPLE = [
    None,
    *(f"{name}@atelier-nuage.example" for name in ("admin", "users", "billing", "agent", "sales", "helpdesk", "referrals")),
    *(f"admin@{name}.example" for name in ("grossiste-azur", "relais-breton", "potomac-stratus", "studio-cumulus")),
    *(f"{name}@maison-tellier.example" for name in ("admin", "buyer", "staff")),
    "admin@verrerie-odile.example",
]


@dataclass(frozen=True)
class Line:
    method: str
    path: str
    marks: str
    data: tuple[tuple[str, str], ...] = ()

    @property
    def rule(self) -> str:
        """The address with its variable parts made alike."""
        return re.sub(r"<[^>]+>", "<>", self.path)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def read(table: str) -> list[Line]:
    lines = []
    for method, path, *rest in filter(None, map(str.split, table.splitlines())):
        lines.append(Line(method, path, "".join(part for part in rest if "=" not in part), tuple(tuple(part.split("=")) for part in rest if "=" in part)))
    return lines


LINES = read(TABLE)


class Stage:
    """The world with one of everything that an address can name, and a browser for each person, as new each time."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.named = _one_of_everything()
        self.tokens = {email: self._signed_in(email) for email in PEOPLE if email}
        self.named["session"] = db.session.query(UserSession.public_id).join(User).filter(User.email_key == "sales@atelier-nuage.example").scalar()

    def visitor(self, email: str | None) -> Visitor:
        visitor = Visitor(self.app)
        if email:
            with visitor.client.session_transaction() as session:
                session.update(self.tokens[email])
        return visitor

    def url(self, line: Line, email: str | None = None) -> str:
        return re.sub(r"<([^>]+)>", lambda found: str(self.named[found.group(1)]), line.path)

    def _signed_in(self, email: str) -> dict[str, Any]:
        with People(self.app)(email).client.session_transaction() as session:
            return dict(session)

    def open_link(self, line: Line, visitor: Visitor) -> None:
        """Pages behind a link are for who has opened it."""
        if line.path.startswith("/connect/requests/"):
            visitor.client.get(f"/connect/{self.named['link']}")
        if line.path.startswith("/partnerships/requests/"):
            visitor.client.get(f"/partnerships/links/{self.named['partnership_link']}")
        if line.path.startswith("/directory/inquiries/<inquiry>"):
            visitor.client.get(f"/directory/inquiries/links/{self.named['inquiry_link']}")

    def ask(self, line: Line, email: str | None) -> Any:
        visitor = self.visitor(email)
        self.open_link(line, visitor)
        if line.method == "GET":
            return visitor.client.get(self.url(line), buffered=True)
        return visitor.client.post(self.url(line), data={"csrf_token": visitor.csrf_token(), **dict(line.data)}, buffered=True)


TUILERIE = onboarding.AccountEntry(
    name="Tuilerie Bataille", domain="tuilerie-bataille.example", country="FR", street="3 rue Basse", district="", city="Angers", region="", postal_code="49000",
    tax_id="", first_name="Léa", last_name="Bataille", email="lea@tuilerie-bataille.example", phone="", language="fr", segment="commercial",
)  # fmt: skip


def _one_of_everything() -> dict[str, Any]:
    """What the addresses of the table name; relations are made as people make them."""
    at = clock.now()
    admin, sales = make.actor("admin@atelier-nuage.example"), make.actor("sales@atelier-nuage.example")
    tellier_admin = make.actor("admin@maison-tellier.example")
    sent, drafted = rows.request("admin@verrerie-odile.example"), rows.request(draft=True)
    accepted = rows.request("admin@maison-tellier.example", roles=("user_administrator", "helpdesk_administrator"))
    asked = rows.partnership("reseller@escale.example")
    named = {"partnership": rows.active().public_id, "asked": asked.public_id, "partnership_link": asked.link.token}
    named |= _profile(make.profile(logo=picture()))
    named |= _inquiry(named["profile"]) | {"sitemap": 0}
    named |= {"lead": make.lead().public_id, "won": make.won_lead("Verger Lanvaux", domain="verger-lanvaux.example").public_id}
    named |= _worked_on(make.accepted_lead())
    named |= {"sent": sent.public_id, "drafted": drafted.public_id, "accepted": accepted.public_id, "link": sent.link.token}
    db.session.rollback()
    with writing(), scoped(EVERYTHING):
        waiting = find(RelationshipRequest, accepted.public_id, lock=True)
        answers.accept_request(waiting, agreement=True, language="en", by=tellier_admin, at=at)
        atelier, tellier = make.organization("atelier-nuage.example"), make.organization("maison-tellier.example")
        colleague = accounts.invite_user(atelier, accounts.Colleague("Jade Morel", "jade@atelier-nuage.example", [Role.BILLING_ADMIN]), by=admin, at=at)
        person = accounts.invite_user(tellier, accounts.Colleague("Rémi Aubry", "remi@maison-tellier.example", [Role.MEMBER]), by=tellier_admin, at=at)
        half_way, whole = uuid7(), uuid7()
        with scoped(Scope(partner_id=atelier.id)):
            onboarding.save_draft(half_way, {"name": "Half-way", "country": "FR", "language": "fr"}, by=sales, at=at)
            draft = onboarding.save_draft(whole, {}, by=sales, at=at)
            added = onboarding.add_customer(draft, TUILERIE, by=sales, at=at, mailed=True)
            named |= _subscriptions(sales, at)
            named |= _catalog(make.actor("billing@atelier-nuage.example"), at)
            named |= _reservation(sales, at)
            named |= _buying(sales, at)
        reset = db.session.query(User).filter_by(email_key="agent@atelier-nuage.example").one()
        reset.reset_link = tokens.issue("reset", at=at, lifetime=timedelta(hours=1))
        db.session.commit()
        named |= {
            "customer": tellier.public_id,
            "added": added.public_id,
            "partner": atelier.public_id,
            "colleague": colleague.public_id,
            "person": person.public_id,
            "draft": half_way,
            "mail": db.session.query(Mail.public_id).filter_by(recipient="jade@atelier-nuage.example").limit(1).scalar(),
            "invitation": colleague.activation_link.token if colleague.activation_link else "",
            "reset": reset.reset_link.token,
            "company": "company",
            "billing": "billing",
            "reservations": "reservations",
        }
    db.session.remove()
    return named


def _catalog(billing: access.Actor, at: Any) -> dict[str, Any]:
    """An offer with its price, and a file that its billing admin looks through."""
    upload = catalog_import.save(b"SKU,Currency,Price\nLEDGER,EUR,12.50\nNEW,EUR,1", by=billing, at=at)
    return {"offer": subscription_rows.offer("LEDGER", by=billing, at=at).public_id, "upload": upload.public_id}


def _subscriptions(sales: access.Actor, at: Any) -> dict[str, Any]:
    """An active one, a suspended one and a trial, of Maison Tellier; the order they came of, and a cart with two further lines."""
    offers = {
        "subscription": subscription_rows.offer("SUITE", by=sales, at=at),
        "suspended": subscription_rows.offer("BACKUP", by=sales, at=at),
        "trial": subscription_rows.offer("GUARD", by=sales, at=at, trial_days=30),
    }
    order = subscription_rows.place(dict.fromkeys(offers.values(), 2), by=sales, at=at)
    cart = ordering.cart_of(subscription_rows.tellier(), by=sales, at=at)
    for number in range(2):
        ordering.put(cart, subscription_rows.offer(f"CHOSEN-{number}", by=sales, at=at), 2, at=at)
    subscriptions.suspend(subscription_rows.subscription_of(offers["suspended"]), by=sales, at=at)
    buyer = db.session.query(User.public_id).filter_by(email_key="buyer@maison-tellier.example").scalar()
    return {"buyer": buyer, "order": order.public_id, **{name: subscription_rows.subscription_of(offer).public_id for name, offer in offers.items()}}


def _reservation(sales: access.Actor, at: Any) -> dict[str, Any]:
    """One of Maison Tellier's, about which its purchaser asks something."""
    offer = subscription_rows.offer("KEPT", by=sales, at=at, instance_type="D4", region="West Europe")
    subscription_rows.place({offer: 1}, by=sales, at=at)
    reservation = db.session.query(Reservation).filter_by(offer_id=offer.id).one()
    reservation_requests.ask(reservation, RequestKind.EXCHANGE, "We need more.", by=make.actor("buyer@maison-tellier.example"), at=at)
    return {"reservation": reservation.public_id}


def _buying(sales: access.Actor, at: Any) -> dict[str, Any]:
    """A reservation that Maison Tellier's purchaser may buy, and a purchase of it that waits for the partner."""
    plan = subscription_rows.offer("PLAN", by=sales, at=at, billing="usage", term_months=1)
    reservable = subscription_rows.offer("RESERVED", by=sales, at=at, instance_type="D4", region="West Europe")
    subscription_rows.place({plan: 1}, by=sales, at=at)
    buyer = db.session.query(User).filter_by(email_key="buyer@maison-tellier.example").one()
    subscription, customer = subscription_rows.subscription_of(plan), subscription_rows.tellier()
    naming.name_owner(subscription, buyer, by=sales, at=at)
    buying.turn_on(customer, Category.RESERVATIONS, by=sales, at=at)
    buying.set_limits(customer, Category.RESERVATIONS, monthly_limit=None, approval_above=Money(0, "EUR"), notice=Notice.NOBODY, version=None, by=sales, at=at)
    wish = buying.Wish(uuid7(), reservable, subscription, 1, ReservationScope.SHARED)
    waiting = buying.buy(customer, wish, cloud=Cloud.PUBLIC, by=make.actor(buyer.email), at=at)
    return {"reservable": reservable.public_id, "purchase": waiting.public_id}


def _worked_on(lead: Lead) -> dict[str, Any]:
    with scoped(EVERYTHING):
        return {"working": lead.public_id, "member": db.session.query(LeadPerson.public_id).filter_by(lead_id=lead.id).limit(1).scalar()}


def _inquiry(profile_id: Any) -> dict[str, Any]:
    inquiry = entry_rows.inquiry(profile_id)
    return {"inquiry": inquiry.public_id, "inquiry_link": inquiry.link.token}


def _profile(profile: BusinessProfile) -> dict[str, Any]:
    with scoped(EVERYTHING):
        location, logo = db.session.query(ProfileLocation).one(), db.session.query(ProfileLogo).one()
        return {"profile": profile.public_id, "location": location.public_id, "logo": logo.public_id}


@pytest.fixture(scope="module")
def world():
    database = databases.database(databases.ENGINES[0])
    database.fresh()
    with database.app.app_context():
        yield Stage(database.app)
        db.session.remove()


@pytest.fixture
def stage(world, monkeypatch):
    """Nothing of what the table's requests do stays: the portal's commits are undone."""
    monkeypatch.setattr(type(db.session()), "commit", lambda session: session.rollback())
    return world


def mark(response: Any) -> str:
    """The table's sign for an answer."""
    location = response.location or ""
    if response.status_code == 401 or location.startswith("/sign-in?next=") or (location == "/sign-in" and response.status_code == 303):
        return "s"
    assert response.status_code < 500, response.get_data(as_text=True)
    return {403: "-", 404: "0"}.get(response.status_code, "+")


# --- the routes


@pytest.mark.parametrize("line", LINES, ids=str)
def test_each_person_gets_what_the_table_says(stage, line):
    """R2, S24, S26"""
    answers = "".join(mark(stage.ask(line, email)) for email in PEOPLE)

    assert answers == line.marks


def routes(app):
    return {(method, re.sub(r"<[^>]+>", "<>", rule.rule)) for rule in app.url_map.iter_rules() for method in rule.methods - {"HEAD", "OPTIONS"}}


def test_every_route_has_a_line_and_every_line_a_route(stage):
    known = {(line.method, re.sub("<(billing|company)>", "<>", line.rule)) for line in LINES}

    assert routes(stage.app) - known == set(), "routes without a line in the table"
    assert known - routes(stage.app) == set(), "lines without a route"


def test_variable_parts_of_addresses_have_types(stage):
    """What is no key never reaches a query; tokens alone are text."""
    loose = {rule.rule for rule in stage.app.url_map.iter_rules() if re.search(r"<(?:string:)?(?!uuid:|any\()[a-z_]+>", rule.rule)}

    assert loose == {
        "/activation/<token>",
        "/forgotten-password/<token>",
        "/connect/<string:token>",
        "/partnerships/links/<string:token>",
        "/directory/inquiries/links/<string:token>",
    }


def test_the_routes_open_to_anyone_are_these(stage):
    """The greppable opt-out, counted."""
    views = stage.app.view_functions
    open_to_all = {
        f"{method} {rule.rule}"
        for rule in stage.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if views[rule.endpoint].permission is Permission.ANYONE
    }

    assert open_to_all == {
        "GET /activation",
        "POST /activation",
        "POST /activation/code",
        "GET /activation/<token>",
        "GET /connect/<string:token>",
        "GET /connect/requests/<uuid:request_id>",
        "GET /connect/requests/<uuid:request_id>/account",
        "POST /connect/requests/<uuid:request_id>/account",
        "GET /connect/requests/<uuid:request_id>/account/confirmation",
        "POST /connect/requests/<uuid:request_id>/account/confirmation",
        "GET /connect/requests/<uuid:request_id>/declining",
        "POST /connect/requests/<uuid:request_id>/declining",
        "GET /directory",
        "GET /directory/<uuid:profile_id>",
        "GET /directory/<uuid:profile_id>/inquiry",
        "POST /directory/<uuid:profile_id>/inquiry",
        "GET /directory/<uuid:profile_id>/inquiry/sent",
        "GET /directory/<uuid:profile_id>/locations/<uuid:location_id>",
        "GET /directory/inquiries/links/<string:token>",
        "GET /directory/inquiries/<uuid:inquiry_id>",
        "POST /directory/inquiries/<uuid:inquiry_id>/confirmation",
        "GET /directory/logos/<uuid:logo_id>",
        "GET /robots.txt",
        "GET /sitemap.xml",
        "GET /sitemap/<int:number>.xml",
        "GET /forgotten-password",
        "POST /forgotten-password",
        "GET /forgotten-password/<token>",
        "GET /forgotten-password/new",
        "POST /forgotten-password/new",
        "GET /healthz",
        "POST /language",
        "GET /metrics",
        "GET /partnerships/links/<string:token>",
        "GET /partnerships/requests/<uuid:partnership_id>",
        "GET /partnerships/requests/<uuid:partnership_id>/declining",
        "POST /partnerships/requests/<uuid:partnership_id>/declining",
        "GET /readyz",
        "GET /sign-in",
        "POST /sign-in",
        "GET /sign-out",
        "POST /sign-out",
    }


def test_a_missing_row_answers_like_a_foreign_one(stage):
    """S24"""
    for line in LINES:
        if (
            "0" not in line.marks[1:12]
            or line.method != "GET"
            or not re.search("<(customer|added|sent|drafted|accepted|mail|colleague|profile|offer|upload)>", line.path)
            or line.path.startswith("/directory/")  # published for everybody but the government cloud
        ):
            continue
        foreign = stage.visitor("admin@studio-cumulus.example").client.get(stage.url(line))
        nowhere = re.sub(r"<(\w+)>", lambda found: found.group(1) if found.group(1) in ("billing", "company", "reservations") else str(uuid7()), line.path)
        missing = stage.visitor("admin@studio-cumulus.example").client.get(nowhere)

        assert foreign.status_code == missing.status_code == 404
        assert len(foreign.data) == len(missing.data)


def test_no_page_offers_what_its_reader_may_not_do(stage):
    """R2: links and forms on every page that a person may open lead nowhere that answers 403."""
    by_route = {(line.method, re.sub("<(billing|company)>", "<>", line.rule)): line for line in LINES}
    adapter = stage.app.url_map.bind("localhost")
    found = set()
    for column, email in enumerate(PEOPLE):
        for line in LINES:
            if line.method != "GET" or line.marks[column] != "+":
                continue
            response = stage.ask(line, email)
            if response.status_code != 200 or response.mimetype != "text/html":
                continue
            for method, url in offered(response.get_data(as_text=True)):
                rule, _ = adapter.match(url, method, return_rule=True)
                target = by_route[method, re.sub(r"<[^>]+>", "<>", rule.rule)]
                if "-" in target.marks[column] and is_refused(stage, email, method, url):
                    found.add(f"{line}: {email} is offered {method} {url}")

    assert found == set()


def is_refused(stage, email, method, url):
    visitor = stage.visitor(email)
    return visitor.client.open(url, method=method, data={"csrf_token": visitor.csrf_token()} if method == "POST" else None).status_code == 403


def offered(html):
    """Addresses on this host that a page leads to."""
    soup = BeautifulSoup(html, "html.parser")
    for link in soup.select("a[href^='/']"):
        yield "GET", urlsplit(str(link["href"])).path
    for form in soup.select("form[action^='/']"):
        yield str(form.get("method", "get")).upper(), urlsplit(str(form["action"])).path
    for button in soup.select("[formaction^='/']"):
        yield "POST", urlsplit(str(button["formaction"])).path


# --- routes that state nothing


def test_a_route_of_a_plain_blueprint_is_closed(tmp_path):
    """Whoever asks: it states no permission."""
    database = databases.database(databases.ENGINES[0])
    plain = create_app(database.app.config["SETTINGS"])
    blueprint = Blueprint("plain", __name__)
    blueprint.add_url_rule("/plain", view_func=lambda: "open", methods=["GET", "POST"])
    plain.register_blueprint(blueprint)
    visitor = Visitor(plain)

    assert visitor.client.get("/plain").status_code == 403
    assert visitor.client.post("/plain", data={"csrf_token": visitor.csrf_token()}).status_code == 403


def test_a_route_without_a_permission_does_not_exist():
    feature = Feature("something", __name__)

    with pytest.raises(TypeError, match="permission"):
        feature.get("/something")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="permission"):
        feature.post("/something")  # type: ignore[call-arg]


# --- the policy, written down once more from domain.md

PARTNER_POLICY = """
                                                  global  user   billing  admin  sales  helpdesk  referrals
see customers, search                             x       x      x        x      x      x         .          customer:read
add a customer, import                            x       x      .        x      x      .         .          customer:add
name an owner of a subscription                   x       .      .        x      x      .         .          owner:name
change a customer's details                       x       .      .        x      x      x         .          customer:edit
export customers                                  x       .      .        x      .      .         .          customer:export
see relationship requests                         x       x      .        x      x      x         .          request:read
request a relationship, reinstate, delegation     x       x      .        x      x      .         .          request:send
give up delegated administration                  x       .      .        x      .      .         .          delegation:give-up
end a relationship                                x       .      .        .      .      .         .          relationship:end
confirm a customer agreement                      x       .      .        x      x      .         .          agreement:confirm
see customer permissions                          x       .      .        x      x      x         .          buying:read
turn customer permissions on or off, set limits   x       .      .        x      .      .         .          buying:edit
approve or decline a customer's purchase          x       .      .        x      x      .         .          purchase:approve
see the catalog and prices                        x       .      x        x      x      x         .          catalog:read
edit the catalog and prices                       x       .      x        .      .      .         .          catalog:edit
see subscriptions and orders                      x       .      x        x      x      x         .          subscription:read
order, change quantity, renew, suspend, cancel    x       .      .        x      x      .         .          subscription:order
name a support contact                            x       .      .        x      .      x         .          support-contact:name
see and answer leads, convert them                x       .      .        .      x      .         x          lead:work
edit the business profile                         x       .      .        .      .      .         x          profile:edit
see partnerships (providers, resellers)           x       x      .        x      x      .         .          partnership:read
request, accept or end a partnership              x       .      .        .      .      .         .          partnership:change
see invoices                                      x       .      x        x      x      x         .          invoice:read
issue invoices, record payments                   x       .      x        .      .      .         .          invoice:issue
see and open service requests, answer them        x       x      x        x      x      x         .          service-request:work
see and export the activity log                   x       x      x        x      x      x         .          activity:read
manage the partner's users and roles              x       x      .        .      .      .         .          user:manage
see the outbox, send again                        x       x      .        .      .      .         .          outbox:read
organization settings, security, API, webhooks    x       .      .        .      .      .         .          settings:edit
use delegated administration as it is granted     x       .      .        x      .      x         .          delegation:use
"""
CUSTOMER_POLICY = """
                                                  admin  purchaser  member
requests and agreements, partners, delegation     x      .          .       my:consent
manage the customer's users and roles             x      .          .       my:users
edit the customer's legal details                 x      .          .       my:details
see subscriptions                                 x      x          x       my:subscriptions
see orders, reservations, invoices                x      x          .       my:orders
buy                                               x      x          .       my:buy
open and answer service requests                  x      x          x       my:service-requests
see the activity that concerns the customer       x      .          .       my:activity
the customer's own front page                     x      x          x       my:home
"""


def cells(table, roles):
    """(role, permission) of every x."""
    for line in table.strip().splitlines()[1:]:
        *marks, permission = line[50:].split()
        for role, sign in zip(roles, marks, strict=True):
            assert sign in "x."
            if sign == "x":
                yield role, Permission(permission)


def test_the_policy_is_the_domain_s_cell_by_cell():
    """The roles tables of domain.md against core/access.py; R30 for the use of delegated administration."""
    written = {*cells(PARTNER_POLICY, PARTNER_ROLES), *cells(CUSTOMER_POLICY, CUSTOMER_ROLES)}
    in_force = {(role, permission) for role, permissions in POLICY.items() for permission in permissions if permission is not Permission.SIGNED_IN}

    assert in_force == written
    assert {permission for _, permission in written} | {Permission.ANYONE, Permission.SIGNED_IN} == set(Permission)
    assert all(Permission.SIGNED_IN in POLICY[role] for role in Role)


def test_permissions_of_several_roles_add_up():
    both = permissions_of(frozenset({Role.BILLING_ADMIN, Role.REFERRALS_ADMIN}), PartnerType.DIRECT_BILL, Cloud.PUBLIC)

    assert both == POLICY[Role.BILLING_ADMIN] | POLICY[Role.REFERRALS_ADMIN]
    assert permissions_of(frozenset(), PartnerType.DIRECT_BILL, Cloud.PUBLIC) == {Permission.SIGNED_IN}


def test_partner_type_and_cloud_take_away():
    """R17, R35, R41, R62"""
    everything = frozenset({Role.GLOBAL_ADMIN})
    reseller = permissions_of(everything, PartnerType.INDIRECT_RESELLER, Cloud.PUBLIC)
    provider = permissions_of(everything, PartnerType.INDIRECT_PROVIDER, Cloud.PUBLIC)
    government = permissions_of(everything, PartnerType.DIRECT_BILL, Cloud.US_GOVERNMENT)

    assert provider - reseller == {Permission.RELATIONSHIP_END, Permission.AGREEMENT_CONFIRM, Permission.CATALOG_EDIT}
    assert Permission.LEAD_WORK not in government
    assert Permission.PROFILE_EDIT not in government
    assert Permission.CUSTOMER_ADD in government
    assert access.grantable_roles(make.Actor(user_id=1, name="x", roles=frozenset({Role.SALES_AGENT}))) == ()
