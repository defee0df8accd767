import { expect, test } from "vitest";
import { TerminalError } from "../volume/errors.ts";
import { createLogger } from "./log.ts";

const capture = (secrets: readonly string[] = []) => {
  const lines: string[] = [];
  const logger = createLogger({
    level: "info",
    name: "node",
    secrets: () => secrets,
    destination: { write: (line) => void lines.push(line) },
  });
  return { logger, lines };
};

test("an event is one JSON line with its bound ids", () => {
  const { logger, lines } = capture();
  logger
    .child({ project: "shop", deploy: "d-1", phase: "copying" })
    .info({ revision: 7 }, "copied\n");
  expect(lines).toHaveLength(1);
  expect(lines[0]?.trimEnd()).not.toContain("\n");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: "info",
    name: "node",
    project: "shop",
    deploy: "d-1",
    phase: "copying",
    revision: 7,
    msg: "copied\n",
  });
});

test("53: fields named like secrets, URLs with credentials and known secrets are masked", () => {
  const known = 'k3y"with\\quotes';
  const { logger, lines } = capture([known]);
  const cause = new Error("fetch https://bob:hunter22@git.example/x failed");
  const error = new TerminalError(`denied for ${known}`, {
    code: "denied",
    hint: "check the key",
    data: { webhookSecret: "s-in-data", nested: { accessKeyId: "AKIAX" } },
    cause,
  });
  logger
    .child({ token: "t-in-binding" })
    .error(
      { err: error, headers: { authorization: "Bearer abcdef" }, environment: { A: "db-pass" } },
      `sent ${known} to ssh://deploy:pw@host/`,
    );
  const line = lines[0] ?? "";
  for (const secret of [
    "hunter22",
    "s-in-data",
    "AKIAX",
    "t-in-binding",
    "abcdef",
    "db-pass",
    "deploy:pw",
    "with\\\\quotes",
  ]) {
    expect(line).not.toContain(secret);
  }
  expect(JSON.parse(line)).toMatchObject({
    err: { type: "TerminalError", code: "denied", hint: "check the key" },
  });
});

test("a record that is too deep, too long, cyclic or binary still gives one bounded line", () => {
  const { logger, lines } = capture();
  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  logger.info({ cyclic, many: Array(100_000).fill("x"), bytes: new Uint8Array(1e6) }, "odd");
  expect(lines[0]?.length).toBeLessThan(10_000);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ bytes: "[1000000 bytes]" });
});
