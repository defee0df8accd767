/** Small JSON objects in the store: encoded, and parsed through their schema on the way back. */
import type * as z from "zod";
import { TerminalError } from "../volume/errors.ts";
import type { ObjectStore } from "../volume/object-store.ts";

export const encodeJson = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** The object at the key, or null. Throws TerminalError when it is not what the schema says. */
export const readJsonObject = async <T extends z.ZodType>(
  store: ObjectStore,
  key: string,
  schema: T,
  signal: AbortSignal,
): Promise<z.infer<T> | null> => {
  const body = await store.get(key, signal);
  if (body === null) return null;
  const parsed = schema.safeParse(parseJson(key, body));
  if (parsed.success) return parsed.data;
  throw new TerminalError(`object ${key} is malformed`, {
    code: "object-malformed",
    cause: parsed.error,
  });
};

const parseJson = (key: string, body: Uint8Array): unknown => {
  try {
    return JSON.parse(Buffer.from(body).toString("utf8"));
  } catch (cause) {
    throw new TerminalError(`object ${key} is not JSON`, { code: "object-malformed", cause });
  }
};
