import { expect, test } from "vitest";
import type { StopOutcome } from "../../adapters/docker-engine.ts";
import { stopContainer } from "./stop-container.ts";

const never = new AbortController().signal;

const begin = () => {
  const engine = Promise.withResolvers<StopOutcome>();
  const kernel = Promise.withResolvers<boolean>();
  let nowMs = 0;
  const stopping = stopContainer(
    {
      docker: { stopContainer: () => engine.promise } as never,
      processesGone: () => kernel.promise,
      nowMs: () => nowMs,
    },
    "web",
    1_000,
    never,
  );
  const at = (ms: number) => {
    nowMs = ms;
  };
  return { engine, kernel, stopping, at };
};

test("what the kernel says counts for writers, what the engine says for the outcome", async () => {
  const { engine, kernel, stopping, at } = begin();
  at(40);
  kernel.resolve(true);
  await stopping.gone;
  at(130);
  engine.resolve({ stopped: "killed", exitCode: 137 });
  expect(await stopping.confirmed).toEqual({ stoppedAtMs: 40, stopped: "killed" });
});

test("where the processes can't be seen, or the look fails, the engine's word is waited for", async () => {
  for (const look of ["unseen", "failed"]) {
    const { engine, kernel, stopping, at } = begin();
    let isGone = false;
    void stopping.gone.then(() => {
      isGone = true;
    });
    if (look === "unseen") kernel.resolve(false);
    else kernel.reject(new Error("no /proc"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isGone).toBe(false);
    at(130);
    engine.resolve({ stopped: "clean", exitCode: 0 });
    expect(await stopping.confirmed).toEqual({ stoppedAtMs: 130, stopped: "clean" });
  }
});

test("an engine that fails is heard of, whatever the kernel says", async () => {
  const { engine, kernel, stopping } = begin();
  kernel.resolve(true);
  engine.reject(new Error("engine away"));
  await expect(stopping.confirmed).rejects.toThrow("engine away");
});
