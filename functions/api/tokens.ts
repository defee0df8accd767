/**
 * Who may use the API: a token for one project, or for all (an operator's). Only its digest is stored,
 * and the digest is the key, so that a look-up is one request and compares no secret.
 */
import { createHash, randomBytes } from "node:crypto";
import * as z from "zod";
import { TOKENS_PREFIX, tokenKey } from "../../adapters/store-keys.ts";
import { TerminalError } from "../../volume/errors.ts";
import type { ObjectStore } from "../../volume/object-store.ts";
import { ProjectId } from "../../workflows/ids.ts";
import { encodeJson, readJsonObject } from "../json-object.ts";

export const Token = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,39}$/, "small letters, digits and hyphens"),
  /** Null: an operator's, good for every project and the nodes. */
  project: ProjectId.nullable(),
  createdAtMs: z.int(),
});
export type Token = z.infer<typeof Token>;

const SECRET_BYTES = 32;
/** Tells people, and scanners of leaked secrets, what it is. */
const MARK = "bagage_";

const digestOf = (secret: string): string => createHash("sha256").update(secret).digest("hex");

/** The secret is given back this once. Throws TerminalError `token-exists`. */
export const createToken = async (
  store: ObjectStore,
  token: Token,
  signal: AbortSignal,
): Promise<string> => {
  const known = await listTokens(store, signal);
  if (known.some(({ name }) => name === token.name)) {
    throw new TerminalError(`there is a token ${token.name} already`, {
      code: "token-exists",
      hint: `bagage token revoke ${token.name}`,
    });
  }
  const secret = `${MARK}${randomBytes(SECRET_BYTES).toString("base64url")}`;
  await store.put(tokenKey(digestOf(secret)), encodeJson(Token.parse(token)), {}, signal);
  return secret;
};

export const listTokens = async (store: ObjectStore, signal: AbortSignal): Promise<Token[]> =>
  (await readAll(store, signal)).map(({ token }) => token);

/** Throws TerminalError `unknown-token`. */
export const revokeToken = async (
  store: ObjectStore,
  name: string,
  signal: AbortSignal,
): Promise<void> => {
  const keys = (await readAll(store, signal))
    .filter(({ token }) => token.name === name)
    .map(({ key }) => key);
  if (keys.length === 0) {
    throw new TerminalError(`there is no token ${name}`, {
      code: "unknown-token",
      hint: "bagage token list",
    });
  }
  await store.delete(keys, signal);
};

/** Null for a secret that is nobody's. */
export const findToken = (
  store: ObjectStore,
  secret: string,
  signal: AbortSignal,
): Promise<Token | null> => readJsonObject(store, tokenKey(digestOf(secret)), Token, signal);

const readAll = async (
  store: ObjectStore,
  signal: AbortSignal,
): Promise<{ readonly key: string; readonly token: Token }[]> => {
  const found: { key: string; token: Token }[] = [];
  for await (const { key } of store.list(TOKENS_PREFIX, signal)) {
    const token = await readJsonObject(store, key, Token, signal);
    if (token !== null) found.push({ key, token });
  }
  return found;
};
