"""The WSGI application, for servers other than `portal serve`."""

from portal import create_app

app = create_app()
