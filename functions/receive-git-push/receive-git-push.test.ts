import { describe, expect, test } from "vitest";
import {
  captured,
  gitHeaders,
  githubHeaders,
  githubPush,
  gitlabSigned,
  gitPush,
  HEAD,
  hmac,
  NOW_MS,
  SECRET,
  SIGNING_TOKEN,
  world,
} from "./deliveries.fixture.ts";

type Case = readonly [
  name: string,
  provider: string,
  body: string,
  headers: Record<string, string>,
  delivery: string,
];
const cases: readonly Case[] = [
  [
    "GitHub",
    "github",
    githubPush,
    githubHeaders(githubPush),
    "72d3162e-cc78-11e3-81ab-4c9367dc0958",
  ],
  [
    "GitLab with a secret token",
    "gitlab",
    captured("gitlab-push.json"),
    {
      "x-gitlab-event": "Push Hook",
      "x-gitlab-token": SECRET,
      "idempotency-key": "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
      "x-gitlab-event-uuid": "13792a34-cac6-4fda-95a8-c58e00a3954e",
    },
    "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
  ],
  [
    "GitLab with a signing token",
    "gitlab",
    captured("gitlab-push.json"),
    gitlabSigned(captured("gitlab-push.json")),
    "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
  ],
  [
    "Gitea",
    "gitea",
    captured("gitea-push.json"),
    {
      "x-gitea-event": "push",
      "x-gitea-delivery": "d1",
      "x-gitea-signature": hmac(captured("gitea-push.json")),
    },
    "d1",
  ],
  [
    "Forgejo",
    "forgejo",
    captured("gitea-push.json"),
    {
      "x-forgejo-event": "push",
      "x-forgejo-delivery": "d2",
      "x-forgejo-signature": hmac(captured("gitea-push.json")),
      "x-gitea-event": "push",
      "x-gitea-delivery": "d2",
      "x-gitea-signature": "0".repeat(64),
    },
    "d2",
  ],
  [
    "Bitbucket Cloud",
    "bitbucket",
    captured("bitbucket-push.json"),
    {
      "x-event-key": "repo:push",
      "x-request-uuid": "{0e9d5a3f-7d3c-4d4a-9f0e-0a1b2c3d4e5f}",
      "x-hub-signature": `sha256=${hmac(captured("bitbucket-push.json"))}`,
    },
    "0e9d5a3f-7d3c-4d4a-9f0e-0a1b2c3d4e5f",
  ],
  [
    "Bitbucket Data Center",
    "bitbucket",
    captured("bitbucket-data-center-push.json"),
    {
      "x-event-key": "repo:refs_changed",
      "x-request-id": "d3",
      "x-hub-signature": `sha256=${hmac(captured("bitbucket-data-center-push.json"))}`,
    },
    "d3",
  ],
  ["a bare repository", "git", gitPush, gitHeaders(gitPush), "hook-1"],
];

describe.for(cases)("%s", ([, provider, body, headers, delivery]) => {
  const path = `/hooks/${provider}/shop`;

  test("a signed push is recorded, then hinted, then answered 202", async () => {
    const { post, recorded, order } = world();
    const answer = await post(path, body, headers);
    expect(answer).toMatchObject({
      status: 202,
      text: JSON.stringify({ outcome: "recorded", delivery }),
    });
    expect(recorded).toEqual([
      {
        project: "shop",
        provider,
        delivery,
        ref: "refs/heads/main",
        commitHint: HEAD,
        receivedAtMs: NOW_MS,
      },
    ]);
    expect(order).toEqual(["record", "hint"]);
  });

  test("45: the delivery replayed is answered 202 and recorded once", async () => {
    const { post, recorded } = world();
    await post(path, body, headers);
    expect((await post(path, body, headers)).text).toContain('"repeated"');
    expect(recorded).toHaveLength(1);
  });

  test("44: any other body, or another project's secret, is refused", async () => {
    const { post, recorded } = world({
      findProject: async (project) => ({
        webhookSecrets: project === "shop" ? [SECRET, SIGNING_TOKEN] : ["another-project's-secret"],
        ref: "refs/heads/main",
      }),
    });
    const isBodySigned = headers["x-gitlab-token"] === undefined;
    const reencoded = JSON.stringify(JSON.parse(body), null, 3);
    if (isBodySigned) expect((await post(path, reencoded, headers)).status).toBe(401);
    if (isBodySigned) expect((await post(path, body.slice(0, -1), headers)).status).toBe(401);
    expect((await post(`/hooks/${provider}/other`, body, headers)).status).toBe(401);
    expect(recorded).toEqual([]);
  });

  test("44: a signature missing, cut short, doubled, or of another case is refused", async () => {
    const { post, recorded } = world();
    const names = Object.keys(headers).filter((name) => /signature|token/.test(name));
    const spoil = (change: (value: string) => string | undefined): Record<string, string> => {
      const changed = names.map((name) => [name, change(headers[name] ?? "")] as const);
      const kept = Object.entries(headers).filter(([name]) => !names.includes(name));
      return Object.fromEntries([
        ...kept,
        ...changed.flatMap(([n, v]) => (v === undefined ? [] : [[n, v] as const])),
      ]);
    };
    const spoiled = [
      spoil(() => undefined),
      spoil(() => ""),
      spoil((value) => value.slice(0, -1)),
      spoil((value) => `${value},${value}`),
      spoil((value) => value.toUpperCase()),
      spoil(() => `sha1=${hmac(body, SECRET, "sha1")}`),
    ];
    for (const wrong of spoiled) expect((await post(path, body, wrong)).status).toBe(401);
    expect(recorded).toEqual([]);
  });
});
