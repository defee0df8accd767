/** What an edge tells its Caddy, whichever that is. */
import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino from "pino";
import { expect, onTestFinished, test } from "vitest";
import type { CaddyAdmin } from "../../adapters/caddy-admin.ts";
import { openProjectRecords } from "../../adapters/project-records.ts";
import { routedKey } from "../../adapters/store-keys.ts";
import { TerminalError } from "../../volume/errors.ts";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import { NOW, running, WEB } from "../../workflows/deploy/given-deploys.ts";
import { NodeId } from "../../workflows/ids.ts";
import type { ContainerState, ProjectState } from "../../workflows/record.ts";
import { createEdge } from "./run-edge.ts";

const web = running.containers[WEB] as ContainerState;
const domains = [{ host: "a.org", path: "/", containerPort: 80 }];
const state: ProjectState = {
  ...running,
  containers: { [WEB]: { ...web, spec: { ...web.spec, domains } } },
};

const openEdge = async (caddy: CaddyAdmin) => {
  const directory = mkdtempSync(join(tmpdir(), "bagage-edge-"));
  const control = new AbortController();
  onTestFinished(() => {
    control.abort();
    rmSync(directory, { recursive: true });
  });
  const { signal } = control;
  const nowMs = () => NOW;
  const store = createMemoryObjectStore();
  const records = openProjectRecords({ store, nowMs, newUuid: randomUUID });
  await records.save(state.project, null, state, signal);
  await store.put(routedKey(state.project), Buffer.from("{}"), {}, signal);
  const edge = createEdge(
    {
      ...{ edge: NodeId.parse("e"), version: "0", caddy, directory, bind: null },
      ports: { store, records, nowMs, log: pino({ level: "silent" }) },
      caddySettings: { httpPort: 80, httpsPort: 443, tls: "off" },
      sleep: async () => undefined,
    },
    signal,
  );
  await edge.begin();
};

/** A Caddy that remembers what it was given. */
const caddyOf = (isOld: boolean) => {
  const told: string[] = [];
  const admin: CaddyAdmin = {
    listServers: async () => [],
    setApps: async (apps) => {
      const text = JSON.stringify(apps);
      if (isOld && text.includes("stream_close_delay")) {
        throw new TerminalError("unknown field", { code: "caddy-old" });
      }
      told.push(text);
    },
  };
  return { admin, told };
};

test("a Caddy that can is told to keep streams", async () => {
  const { admin, told } = caddyOf(false);
  await openEdge(admin);
  expect(told).toEqual([expect.stringContaining("stream_close_delay")]);
});

test("an older one serves the same names without", async () => {
  const { admin, told } = caddyOf(true);
  await openEdge(admin);
  expect(told).toEqual([expect.stringContaining("a.org")]);
});
