/**
 * One HTTP(S) request to an address that was judged before, whatever its name resolves to by now. For
 * places that others name and this machine's network may reach: repositories, subscribers.
 */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP } from "node:net";

export interface PinnedRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** What the URL's host resolved to. */
  readonly ip: string;
}

const TIMEOUT_MS = 30_000;

/** The answer, its body unread. Redirects are not followed: they lead past the judgement. */
export const requestPinned = (
  { url, method, headers, body, ip }: PinnedRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> => {
  const start = url.startsWith("https:") ? httpsRequest : httpRequest;
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const request = start(
    url,
    { method, headers, lookup: pinnedLookup(ip), signal, timeout: TIMEOUT_MS },
    resolve,
  );
  request.once("timeout", () => request.destroy(new Error("no answer in time")));
  request.once("error", reject);
  request.end(body);
  return promise;
};

type LookupDone = (
  error: null,
  address: string | { address: string; family: number }[],
  family?: number,
) => void;

const pinnedLookup =
  (ip: string) =>
  (_host: string, wanted: { all?: boolean | undefined }, done: LookupDone): void => {
    const family = isIP(ip);
    if (wanted.all === true) done(null, [{ address: ip, family }]);
    else done(null, ip, family);
  };
