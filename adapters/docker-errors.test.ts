/** What is said when no engine answers. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { connectDocker } from "./docker-engine.ts";
import { isLeftover, translateEngineError } from "./docker-errors.ts";

test("an engine that can't be reached is named by the socket that was tried, with a remedy", async () => {
  const directory = mkdtempSync(join(tmpdir(), "docker-errors-"));
  const socketPath = join(directory, "none.sock");
  try {
    await expect(
      connectDocker({ socketPath }).ping(AbortSignal.timeout(60_000)),
    ).rejects.toMatchObject({
      code: "docker-unreachable",
      message: expect.stringContaining(socketPath),
      hint: expect.stringMatching(/systemctl status docker.*BAGAGE_DOCKER_SOCKET/),
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a socket that may not be opened is named as well", () => {
  const denied = Object.assign(new Error("connect"), { code: "EACCES", address: "/run/d.sock" });
  expect(translateEngineError("ping", denied)).toMatchObject({
    code: "docker-denied",
    message: expect.stringContaining("/run/d.sock"),
  });
});

test("a container whose start the engine did not survive is told from other failures", () => {
  const failed = (message: string) => Object.assign(new Error(message), { statusCode: 500 });
  const inUse = "(HTTP code 500) server error - id already in use ";
  const task = `task ${"7d8e".repeat(16)}: already exists`;
  expect(isLeftover(translateEngineError("start web", failed(task)))).toBe(true);
  expect(isLeftover(translateEngineError("start web", failed(inUse)))).toBe(true);
  expect(isLeftover(translateEngineError("start web", failed("out of memory")))).toBe(false);
});
