// GENERATED from schema/unisights.schema.json, version 2.0.0, SHA-256
// ffbb04f1c530dacc6fd3ec6c72ac1bcc472d1c69e72606b24fdfa5036103a432
// Do not edit:
//   1. change the schema (or, for another shape of the types, schema/generate-types.mjs);
//   2. run `make generate`;
//   3. commit the schema and what changed here together.
//
// The types are those of the wire: what may be absent is optional. Properties that are not named
// here are allowed on the wire, and not part of the types.

/**
 * The body of one beacon of the unisights browser client: a session with its batch of events, sent plain or in one of two encrypted envelopes. Properties that are not named here are allowed everywhere and ignored, so that an older receiver survives a newer client.
 */
export type UnisightsRequest = UnisightsPayload | EncryptedPayload | EncryptedEnvelopePayload;
/**
 * One event of the batch; its type tells which.
 */
export type UnisightsEvent = PageViewEvent | ClickEvent | WebVitalEvent | CustomEvent | ErrorEvent;
/**
 * When the event happened, by the visitor's clock. Unit: milliseconds since the Unix epoch. The plain form writes 1795366034371 and the encrypted one 1795366034371.0: decoders make it a whole number. Source: browser client (Date.now()).
 */
export type Timestamp = number;

/**
 * A session sent plain. A session sent encrypted decodes to the same type, and to an equal value.
 */
export interface UnisightsPayload {
  data: UnisightsData;
  /**
   * Whether the session was sent encrypted; false or absent on the wire marks the plain form. Example: false. Source: browser client.
   */
  encrypted?: false;
}
/**
 * One session's state at the moment of sending, and the events since the beacon before. In the encrypted forms, the plaintext is this object alone.
 */
export interface UnisightsData {
  /**
   * The site or app the session belongs to, as configured in the client. May be non-ASCII. Source: browser client.
   */
  asset_id: string;
  /**
   * The session's UUID; the browser client sends a lowercase version 4, any version and case is taken. Source: browser client.
   */
  session_id: string;
  /**
   * The absolute URL of the page that sent the beacon; http and https need a host, other schemes (file:, about:, an app's own) are taken as they are. 30,029 characters were seen. Source: browser client (location.href).
   */
  page_url: string;
  /**
   * The URL the session began on; null when page-view tracking is off. Source: browser client.
   */
  entry_page?: string | null;
  /**
   * The URL the page was hidden or left on; null until then, a string on every later beacon. Source: browser client.
   */
  exit_page?: string | null;
  utm_params?: UtmParams;
  device_info?: DeviceInfo;
  /**
   * How far down the page was scrolled at most. Unit: per cent of the page. Clients send more than 100 (0 to 16,666 were seen; an ordinary page with margins gives 101.38): decoders clamp to 100. Source: browser client.
   */
  scroll_depth?: number;
  /**
   * How long the page has been open. Unit: seconds, fractional. Source: browser client.
   */
  time_on_page?: number;
  /**
   * The batch, oldest first. The browser never sends an empty one, other senders may. Source: browser client.
   */
  events: UnisightsEvent[];
}
/**
 * Campaign parameters. Values can hold U+0000 and U+FFFD. Other keys than these five may come and are kept.
 */
export interface UtmParams {
  /**
   * Where the visitor came from; empty when not given. Source: browser client.
   */
  utm_source?: string;
  /**
   * The channel; empty when not given. Source: browser client.
   */
  utm_medium?: string;
  /**
   * The campaign's name; empty when not given. Source: browser client.
   */
  utm_campaign?: string;
  /**
   * The search term paid for; empty when not given. Source: browser client.
   */
  utm_term?: string;
  /**
   * Which of several ads or links it was; empty when not given. Source: browser client.
   */
  utm_content?: string;
  /**
   * Any other campaign parameter. Source: Node types (typed as open).
   */
  [k: string]: string | undefined;
}
/**
 * The visitor's device and browser. The browser client sends its seven keys without browser; the Node types name browser, os and device_type. Both shapes are taken, and a missing value is empty or 0.
 */
export interface DeviceInfo {
  /**
   * The browser's name; the browser client does not send it. Source: Node types.
   */
  browser?: string;
  /**
   * The operating system's name. Source: browser client, Node types.
   */
  os?: string;
  /**
   * Desktop, Mobile or Tablet; an open set. Source: browser client, Node types.
   */
  device_type?: string;
  /**
   * The User-Agent string as the page saw it. Source: browser client (navigator.userAgent).
   */
  user_agent?: string;
  /**
   * The platform string as the page saw it. Source: browser client (navigator.platform).
   */
  platform?: string;
  /**
   * The referring URL, or "direct" if there was none. Source: browser client.
   */
  referrer?: string;
  /**
   * The screen's width. Unit: CSS pixels; decoders round down to whole ones. Source: browser client (screen.width).
   */
  screen_width?: number;
  /**
   * The screen's height. Unit: CSS pixels; decoders round down to whole ones. Source: browser client (screen.height).
   */
  screen_height?: number;
}
/**
 * The visitor opened a page, or a single-page app changed its route.
 */
export interface PageViewEvent {
  /**
   * Marks a page view. Source: browser client.
   */
  type: "page_view";
  data: PageViewEventData;
}
/**
 * What was viewed, and when.
 */
export interface PageViewEventData {
  /**
   * The URL that was viewed. Source: browser client.
   */
  location: string;
  /**
   * The document's title; may be empty, and null from senders that have none. Source: browser client.
   */
  title?: string | null;
  timestamp: Timestamp;
}
/**
 * The visitor clicked or tapped.
 */
export interface ClickEvent {
  /**
   * Marks a click. Source: browser client.
   */
  type: "click";
  data: ClickEventData;
}
/**
 * Where a click was, and when.
 */
export interface ClickEventData {
  /**
   * The horizontal position. Unit: CSS pixels from the left of the viewport; -8 to 1,000,000 were seen. Source: browser client.
   */
  x: number;
  /**
   * The vertical position. Unit: CSS pixels from the top of the viewport; -8 to 1,000,000 were seen. Source: browser client.
   */
  y: number;
  timestamp: Timestamp;
}
/**
 * A performance measurement of the page.
 */
export interface WebVitalEvent {
  /**
   * Marks a web vital. Source: browser client.
   */
  type: "web_vital";
  data: WebVitalEventData;
}
/**
 * One web vital, as the web-vitals library reports it.
 */
export interface WebVitalEventData {
  /**
   * Which vital: CLS, FCP, INP, LCP, TTFB, and FID from older clients; an open set. Source: browser client.
   */
  name: string;
  /**
   * The measured value. Unit: milliseconds, except CLS, which has none. Source: browser client.
   */
  value: number;
  /**
   * The library's verdict on the value. Source: browser client.
   */
  rating: "good" | "needs-improvement" | "poor";
  /**
   * The change since this vital was last reported. Unit: as value. Source: browser client.
   */
  delta: number;
  /**
   * Names this measurement within the page load, so that later reports of it can replace earlier ones. Source: browser client.
   */
  id: string;
  /**
   * How many performance entries the value was computed from. Source: browser client.
   */
  entries: number;
  /**
   * How the page was reached: navigate, reload, back-forward, back-forward-cache, prerender, restore, navigation; an open set. Source: browser client.
   */
  navigation_type: string;
  timestamp: Timestamp;
}
/**
 * An event of the site's own. Today's browser client also sends its JavaScript errors this way, named js_error and unhandled_rejection.
 */
export interface CustomEvent {
  /**
   * Marks a custom event. Source: browser client.
   */
  type: "custom";
  data: CustomEventData;
}
/**
 * A custom event's name and content.
 */
export interface CustomEventData {
  /**
   * The event's name; may be empty. Source: browser client.
   */
  name: string;
  /**
   * A string that holds any JSON text. It may hold \ud83d escapes, so that parsing it can yield lone surrogates, which no UTF-8 encoder takes. Source: browser client (JSON.stringify).
   */
  data: string;
  timestamp: Timestamp;
}
/**
 * A JavaScript error.
 */
export interface ErrorEvent {
  /**
   * Marks an error. Source: Node types.
   */
  type: "error";
  data: ErrorEventData;
}
/**
 * What went wrong in the page's JavaScript, where, and when.
 */
export interface ErrorEventData {
  /**
   * The error's message. Source: Node types.
   */
  message: string;
  /**
   * The URL of the script; null when the browser hides it. Source: Node types.
   */
  source?: string | null;
  /**
   * The line in the script; null when the browser hides it. Source: Node types.
   */
  lineno?: number | null;
  /**
   * The column in the script; null when the browser hides it. Source: Node types.
   */
  colno?: number | null;
  /**
   * The stack trace; null or absent where the sender has none. Source: the product's page ("JavaScript error with stack trace").
   */
  stack?: string | null;
  timestamp: Timestamp;
}
/**
 * A session as the browser client sends it encrypted, everything at the root. The cipher's key is derived from public values: this is obfuscation, not secrecy.
 */
export interface EncryptedPayload {
  /**
   * Marks the encrypted forms. Example: true. Source: browser client.
   */
  encrypted: true;
  /**
   * The ciphertext of the data object's JSON, in standard padded base64. Example: "jDmmKIIlOXy2AFRy". Source: browser client.
   */
  data: string;
  /**
   * HMAC-SHA256 of the ciphertext bytes, 32 bytes in standard padded base64. Source: browser client.
   */
  tag: string;
  /**
   * The send time divided by 30,000 ms, rounded down; part of the key. Unit: 30 s since the Unix epoch. Source: browser client.
   */
  bucket: number;
  /**
   * The asset the session belongs to; part of the key, and equal to the decrypted data.asset_id. May be non-ASCII. Source: browser client.
   */
  site_id: string;
  /**
   * A hash of the user agent, part of the key. Today's client always sends the empty string. Source: browser client.
   */
  ua_hash?: string;
  /**
   * Absent or null here: an envelope object marks the other encrypted form.
   */
  envelope?: null;
}
/**
 * A session as other senders encrypt it, the cipher's values inside one envelope object. Obfuscation, not secrecy, as with the other form.
 */
export interface EncryptedEnvelopePayload {
  /**
   * Marks the encrypted forms. Example: true. Source: non-browser senders.
   */
  encrypted: true;
  envelope: EncryptedEnvelope;
}
/**
 * The ciphertext and what its key is derived from.
 */
export interface EncryptedEnvelope {
  /**
   * The asset the session belongs to; part of the key, and equal to the decrypted data.asset_id. Source: non-browser senders.
   */
  site_id: string;
  /**
   * A hash of the user agent, part of the key; may be empty. Source: non-browser senders.
   */
  ua_hash?: string;
  /**
   * The send time divided by 30,000 ms, rounded down; part of the key. Unit: 30 s since the Unix epoch. Source: non-browser senders.
   */
  bucket: number;
  /**
   * HMAC-SHA256 of the ciphertext bytes, 32 bytes in standard padded base64. Source: non-browser senders.
   */
  tag: string;
  /**
   * The ciphertext of the data object's JSON, in standard padded base64. Example: "jDmmKIIlOXy2AFRy". Source: non-browser senders.
   */
  ciphertext: string;
}
