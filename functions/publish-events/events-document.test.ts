/** The published schema is the one that events are parsed with, and every type is explained. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import * as z from "zod";
import { ProjectEvent } from "../../workflows/events/project-event.ts";
import { CloudEvent } from "./cloud-event.ts";

test("docs/events.schema.json is what events are", async () => {
  const { $schema, ...schema } = z.toJSONSchema(CloudEvent, { io: "output" });
  const described = { $schema, title: "Events of a bagage project", ...schema };
  const text = `${JSON.stringify(described, null, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../../docs/events.schema.json");
});

test("docs/events.md explains every type", () => {
  const document = readFileSync(new URL("../../docs/events.md", import.meta.url), "utf8");
  const types = ProjectEvent.options.map(({ shape }) => shape.type.value);
  expect(types.filter((type) => !document.includes(`| \`${type}\` |`))).toEqual([]);
});
