/** Secrets that a Lambda was given as parameters, replaced while it is warm. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import * as z from "zod";
import { openLambda } from "./lambda-ports.ts";
import { KEY_BYTES, parseWrappingKeys } from "./project-keys.ts";

const Asked = z.object({ Names: z.array(z.string()) });
/** Several that are refused at once look again together, so often at most. */
const REFRESH_MS = 110;
let server: Server;
let directory: string;
let parameters: Record<string, string>;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "bagage-lambda-"));
  server = createServer(async (request, response) => {
    const { Names } = Asked.parse(JSON.parse((await request.toArray()).join("")));
    const Parameters = Names.map((Name) => ({ Name, Value: parameters[Name] }));
    response.setHeader("content-type", "application/x-amz-json-1.1");
    response.end(JSON.stringify({ Parameters }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  vi.stubEnv("AWS_ENDPOINT_URL_SSM", `http://127.0.0.1:${port}`);
  vi.stubEnv("AWS_REGION", "us-east-1");
  vi.stubEnv("AWS_ACCESS_KEY_ID", "a");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "s");
});
afterEach(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

const newKey = () => randomBytes(KEY_BYTES).toString("base64");

test("parameters that were replaced are used once they are asked for again; others stay", async () => {
  const [first, next] = [newKey(), newKey()];
  parameters = { "/access": "old", "/secret": "old-secret", "/key": first };
  const { spaceKeys, wrappingKeys } = await openLambda({
    BAGAGE_STORE: `file:${directory}`,
    BAGAGE_PUBLISHER_ACCESS_KEY_PARAMETER: "/access",
    BAGAGE_PUBLISHER_SECRET_KEY_PARAMETER: "/secret",
    BAGAGE_KEY_PARAMETER: "/key",
  });
  expect(await spaceKeys.publisher?.current()).toMatchObject({ secretAccessKey: "old-secret" });
  expect(await wrappingKeys.current()).toEqual(parseWrappingKeys(first));
  expect(spaceKeys.admin).toBeUndefined();
  parameters = { "/access": "new", "/secret": "new-secret", "/key": `${next},${first}` };
  expect(await spaceKeys.publisher?.current()).toMatchObject({ secretAccessKey: "old-secret" });
  await sleep(REFRESH_MS);
  await Promise.all([spaceKeys.publisher?.refresh(), wrappingKeys.refresh()]);
  expect(await spaceKeys.publisher?.current()).toMatchObject({
    accessKeyId: "new",
    secretAccessKey: "new-secret",
  });
  expect(await wrappingKeys.current()).toEqual(parseWrappingKeys(`${next},${first}`));
});
