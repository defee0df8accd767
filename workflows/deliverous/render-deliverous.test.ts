import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { ProjectSpec } from "../container-spec.ts";
import { parseDeliverous } from "../deliverous.ts";
import { renderDeliverous } from "./render-deliverous.ts";

const name = fc
  .stringMatching(/^[a-z][a-z0-9_-]{0,10}[a-z0-9]$/)
  .filter((id) => id !== "constructor");
/** Anything that a person may type, with what YAML, shells and Compose take for something else. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }).map((value) => value.replaceAll("\0", "")),
  fc.constantFrom(
    "yes",
    "1.10",
    "null",
    "~",
    "# no",
    "a: b",
    "$HOME",
    "$$",
    "'\"\\",
    " x ",
    "\n",
    "",
  ),
);
const variable = fc
  .stringMatching(/^[A-Za-z_][A-Za-z0-9_.]{0,8}$/)
  .filter((key) => key !== "__proto__");
const words = fc.tuple(
  text.filter((word) => word !== ""),
  fc.array(text, { maxLength: 3 }),
);
const command = words.map(([first, rest]) => [first, ...rest]);
const durationMs = fc.integer({ min: 1, max: 3_600_000 });
const count = fc.integer({ min: 0, max: 200 });
const segment = fc.stringMatching(/^[A-Za-z0-9_@ -]{1,8}$/);

const optional = <T>(key: string, arbitrary: fc.Arbitrary<T>) =>
  fc
    .option(arbitrary, { nil: undefined })
    .map((value) => (value === undefined ? {} : { [key]: value }));

const merged = (...parts: fc.Arbitrary<object>[]): fc.Arbitrary<object> =>
  fc.tuple(...parts).map((objects) => Object.assign({}, ...objects));

const containerFields = merged(
  fc
    .stringMatching(/^[a-z0-9.]{1,8}(\/[a-z]{1,5})?(:[a-z0-9]{1,5})?$/)
    .map((image) => ({ image: `a${image}` })),
  optional("command", command),
  optional("entrypoint", command),
  fc.dictionary(variable, text).map((environment) => ({ environment })),
  fc
    .dictionary(
      variable.filter((key) => !key.startsWith("bagage.")),
      text,
    )
    .map((labels) => ({ labels })),
  optional("user", fc.constantFrom("1000", "app", "1000:1000")),
  optional("memLimitBytes", fc.integer({ min: 6 * 2 ** 20, max: 2 ** 40 })),
  optional("cpus", fc.constantFrom(0.01, 0.5, 2, 64)),
  optional("holdMs", fc.integer({ min: 0, max: 600_000 })),
  durationMs.map((stopGracePeriodMs) => ({ stopGracePeriodMs })),
  optional(
    "healthcheck",
    fc.record({
      test: fc.oneof(
        fc.constant(["NONE"]),
        command.map((list) => ["CMD", `x${list[0]}`, ...list]),
      ),
      intervalMs: durationMs,
      timeoutMs: durationMs,
      retries: fc.integer({ min: 1, max: 1_000 }),
      startPeriodMs: count,
    }),
  ),
  fc
    .array(
      fc.record({
        key: fc.stringMatching(/^[A-Za-z]([A-Za-z_.-]{0,4}[A-Za-z])?$/),
        subject: fc.constant("label"),
        operator: fc.constantFrom("==", "!="),
        value: fc.stringMatching(/^[a-z0-9_.]{1,6}$/),
      }),
      { maxLength: 3 },
    )
    .map((constraints) => ({ constraints })),
);

const volumeSettings = merged(
  fc.constantFrom("wait", "restore").map((onNodeLoss) => ({ onNodeLoss })),
  optional("maxPauseMs", durationMs),
  optional("snapshotEveryMs", fc.integer({ min: 1_000, max: 86_400_000 })),
  optional(
    "keep",
    fc
      .record({ last: count, hourly: count, daily: count, weekly: count, monthly: count })
      .filter((keep) => Object.values(keep).some((kept) => kept > 0)),
  ),
  optional("publish", fc.constant("s3")),
  optional("standby", fc.integer({ min: 1, max: 3 })),
  optional("from", fc.constantFrom("s3://bucket", "s3://bucket/a b/c")),
);

const commands = fc.record({ beforeSnapshot: command, beforeCopy: command }, { requiredKeys: [] });

/** Containers share volumes; each volume's mount path follows from its place in the list. */
const project: fc.Arbitrary<ProjectSpec> = fc
  .record({
    containers: fc.uniqueArray(fc.tuple(name, containerFields), {
      selector: ([key]) => key,
      minLength: 1,
      maxLength: 4,
    }),
    volumes: fc.uniqueArray(fc.tuple(name, volumeSettings, segment, commands), {
      selector: ([key]) => key,
      maxLength: 3,
    }),
    ports: fc.uniqueArray(fc.integer({ min: 1, max: 65_535 }), { maxLength: 4 }),
    readOnly: fc.boolean(),
  })
  .map(({ containers, volumes, ports, readOnly }) => {
    const users = containers.map(([key]) => key);
    const mounts = volumes.map(([volume, , part], index) => ({
      name: volume,
      path: `/data/${index}/${part.trim() || "x"}`,
      readOnly: false,
    }));
    const specs = containers.map(([key, fields], index) => {
      const port = ports[index];
      const mapping = { hostPort: port, containerPort: 80, protocol: "tcp" };
      const own = mounts.map((mount) => ({ ...mount, readOnly: readOnly && index > 0 }));
      const domain = { host: `${index}.example.org`, path: "/api/v1", containerPort: 3_000 };
      const domains = index > 0 ? { domains: [domain, { ...domain, path: "/" }] } : {};
      const published = port === undefined ? [] : [mapping];
      const access = index > 1 ? { s3: true } : {};
      return [key, { ...fields, ...domains, ...access, ports: published, volumes: own }];
    });
    const settings = volumes.map(([volume, fields, , hooks]) => {
      const places = Object.keys(hooks).map((key) => [`${key}In`, users[0]]);
      return [volume, { ...fields, ...hooks, ...Object.fromEntries(places) }];
    });
    return {
      containers: Object.fromEntries(specs),
      volumes: Object.fromEntries(settings),
    } as ProjectSpec;
  });

test("what is rendered parses to the same project", () => {
  fc.assert(
    fc.property(project, (spec) => {
      const parsed = parseDeliverous(renderDeliverous(spec), "Deliverous");
      expect(parsed).toEqual({ ok: true, spec });
    }),
    { numRuns: 200 },
  );
});

test("garbage never throws, and each problem has a place in the file", () => {
  const piece = fc.constantFrom(
    "a",
    "web:",
    "\n",
    "\n  ",
    "\t",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ": ",
    ",",
    "&x ",
    "*x",
    "<<: *x",
    "!t ",
    "|",
    ">",
    "'",
    '"',
    "#",
    "---\n",
    "? ",
    "image: x",
    "volumes:",
    "path: /x",
    "name: v",
    "%YAML 1.1\n",
    "\u0000",
    "\uFEFF",
    "$",
    "$$",
    "é",
  );
  const soup = fc
    .array(fc.oneof(piece, fc.string({ unit: "binary", maxLength: 3 })))
    .map((list) => list.join(""));
  const given = fc.oneof(fc.uint8Array({ maxLength: 200 }), soup);
  fc.assert(
    fc.property(given, (file) => {
      const parsed = parseDeliverous(file, "Deliverous");
      if (parsed.ok) return;
      expect(parsed.problems.length).toBeGreaterThan(0);
      for (const { line, column, message, remedy } of parsed.problems) {
        expect(line).toBeGreaterThanOrEqual(1);
        expect(column).toBeGreaterThanOrEqual(1);
        expect(message.length * remedy.length).toBeGreaterThan(0);
      }
    }),
    { numRuns: 2_000 },
  );
});
