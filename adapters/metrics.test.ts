/** What a process tells Prometheus, from what passed through it. */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as z from "zod";
import { RetryableError } from "../volume/errors.ts";
import { createMemoryObjectStore } from "../volume/memory-object-store.ts";
import { begin, one, start, until } from "../workflows/deploy/given-deploys.ts";
import { meterStore } from "./meter-store.ts";
import { createMetrics } from "./metrics.ts";
import { openProjectRecords } from "./project-records.ts";

const signal = new AbortController().signal;

/** The samples whose name and labels contain all of the words. */
const samples = async (metrics: ReturnType<typeof createMetrics>, ...words: string[]) =>
  (await metrics.render())
    .split("\n")
    .filter((line) => !line.startsWith("#") && words.every((word) => line.includes(word)));
const sampleValue = (line: string | undefined) => Number(line?.split(" ").at(-1));

test("store calls are counted by operation and outcome, and their results are the store's own", async () => {
  const metrics = createMetrics();
  const memory = createMemoryObjectStore();
  const busy = async () => {
    throw new RetryableError("slow down", { code: "store-busy" });
  };
  const store = meterStore({ ...memory, head: busy }, metrics.storeCalled);
  await store.put("a/1", Buffer.from("x"), {}, signal);
  expect(await store.put("a/1", Buffer.from("y"), { ifAbsent: true }, signal)).toBe("exists");
  expect(await store.get("a/1", signal)).toEqual(await memory.get("a/1", signal));
  const keys: string[] = [];
  for await (const { key } of store.list("a/", signal)) keys.push(key);
  expect(keys).toEqual(["a/1"]);
  await expect(store.head("a/1", signal)).rejects.toThrow("slow down");
  for (const operation of ["put", "create", "get", "list"]) {
    const [line] = await samples(metrics, "request_seconds_count", `operation="${operation}"`);
    expect(line).toContain('outcome="ok"');
    expect(sampleValue(line)).toBe(1);
  }
  expect(await samples(metrics, "request_seconds_count", 'outcome="store-busy"')).toHaveLength(1);
});

test("a deploy that ends is counted with its result and its phases, once", async () => {
  const metrics = createMetrics();
  const chain = openProjectRecords({
    store: createMemoryObjectStore(),
    nowMs: () => 0,
    newUuid: randomUUID,
  });
  const records = metrics.meterRecords(chain);
  const added = await records.save(start.project, null, start, signal);
  const begun = await records.save(start.project, added, begin(start, "first", "a", one), signal);
  expect(await samples(metrics, "bagage_deploys_total{")).toEqual([]);
  const ended = until(begun.state, null);
  const saved = await records.save(start.project, begun, ended, signal);
  await records.save(start.project, saved, ended, signal);
  const [deployed] = await samples(metrics, "bagage_deploys_total{");
  expect(deployed).toBe('bagage_deploys_total{result="deployed"} 1');
  expect(await samples(metrics, "phase_seconds_count", 'phase="starting"')).toHaveLength(1);
});

test("bytes of volumes, queue lag and caches are told", async () => {
  const metrics = createMetrics();
  metrics.volumeMoved("fetched", 5);
  metrics.volumeMoved("fetched", 7);
  metrics.messageTaken("control", 1_500);
  metrics.queueCalled("SendMessageBatch");
  metrics.watchCaches(async () => 99);
  expect(sampleValue((await samples(metrics, "volume_bytes_total", "fetched"))[0])).toBe(12);
  expect(sampleValue((await samples(metrics, "queue_lag_seconds_sum"))[0])).toBe(1.5);
  expect(sampleValue((await samples(metrics, "queue_requests_total", "SendMess"))[0])).toBe(1);
  expect(await samples(metrics, "bagage_cache_bytes")).toEqual(["bagage_cache_bytes 99"]);
});

const Dashboard = z.object({
  uid: z.string(),
  panels: z.array(
    z.object({
      id: z.int(),
      title: z.string(),
      gridPos: z.object({ h: z.int(), w: z.int(), x: z.int(), y: z.int() }),
      targets: z.array(z.object({ refId: z.string(), expr: z.string() })).min(1),
    }),
  ),
});

test("the dashboard asks for nothing that is not told, and shows all that is", async () => {
  const file = new URL("../infra/grafana/bagage.json", import.meta.url);
  const { panels } = Dashboard.parse(JSON.parse(readFileSync(file, "utf8")));
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const metrics = createMetrics();
  metrics.watchCaches(async () => 0);
  const told = [...(await metrics.render()).matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
  const asked = new Set(
    panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) =>
        [...expr.matchAll(/bagage_\w+/g)].map(([name]) =>
          name.replace(/_(?:bucket|count|sum)$/, ""),
        ),
      ),
    ),
  );
  expect([...asked].filter((name) => !told.includes(name))).toEqual([]);
  const own = told.filter((name) => !/^bagage_(?:process|nodejs)_/.test(name ?? ""));
  expect(own.filter((name) => !asked.has(name ?? ""))).toEqual([]);
});
