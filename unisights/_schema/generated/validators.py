# GENERATED from schema/unisights.schema.json, version 2.0.0, SHA-256
# ffbb04f1c530dacc6fd3ec6c72ac1bcc472d1c69e72606b24fdfa5036103a432
# Do not edit:
#   1. change the schema (or, for another shape of the code, codegen/);
#   2. run `make generate`;
#   3. commit the schema and what changed here together.

"""Validates objects by the schema's definitions; compiled by fastjsonschema."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from unisights._schema.violations import Path, Violations

VERSION = "2.22.3"
REGEX_PATTERNS = {
    "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}": re.compile(
        "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    ),
    "^(?:https?://[^ /?#]+(?![^/?#])|(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:[^ ])": re.compile(
        "^(?:https?://[^ /?#]+(?![^/?#])|(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:[^ ])"
    ),
}
NoneType = type(None)


def validate___definitions_erroreventdata(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["message", "timestamp"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["message", "timestamp"])
        data_keys = set(data.keys())
        if "message" in data_keys:
            data_keys.remove("message")
            data__message = data["message"]
            if not isinstance(data__message, str):
                violations.add((*path, "message"), data__message, "type", "string")
        if "source" in data_keys:
            data_keys.remove("source")
            data__source = data["source"]
            if not isinstance(data__source, (str, NoneType)):
                violations.add((*path, "source"), data__source, "type", ["string", "null"])
        if "lineno" in data_keys:
            data_keys.remove("lineno")
            data__lineno = data["lineno"]
            if (
                not isinstance(data__lineno, (int, NoneType))
                and (not (isinstance(data__lineno, float) and data__lineno.is_integer()))
                or isinstance(data__lineno, bool)
            ):
                violations.add((*path, "lineno"), data__lineno, "type", ["integer", "null"])
            if isinstance(data__lineno, (int, float, Decimal)) and (
                not isinstance(data__lineno, bool)
            ):
                if data__lineno < -9007199254740991:
                    violations.add((*path, "lineno"), data__lineno, "minimum", -9007199254740991)
                if data__lineno > 9007199254740991:
                    violations.add((*path, "lineno"), data__lineno, "maximum", 9007199254740991)
        if "colno" in data_keys:
            data_keys.remove("colno")
            data__colno = data["colno"]
            if (
                not isinstance(data__colno, (int, NoneType))
                and (not (isinstance(data__colno, float) and data__colno.is_integer()))
                or isinstance(data__colno, bool)
            ):
                violations.add((*path, "colno"), data__colno, "type", ["integer", "null"])
            if isinstance(data__colno, (int, float, Decimal)) and (
                not isinstance(data__colno, bool)
            ):
                if data__colno < -9007199254740991:
                    violations.add((*path, "colno"), data__colno, "minimum", -9007199254740991)
                if data__colno > 9007199254740991:
                    violations.add((*path, "colno"), data__colno, "maximum", 9007199254740991)
        if "stack" in data_keys:
            data_keys.remove("stack")
            data__stack = data["stack"]
            if not isinstance(data__stack, (str, NoneType)):
                violations.add((*path, "stack"), data__stack, "type", ["string", "null"])
        if "timestamp" in data_keys:
            data_keys.remove("timestamp")
            data__timestamp = data["timestamp"]
            if not isinstance(data__timestamp, (int, float, Decimal)) or isinstance(
                data__timestamp, bool
            ):
                violations.add((*path, "timestamp"), data__timestamp, "type", "number")
            if isinstance(data__timestamp, (int, float, Decimal)) and (
                not isinstance(data__timestamp, bool)
            ):
                if data__timestamp < 0:
                    violations.add((*path, "timestamp"), data__timestamp, "minimum", 0)


def validate___definitions_errorevent(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["type", "data"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["type", "data"])
        data_keys = set(data.keys())
        if "type" in data_keys:
            data_keys.remove("type")
            data__type = data["type"]
            if not (isinstance(data__type, str) and data__type == "error"):
                violations.add((*path, "type"), data__type, "const", "error")
        if "data" in data_keys:
            data_keys.remove("data")
            data__data = data["data"]
            validate___definitions_erroreventdata(data__data, (*path, "data"), violations)


def validate___definitions_customeventdata(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["name", "data", "timestamp"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["name", "data", "timestamp"])
        data_keys = set(data.keys())
        if "name" in data_keys:
            data_keys.remove("name")
            data__name = data["name"]
            if not isinstance(data__name, str):
                violations.add((*path, "name"), data__name, "type", "string")
        if "data" in data_keys:
            data_keys.remove("data")
            data__data = data["data"]
            if not isinstance(data__data, str):
                violations.add((*path, "data"), data__data, "type", "string")
        if "timestamp" in data_keys:
            data_keys.remove("timestamp")
            data__timestamp = data["timestamp"]
            if not isinstance(data__timestamp, (int, float, Decimal)) or isinstance(
                data__timestamp, bool
            ):
                violations.add((*path, "timestamp"), data__timestamp, "type", "number")
            if isinstance(data__timestamp, (int, float, Decimal)) and (
                not isinstance(data__timestamp, bool)
            ):
                if data__timestamp < 0:
                    violations.add((*path, "timestamp"), data__timestamp, "minimum", 0)


def validate___definitions_customevent(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["type", "data"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["type", "data"])
        data_keys = set(data.keys())
        if "type" in data_keys:
            data_keys.remove("type")
            data__type = data["type"]
            if not (isinstance(data__type, str) and data__type == "custom"):
                violations.add((*path, "type"), data__type, "const", "custom")
        if "data" in data_keys:
            data_keys.remove("data")
            data__data = data["data"]
            validate___definitions_customeventdata(data__data, (*path, "data"), violations)


def validate___definitions_webvitaleventdata(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = (
            set(
                [
                    "name",
                    "value",
                    "rating",
                    "delta",
                    "id",
                    "entries",
                    "navigation_type",
                    "timestamp",
                ]
            )
            - data.keys()
        )
        if data__missing_keys:
            violations.add(
                path,
                data,
                "required",
                [
                    "name",
                    "value",
                    "rating",
                    "delta",
                    "id",
                    "entries",
                    "navigation_type",
                    "timestamp",
                ],
            )
        data_keys = set(data.keys())
        if "name" in data_keys:
            data_keys.remove("name")
            data__name = data["name"]
            if not isinstance(data__name, str):
                violations.add((*path, "name"), data__name, "type", "string")
        if "value" in data_keys:
            data_keys.remove("value")
            data__value = data["value"]
            if not isinstance(data__value, (int, float, Decimal)) or isinstance(data__value, bool):
                violations.add((*path, "value"), data__value, "type", "number")
        if "rating" in data_keys:
            data_keys.remove("rating")
            data__rating = data["rating"]
            if not isinstance(data__rating, str):
                violations.add((*path, "rating"), data__rating, "type", "string")
            if not (
                isinstance(data__rating, str)
                and data__rating == "good"
                or (isinstance(data__rating, str) and data__rating == "needs-improvement")
                or (isinstance(data__rating, str) and data__rating == "poor")
            ):
                violations.add(
                    (*path, "rating"), data__rating, "enum", ["good", "needs-improvement", "poor"]
                )
        if "delta" in data_keys:
            data_keys.remove("delta")
            data__delta = data["delta"]
            if not isinstance(data__delta, (int, float, Decimal)) or isinstance(data__delta, bool):
                violations.add((*path, "delta"), data__delta, "type", "number")
        if "id" in data_keys:
            data_keys.remove("id")
            data__id = data["id"]
            if not isinstance(data__id, str):
                violations.add((*path, "id"), data__id, "type", "string")
        if "entries" in data_keys:
            data_keys.remove("entries")
            data__entries = data["entries"]
            if (
                not isinstance(data__entries, int)
                and (not (isinstance(data__entries, float) and data__entries.is_integer()))
                or isinstance(data__entries, bool)
            ):
                violations.add((*path, "entries"), data__entries, "type", "integer")
            if isinstance(data__entries, (int, float, Decimal)) and (
                not isinstance(data__entries, bool)
            ):
                if data__entries < 0:
                    violations.add((*path, "entries"), data__entries, "minimum", 0)
                if data__entries > 9007199254740991:
                    violations.add((*path, "entries"), data__entries, "maximum", 9007199254740991)
        if "navigation_type" in data_keys:
            data_keys.remove("navigation_type")
            data__navigationtype = data["navigation_type"]
            if not isinstance(data__navigationtype, str):
                violations.add((*path, "navigation_type"), data__navigationtype, "type", "string")
        if "timestamp" in data_keys:
            data_keys.remove("timestamp")
            data__timestamp = data["timestamp"]
            if not isinstance(data__timestamp, (int, float, Decimal)) or isinstance(
                data__timestamp, bool
            ):
                violations.add((*path, "timestamp"), data__timestamp, "type", "number")
            if isinstance(data__timestamp, (int, float, Decimal)) and (
                not isinstance(data__timestamp, bool)
            ):
                if data__timestamp < 0:
                    violations.add((*path, "timestamp"), data__timestamp, "minimum", 0)


def validate___definitions_webvitalevent(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["type", "data"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["type", "data"])
        data_keys = set(data.keys())
        if "type" in data_keys:
            data_keys.remove("type")
            data__type = data["type"]
            if not (isinstance(data__type, str) and data__type == "web_vital"):
                violations.add((*path, "type"), data__type, "const", "web_vital")
        if "data" in data_keys:
            data_keys.remove("data")
            data__data = data["data"]
            validate___definitions_webvitaleventdata(data__data, (*path, "data"), violations)


def validate___definitions_clickeventdata(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["x", "y", "timestamp"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["x", "y", "timestamp"])
        data_keys = set(data.keys())
        if "x" in data_keys:
            data_keys.remove("x")
            data__x = data["x"]
            if not isinstance(data__x, (int, float, Decimal)) or isinstance(data__x, bool):
                violations.add((*path, "x"), data__x, "type", "number")
        if "y" in data_keys:
            data_keys.remove("y")
            data__y = data["y"]
            if not isinstance(data__y, (int, float, Decimal)) or isinstance(data__y, bool):
                violations.add((*path, "y"), data__y, "type", "number")
        if "timestamp" in data_keys:
            data_keys.remove("timestamp")
            data__timestamp = data["timestamp"]
            if not isinstance(data__timestamp, (int, float, Decimal)) or isinstance(
                data__timestamp, bool
            ):
                violations.add((*path, "timestamp"), data__timestamp, "type", "number")
            if isinstance(data__timestamp, (int, float, Decimal)) and (
                not isinstance(data__timestamp, bool)
            ):
                if data__timestamp < 0:
                    violations.add((*path, "timestamp"), data__timestamp, "minimum", 0)


def validate___definitions_clickevent(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["type", "data"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["type", "data"])
        data_keys = set(data.keys())
        if "type" in data_keys:
            data_keys.remove("type")
            data__type = data["type"]
            if not (isinstance(data__type, str) and data__type == "click"):
                violations.add((*path, "type"), data__type, "const", "click")
        if "data" in data_keys:
            data_keys.remove("data")
            data__data = data["data"]
            validate___definitions_clickeventdata(data__data, (*path, "data"), violations)


def validate___definitions_pagevieweventdata(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["location", "timestamp"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["location", "timestamp"])
        data_keys = set(data.keys())
        if "location" in data_keys:
            data_keys.remove("location")
            data__location = data["location"]
            if not isinstance(data__location, str):
                violations.add((*path, "location"), data__location, "type", "string")
        if "title" in data_keys:
            data_keys.remove("title")
            data__title = data["title"]
            if not isinstance(data__title, (str, NoneType)):
                violations.add((*path, "title"), data__title, "type", ["string", "null"])
        if "timestamp" in data_keys:
            data_keys.remove("timestamp")
            data__timestamp = data["timestamp"]
            if not isinstance(data__timestamp, (int, float, Decimal)) or isinstance(
                data__timestamp, bool
            ):
                violations.add((*path, "timestamp"), data__timestamp, "type", "number")
            if isinstance(data__timestamp, (int, float, Decimal)) and (
                not isinstance(data__timestamp, bool)
            ):
                if data__timestamp < 0:
                    violations.add((*path, "timestamp"), data__timestamp, "minimum", 0)


def validate___definitions_pageviewevent(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["type", "data"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["type", "data"])
        data_keys = set(data.keys())
        if "type" in data_keys:
            data_keys.remove("type")
            data__type = data["type"]
            if not (isinstance(data__type, str) and data__type == "page_view"):
                violations.add((*path, "type"), data__type, "const", "page_view")
        if "data" in data_keys:
            data_keys.remove("data")
            data__data = data["data"]
            validate___definitions_pagevieweventdata(data__data, (*path, "data"), violations)


def validate___definitions_deviceinfo(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data_keys = set(data.keys())
        if "browser" in data_keys:
            data_keys.remove("browser")
            data__browser = data["browser"]
            if not isinstance(data__browser, str):
                violations.add((*path, "browser"), data__browser, "type", "string")
        if "os" in data_keys:
            data_keys.remove("os")
            data__os = data["os"]
            if not isinstance(data__os, str):
                violations.add((*path, "os"), data__os, "type", "string")
        if "device_type" in data_keys:
            data_keys.remove("device_type")
            data__devicetype = data["device_type"]
            if not isinstance(data__devicetype, str):
                violations.add((*path, "device_type"), data__devicetype, "type", "string")
        if "user_agent" in data_keys:
            data_keys.remove("user_agent")
            data__useragent = data["user_agent"]
            if not isinstance(data__useragent, str):
                violations.add((*path, "user_agent"), data__useragent, "type", "string")
        if "platform" in data_keys:
            data_keys.remove("platform")
            data__platform = data["platform"]
            if not isinstance(data__platform, str):
                violations.add((*path, "platform"), data__platform, "type", "string")
        if "referrer" in data_keys:
            data_keys.remove("referrer")
            data__referrer = data["referrer"]
            if not isinstance(data__referrer, str):
                violations.add((*path, "referrer"), data__referrer, "type", "string")
        if "screen_width" in data_keys:
            data_keys.remove("screen_width")
            data__screenwidth = data["screen_width"]
            if not isinstance(data__screenwidth, (int, float, Decimal)) or isinstance(
                data__screenwidth, bool
            ):
                violations.add((*path, "screen_width"), data__screenwidth, "type", "number")
            if isinstance(data__screenwidth, (int, float, Decimal)) and (
                not isinstance(data__screenwidth, bool)
            ):
                if data__screenwidth < 0:
                    violations.add((*path, "screen_width"), data__screenwidth, "minimum", 0)
        if "screen_height" in data_keys:
            data_keys.remove("screen_height")
            data__screenheight = data["screen_height"]
            if not isinstance(data__screenheight, (int, float, Decimal)) or isinstance(
                data__screenheight, bool
            ):
                violations.add((*path, "screen_height"), data__screenheight, "type", "number")
            if isinstance(data__screenheight, (int, float, Decimal)) and (
                not isinstance(data__screenheight, bool)
            ):
                if data__screenheight < 0:
                    violations.add((*path, "screen_height"), data__screenheight, "minimum", 0)


def validate___definitions_utmparams(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data_keys = set(data.keys())
        if "utm_source" in data_keys:
            data_keys.remove("utm_source")
            data__utmsource = data["utm_source"]
            if not isinstance(data__utmsource, str):
                violations.add((*path, "utm_source"), data__utmsource, "type", "string")
        if "utm_medium" in data_keys:
            data_keys.remove("utm_medium")
            data__utmmedium = data["utm_medium"]
            if not isinstance(data__utmmedium, str):
                violations.add((*path, "utm_medium"), data__utmmedium, "type", "string")
        if "utm_campaign" in data_keys:
            data_keys.remove("utm_campaign")
            data__utmcampaign = data["utm_campaign"]
            if not isinstance(data__utmcampaign, str):
                violations.add((*path, "utm_campaign"), data__utmcampaign, "type", "string")
        if "utm_term" in data_keys:
            data_keys.remove("utm_term")
            data__utmterm = data["utm_term"]
            if not isinstance(data__utmterm, str):
                violations.add((*path, "utm_term"), data__utmterm, "type", "string")
        if "utm_content" in data_keys:
            data_keys.remove("utm_content")
            data__utmcontent = data["utm_content"]
            if not isinstance(data__utmcontent, str):
                violations.add((*path, "utm_content"), data__utmcontent, "type", "string")
        for data_key in data:
            if data_key not in [
                "utm_source",
                "utm_medium",
                "utm_campaign",
                "utm_term",
                "utm_content",
            ]:
                data_value = data.get(data_key)
                if not isinstance(data_value, str):
                    violations.add((*path, data_key), data_value, "type", "string")


def validate___definitions_unisightsdata(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["asset_id", "session_id", "page_url", "events"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["asset_id", "session_id", "page_url", "events"])
        data_keys = set(data.keys())
        if "asset_id" in data_keys:
            data_keys.remove("asset_id")
            data__assetid = data["asset_id"]
            if not isinstance(data__assetid, str):
                violations.add((*path, "asset_id"), data__assetid, "type", "string")
            if isinstance(data__assetid, str):
                data__assetid_len = len(data__assetid)
                if data__assetid_len < 1:
                    violations.add((*path, "asset_id"), data__assetid, "minLength", 1)
        if "session_id" in data_keys:
            data_keys.remove("session_id")
            data__sessionid = data["session_id"]
            if not isinstance(data__sessionid, str):
                violations.add((*path, "session_id"), data__sessionid, "type", "string")
            if isinstance(data__sessionid, str):
                data__sessionid_len = len(data__sessionid)
                if data__sessionid_len < 36:
                    violations.add(
                        (*path, "session_id"),
                        data__sessionid,
                        "minLength",
                        "a UUID, such as 550e8400-e29b-41d4-a716-446655440000",
                    )
                if data__sessionid_len > 36:
                    violations.add(
                        (*path, "session_id"),
                        data__sessionid,
                        "maxLength",
                        "a UUID, such as 550e8400-e29b-41d4-a716-446655440000",
                    )
                if not REGEX_PATTERNS[
                    "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
                ].search(data__sessionid):
                    violations.add(
                        (*path, "session_id"),
                        data__sessionid,
                        "pattern",
                        "a UUID, such as 550e8400-e29b-41d4-a716-446655440000",
                    )
        if "page_url" in data_keys:
            data_keys.remove("page_url")
            data__pageurl = data["page_url"]
            if not isinstance(data__pageurl, str):
                violations.add((*path, "page_url"), data__pageurl, "type", "string")
            if isinstance(data__pageurl, str):
                if not REGEX_PATTERNS[
                    "^(?:https?://[^ /?#]+(?![^/?#])|(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:[^ ])"
                ].search(data__pageurl):
                    violations.add(
                        (*path, "page_url"),
                        data__pageurl,
                        "pattern",
                        "an absolute URL, such as https://example.com/page",
                    )
        if "entry_page" in data_keys:
            data_keys.remove("entry_page")
            data__entrypage = data["entry_page"]
            if not isinstance(data__entrypage, (str, NoneType)):
                violations.add((*path, "entry_page"), data__entrypage, "type", ["string", "null"])
        if "exit_page" in data_keys:
            data_keys.remove("exit_page")
            data__exitpage = data["exit_page"]
            if not isinstance(data__exitpage, (str, NoneType)):
                violations.add((*path, "exit_page"), data__exitpage, "type", ["string", "null"])
        if "utm_params" in data_keys:
            data_keys.remove("utm_params")
            data__utmparams = data["utm_params"]
            validate___definitions_utmparams(data__utmparams, (*path, "utm_params"), violations)
        if "device_info" in data_keys:
            data_keys.remove("device_info")
            data__deviceinfo = data["device_info"]
            validate___definitions_deviceinfo(data__deviceinfo, (*path, "device_info"), violations)
        if "scroll_depth" in data_keys:
            data_keys.remove("scroll_depth")
            data__scrolldepth = data["scroll_depth"]
            if not isinstance(data__scrolldepth, (int, float, Decimal)) or isinstance(
                data__scrolldepth, bool
            ):
                violations.add((*path, "scroll_depth"), data__scrolldepth, "type", "number")
            if isinstance(data__scrolldepth, (int, float, Decimal)) and (
                not isinstance(data__scrolldepth, bool)
            ):
                if data__scrolldepth < 0:
                    violations.add((*path, "scroll_depth"), data__scrolldepth, "minimum", 0)
        if "time_on_page" in data_keys:
            data_keys.remove("time_on_page")
            data__timeonpage = data["time_on_page"]
            if not isinstance(data__timeonpage, (int, float, Decimal)) or isinstance(
                data__timeonpage, bool
            ):
                violations.add((*path, "time_on_page"), data__timeonpage, "type", "number")
            if isinstance(data__timeonpage, (int, float, Decimal)) and (
                not isinstance(data__timeonpage, bool)
            ):
                if data__timeonpage < 0:
                    violations.add((*path, "time_on_page"), data__timeonpage, "minimum", 0)
        if "events" in data_keys:
            data_keys.remove("events")
            data__events = data["events"]
            if not isinstance(data__events, (list, tuple)):
                violations.add((*path, "events"), data__events, "type", "array")


def validate___definitions_encryptedenvelope(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["site_id", "bucket", "tag", "ciphertext"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["site_id", "bucket", "tag", "ciphertext"])
        data_keys = set(data.keys())
        if "site_id" in data_keys:
            data_keys.remove("site_id")
            data__siteid = data["site_id"]
            if not isinstance(data__siteid, str):
                violations.add((*path, "site_id"), data__siteid, "type", "string")
            if isinstance(data__siteid, str):
                data__siteid_len = len(data__siteid)
                if data__siteid_len < 1:
                    violations.add((*path, "site_id"), data__siteid, "minLength", 1)
        if "ua_hash" in data_keys:
            data_keys.remove("ua_hash")
            data__uahash = data["ua_hash"]
            if not isinstance(data__uahash, str):
                violations.add((*path, "ua_hash"), data__uahash, "type", "string")
        if "bucket" in data_keys:
            data_keys.remove("bucket")
            data__bucket = data["bucket"]
            if (
                not isinstance(data__bucket, int)
                and (not (isinstance(data__bucket, float) and data__bucket.is_integer()))
                or isinstance(data__bucket, bool)
            ):
                violations.add((*path, "bucket"), data__bucket, "type", "integer")
            if isinstance(data__bucket, (int, float, Decimal)) and (
                not isinstance(data__bucket, bool)
            ):
                if data__bucket < 0:
                    violations.add((*path, "bucket"), data__bucket, "minimum", 0)
                if data__bucket > 9007199254740991:
                    violations.add((*path, "bucket"), data__bucket, "maximum", 9007199254740991)
        if "tag" in data_keys:
            data_keys.remove("tag")
            data__tag = data["tag"]
            if not isinstance(data__tag, str):
                violations.add((*path, "tag"), data__tag, "type", "string")
        if "ciphertext" in data_keys:
            data_keys.remove("ciphertext")
            data__ciphertext = data["ciphertext"]
            if not isinstance(data__ciphertext, str):
                violations.add((*path, "ciphertext"), data__ciphertext, "type", "string")


def validate___definitions_encryptedenvelopepayload(
    data: Any, path: Path, violations: Violations
) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["encrypted", "envelope"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["encrypted", "envelope"])
        data_keys = set(data.keys())
        if "encrypted" in data_keys:
            data_keys.remove("encrypted")
            data__encrypted = data["encrypted"]
            if not (isinstance(data__encrypted, bool) and data__encrypted is True):
                violations.add((*path, "encrypted"), data__encrypted, "const", True)
        if "envelope" in data_keys:
            data_keys.remove("envelope")
            data__envelope = data["envelope"]
            validate___definitions_encryptedenvelope(
                data__envelope, (*path, "envelope"), violations
            )


def validate___definitions_encryptedpayload(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["encrypted", "data", "tag", "bucket", "site_id"]) - data.keys()
        if data__missing_keys:
            violations.add(
                path, data, "required", ["encrypted", "data", "tag", "bucket", "site_id"]
            )
        data_keys = set(data.keys())
        if "encrypted" in data_keys:
            data_keys.remove("encrypted")
            data__encrypted = data["encrypted"]
            if not (isinstance(data__encrypted, bool) and data__encrypted is True):
                violations.add((*path, "encrypted"), data__encrypted, "const", True)
        if "data" in data_keys:
            data_keys.remove("data")
            data__data = data["data"]
            if not isinstance(data__data, str):
                violations.add((*path, "data"), data__data, "type", "string")
        if "tag" in data_keys:
            data_keys.remove("tag")
            data__tag = data["tag"]
            if not isinstance(data__tag, str):
                violations.add((*path, "tag"), data__tag, "type", "string")
        if "bucket" in data_keys:
            data_keys.remove("bucket")
            data__bucket = data["bucket"]
            if (
                not isinstance(data__bucket, int)
                and (not (isinstance(data__bucket, float) and data__bucket.is_integer()))
                or isinstance(data__bucket, bool)
            ):
                violations.add((*path, "bucket"), data__bucket, "type", "integer")
            if isinstance(data__bucket, (int, float, Decimal)) and (
                not isinstance(data__bucket, bool)
            ):
                if data__bucket < 0:
                    violations.add((*path, "bucket"), data__bucket, "minimum", 0)
                if data__bucket > 9007199254740991:
                    violations.add((*path, "bucket"), data__bucket, "maximum", 9007199254740991)
        if "site_id" in data_keys:
            data_keys.remove("site_id")
            data__siteid = data["site_id"]
            if not isinstance(data__siteid, str):
                violations.add((*path, "site_id"), data__siteid, "type", "string")
            if isinstance(data__siteid, str):
                data__siteid_len = len(data__siteid)
                if data__siteid_len < 1:
                    violations.add((*path, "site_id"), data__siteid, "minLength", 1)
        if "ua_hash" in data_keys:
            data_keys.remove("ua_hash")
            data__uahash = data["ua_hash"]
            if not isinstance(data__uahash, str):
                violations.add((*path, "ua_hash"), data__uahash, "type", "string")
        if "envelope" in data_keys:
            data_keys.remove("envelope")
            data__envelope = data["envelope"]
            if not isinstance(data__envelope, NoneType):
                violations.add((*path, "envelope"), data__envelope, "type", "null")


def validate___definitions_unisightspayload(data: Any, path: Path, violations: Violations) -> None:
    if not isinstance(data, dict):
        violations.add(path, data, "type", "object")
    data_is_dict = isinstance(data, dict)
    if data_is_dict:
        data__missing_keys = set(["data"]) - data.keys()
        if data__missing_keys:
            violations.add(path, data, "required", ["data"])
        data_keys = set(data.keys())
        if "data" in data_keys:
            data_keys.remove("data")
            data__data = data["data"]
            validate___definitions_unisightsdata(data__data, (*path, "data"), violations)
        if "encrypted" in data_keys:
            data_keys.remove("encrypted")
            data__encrypted = data["encrypted"]
            if not (isinstance(data__encrypted, bool) and data__encrypted is False):
                violations.add((*path, "encrypted"), data__encrypted, "const", False)


VALIDATORS: dict[str, Callable[[Any, Path, Violations], None]] = {
    "UnisightsPayload": validate___definitions_unisightspayload,
    "EncryptedPayload": validate___definitions_encryptedpayload,
    "EncryptedEnvelopePayload": validate___definitions_encryptedenvelopepayload,
    "EncryptedEnvelope": validate___definitions_encryptedenvelope,
    "UnisightsData": validate___definitions_unisightsdata,
    "UtmParams": validate___definitions_utmparams,
    "DeviceInfo": validate___definitions_deviceinfo,
    "PageViewEvent": validate___definitions_pageviewevent,
    "PageViewEventData": validate___definitions_pagevieweventdata,
    "ClickEvent": validate___definitions_clickevent,
    "ClickEventData": validate___definitions_clickeventdata,
    "WebVitalEvent": validate___definitions_webvitalevent,
    "WebVitalEventData": validate___definitions_webvitaleventdata,
    "CustomEvent": validate___definitions_customevent,
    "CustomEventData": validate___definitions_customeventdata,
    "ErrorEvent": validate___definitions_errorevent,
    "ErrorEventData": validate___definitions_erroreventdata,
}
"""The validator of each definition; it adds to the violations what is wrong with an object."""

UNIONS: dict[str, dict[str, str]] = {
    "UnisightsEvent": {
        "page_view": "PageViewEvent",
        "click": "ClickEvent",
        "web_vital": "WebVitalEvent",
        "custom": "CustomEvent",
        "error": "ErrorEvent",
    }
}
"""For each union, the definition that each `type` stands for."""

UNION_ARRAYS: dict[str, list[tuple[tuple[str, ...], str]]] = {
    "UnisightsPayload": [(("data", "events"), "UnisightsEvent")],
    "UnisightsData": [(("events",), "UnisightsEvent")],
}
"""For each definition, the paths of its arrays of unions, and which union."""
