/** The published documents say what the parser does. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseDeliverous } from "../deliverous.ts";
import { renderJsonSchema } from "./json-schema.ts";
import { EXAMPLES, KEYS } from "./vocabulary.ts";

const reference = readFileSync("docs/deliverous.md", "utf8");

test("every example in the reference is a right file", () => {
  const examples = [...reference.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => `${match[1]}`);
  expect(examples.length).toBeGreaterThan(4);
  for (const example of examples) {
    expect(parseDeliverous(example, "Deliverous")).toMatchObject({ ok: true });
  }
});

test("every key is in the reference, and has an example", () => {
  for (const [place, keys] of Object.entries(KEYS)) {
    for (const key of keys) {
      expect(reference).toMatch(new RegExp(`[\`.]${key}\\b`));
      expect(EXAMPLES).toHaveProperty([place === "" ? key : `${place}.${key}`]);
    }
  }
});

/** `vitest -u` writes the published schema anew. */
test("the published JSON Schema is the parser's", async () => {
  await expect(renderJsonSchema()).toMatchFileSnapshot("../../docs/deliverous.schema.json");
});
