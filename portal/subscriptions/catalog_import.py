"""The upload of a catalog file, and its import: all that is right in it at once (R80, R81)."""

from datetime import datetime

import sqlalchemy as sa

from portal.core import audit, sheets
from portal.core.access import Actor
from portal.core.db import db
from portal.core.scope import insert_many
from portal.subscriptions import catalog
from portal.subscriptions.catalog_plan import PlannedOffer, Result, chunks, plan
from portal.subscriptions.catalog_table import columns_in
from portal.subscriptions.models import CatalogImport, Offer, OfferPrice


def save(content: bytes, *, by: Actor, at: datetime) -> CatalogImport:
    """Keep a file's rows until they are imported; what the same person left lying is thrown away. Refused when the file cannot be read."""
    rows = sheets.rows(content)
    columns_in(rows[0])
    db.session.execute(sa.delete(CatalogImport).where(CatalogImport.author_id == by.user_id).execution_options(synchronize_session=False))
    upload = CatalogImport(partner_id=by.organization_id, author_id=by.user_id, rows=rows, saved_at=at)
    db.session.add(upload)
    db.session.flush()
    return upload


def apply(upload: CatalogImport, *, by: Actor, at: datetime) -> dict[str, int]:
    """Import what is right and leave out what is wrong; a second try finds that it is done (R81). The upload is locked by the caller."""
    if upload.imported_at is None:
        planned = plan(upload.rows, at=at, lock=True)
        right = [offer for offer in planned.offers if not offer.is_wrong]
        new = [offer for offer in right if offer.is_new and offer.described_by is not None]
        _add([offer for offer in new if not offer.entry.add_on_of], by=by, at=at)
        _add([offer for offer in new if offer.entry.add_on_of], by=by, at=at)
        _change([offer for offer in right if not offer.is_new and offer.is_changed], by=by, at=at)
        _set_prices([offer for offer in planned.offers if offer.id is not None], by=by, at=at)
        upload.result = {result.value: number for result, number in planned.counts.items()}
        upload.imported_at, upload.rows = at, []
        audit.record("catalog.imported", by=by, at=at, after=upload.result)
    return upload.result


def _add(offers: list[PlannedOffer], *, by: Actor, at: datetime) -> None:
    bases = _ids({offer.entry.add_on_of for offer in offers})
    rows = [
        {
            **catalog.columns_of(offer.entry, bases.get(offer.entry.add_on_of)),
            "public_id": offer.public_id,
            "version": 1,
            "created_at": at,
            "withdrawn": bool(offer.withdrawn_reason),
            "withdrawn_reason": offer.withdrawn_reason,
        }
        for offer in offers
    ]
    if rows:
        insert_many(Offer, rows)
    ids = _ids({offer.entry.sku for offer in offers})
    for offer in offers:
        offer.id = ids[offer.entry.sku]
        prices = [(price.money, price.from_on) for price in offer.prices.values() if price.line.result is not Result.WRONG]
        catalog.log_addition(offer.public_id, offer.entry, prices, by=by, at=at)


def _change(offers: list[PlannedOffer], *, by: Actor, at: datetime) -> None:
    bases = _ids({offer.entry.add_on_of for offer in offers})
    by_id = {offer.id: offer for offer in offers}
    for some in chunks(list(by_id)):
        for row in db.session.scalars(sa.select(Offer).where(Offer.id.in_(some))):
            offer = by_id[row.id]
            assert offer.present is not None
            catalog.write(row, offer.present, offer.entry, base_id=bases.get(offer.entry.add_on_of), by=by, at=at)
            if offer.withdrawn_reason:
                catalog.withdraw(row, reason=offer.withdrawn_reason, by=by, at=at)
            elif offer.present_reason:
                catalog.restore(row, by=by, at=at)
    db.session.flush()


def _set_prices(offers: list[PlannedOffer], *, by: Actor, at: datetime) -> None:
    new, replaced = [], {}
    for offer in offers:
        for place, price in offer.prices.items():
            before = offer.present_price(price)
            if price.line.result is Result.WRONG or before == price.told:
                continue
            amounts = {"price_minor": price.money.minor, "cost_minor": price.cost.minor if price.cost else None}
            if before is None:
                new.append({"offer_id": offer.id, "currency": place[0], "from_on": place[1], **amounts})
            else:
                replaced[offer.present_prices[place].id] = amounts
            if not offer.is_new:
                catalog.log_price(offer.public_id, offer.entry.sku, before, price.told, price.from_on, by=by, at=at)
    if new:
        insert_many(OfferPrice, new)
    for some in chunks(list(replaced)):
        for row in db.session.scalars(sa.select(OfferPrice).where(OfferPrice.id.in_(some)).with_for_update()):
            for name, value in replaced[row.id].items():
                setattr(row, name, value)
    db.session.flush()


def _ids(skus: set[str]) -> dict[str, int]:
    wanted = sorted(skus - {""})
    return {sku: number for some in chunks(wanted) for sku, number in db.session.execute(sa.select(Offer.sku, Offer.id).where(Offer.sku.in_(some)))}
