"""Tenant scope: some thirty kinds of statement, none of which gets past it (R2)."""

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import aliased

from portal.accounts.models import Organization
from portal.agreements.models import Attestation
from portal.core.db import Base, db, find, writing
from portal.core.errors import NotFound
from portal.core.scope import EVERYTHING, Owned, Resold, Scope, ScopeError, Shared, insert_many, scoped
from portal.customers.models import Customer, CustomerTag
from portal.relationships.models import Partnership
from tests.support import make

C, T = Customer, CustomerTag
alias = aliased(Customer)
READS = {
    "entity": lambda: sa.select(C),
    "column": lambda: sa.select(C.name),
    "columns": lambda: sa.select(C.id, C.name, C.domain),
    "labelled": lambda: sa.select(C.name.label("n")),
    "where": lambda: sa.select(C.name).where(C.domain.like("%example%")),
    "or": lambda: sa.select(C.name).where(sa.or_(C.id > 0, sa.true())),
    "ordered and limited": lambda: sa.select(C.name).order_by(C.name_key).limit(100),
    "distinct": lambda: sa.select(C.name).distinct(),
    "alias": lambda: sa.select(alias.name),
    "alias entity": lambda: sa.select(alias),
    "self join": lambda: sa.select(alias.name).join(C, C.id == alias.id),
    "outer join to an alias": lambda: sa.select(sa.func.coalesce(alias.name, C.name)).select_from(C).outerjoin(alias, alias.id != C.id),
    "join": lambda: sa.select(C.name).outerjoin(T, T.record_id == C.id),
    "subquery": lambda: sa.select(sa.select(C.name, C.id).subquery().c.name),
    "in subquery": lambda: sa.select(C.name).where(C.id.in_(sa.select(C.id))),
    "exists": lambda: sa.select(C.name).where(sa.exists().where(alias.id == C.id)),
    "cte": lambda: sa.select(sa.select(C.name).cte("all_of_them").c.name),
    "union": lambda: sa.union(sa.select(C.name), sa.select(C.name).where(C.id > 0)),
    "scalar subquery": lambda: sa.select(sa.select(C.name).where(C.id == alias.id).scalar_subquery()).select_from(alias),
    "case": lambda: sa.select(sa.case((C.id > 0, C.name), else_=C.name)),
    "function": lambda: sa.select(sa.func.upper(C.name)),
    "window": lambda: sa.select(C.name, sa.func.row_number().over(order_by=C.id)),
    "select from": lambda: sa.select(C.name).select_from(C),
}
COUNTS = {
    "count": lambda: sa.select(sa.func.count(C.id)),
    "count of everything": lambda: sa.select(sa.func.count()).select_from(C),
    "count of a subquery": lambda: sa.select(sa.func.count()).select_from(sa.select(C.id).subquery()),
    "sum": lambda: sa.select(sa.func.sum(sa.case((C.id > 0, 1), else_=0))),
    "group": lambda: sa.select(sa.func.count()).select_from(C).group_by(C.country),
}
REFUSED = {
    "core select": lambda: sa.select(C.__table__.c.name),
    "core select of all": lambda: sa.select(C.__table__),
    "core count": lambda: sa.select(sa.func.count()).select_from(C.__table__),
    "core alias": lambda: sa.select(C.__table__.alias().c.name),
    "core subquery": lambda: sa.select(C.name).where(sa.exists(sa.select(1).select_from(C.__table__))),
    "core join": lambda: sa.select(C.name).join(T.__table__, sa.true()),
    "core in a union": lambda: sa.union(sa.select(C.name), sa.select(C.__table__.c.name)),
    "text": lambda: sa.text("SELECT name FROM customer"),
    "text in a select": lambda: sa.select(sa.text("name")).select_from(sa.text("Customer")),
    "core insert": lambda: sa.insert(C.__table__).values(name="x"),
    "bulk insert": lambda: sa.insert(C).values(name="x"),
    "core update": lambda: sa.update(C.__table__).values(name="x"),
    "core delete": lambda: sa.delete(C.__table__),
}


@pytest.fixture
def two_partners(app):
    """A customer each of Atelier Nuage and of Studio Cumulus; returns the second's id."""
    make.customer("Chez Cumulus", "chez-cumulus.example", by="admin@studio-cumulus.example")
    db.session.rollback()
    return make.organization("studio-cumulus.example").id


@pytest.mark.parametrize("kind", READS)
def test_a_scope_leaves_only_its_own_rows(two_partners, kind):
    with scoped(Scope(partner_id=two_partners)):
        names = {row.name if hasattr(row, "name") else getattr(row[0], "name", row[0]) for row in db.session.execute(READS[kind]())}

    assert {name.casefold() for name in names} == {"chez cumulus"}


@pytest.mark.parametrize("kind", COUNTS)
def test_a_scope_counts_only_its_own_rows(two_partners, kind):
    with scoped(Scope(partner_id=two_partners)):
        assert db.session.execute(COUNTS[kind]()).scalars().all() == [1]


@pytest.mark.parametrize("kind", REFUSED)
def test_what_a_scope_cannot_guard_is_refused(two_partners, kind):
    with scoped(Scope(partner_id=two_partners)), pytest.raises(ScopeError):
        db.session.execute(REFUSED[kind]())


@pytest.mark.parametrize("kind", [*READS, *COUNTS, *REFUSED])
def test_without_a_scope_there_are_no_rows(app, kind):
    with pytest.raises(ScopeError):
        db.session.execute({**READS, **COUNTS, **REFUSED}[kind]())


def test_an_update_reaches_only_its_own_rows(two_partners):
    with writing(), scoped(Scope(partner_id=two_partners)):
        changed = db.session.execute(sa.update(C).values(notes="touched").execution_options(synchronize_session=False)).rowcount

    assert changed == 1


def test_a_deletion_reaches_only_its_own_rows(two_partners):
    with writing(), scoped(Scope(partner_id=two_partners)):
        gone = db.session.execute(sa.delete(T).execution_options(synchronize_session=False)).rowcount

    assert gone == 0


def test_a_row_cannot_be_written_for_somebody_else(two_partners):
    """S25"""
    other = make.organization("atelier-nuage.example").id
    with scoped(Scope(partner_id=two_partners)), pytest.raises(ScopeError):
        db.session.add(T(partner_id=other, record_id=1, tag="x"))
        db.session.flush()


def test_a_row_cannot_be_given_away(two_partners):
    other = make.organization("atelier-nuage.example").id
    with scoped(Scope(partner_id=two_partners)):
        row = db.session.scalars(sa.select(C)).one()
        row.partner_id = other
        with pytest.raises(ScopeError):
            db.session.flush()


def test_a_new_row_is_stamped_with_its_owner(two_partners):
    with writing(), scoped(Scope(partner_id=two_partners)):
        record = db.session.scalars(sa.select(C.id)).one()
        row = T(record_id=record, tag="mine")
        db.session.add(row)
        db.session.flush()

        assert row.partner_id == two_partners


def test_insert_many_stamps_the_owner(two_partners):
    with writing(), scoped(Scope(partner_id=two_partners)):
        record = db.session.scalars(sa.select(C.id)).one()
        insert_many(T, [{"record_id": record, "tag": "a"}, {"record_id": record, "tag": "b", "partner_id": 1}])

        assert set(db.session.scalars(sa.select(T.partner_id))) == {two_partners}


def test_find_does_not_find_another_tenants_row(two_partners):
    customer_id = make.organization("maison-tellier.example").public_id

    with scoped(Scope(partner_id=two_partners)), pytest.raises(NotFound):
        find(C, customer_id)


def test_the_identity_map_is_no_way_round(two_partners):
    with scoped(EVERYTHING):
        row = db.session.scalars(sa.select(C).where(C.partner_id != two_partners).limit(1)).one()
        with scoped(Scope(partner_id=two_partners)):
            with pytest.raises(TypeError):
                db.session.get(C, row.id)
            assert db.session.scalar(sa.select(C).where(C.id == row.id)) is None


def test_a_customers_scope_shows_its_own_shared_rows_and_no_others(two_partners):
    tellier = make.organization("maison-tellier.example").id
    with scoped(Scope(customer_id=tellier)):
        assert db.session.scalars(sa.select(C.customer_id)).all() == [tellier]
        assert set(db.session.scalars(sa.select(Attestation.customer_id))) == {tellier}
        with pytest.raises(ScopeError):
            db.session.execute(sa.select(T))


# --- a reseller's scope (R41)


@pytest.fixture
def resellers(app):
    """Grossiste Azur's partnership with Relais Breton, its one with Escale, and its request to somebody; returns the resellers' ids."""
    make.partner("Escale Numérique", "escale.example", "indirect_reseller")
    make.partnership("admin@escale.example", accepted_by="admin@escale.example")
    make.partnership("it@cap-nuage.example")
    db.session.rollback()
    return make.organization("relais-breton.example").id, make.organization("escale.example").id


RESOLD = {
    "entity": lambda: sa.select(Partnership),
    "column": lambda: sa.select(Partnership.reseller_id),
    "where": lambda: sa.select(Partnership.reseller_id).where(sa.or_(Partnership.id > 0, sa.true())),
    "alias": lambda: sa.select(aliased(Partnership).reseller_id),
    "join": lambda: sa.select(Partnership.reseller_id).join(Organization, Organization.id == Partnership.partner_id),
    "in subquery": lambda: sa.select(Partnership.reseller_id).where(Partnership.id.in_(sa.select(Partnership.id))),
}


@pytest.mark.parametrize("kind", RESOLD)
def test_a_resellers_scope_shows_what_names_it_and_nothing_else(resellers, kind):
    for reseller_id in resellers:
        with scoped(Scope(reseller_id=reseller_id)):
            found = {getattr(row, "reseller_id", row) for row in db.session.scalars(RESOLD[kind]())}
        assert found == {reseller_id}


def test_a_resellers_scope_opens_no_table_that_knows_no_reseller(resellers):
    """Not even a provider's record of a customer, which names it: that stays the provider's (R10)."""
    with scoped(Scope(reseller_id=resellers[0])):
        for model in (C, T, Attestation):
            with pytest.raises(ScopeError):
                db.session.execute(sa.select(model))
        assert db.session.scalar(sa.select(sa.func.count(Partnership.id))) == 1


def test_a_reseller_writes_nothing_there(resellers):
    with writing(), scoped(Scope(reseller_id=resellers[0])):
        row = db.session.scalars(sa.select(Partnership)).one()
        row.subject = "Mine"
        with pytest.raises(ScopeError):
            db.session.flush()
        db.session.rollback()
        with pytest.raises(ScopeError):
            insert_many(Partnership, [{}])


def test_a_customers_scope_knows_no_partnerships(resellers):
    with scoped(Scope(customer_id=make.organization("maison-tellier.example").id)), pytest.raises(ScopeError):
        db.session.execute(sa.select(Partnership))


def test_no_relationship_leads_to_an_owned_row():
    """A lazy or joined load would be a statement that the guard does not see whole."""
    for mapper in Base.registry.mappers:
        for relationship in mapper.relationships:
            assert not issubclass(relationship.mapper.class_, Owned), f"{mapper.class_.__name__}.{relationship.key}"


def test_the_opt_outs_are_known():
    """Where `scoped(EVERYTHING)` stands; a new one is looked at here."""
    from pathlib import Path

    import portal

    root = Path(portal.__file__).parent
    found = {
        str(path.relative_to(root)): text.count("scoped(EVERYTHING")
        for path in sorted(root.rglob("*.py"))
        if "scoped(EVERYTHING" in (text := path.read_text()) and path.name not in ("scope.py",)
    }
    assert set(found) <= {
        "accounts/service.py", "cli.py", "customers/service.py", "demo.py", "leads/figures.py", "leads/referrals.py", "leads/service.py", "leads/sharing.py", "onboarding/service.py", "relationships/delegation.py", "relationships/queries.py",
        "relationships/answers.py", "relationships/partnerships.py", "relationships/ending.py", "relationships/registration.py", "relationships/service.py",
        "subscriptions/reselling.py", "subscriptions/reservation_reminders.py", "subscriptions/reservations.py", "subscriptions/resold.py", "subscriptions/advancing.py", "directory/profiles.py", "directory/service.py",
    }, found  # fmt: skip


def test_owned_models_are_these():
    owned = {mapper.class_.__name__ for mapper in Base.registry.mappers if issubclass(mapper.class_, Owned)}
    shared = {mapper.class_.__name__ for mapper in Base.registry.mappers if issubclass(mapper.class_, Shared)}
    resold = {mapper.class_.__name__ for mapper in Base.registry.mappers if issubclass(mapper.class_, Resold)}

    assert owned == {
        "Customer",
        "CustomerTag",
        "Attestation",
        "RelationshipRequest",
        "Registration",
        "DelegatedAdministration",
        "Partnership",
        "CustomerDraft",
        "Lead",
        "LeadEntry",
        "LeadFavorite",
        "LeadPerson",
        "BusinessProfile",
        "ProfileLocation",
        "ProfileLogo",
        "Offer",
        "OfferPrice",
        "CatalogImport",
        "Cart",
        "Order",
        "OrderLine",
        "Subscription",
        "SubscriptionOwner",
        "Reservation",
        "ReservationRequest",
        "Charge",
        "BuyingPermission",
        "Purchase",
    }
    assert owned - shared == {
        "CustomerTag",
        "Registration",
        "Partnership",
        "CustomerDraft",
        "Lead",
        "LeadEntry",
        "LeadFavorite",
        "LeadPerson",
        "BusinessProfile",
        "ProfileLocation",
        "ProfileLogo",
        "Offer",
        "OfferPrice",
        "CatalogImport",
        "Cart",
    }
    assert resold == {"Partnership", "Order", "OrderLine", "Subscription", "Reservation", "Charge"}
