/** What a file may not say: each refusal has its place and its remedy. */
import { describe, expect, test } from "vitest";
import { type DeliverousProblem, parseDeliverous } from "../deliverous.ts";

const problemsOf = (text: string | Uint8Array): readonly DeliverousProblem[] => {
  const parsed = parseDeliverous(text, "Deliverous");
  if (parsed.ok) throw new Error("the file was accepted");
  return parsed.problems;
};

const summaryOf = (text: string | Uint8Array): string[] =>
  problemsOf(text).map(({ line, column, path, message }) => `${line}:${column} ${path} ${message}`);

/** A file of one container; every line of `keys` is one of its keys. */
const container = (keys: string): string =>
  ["web:", "  image: app:1", ...keys.split("\n").map((line) => `  ${line}`)].join("\n");

const volume = (keys: string): string =>
  container(["volumes:", `- { name: data, path: /data, ${keys} }`].join("\n"));

describe("51: refused with line, column and what would be right", () => {
  const cases: readonly (readonly [name: string, text: string, problems: readonly string[]])[] = [
    ["an unknown key", "web:\n  imge: x", ["2:3 web.imge", "1:1 web.image"]],
    [
      "a volume name ../x",
      container("volumes:\n- name: ../x\n  path: /d"),
      ["4:11 web.volumes[0].name"],
    ],
    [
      "a volume name constructor",
      container("volumes: [{ name: constructor, path: /d }]"),
      ["3:21 web.volumes[0].name"],
    ],
    ["duplicate keys", "web:\n  image: a\n  image: b", ["3:3 "]],
    ["a tab", "web:\n\timage: a", ["2:1 "]],
    ["an unknown tag", "web: !x\n  image: a", ["1:6 "]],
    ["two documents", "a: { image: x }\n---\nb: { image: y }", ["2:1 "]],
    ["an empty file", "# nothing\n", ["1:1 "]],
    ["a list", "- image: x", ["1:1 "]],
    ["Compose's own form", "services:\n  web: { image: x }", ["1:1 services"]],
    ["a bad container name", "Web_: { image: x }", ["1:1 Web_"]],
    ["a container without a body", "web:", ["1:5 web"]],
    ["a bare variable in a list", container("environment: [HOME]"), ["3:17 web.environment[0]"]],
    ["a bare variable in a map", container("environment:\n  HOME:"), ["4:10 web.environment.HOME"]],
    ["a variable twice", container("environment: [A=1, A=2]"), ["3:22 web.environment[1]"]],
    [
      "a platform's label",
      container("labels: { bagage.epoch: 1 }"),
      ["3:27 web.labels.bagage.epoch"],
    ],
    ["UDP", container('ports: ["53:53/udp"]'), ["3:11 web.ports[0]"]],
    ["a range of ports", container('ports: ["80-90:80-90"]'), ["3:11 web.ports[0]"]],
    ["a host address", container('ports: ["127.0.0.1:80:80"]'), ["3:11 web.ports[0]"]],
    [
      "port 0 and 65536",
      container("ports: [0, 65536]"),
      ["3:11 web.ports[0]", "3:14 web.ports[1]"],
    ],
    [
      "one host port twice",
      "a: { image: x, ports: [80] }\nb: { image: y, ports: ['80:8080'] }",
      ["2:24 b.ports[0]"],
    ],
    ["a scheme in a domain", container("domains: [https://a.org]"), ["3:13 web.domains[0]"]],
    ["a port in a domain", container("domains: ['a.org:80']"), ["3:13 web.domains[0]"]],
    ["a wildcard", container("domains: ['*.a.org']"), ["3:13 web.domains[0]"]],
    ["a host name of nonsense", container("domains: [a_b]"), ["3:13 web.domains[0]"]],
    ["dots in a domain's path", container("domains: [a.org/../b]"), ["3:13 web.domains[0]"]],
    [
      "a domain's port 0",
      container("domains: [{ domain: a.org, port: 0 }]"),
      ["3:13 web.domains[0]"],
    ],
    ["a domain twice", container("domains: [a.org/x, A.org/x/]"), ["3:22 web.domains[1]"]],
    ["a hold of an hour", container("hold: 1h"), ["3:9 web.hold"]],
    ["a quote left open", container(`command: "echo 'a"`), ["3:12 web.command"]],
    ["an empty command", container("command: []"), ["3:12 web.command"]],
    [
      "a duration without a unit",
      container("stop_grace_period: 30"),
      ["3:22 web.stop_grace_period"],
    ],
    ["no grace at all", container("stop_grace_period: 0s"), ["3:22 web.stop_grace_period"]],
    ["a size of nonsense", container("mem_limit: lots"), ["3:14 web.mem_limit"]],
    ["no processors", container("cpus: 0"), ["3:9 web.cpus"]],
    [
      "a check without a test",
      container("healthcheck: { interval: 5s }"),
      ["3:16 web.healthcheck"],
    ],
    [
      "a check off and on",
      container("healthcheck: { disable: true, test: x }"),
      ["3:16 web.healthcheck"],
    ],
    [
      "a constraint on a role",
      container("deploy: { placement: { constraints: [node.role == x] } }"),
      ["3:40 web.deploy.placement.constraints[0]"],
    ],
    ["replicas", container("deploy: { replicas: 2 }"), ["3:13 web.deploy.replicas"]],
    ["Compose's short volume", container("volumes: [data:/data]"), ["3:13 web.volumes[0]"]],
    ["nothing kept", volume("keep: { last: 0 }"), ["4:38 web.volumes[0].keep"]],
    ["a schedule without every", volume("snapshot: 15m"), ["4:42 web.volumes[0].snapshot"]],
    ["a store that is not S3", volume("from: http://x/y"), ["4:38 web.volumes[0].from"]],
    ["an image with a space", "web: { image: a b }", ["1:15 web.image"]],
    ["an image that looks like an option", "web: { image: --privileged }", ["1:15 web.image"]],
  ];

  test.for(cases)("51: %s", ([, text, problems]) => {
    const found = problemsOf(text);
    expect(found.map(({ line, column, path }) => `${line}:${column} ${path}`).sort()).toEqual(
      [...problems].sort(),
    );
    for (const { message, remedy } of found) {
      expect(message).not.toBe("");
      expect(remedy).not.toBe("");
    }
  });

  test.for([
    "/",
    "/proc",
    "/sys/fs",
    "/dev",
    "/dev/shm",
    "/etc",
    "relative",
    "a/../b",
    "/a/../b",
    "/a//b",
    "/./a",
    "''",
  ])("the path %s", (path) => {
    const text = container(`volumes:\n- name: data\n  path: ${path}`);
    expect(problemsOf(text).map((problem) => problem.path)).toEqual(["web.volumes[0].path"]);
  });

  test("a trailing slash is no fault", () => {
    const text = container("volumes: [{ name: data, path: /data/ }]");
    expect(parseDeliverous(text, "Deliverous")).toMatchObject({
      spec: { containers: { web: { volumes: [{ path: "/data" }] } } },
    });
  });

  test("two volumes on one path, nested mounts, one volume twice", () => {
    const mounts = (...mounted: string[]): string =>
      container(`volumes: [${mounted.map((mount) => `{ name: ${mount} }`).join(", ")}]`);
    expect(summaryOf(mounts("a, path: /d", "b, path: /d"))[0]).toContain(
      "is mounted at /d already",
    );
    expect(summaryOf(mounts("a, path: /d", "b, path: /d/e"))[0]).toContain("are nested");
    expect(summaryOf(mounts("a, path: /d/e", "b, path: /d"))[0]).toContain("are nested");
    expect(summaryOf(mounts("a, path: /d", "a, path: /e"))[0]).toContain(
      "is mounted at /d already",
    );
    expect(parseDeliverous(mounts("a, path: /d", "b, path: /dd"), "Deliverous").ok).toBe(true);
  });

  test("bytes that are not UTF-8, with their place", () => {
    const bytes = Uint8Array.from([...Buffer.from("web:\n  image: a"), 0xff, 0xfe]);
    expect(summaryOf(bytes)).toEqual(["2:11  the file is not UTF-8 here"]);
  });

  test("10 MB, 65 containers, 65 volumes", () => {
    expect(summaryOf("#".repeat(10_000_000))[0]).toContain("10000000 bytes");
    const many = Array.from({ length: 65 }, (_, index) => `c${index}: { image: x }`).join("\n");
    expect(summaryOf(many)).toEqual(["65:1 c64 a project has at most 64 containers"]);
    const volumes = Array.from(
      { length: 65 },
      (_, index) => `- { name: v${index}, path: /v${index} }`,
    );
    expect(summaryOf(container(["volumes:", ...volumes].join("\n")))).toEqual([
      "68:13 web.volumes[64].name a project has at most 64 volumes",
    ]);
  });

  test("alias bombs, endless aliases, and nothing but brackets", () => {
    const levels = Array.from({ length: 9 }, (_, index) => {
      const inner = Array.from({ length: 9 }, () => (index === 0 ? "lol" : `*a${index - 1}`));
      return `a${index}: &a${index} [${inner.join(", ")}]`;
    });
    const wide = `a: &a [${"x,".repeat(50_000)}]\nb: [${"*a,".repeat(100)}]`;
    for (const text of [
      levels.join("\n"),
      wide,
      "a: &a [*a, *a]",
      "[".repeat(200_000),
      "{".repeat(200_000),
    ]) {
      expect(summaryOf(text)).toEqual([
        "1:1  the file is nested too deeply, or its aliases stand for too much",
      ]);
    }
  });
});

test.for([
  ["web:\n  image: [unclosed\n  command: x\n", "2:10", "[", "]"],
  ["web: { image: x\n", "1:6", "{", "}"],
  ["web:\n  image: x\n  ports: [[80]\n", "3:10", "[", "]"],
] as const)(
  "an unclosed bracket is named where it opens: %j",
  ([text, place, opening, closing]) => {
    expect(summaryOf(text)).toEqual([`${place}  the bracket ${opening} is not closed`]);
    expect(problemsOf(text)[0]?.remedy).toBe(`add ${closing} where it ends`);
  },
);
