/** What is in a bucket, page by page, with each object's age by the store's own clock. */
import {
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  type S3Client,
} from "@aws-sdk/client-s3";
import type { ObjectInfo } from "../volume/object-store.ts";

export type Retried = <T>(
  what: string,
  signal: AbortSignal,
  call: (client: S3Client) => Promise<T>,
) => Promise<T>;

export async function* listObjects(
  retried: Retried,
  place: { Bucket: string; Prefix: string },
  signal: AbortSignal,
): AsyncIterable<ObjectInfo> {
  for await (const page of listPages(retried, place, signal)) {
    for (const { Key, Size, ETag, LastModified } of page.Contents ?? []) {
      if (Key === undefined) continue;
      yield {
        key: Key,
        bytes: Size ?? 0,
        ...(ETag !== undefined && { etag: ETag }),
        ...ageOf(LastModified, page.servedAtMs),
      };
    }
  }
}

export async function* listPages(
  retried: Retried,
  place: { Bucket: string; Prefix: string; Delimiter?: string },
  signal: AbortSignal,
): AsyncIterable<ListObjectsV2CommandOutput & { readonly servedAtMs: number }> {
  let token: string | undefined;
  do {
    const input = { ...place, ...(token !== undefined && { ContinuationToken: token }) };
    const page = await retried(`LIST ${place.Prefix}`, signal, async (client) => {
      const command = new ListObjectsV2Command(input);
      const servedAtMs = noteServerTime(command);
      return {
        ...(await client.send(command, { abortSignal: signal })),
        servedAtMs: servedAtMs(),
      };
    });
    yield page;
    token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
  } while (token !== undefined);
}

/** When the answer was made, by the store's clock; NaN: it does not say. */
const noteServerTime = (command: ListObjectsV2Command): (() => number) => {
  let servedAtMs = Number.NaN;
  command.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args);
      const { headers } = result.response as { readonly headers: Readonly<Record<string, string>> };
      servedAtMs = Date.parse(headers["date"] ?? "");
      return result;
    },
    { step: "deserialize", priority: "high" },
  );
  return () => servedAtMs;
};

/** Both by the store's clock: this machine's may be another. */
const ageOf = (modified: Date | undefined, servedAtMs: number): Pick<ObjectInfo, "ageMs"> => {
  const ageMs = servedAtMs - (modified?.getTime() ?? Number.NaN);
  return Number.isNaN(ageMs) ? {} : { ageMs: Math.max(0, ageMs) };
};
