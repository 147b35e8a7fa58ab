"""A word that opens the explorer where others can reach it: in the address once, in a cookie from then on."""

from __future__ import annotations

import hmac
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "auricle"
PARAMETER = "token"


class TokenMiddleware:
    """Answers 401 to whoever has not shown the token. The address is cleaned of it, so that no link keeps it; the
    cookie is sent to this site's own pages only and is out of reach of scripts."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        if self._is_it(request.query_params.get(PARAMETER)):
            rest = urlencode([(k, v) for k, v in parse_qsl(request.url.query) if k != PARAMETER])
            answer: Response = RedirectResponse(request.url.path + (f"?{rest}" if rest else ""), 303)
            answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict")
            await answer(scope, receive, send)
        elif self._is_it(request.cookies.get(COOKIE)):
            await self._app(scope, receive, send)
        else:
            words = "The explorer asks for its token: open the address that it printed when it was started.\n"
            await PlainTextResponse(words, 401, {"Cache-Control": "no-store"})(scope, receive, send)

    def _is_it(self, shown: str | None) -> bool:
        return shown is not None and hmac.compare_digest(shown.encode(), self._token.encode())
