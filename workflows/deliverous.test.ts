import { describe, expect, test } from "vitest";
import { ProjectSpec } from "./container-spec.ts";
import { type DeliverousProblem, parseDeliverous } from "./deliverous.ts";

const parse = (text: string | Uint8Array): ProjectSpec => {
  const parsed = parseDeliverous(text, "Deliverous");
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems, null, 1));
  expect(ProjectSpec.safeParse(parsed.spec).error).toBeUndefined();
  return parsed.spec;
};

const problemsOf = (text: string | Uint8Array): readonly DeliverousProblem[] => {
  const parsed = parseDeliverous(text, "Deliverous");
  if (parsed.ok) throw new Error("the file was accepted");
  return parsed.problems;
};

/** `line:column path message`, for short expectations. */
const summaryOf = (text: string | Uint8Array): string[] =>
  problemsOf(text).map(({ line, column, path, message }) => `${line}:${column} ${path} ${message}`);

/** A file of one container; every line of `keys` is one of its keys. */
const container = (keys: string): string =>
  ["web:", "  image: app:1", ...keys.split("\n").map((line) => `  ${line}`)].join("\n");

const volume = (keys: string): string =>
  container(["volumes:", `- { name: data, path: /data, ${keys} }`].join("\n"));

test("the contract's form is read as it stands, with its eight spaces", () => {
  const text = [
    "conteneur:",
    "        image: monimage",
    "        volumes:",
    "        - name: mes_data",
    "          path: /var/lib/data",
    "",
  ].join("\n");
  expect(parse(text)).toEqual({
    containers: {
      conteneur: {
        image: "monimage",
        environment: {},
        ports: [],
        stopGracePeriodMs: 30_000,
        labels: {},
        constraints: [],
        volumes: [{ name: "mes_data", path: "/var/lib/data", readOnly: false }],
      },
    },
    volumes: { mes_data: { onNodeLoss: "wait" } },
  });
  expect(parse(`\uFEFF${text}`)).toEqual(parse(text));
  expect(parse(new TextEncoder().encode(`\uFEFF${text}`))).toEqual(parse(text));
  expect(parse(text.replaceAll("\n", "\r\n"))).toEqual(parse(text));
});

test("every key of a container has Compose's meaning", () => {
  const text = container(`command: sh -c 'echo "a b"' c\\ d ""
entrypoint: ["/bin/app", "-v"]
environment: [LANG=C.UTF-8, EMPTY=, "SUM=a=b"]
ports: ["8080:80", "443", 25, "53:53/tcp", { target: 90, published: "9090" }]
user: 1000
healthcheck: { test: curl -f localhost, interval: 1m30s, timeout: 1.5s, retries: 2, start_period: 0s }
stop_grace_period: 2m
domains: [Example.org, "example.org/api/", { domain: app.example.org, port: 3000 }]
hold: 10s
labels: [team=web, bare]
mem_limit: 1.5gb
cpus: "0.5"
deploy: { placement: { constraints: ["node.labels.zone == eu", "node.id!=n3"] } }`);
  expect(parse(text).containers).toMatchObject({
    web: {
      command: ["sh", "-c", 'echo "a b"', "c d", ""],
      entrypoint: ["/bin/app", "-v"],
      environment: { LANG: "C.UTF-8", EMPTY: "", SUM: "a=b" },
      ports: [
        { hostPort: 8080, containerPort: 80, protocol: "tcp" },
        { hostPort: 443, containerPort: 443, protocol: "tcp" },
        { hostPort: 25, containerPort: 25, protocol: "tcp" },
        { hostPort: 53, containerPort: 53, protocol: "tcp" },
        { hostPort: 9090, containerPort: 90, protocol: "tcp" },
      ],
      user: "1000",
      healthcheck: {
        test: ["CMD-SHELL", "curl -f localhost"],
        intervalMs: 90_000,
        timeoutMs: 1_500,
        retries: 2,
        startPeriodMs: 0,
      },
      stopGracePeriodMs: 120_000,
      domains: [
        { host: "example.org", path: "/", containerPort: 80 },
        { host: "example.org", path: "/api", containerPort: 80 },
        { host: "app.example.org", path: "/", containerPort: 3_000 },
      ],
      holdMs: 10_000,
      labels: { team: "web", bare: "" },
      memLimitBytes: 1.5 * 1024 ** 3,
      cpus: 0.5,
      constraints: [
        { subject: "label", key: "zone", operator: "==", value: "eu" },
        { subject: "id", key: "id", operator: "!=", value: "n3" },
      ],
    },
  });
});

test("every key of a volume", () => {
  const text = volume(
    `snapshot: every 15m, keep: { last: 3, daily: 7 }, before_snapshot: app flush, publish: s3,
      before_copy: [app, checkpoint], from: s3://bucket/a b, on_node_loss: restore, max_pause: 5s, standby: 1`,
  );
  expect(parse(text).volumes).toEqual({
    data: {
      snapshotEveryMs: 900_000,
      keep: { last: 3, hourly: 0, daily: 7, weekly: 0, monthly: 0 },
      beforeSnapshot: ["app", "flush"],
      beforeSnapshotIn: "web",
      beforeCopy: ["app", "checkpoint"],
      beforeCopyIn: "web",
      publish: "s3",
      from: "s3://bucket/a b",
      onNodeLoss: "restore",
      maxPauseMs: 5_000,
      standby: 1,
    },
  });
});

test("variables and labels keep the text that was written", () => {
  const { containers } = parse(
    container("environment: { A: 1.10, B: 0x1F, C: yes, D: true, E: 1e3 }\nlabels: { v: 2.0 }"),
  );
  expect(Object.values(containers)[0]).toMatchObject({
    environment: { A: "1.10", B: "0x1F", C: "yes", D: "true", E: "1e3" },
    labels: { v: "2.0" },
  });
});

test("a dollar is doubled, as in Compose, and a variable is refused where it stands", () => {
  expect(parse(container("command: echo $$HOME")).containers).toMatchObject({
    web: { command: ["echo", "$HOME"] },
  });
  const text = container("environment:\n  TOKEN: $SECRET\n  PRICE: 5$");
  expect(summaryOf(text)).toEqual([
    "4:12 web.environment.TOKEN $SECRET is a variable, and there is no environment to take it from",
    "5:12 web.environment.PRICE $ is a variable, and there is no environment to take it from",
  ]);
});

test("anchors and merge keys are read", () => {
  const text =
    "a: &base\n  image: app:1\n  environment: { A: b }\nb:\n  <<: *base\n  command: worker";
  expect(parse(text).containers).toMatchObject({
    a: { image: "app:1", environment: { A: "b" } },
    b: { image: "app:1", environment: { A: "b" }, command: ["worker"] },
  });
});

describe("two containers and one volume", () => {
  const two = (first: string, second: string): string =>
    `a: { image: x, volumes: [{ name: v, path: /v${first} }] }
b: { image: y, volumes: [{ name: v, path: /w${second} }] }`;

  test("a setting may be given by one, or by both alike", () => {
    expect(parse(two(", keep: { last: 2, daily: 1 }", ", max_pause: 5s")).volumes).toEqual({
      v: {
        onNodeLoss: "wait",
        keep: { last: 2, hourly: 0, daily: 1, weekly: 0, monthly: 0 },
        maxPauseMs: 5_000,
      },
    });
    const alike = two(", keep: { last: 2, daily: 1 }", ", keep: { daily: 1, last: 2 }");
    expect(parse(alike).volumes).toMatchObject({ v: { keep: { last: 2, daily: 1 } } });
  });

  test.each([
    ["before_snapshot", { beforeSnapshot: ["flush"], beforeSnapshotIn: "b" }],
    ["before_copy", { beforeCopy: ["flush"], beforeCopyIn: "b" }],
  ])("the command of %s is run in the container that asked for it", (key, settings) => {
    expect(parse(two("", `, ${key}: flush`)).volumes).toMatchObject({ v: settings });
    expect(summaryOf(two("", `, read_only: true, ${key}: flush`))).toEqual([
      expect.stringContaining(`${key} is run where the volume is written`),
    ]);
  });

  test("a conflict names both places", () => {
    expect(summaryOf(two(", on_node_loss: wait", ", on_node_loss: restore"))).toEqual([
      "2:61 b.volumes[0].on_node_loss volume v has another on_node_loss at line 1, column 61",
    ]);
  });
});

test("all problems are reported at once, in the order of the file", () => {
  const text = `web:
  imge: app:1
  ports: ["53:53/udp"]
  restart: always
db:
  image: postgres
  volumes:
  - { name: data, path: / }
  - { name: data, pth: /x }
`;
  expect(problemsOf(text)).toMatchInlineSnapshot(`
    [
      {
        "column": 1,
        "line": 1,
        "message": "image is missing",
        "path": "web.image",
        "remedy": "write for example \`image: registry.example/app:1\`",
      },
      {
        "column": 3,
        "line": 2,
        "message": "the key "imge" is not known here",
        "path": "web.imge",
        "remedy": "did you mean "image"?",
      },
      {
        "column": 11,
        "line": 3,
        "message": "protocol "udp" is not supported",
        "path": "web.ports[0]",
        "remedy": "publish TCP ports only: connections are held over a move, which UDP doesn't have",
      },
      {
        "column": 3,
        "line": 4,
        "message": "the key "restart" is not known here",
        "path": "web.restart",
        "remedy": "remove it: a node runs what the record says, and restarts it",
      },
      {
        "column": 25,
        "line": 8,
        "message": "a volume can't be the container's root",
        "path": "db.volumes[0].path",
        "remedy": "write an absolute path such as /var/lib/data",
      },
      {
        "column": 5,
        "line": 9,
        "message": "path is missing",
        "path": "db.volumes[1].path",
        "remedy": "write for example \`path: /var/lib/data\`",
      },
      {
        "column": 19,
        "line": 9,
        "message": "the key "pth" is not known here",
        "path": "db.volumes[1].pth",
        "remedy": "did you mean "path"?",
      },
    ]
  `);
});
