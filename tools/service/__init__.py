"""What the tools do: the CRM and the client of the payment service. Loaded by the worker only.

Two environment variables say where things are, read at each call: `SHOP_CRM_URL` and
`SHOP_PAYMENTS_URL`.
"""
