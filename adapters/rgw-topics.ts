/**
 * Where Ceph's gateway pushes the notifications of a bucket: its SNS-like topics.
 * https://docs.ceph.com/en/pacific/radosgw/notifications/
 */
import { RetryableError, TerminalError } from "../volume/errors.ts";
import type { KeyPair, LiveKeys } from "./live-keys.ts";
import { signedFetch } from "./signed-fetch.ts";

export interface S3Topics {
  /** Makes or changes the topic; resolves with its name for a bucket's notifications. */
  put(name: string, pushUrl: string, signal: AbortSignal): Promise<string>;
}

/** With a key of the buckets' owner: only its topics can be theirs. */
export interface RgwTopicsOptions extends KeyPair {
  readonly endpoint: string;
  readonly region: string;
  /** Asked with each request, in place of the pair. */
  readonly liveKeys?: LiveKeys | undefined;
}

const REQUEST_TIMEOUT_MS = 30_000;

export const openRgwTopics = (options: RgwTopicsOptions): S3Topics => {
  const { endpoint, ...signer } = options;
  const ask = signedFetch({ ...signer, service: "sns" });
  return {
    put: async (name, pushUrl, signal) => {
      const attributes = [
        ["push-endpoint", pushUrl],
        // Queued in the store and pushed until it is taken, instead of once within the upload.
        ["persistent", "true"],
      ] as const;
      const form = new URLSearchParams({ Action: "CreateTopic", Name: name });
      for (const [index, [key, value]] of attributes.entries()) {
        form.set(`Attributes.entry.${index + 1}.key`, key);
        form.set(`Attributes.entry.${index + 1}.value`, value);
      }
      const request = {
        method: "POST",
        body: form.toString(),
        headers: { "content-type": "application/x-www-form-urlencoded" },
        signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
      };
      const answer = await ask(endpoint, request).catch((cause: unknown) => {
        throw new RetryableError(`topic ${name}: no answer`, { code: "topics-unavailable", cause });
      });
      const arn = /<TopicArn>([^<]+)<\/TopicArn>/.exec(answer.text)?.[1];
      if (answer.ok && arn !== undefined) return arn;
      throw new TerminalError(`topic ${name}: the gateway answered ${answer.status}`, {
        code: "topics-refused",
        hint: "notifications must be among the gateway's `rgw enable apis`",
      });
    },
  };
};
