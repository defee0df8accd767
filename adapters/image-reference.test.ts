import fc from "fast-check";
import { expect, test } from "vitest";
import { formatImageReference, parseImageReference } from "./image-reference.ts";

const DIGEST = `sha256:${"0a".repeat(32)}`;

test.for([
  ["monimage", "docker.io", "monimage:latest"],
  ["web:1.4", "docker.io", "web:1.4"],
  ["team/web", "docker.io", "team/web:latest"],
  ["localhost/web", "localhost", "localhost/web:latest"],
  ["localhost:5000/web", "localhost:5000", "localhost:5000/web:latest"],
  ["registry.example/a/b:v_1", "registry.example", "registry.example/a/b:v_1"],
  [`web:1@${DIGEST}`, "docker.io", `web@${DIGEST}`],
] as const)("%s is at %s and means %s", ([text, registry, formatted]) => {
  const reference = parseImageReference(text);
  expect(formatImageReference(reference)).toBe(formatted);
  expect(reference).toMatchObject({ registry });
});

test("an image id names a local image only", () => {
  expect(parseImageReference(DIGEST)).toEqual({ kind: "id", id: DIGEST });
});

test.for([
  "",
  "Web",
  "web:",
  "web:-x",
  "a//b",
  "-x",
  "web latest",
  "web@sha256:12",
  "../web",
  "x\n",
])("%j is refused", (text) => {
  expect(() => parseImageReference(text)).toThrow(/not an image name/);
});

test("what is formatted parses to the same", () => {
  const component = fc.stringMatching(/^[a-z0-9]{1,8}$/);
  fc.assert(
    fc.property(
      fc.array(component, { minLength: 1, maxLength: 3 }),
      fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/),
      (path, tag) => {
        const reference = parseImageReference(`${path.join("/")}:${tag}`);
        expect(parseImageReference(formatImageReference(reference))).toEqual(reference);
      },
    ),
  );
});
