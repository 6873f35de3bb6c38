"""create_app(): the composition root, the only module that imports every feature."""

import functools
import importlib
from types import SimpleNamespace

from flask import Flask
from flask_login import LoginManager
from jinja2 import StrictUndefined
from werkzeug.middleware.proxy_fix import ProxyFix

from portal import config
from portal.core import db as database
from portal.core import delivery, headers, health, i18n, jobs, pages, places, routing, throttle
from portal.core.access import Permission, Side
from portal.core.navigation import navigation

# Modules with routes, in the order of the floors.
VIEWS = (
    "portal.accounts.views",
    "portal.accounts.views_activation",
    "portal.accounts.views_password",
    "portal.accounts.views_account",
    "portal.accounts.views_users",
    "portal.accounts.views_outbox",
    "portal.accounts.views_settings",
    "portal.customers.views",
    "portal.customers.views_account",
    "portal.relationships.views",
    "portal.relationships.views_batch",
    "portal.relationships.views_ending",
    "portal.relationships.views_directory",
    "portal.relationships.views_connect",
    "portal.relationships.views_partnerships",
    "portal.relationships.views_partnership_links",
    "portal.relationships.views_my",
    "portal.subscriptions.views",
    "portal.subscriptions.views_changes",
    "portal.subscriptions.views_my",
    "portal.subscriptions.views_cart",
    "portal.subscriptions.views_orders",
    "portal.subscriptions.views_reselling",
    "portal.subscriptions.views_reservations",
    "portal.subscriptions.views_reservation_changes",
    "portal.subscriptions.views_my_reservations",
    "portal.subscriptions.views_catalog",
    "portal.subscriptions.views_catalog_files",
    "portal.permissions.views_shop",
    "portal.permissions.views",
    "portal.permissions.views_purchases",
    "portal.onboarding.views",
    "portal.onboarding.views_subscriptions",
    "portal.leads.views",
    "portal.leads.views_answers",
    "portal.leads.views_new",
    "portal.leads.views_import",
    "portal.leads.views_referrals",
    "portal.leads.views_figures",
    "portal.leads.views_conversion",
    "portal.directory.views",
    "portal.directory.views_inquiries",
    "portal.directory.views_profiles",
    "portal.directory.views_locations",
    "portal.directory.views_logos",
    "portal.coming_up.views",
    "portal.activity.views",
    "portal.activity.views_my",
    "portal.insights.views",
)
# Modules that only subscribe to events or register jobs.
SUBSCRIBERS = (
    "portal.accounts.jobs",
    "portal.relationships.jobs",
    "portal.subscriptions.jobs",
    "portal.subscriptions.subscribers",
    "portal.subscriptions.panels",
    "portal.permissions.subscribers",
    "portal.permissions.panels",
    "portal.onboarding.jobs",
    "portal.leads.jobs",
    "portal.leads.conversion",
    "portal.directory.jobs",
    "portal.directory.referrals",
)


def create_app(settings: config.Settings | None = None) -> Flask:
    settings = settings or config.from_environment()
    app = Flask(__name__, static_folder=None, instance_path=str(settings.instance))
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SETTINGS=settings,
        PASSWORD_COST=settings.password_cost,
        SESSION_COOKIE_NAME="__Host-portal" if settings.secure else "portal",
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        MAX_CONTENT_LENGTH=4 * 1024 * 1024,
        MAX_FORM_MEMORY_SIZE=4 * 1024 * 1024,
        MAX_FORM_PARTS=2000,
        WTF_CSRF_ENABLED=False,  # the envelope checks our own token, masked anew in each response
    )
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    settings.instance.mkdir(parents=True, exist_ok=True)
    _logging(app)
    database.init_app(app, settings)
    _login(app)
    i18n.init_app(app, settings.languages)
    throttle.init_app(app, settings)
    delivery.init_app(app, settings)
    routing.init_app(app)
    for name in SUBSCRIBERS:
        importlib.import_module(name)
    for name in VIEWS:
        module = importlib.import_module(name)
        app.register_blueprint(module.feature)
        if hasattr(module, "my_feature"):  # the same pages on the customer's side
            app.register_blueprint(module.my_feature)
        if hasattr(module, "engines"):  # what search engines ask for at the top
            app.register_blueprint(module.engines)
    app.register_blueprint(health.feature)
    jobs.init_app(app, settings)
    app.extensions["navigation"] = navigation
    headers.init_app(app, settings)
    _ui(app)
    if settings.trusted_proxies:
        count = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=0)  # type: ignore[method-assign]
    return app


def _login(app: Flask) -> None:
    from portal.accounts import queries, views

    manager = LoginManager(app, add_context_processor=False)  # a page asks for nobody: an error page must do without the database
    manager.session_protection = None  # sessions are rows of ours; an address may change on the road
    manager.user_loader(queries.actor_of_session)
    app.extensions["sign_in_first"] = views.sign_in_first
    app.extensions["seen"] = lambda actor, at: queries.seen(actor.session_id, at)


def _ui(app: Flask) -> None:
    """Merge the macros of templates/ui into one namespace, `ui`, that fragments see too."""
    ui = SimpleNamespace()
    app.jinja_env.globals["ui"] = ui
    app.jinja_env.globals["P"] = Permission
    app.jinja_env.globals["Side"] = Side
    app.jinja_env.globals["in_place"] = pages.in_place
    app.jinja_env.globals["address_lines"] = lambda address: places.format_address(address, i18n.language())
    app.jinja_env.globals["country_name"] = lambda code: places.country_name(code, i18n.language())
    # A list shows the same few badges on every row: made once a page, not once a row.
    app.jinja_env.globals["badges"] = lambda names, tones: {state: ui.badge(name, tones[state]) for state, name in names.items()}
    app.jinja_env.filters["pairs"] = lambda values: [(value, value) for value in values]
    for name in sorted(app.jinja_env.list_templates(filter_func=lambda name: name.startswith("ui/"))):
        for macro, value in app.jinja_env.get_template(name).module.__dict__.items():
            if not macro.startswith("_"):
                setattr(ui, macro, value)
    for name in ("icon", "due"):  # a page has dozens that read alike
        setattr(ui, name, functools.lru_cache(maxsize=1024)(getattr(ui, name)))


def _logging(app: Flask) -> None:
    from portal.core import logs

    logs.init_app(app)
