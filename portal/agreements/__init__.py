"""The customer agreement: texts by version, attestations by a partner, acceptances by a customer (R17)."""
