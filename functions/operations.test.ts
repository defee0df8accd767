/** What an operator's tools are answered, and that nothing else is taken from the process's own paths. */
import type { APIGatewayProxyEventV2, Context } from "aws-lambda";
import { expect, test } from "vitest";
import { createMemoryObjectStore } from "../volume/memory-object-store.ts";
import { notFound, type OperationsPorts, withOperations } from "./operations.ts";

const ports: OperationsPorts = {
  store: createMemoryObjectStore(),
  metrics: { render: async () => "a 1\n", contentType: "text/plain; version=0.0.4" },
  isStopping: () => false,
};
const ask = (path: string, more: Partial<OperationsPorts> = {}, method = "GET") =>
  withOperations({ ...ports, ...more }, notFound)(
    { rawPath: path, requestContext: { http: { method } } } as APIGatewayProxyEventV2,
    {} as Context,
  );

test("a process that runs is healthy, and ready while its store answers and it does not stop", async () => {
  expect(await ask("/health")).toMatchObject({ statusCode: 200 });
  expect(await ask("/ready")).toMatchObject({ statusCode: 200 });
  expect(await ask("/ready", { isStopping: () => true })).toMatchObject({ statusCode: 503 });
  const broken = { ...ports.store, head: () => Promise.reject(new Error("away")) };
  expect(await ask("/ready", { store: broken })).toMatchObject({ statusCode: 503 });
  expect(await ask("/health", { store: broken })).toMatchObject({ statusCode: 200 });
});

test("numbers are given as Prometheus reads them; other paths and methods go on", async () => {
  expect(await ask("/metrics")).toMatchObject({
    statusCode: 200,
    body: "a 1\n",
    headers: { "content-type": "text/plain; version=0.0.4" },
  });
  expect(await ask("/hooks/github/p")).toMatchObject({ statusCode: 404 });
  expect(await ask("/metrics", {}, "POST")).toMatchObject({ statusCode: 404 });
});
