import { createHash, createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { RetryableError } from "../../volume/errors.ts";
import {
  captured,
  gitHeaders,
  githubHeaders,
  githubPush,
  gitlabSigned,
  gitPush,
  NOW_MS,
  SECRET,
  SIGNING_TOKEN,
  world,
} from "./deliveries.fixture.ts";

describe("fault 44", () => {
  test("44: SHA-1 alone does not do", async () => {
    const { post } = world();
    const { "x-hub-signature-256": _, ...sha1Only } = githubHeaders(githubPush);
    expect((await post("/hooks/github/shop", githubPush, sha1Only)).status).toBe(401);
  });

  test("44: a wrong signature, an unknown project and an unknown sender look alike", async () => {
    const { post, recorded } = world();
    const wrong = {
      ...githubHeaders(githubPush),
      "x-hub-signature-256": `sha256=${"0".repeat(64)}`,
    };
    const answers = [
      await post("/hooks/github/shop", githubPush, wrong),
      await post("/hooks/github/nobody", githubPush, githubHeaders(githubPush)),
      await post("/hooks/github/..%2fshop", githubPush, githubHeaders(githubPush)),
      await post("/hooks/sourcehut/shop", githubPush, githubHeaders(githubPush)),
    ];
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(answers[0]).toMatchObject({
      status: 401,
      headers: { "content-type": "application/problem+json" },
    });
    expect(recorded).toEqual([]);
  });

  test("a project without secrets accepts nothing, not even an empty one", async () => {
    for (const webhookSecrets of [[], [""]]) {
      const { post } = world({
        findProject: async () => ({ webhookSecrets, ref: "refs/heads/main" }),
      });
      const signature = `sha256=${createHmac("sha256", "").update(githubPush).digest("hex")}`;
      const headers = { ...githubHeaders(githubPush), "x-hub-signature-256": signature };
      expect((await post("/hooks/github/shop", githubPush, headers)).status).toBe(401);
      const token = { "x-gitlab-event": "Push Hook", "x-gitlab-token": "" };
      expect((await post("/hooks/gitlab/shop", captured("gitlab-push.json"), token)).status).toBe(
        401,
      );
    }
  });

  test("bytes that are not UTF-8 are not taken for others that decode alike", async () => {
    const { post } = world();
    const sent = Buffer.concat([Buffer.from(githubPush), Buffer.from([0xff])]);
    const headers = githubHeaders(sent.toString("utf8"));
    expect((await post("/hooks/github/shop", sent, headers)).status).toBe(401);
  });
});

describe("fault 45", () => {
  test("a hook's or a signing token's delivery is refused when it is old", async () => {
    const { post } = world();
    const old = gitHeaders(gitPush, NOW_MS - 6 * 60_000);
    expect((await post("/hooks/git/shop", gitPush, old)).status).toBe(401);
    const early = gitHeaders(gitPush, NOW_MS + 6 * 60_000);
    expect((await post("/hooks/git/shop", gitPush, early)).status).toBe(401);
    const body = captured("gitlab-push.json");
    const stale = gitlabSigned(body, new Date(Date.now() - 6 * 60_000));
    expect((await post("/hooks/gitlab/shop", body, stale)).status).toBe(401);
  });

  test("a delivery without an id, or with a strange one, is named by a digest", async () => {
    const { post, recorded } = world();
    const { "x-github-delivery": _, ...anonymous } = githubHeaders(githubPush);
    await post("/hooks/github/shop", githubPush, anonymous);
    await post("/hooks/github/shop", githubPush, { ...anonymous, "x-github-delivery": "../../x" });
    expect(recorded.map(({ delivery }) => delivery)).toEqual([
      createHash("sha256").update(githubPush).digest("hex"),
      createHash("sha256").update("../../x").digest("hex"),
    ]);
  });
});

describe("fault 46", () => {
  test("46: a body above 25 MiB is answered 413 before its signature is looked at", async () => {
    const { post } = world({
      findProject: () => Promise.reject(new Error("was asked for a project")),
    });
    const body = Buffer.alloc(25 * 2 ** 20 + 1, 0x20);
    expect((await post("/hooks/github/shop", body, {})).status).toBe(413);
  });

  test("46: a compressed body is answered 415 and never decompressed", async () => {
    const { post } = world();
    const headers = { ...githubHeaders(githubPush), "content-encoding": "gzip" };
    expect((await post("/hooks/github/shop", githubPush, headers)).status).toBe(415);
  });

  test("18: a signed body of 1 MiB of nesting is answered 400", async () => {
    const { post } = world();
    const body = "[".repeat(2 ** 20);
    expect((await post("/hooks/github/shop", body, githubHeaders(body))).status).toBe(400);
  });
});

describe("what fails on this side", () => {
  test("a delivery that can't be recorded is answered 503, so that it is sent again", async () => {
    for (const broken of ["recordDelivery", "findProject"] as const) {
      const the = world({
        [broken]: () => Promise.reject(new RetryableError("away", { code: "x" })),
      });
      const answer = await the.post("/hooks/github/shop", githubPush, githubHeaders(githubPush));
      expect(answer).toMatchObject({ status: 503, headers: { "retry-after": "10" } });
      expect(the.hinted).toEqual([]);
    }
  });

  test("a lost hint is logged and answered 202: the sweep finds what was recorded", async () => {
    const the = world({ sendHint: () => Promise.reject(new Error("queue away")) });
    const answer = await the.post("/hooks/github/shop", githubPush, githubHeaders(githubPush));
    expect(answer.status).toBe(202);
    expect(the.lines.join("")).toContain("push.hint-lost");
  });

  test("53: no answer and no log line holds a secret", async () => {
    const the = world({ recordDelivery: () => Promise.reject(new Error("away")) });
    const answers = [
      await the.post("/hooks/gitlab/shop", "{}", { "x-gitlab-token": SECRET }),
      await the.post("/hooks/gitlab/nobody", "{}", { "x-gitlab-token": SECRET }),
      await the.post("/hooks/github/shop", githubPush, githubHeaders(githubPush)),
    ];
    const said = `${the.lines.join("")}${JSON.stringify(answers)}`;
    expect(said).not.toContain(SECRET);
    expect(said).not.toContain(SIGNING_TOKEN);
  });
});
