def test_world(app):
    from portal.core.db import db
    from portal.customers.models import Customer
    from portal.core.scope import scoped, EVERYTHING
    import sqlalchemy as sa
    with scoped(EVERYTHING):
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Customer)) >= 3
