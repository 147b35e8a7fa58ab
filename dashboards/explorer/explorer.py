"""The explorer: browse the clips of every version, listen to one, compare two. For one person on one machine.

Plain pages that need no script. It reads and never writes; it binds the loopback address and answers only to the host
names that it was started with, which keeps other web sites in the same browser out (DNS rebinding). On another address
it asks for a token. There is no encryption: to share it beyond a trusted network, put a proxy in front.
"""

from __future__ import annotations

import csv
import io
import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from ...loaders.reading.filters import FilterError
from ...schemas.errors import AuricleError
from ...schemas.score import sigma_name
from ..drawing import charts
from ..drawing.pages import environment, style
from ..drawing.rules import breaks, meant_in, rules_of
from ..drawing.spectrogram import outline, spectrogram
from ..report.report import render
from .catalog import Catalog, Dataset, Opened, Recent, StoredDataset
from .comparison import compare, reason_rows
from .sounds import Hearing, SoundError, byte_range, wav
from .tables import SORTABLE, QueryError
from .token import PARAMETER, TokenMiddleware

ROWS = 50
EXPORT_ROWS = 100_000
LOOPBACK = ("127.0.0.1", "localhost")
ANY_ADDRESS = ("0.0.0.0", "::")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # other sites may not embed a clip, not even as an image or a sound
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
REPORT_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
_CORE_SHOWN = ("status", "reasons", "path", "source", "speaker", "duration_s", "transcript")


class Explorer:
    """The pages over one dataset."""

    def __init__(self, dataset: Dataset, hearing: Hearing = Hearing()) -> None:
        self.catalog = Catalog(dataset, hearing)
        self._templates = environment()
        self._templates.globals["query"] = lambda **values: urlencode({k: v for k, v in values.items() if v})
        self._templates.globals["dataset"] = dataset.name
        self._sounds: Recent[tuple[Any, int]] = Recent(8)

    def routes(self) -> list[Route]:
        """Everything it answers to; only GET (and HEAD)."""
        paths: dict[str, Callable[[Request], Response]] = {
            "/": self.versions,
            "/style.css": self.style,
            "/v/{number:int}": self.clips,
            "/v/{number:int}/report": self.report,
            "/v/{number:int}/clips.csv": self.export,
            "/v/{number:int}/clip/{key}": self.clip,
            "/v/{number:int}/clip/{key}/audio.wav": self.audio,
            "/v/{number:int}/clip/{key}/spectrogram.png": self.picture,
            "/compare/{before:int}/{number:int}": self.compare,
        }
        return [Route(path, endpoint, methods=["GET"]) for path, endpoint in paths.items()]

    def versions(self, _: Request) -> Response:
        """All versions, newest first."""
        return self._page("explorer_versions.html", documents=self.catalog.documents()[::-1])

    def style(self, _: Request) -> Response:
        """The style sheet."""
        return self._answer(style("report.css") + style("explorer.css"), "text/css")

    def clips(self, request: Request) -> Response:
        """A page of clips that satisfy a filter."""
        opened, ask = self._version(request), request.query_params
        where, sort, down = ask.get("where", ""), ask.get("sort", "clip"), ask.get("down") == "1"
        table, problem, page, total = opened.table, "", None, None
        scores = [name for name in self._scores(opened) if name in table.columns]
        try:
            page = table.page(where, sort, down, ask.get("after"), ROWS, [*_CORE_SHOWN, *scores])
            total = table.count(where)
        except ValueError as error:  # FilterError and QueryError among them
            problem = str(error)
        return self._page(
            "explorer_clips.html",
            status=400 if problem else 200,
            document=opened.document,
            profile=opened.profile,
            where=where,
            sort=sort,
            down=down,
            first=not ask.get("after"),
            columns=sorted(name for name, kind in table.columns.items() if kind in SORTABLE),
            scores=[(name, opened.descriptions[name]) for name in scores],
            rows=page.rows if page else [],
            after=page.after if page else None,
            total=total,
            problem=problem,
        )

    def clip(self, request: Request) -> Response:
        """Everything about one clip."""
        opened, row = self._row(request)
        problem, drawn = "", Markup()
        try:
            waveform, rate = self._sound(opened, row)
            drawn = charts.waveform(*outline(waveform, 480))
        except SoundError as error:
            problem, rate = str(error), 0
        owner = {name: about["curator"] for name, about in opened.descriptions.items()}
        rules = [
            (
                rule,
                breaks(
                    meant_in(rule, opened.document, row.get("source")),
                    row.get(rule.score),
                    row.get(f"{owner.get(rule.score)}_reason"),
                    row.get(sigma_name(rule.score)),
                ),
            )
            for rule in rules_of(opened.document.config)
        ]
        scores = [(name, row.get(name), about) for name, about in opened.descriptions.items() if name in row]
        beside = 'SELECT clip, channel, status FROM clips WHERE "group" = ? AND clip <> ? ORDER BY channel'
        group = opened.table.query(beside, [row["group"], row["clip"]])
        return self._page(
            "explorer_clip.html",
            document=opened.document,
            row=row,
            scores=scores,
            broken={rule.score for rule, broken in rules if broken},
            rules=rules,
            group=group,
            problem=problem,
            waveform=drawn,
            rate=rate,
        )

    def audio(self, request: Request) -> Response:
        """The clip as a WAV file, in ranges where the browser asks for one."""
        data = wav(*self._heard(request))
        headers = {**HEADERS, "Accept-Ranges": "bytes"}
        try:
            part = byte_range(request.headers.get("range"), len(data))
        except ValueError:
            return Response(status_code=416, headers={**headers, "Content-Range": f"bytes */{len(data)}"})
        if part is None:
            return Response(data, media_type="audio/wav", headers=headers)
        headers["Content-Range"] = f"bytes {part[0]}-{part[1] - 1}/{len(data)}"
        return Response(data[slice(*part)], status_code=206, media_type="audio/wav", headers=headers)

    def picture(self, request: Request) -> Response:
        """The clip's spectrogram."""
        return self._answer(spectrogram(*self._heard(request), width=960, height=240).png, "image/png")

    def compare(self, request: Request) -> Response:
        """What changed from one version to another."""
        now = self._version(request)
        before = self.catalog.version(request.path_params["before"])
        if before is None:
            raise HTTPException(404, f"version {request.path_params['before']} is not published")
        old, new = before.profile, now.profile
        shared = [name for name in new["scores"] if "histogram" in new["scores"][name] and name in old["scores"]]
        return self._page(
            "explorer_compare.html",
            before=before.document,
            document=now.document,
            found=compare(self.catalog.pair(before, now)),
            reasons=reason_rows(now.document.dropped_by_reason, before.document.dropped_by_reason),
            old=old,
            new=new,
            scores=[(n, charts.histogram(n, new["scores"][n], previous=old["scores"][n])) for n in shared],
        )

    def report(self, request: Request) -> Response:
        """The report made with the version, or one made now without sounds."""
        opened = self._version(request)
        stored = opened.reader.derived("report.html")
        if stored is None:
            parent = self.catalog.version(opened.document.parent or 0)
            old = parent.profile if parent else None
            diagnostics = opened.json("diagnostics.json")
            stored = render(opened.document, opened.profile, diagnostics, [], old).encode()
        # the page brings its own policy; this one keeps a stored file from running anything either
        return Response(stored, media_type="text/html", headers={**HEADERS, "Content-Security-Policy": REPORT_POLICY})

    def export(self, request: Request) -> Response:
        """The filtered table as CSV, at most `EXPORT_ROWS` rows in key order."""
        opened, where = self._version(request), request.query_params.get("where", "")
        table = opened.table
        columns = [name for name in table.columns if name not in ("clip_hash64", "pcm_sha256", "transcript_sha256")]
        table.count(where)  # a bad expression is told before the download starts

        def lines() -> Iterator[str]:
            yield _csv_line(columns)
            for row in table.stream(where, columns, EXPORT_ROWS):
                yield _csv_line([" ".join(v) if isinstance(v, list) else v for v in row])

        name = f"version-{opened.document.number}-clips.csv"
        headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(lines(), media_type="text/csv; charset=utf-8", headers=headers)

    def _scores(self, opened: Opened) -> list[str]:
        """Columns of the list: what rules test, then the usual suspects, six at most."""
        tested = [rule.score for rule in rules_of(opened.document.config)]
        usual = ["snr_db", "dnsmos_ovrl", "transcript_trust", "speech_ratio", "bandwidth_hz"]
        return [name for name in dict.fromkeys([*tested, *usual]) if name in opened.descriptions][:6]

    def _version(self, request: Request) -> Opened:
        number = request.path_params["number"]
        opened = self.catalog.version(number)
        if opened is None:
            raise HTTPException(404, f"version {number} is not published")
        return opened

    def _row(self, request: Request) -> tuple[Opened, dict[str, Any]]:
        opened = self._version(request)
        row = opened.table.clip(request.path_params["key"])
        if row is None:
            raise HTTPException(404, f"version {opened.document.number} has no such clip")
        return opened, row

    def _heard(self, request: Request) -> tuple[Any, int]:
        opened, row = self._row(request)
        try:
            return self._sound(opened, row)
        except SoundError as error:
            raise HTTPException(404, str(error)) from error

    def _sound(self, opened: Opened, row: dict[str, Any]) -> tuple[Any, int]:
        return self._sounds.get((opened.document.number, row["clip"]), lambda: opened.sources.clip(row))

    def _page(self, name: str, status: int = 200, **values: Any) -> Response:
        return self._answer(self._templates.get_template(name).render(**values), "text/html", status)

    def _answer(self, content: str | bytes, kind: str, status: int = 200) -> Response:
        return Response(content, status, headers=HEADERS, media_type=kind)

    def failed(self, _: Request, error: Exception) -> Response:
        """A page that says what is wrong; internals stay in the log."""
        status = error.status_code if isinstance(error, HTTPException) else 400
        words = error.detail if isinstance(error, HTTPException) else str(error)
        return self._page("explorer_error.html", status=status, words=words)


def _csv_line(values: Sequence[Any]) -> str:
    """One line. A text that a spreadsheet would run as a formula gets an apostrophe in front."""
    out = io.StringIO()
    safe = [f"'{v}" if isinstance(v, str) and v[:1] in ("=", "+", "-", "@", "\t", "\r") else v for v in values]
    csv.writer(out).writerow(safe)
    return out.getvalue()


def application(
    dataset: Dataset, hosts: Sequence[str] = LOOPBACK, hearing: Hearing = Hearing(), token: str | None = None
) -> Starlette:
    """The ASGI application. hosts: names that requests may address it by, `*` for any; token: asked for if given."""
    explorer = Explorer(dataset, hearing)
    handlers: dict[Any, Any] = dict.fromkeys((HTTPException, FilterError, QueryError, AuricleError), explorer.failed)
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)]
    if token is not None:
        middleware.append(Middleware(TokenMiddleware, token=token))
    return Starlette(
        routes=explorer.routes(),
        middleware=middleware,
        exception_handlers=handlers,
    )


def allowed_hosts(host: str, hosts: Sequence[str]) -> list[str]:
    """Names that requests may address the explorer by when it listens on `host`.

    Off loopback the token keeps strangers out whatever the name; where no names are given, every one is taken.
    """
    if host in LOOPBACK or hosts:
        return [*LOOPBACK, *hosts, *([] if host in ANY_ADDRESS else [host])]
    return ["*"]


def serve(
    dataset_url: str,
    host: str = "127.0.0.1",
    port: int = 8765,
    *,
    hosts: Sequence[str] = (),
    token: str | None = None,
    hearing: Hearing = Hearing(),
) -> None:
    """Run the explorer until it is interrupted.

    hosts: further names that browsers may reach it by; on a `host` that is not loopback, without any, every name.
    token: asked for where `host` is not loopback; a new one by default. hearing: reads formats that libsndfile
    does not.
    """
    import uvicorn

    wanted = None if host in LOOPBACK else token or secrets.token_urlsafe(16)
    app = application(StoredDataset(dataset_url), allowed_hosts(host, hosts), hearing, wanted)
    asked = "" if wanted is None else f"?{PARAMETER}={wanted}"
    name = (hosts[0] if hosts else socket.gethostname()) if host in ANY_ADDRESS else host
    if wanted is not None:
        print(f"auricle: {host} may be reached by others: who has this address may look", file=sys.stderr)
    print(f"auricle: exploring {dataset_url} at http://{name}:{port}/{asked}", flush=True)
    uvicorn.run(app, host=host, port=port, log_level="warning", server_header=False)
