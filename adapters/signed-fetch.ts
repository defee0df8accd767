/** `fetch` under AWS's signature (version 4), for services that no client of the SDK speaks to. */
import { AwsClient } from "aws4fetch";
import type { KeyPair, LiveKeys } from "./live-keys.ts";
import { createRefusalRetry, REFUSED } from "./refused-keys.ts";

interface SignedFetchOptions extends KeyPair {
  readonly region: string;
  /** As the signature names it: `s3`, `sns`. */
  readonly service: string;
  /** Asked with each request, in place of the pair. */
  readonly liveKeys?: LiveKeys | undefined;
}

/** An answer, its body read. */
interface SignedAnswer {
  readonly ok: boolean;
  readonly status: number;
  readonly text: string;
}

export type SignedFetch = (url: string, request: RequestInit) => Promise<SignedAnswer>;

const FORBIDDEN = 403;

export const signedFetch = ({
  region,
  service,
  liveKeys,
  ...pair
}: SignedFetchOptions): SignedFetch => {
  const ask = async (used: KeyPair, url: string, request: RequestInit): Promise<SignedAnswer> => {
    const client = new AwsClient({ ...used, region, service, retries: 0 });
    const response = await client.fetch(url, request);
    return { ok: response.ok, status: response.status, text: await response.text() };
  };
  if (liveKeys === undefined) return (url, request) => ask(pair, url, request);
  const retry = createRefusalRetry(liveKeys);
  return (url, request) =>
    retry(async () => {
      const answer = await ask(await liveKeys.current(), url, request);
      const isRefused = answer.status === FORBIDDEN && REFUSED.test(answer.text);
      return { isRefused, end: () => answer };
    });
};
