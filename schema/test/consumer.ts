// What a package that shares the schema does with its types: this file is compiled, never run.
// Where a line is marked as an error, the types must refuse it.
import type {
  ClickEvent,
  ClickEventData,
  EncryptedEnvelope,
  EncryptedEnvelopePayload,
  EncryptedPayload,
  UnisightsEvent,
  UnisightsData,
  UnisightsPayload,
  UnisightsRequest,
  UtmParams,
  WebVitalEventData,
} from "@unisights/schema";
import schema from "@unisights/schema/unisights.schema.json" with { type: "json" };

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T | undefined => undefined;
const unreachable = (value: never): never => {
  throw new TypeError(`no event: ${JSON.stringify(value)}`);
};

// The union of events is told apart by `type`, and the compiler knows all of its members.
// Those that are told apart here; the union may get more.
type Shown = Extract<
  UnisightsEvent,
  { type: "page_view" | "click" | "web_vital" | "custom" | "error" }
>;
holds<Equal<Shown["type"], "page_view" | "click" | "web_vital" | "custom" | "error">>();
holds<Equal<Extract<UnisightsEvent, { type: "click" }>, ClickEvent>>();
holds<Equal<ClickEvent["data"], ClickEventData>>();

export function inWords(event: Shown): string {
  switch (event.type) {
    case "page_view":
      holds<Equal<typeof event.data.title, string | null | undefined>>();
      return `${event.data.location} ${event.data.title ?? ""}`;
    case "click":
      holds<Equal<typeof event.data.x, number>>();
      // @ts-expect-error: a click has no location.
      event.data.location;
      return `${event.data.x.toFixed()}, ${event.data.y.toFixed()}`;
    case "web_vital":
      holds<Equal<typeof event.data.rating, "good" | "needs-improvement" | "poor">>();
      // @ts-expect-error: there is no such rating.
      if (event.data.rating === "bad") return "";
      return `${event.data.name}: ${event.data.value.toFixed(1)}`;
    case "custom":
      holds<Equal<typeof event.data.data, string>>();
      return `${event.data.name} ${event.data.data}`;
    case "error":
      // @ts-expect-error: the line may be null.
      event.data.lineno.toFixed();
      return `${event.data.message}:${event.data.lineno ?? "?"}`;
    default:
      return unreachable(event);
  }
}

export function withoutErrors(event: Shown): string {
  switch (event.type) {
    case "page_view":
    case "click":
    case "web_vital":
    case "custom":
      return event.type;
    default:
      // @ts-expect-error: errors are left.
      return unreachable(event);
  }
}

// The three forms are told apart by `encrypted` and `envelope`.
export function siteOf(request: UnisightsRequest): string {
  if (request.encrypted !== true) {
    holds<Equal<typeof request, UnisightsPayload>>();
    return request.data.asset_id;
  }
  if (request.envelope) {
    holds<Equal<typeof request, EncryptedEnvelopePayload>>();
    holds<Equal<typeof request.envelope, EncryptedEnvelope>>();
    return request.envelope.site_id;
  }
  holds<Equal<typeof request, EncryptedPayload>>();
  return request.site_id;
}

// What only required properties make is complete; the rest may be absent.
export const session: UnisightsData = {
  asset_id: "site-1",
  session_id: "550e8400-e29b-41d4-a716-446655440000",
  page_url: "https://example.com/",
  entry_page: null,
  utm_params: { utm_source: "newsletter", utm_id: "kept" },
  events: [
    { type: "click", data: { x: 1, y: 2.5, timestamp: 1795366034371 } },
    { type: "page_view", data: { location: "/", title: null, timestamp: 1795366034371 } },
  ],
};
export const plain: UnisightsPayload = { data: session };
export const request: UnisightsRequest = { data: session, encrypted: false };
holds<Equal<UnisightsData["entry_page"], string | null | undefined>>();
holds<Equal<UtmParams[string], string | undefined>>();
holds<Equal<typeof schema.title, string>>();

// @ts-expect-error: events are required.
export const empty: UnisightsData = { asset_id: "a", session_id: "b", page_url: "c" };
// @ts-expect-error: a click has a y.
export const halfClick: UnisightsEvent = { type: "click", data: { x: 1, timestamp: 1 } };
// @ts-expect-error: a coordinate is a number.
export const textClick: ClickEventData = { x: "1", y: 2, timestamp: 1 };
// @ts-expect-error: there is no such event.
export const hover: UnisightsEvent = { type: "hover", data: { x: 1, y: 2, timestamp: 1 } };
// @ts-expect-error: an event's data is that of its type.
export const mixed: UnisightsEvent = { type: "error", data: { x: 1, y: 2, timestamp: 1 } };
// @ts-expect-error: campaign parameters are strings, unknown ones too.
export const utm: UtmParams = { utm_id: 5 };
// @ts-expect-error: a name that is misspelt is no property.
export const misspelt: UnisightsPayload = { data: { ...session, scrol_depth: 5 } };
// @ts-expect-error: plain data is not encrypted.
export const marked: UnisightsRequest = { data: session, encrypted: true };
// @ts-expect-error: a rating is one of three.
export const rating: WebVitalEventData["rating"] = "bad";
