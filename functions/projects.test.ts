/** A project's webhook secret, and its successors. */
import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { openProjectRecords } from "../adapters/project-records.ts";
import { createMemoryObjectStore } from "../volume/memory-object-store.ts";
import { ProjectId } from "../workflows/ids.ts";
import {
  addProject,
  findPushProject,
  listProjects,
  replaceSecret,
  unknownProject,
} from "./projects.ts";

const signal = new AbortController().signal;
const project = ProjectId.parse("shop");
const SETTINGS = {
  ...{ repository: "r", ref: "refs/heads/main", file: "Deliverous" },
  ...{ nodes: [], constraints: [] },
};
const FIRST = "the-first-of-them-all";

const open = async () => {
  const store = createMemoryObjectStore();
  const records = openProjectRecords({ store, nowMs: () => 0, newUuid: randomUUID });
  await addProject({ store, records }, project, SETTINGS, FIRST, signal);
  return { store, records };
};
const replace = { secret: undefined, endOld: false };

test("a new secret is good at once, and the one before it still", async () => {
  const ports = await open();
  const { webhookSecret } = await replaceSecret(ports, project, replace, signal);
  const good = (await findPushProject(ports, project, signal))?.webhookSecrets;
  expect(good).toEqual([webhookSecret, FIRST]);
});

test("old secrets end when they are told to, or with the second successor", async () => {
  const ports = await open();
  const second = await replaceSecret(ports, project, replace, signal);
  const third = await replaceSecret(ports, project, replace, signal);
  const good = async () => (await findPushProject(ports, project, signal))?.webhookSecrets;
  expect(await good()).toEqual([third.webhookSecret, second.webhookSecret]);
  const kept = { secret: third.webhookSecret, endOld: true };
  await replaceSecret(ports, project, kept, signal);
  expect(await good()).toEqual([third.webhookSecret]);
});

test("a project that does not exist gets no secret", async () => {
  const ports = await open();
  await expect(
    replaceSecret(ports, ProjectId.parse("nobody"), replace, signal),
  ).rejects.toMatchObject({ code: "unknown-project" });
});

test("an unknown project's hint is the name that was probably meant", async () => {
  const { store } = await open();
  const misspelt = ProjectId.parse("shpo");
  expect((await unknownProject(store, misspelt, signal)).hint).toMatch(/^did you mean shop\?/);
  const other = await unknownProject(store, ProjectId.parse("wiki"), signal);
  expect(other.hint).toBe("bagage project add wiki --repository URL");
});

test("projects are listed by name, with what they follow and their last deploy", async () => {
  const ports = await open();
  const other = ProjectId.parse("blog");
  await addProject(ports, other, { ...SETTINGS, ref: "refs/heads/next" }, undefined, signal);
  expect(await listProjects(ports, signal)).toEqual([
    { project: "blog", repository: "r", ref: "refs/heads/next", deploy: null },
    { project: "shop", repository: "r", ref: "refs/heads/main", deploy: null },
  ]);
});
