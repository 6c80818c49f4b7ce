"""The page kit: what pages and API of every capability are made of.

It holds the templates and static files that all share, forms, lists, ranges, cookies, the language, security headers,
refusals, and the visitor before a page. It knows no capability: who is signed in comes through the protocol of
``identity``, and routers and objects are given to it by ``app.web``.
"""
