/** Live keys in clients of the AWS SDK, which by itself asks for keys once and keeps them. */
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
const REFUSED =
  /^(InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidClientTokenId|UnrecognizedClientException|InvalidSignatureException)$/;
/** Of an answer without a body there is but the status. */
const NAMELESS = /^(403|Forbidden|Unknown|UnknownError)$/;

interface SdkError {
  readonly name?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

const isRefused = (error: unknown): boolean => {
  const { name = "", $metadata } = error as SdkError;
  return REFUSED.test(name) || ($metadata?.httpStatusCode === 403 && NAMELESS.test(name));
};

/** For the `credentials` of a client: already expired, so that they are asked for every time. */
export const credentialsOf =
  (keys: LiveKeys) => async (): Promise<KeyPair & { expiration: Date }> => ({
    ...(await keys.current()),
    expiration: new Date(0),
  });

/**
 * A middleware for a client's `initialize` step. A refused request was not performed: sending it again
 * does nothing twice.
 */
export const retryRefused = (keys: LiveKeys) => {
  let haveWorked = false;
  return <Input, Output>(next: (args: Input) => Promise<Output>) =>
    async (args: Input): Promise<Output> => {
      for (let refusals = 0; ; refusals += 1) {
        try {
          const answer = await next(args);
          haveWorked = true;
          return answer;
        } catch (error) {
          const pauseMs = (haveWorked ? REPLACED_PAUSES_MS : PAUSES_MS)[refusals];
          if (!isRefused(error) || pauseMs === undefined) throw error;
          await sleep(pauseMs);
          await keys.refresh();
        }
      }
    };
};
