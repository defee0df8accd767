import { expect, test } from "vitest";
import { createMemoryObjectStore } from "../../volume/memory-object-store.ts";
import { begin, running, two } from "../../workflows/deploy/given-deploys.ts";
import { findDeploySpace } from "./find-deploy-space.ts";
import { Space, saveSpace } from "./space.ts";

const { signal } = new AbortController();

test("a deploy that found no bucket asks once; the next one sees that there is one by now", async () => {
  const memory = createMemoryObjectStore();
  let gets = 0;
  const store = {
    ...memory,
    get: (...of: Parameters<typeof memory.get>) => {
      gets += 1;
      return memory.get(...of);
    },
  };
  const ports = { store, withoutSpace: new Map() };
  const first = begin(running, "second", "b", two);
  expect(await findDeploySpace(ports, first, signal)).toBeNull();
  const space = { bucket: "b", user: "u", endpoint: "http://e", region: "r", keys: [] };
  await saveSpace({ store }, running.project, Space.parse({ ...space, container: null }), signal);
  expect(await findDeploySpace(ports, first, signal)).toBeNull();
  expect(gets).toBe(1);
  expect(await findDeploySpace(ports, begin(running, "third", "c", two), signal)).toMatchObject(
    space,
  );
});
