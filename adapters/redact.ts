/**
 * Keeps secrets out of log lines. Three nets, because each has holes: fields that are named like
 * secrets, credentials inside URLs, and the process's own secrets wherever they turn up. Pure.
 */

const MASK = "[redacted]";
const DEPTH_MAX = 8;
const ITEMS_MAX = 100;
const TEXT_CHARS_MAX = 8_192;
/** Shorter "secrets" would mask ordinary words. */
const SECRET_CHARS_MIN = 6;

/** `environment` too: a container's variables are where people keep passwords. */
const SECRET_FIELD =
  /pass(?:word|wd|phrase)|secret|token|authori[sz]ation|cookie|credential|signature|private_?key|access_?key|api_?key|environment/i;

const URL_USERINFO = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]+@/gi;

const scrubText = (text: string): string => {
  const short = text.length > TEXT_CHARS_MAX ? `${text.slice(0, TEXT_CHARS_MAX)}…` : text;
  return short.replace(URL_USERINFO, `$1${MASK}@`);
};

/** A copy of a log record, bounded in depth and size, without what its field names call secret. */
export const redactFields = (value: unknown, depth = 0): unknown => {
  if (typeof value === "string") return scrubText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (depth >= DEPTH_MAX) return "[too deep]";
  if (value instanceof Error) return redactError(value, depth);
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) {
    return value.slice(0, ITEMS_MAX).map((item) => redactFields(item, depth + 1));
  }
  const entries = Object.entries(value).slice(0, ITEMS_MAX);
  return Object.fromEntries(
    entries.map(([key, field]) => [
      key,
      SECRET_FIELD.test(key) && field !== null && field !== undefined
        ? MASK
        : redactFields(field, depth + 1),
    ]),
  );
};

/** Errors keep what an operator needs: kind, code, hint, data, cause; own fields of strangers don't. */
const redactError = (error: Error, depth: number): Record<string, unknown> => {
  const { code, hint, data } = error as { code?: unknown; hint?: unknown; data?: unknown };
  return {
    type: error.name,
    message: scrubText(error.message),
    ...(code === undefined ? {} : { code }),
    ...(hint === undefined ? {} : { hint }),
    ...(data === undefined ? {} : { data: redactFields(data, depth + 1) }),
    stack: scrubText(error.stack ?? ""),
    ...(error.cause === undefined ? {} : { cause: redactFields(error.cause, depth + 1) }),
  };
};

/**
 * A finished JSON line, with what its fields gained since (a child's bindings, the message) scrubbed
 * too, and without the given secrets, as JSON writes them.
 */
export const redactLine = (line: string, secrets: readonly string[]): string => {
  let scrubbed = `${JSON.stringify(redactFields(JSON.parse(line)))}\n`;
  for (const secret of secrets) {
    if (secret.length < SECRET_CHARS_MIN) continue;
    scrubbed = scrubbed.replaceAll(JSON.stringify(secret).slice(1, -1), MASK);
  }
  return scrubbed;
};
