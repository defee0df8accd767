/** Keys that were replaced under a running client: what it is told then, and when it asks again. */
import { setTimeout as sleep } from "node:timers/promises";
import type { KeyPair, LiveKeys } from "./live-keys.ts";

/**
 * After a refusal the request is sent again under the keys that are found then. The pauses are for
 * an operator who replaces one file of a pair after the other, or takes a key away before its files
 * are replaced. Keys that never worked are more likely wrong: that is said soon.
 */
const PAUSES_MS = [0, 250, 1_000];
const REPLACED_PAUSES_MS = [...PAUSES_MS, 2_000, 4_000, 8_000, 15_000];

/** What stores and brokers answer to a key that they do not know (any more), or to another's secret. */
export const REFUSED =
  /\b(InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidClientTokenId|UnrecognizedClientException|InvalidSignatureException)\b/;
/** Of an answer without a body there is but the status. */
const NAMELESS = /^(403|Forbidden|Unknown|UnknownError)$/;

interface SdkError {
  readonly name?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const isRefusal = (error: unknown): boolean => {
  const { name = "", $metadata } = error as SdkError;
  return REFUSED.test(name) || ($metadata?.httpStatusCode === 403 && NAMELESS.test(name));
};

/** For the `credentials` of a client: already expired, so that they are asked for every time. */
export const credentialsOf =
  (keys: LiveKeys) => async (): Promise<KeyPair & { expiration: Date }> => ({
    ...(await keys.current()),
    expiration: new Date(0),
  });

interface Attempt<T> {
  readonly isRefused: boolean;
  /** What to go on with, refused or not. */
  readonly end: () => T;
}

/** A refused request was not performed: sending it again does nothing twice. */
export const createRefusalRetry = (keys: LiveKeys) => {
  let haveWorked = false;
  return async <T>(attempt: () => Promise<Attempt<T>>): Promise<T> => {
    for (let refusals = 0; ; refusals += 1) {
      const { isRefused, end } = await attempt();
      if (!isRefused) haveWorked = true;
      const pauseMs = (haveWorked ? REPLACED_PAUSES_MS : PAUSES_MS)[refusals];
      if (!isRefused || pauseMs === undefined) return end();
      await sleep(pauseMs);
      await keys.refresh();
    }
  };
};

/** A middleware for the `initialize` step of a client of the AWS SDK. */
const retryRefused = (keys: LiveKeys) => {
  const retry = createRefusalRetry(keys);
  return <Input, Output>(next: (args: Input) => Promise<Output>) =>
    (args: Input): Promise<Output> =>
      retry(async () => {
        try {
          const answer = await next(args);
          return { isRefused: false, end: () => answer };
        } catch (error) {
          if (!isRefusal(error)) throw error;
          const end = (): never => {
            throw error;
          };
          return { isRefused: true, end };
        }
      });
};

interface SdkClient {
  readonly middlewareStack: {
    add(
      middleware: ReturnType<typeof retryRefused>,
      options: { readonly step: "initialize"; readonly name: string },
    ): void;
  };
}

/** The client, which takes up new keys in place of refused ones; they are its `credentials` too. */
export const followKeys = <Client extends SdkClient>(
  client: Client,
  keys: LiveKeys | undefined,
): Client => {
  if (keys !== undefined) {
    client.middlewareStack.add(retryRefused(keys), { step: "initialize", name: "retryRefused" });
  }
  return client;
};
