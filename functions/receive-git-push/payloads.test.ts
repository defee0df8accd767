import { describe, expect, test } from "vitest";
import {
  captured,
  definitions,
  githubExample,
  githubHeaders,
  HEAD,
  hmac,
  SECRET,
  world,
} from "./deliveries.fixture.ts";

describe("what a verified delivery may say", () => {
  const send = async (provider: string, body: string, headers: Record<string, string>) => {
    const the = world();
    const { status, text } = await the.post(`/hooks/${provider}/shop`, body, headers);
    return { status, ...(JSON.parse(text) as Record<string, unknown>), recorded: the.recorded };
  };

  test("a ping is answered 200 and nothing is recorded", async () => {
    const body = JSON.stringify(githubExample("ping"));
    expect(await send("github", body, githubHeaders(body, "ping"))).toEqual({
      status: 200,
      outcome: "pong",
      recorded: [],
    });
  });

  test("every other event of GitHub is ignored, with the reason", async () => {
    for (const { name, examples } of definitions) {
      if (name === "push" || name === "ping") continue;
      const body = JSON.stringify(examples[0] ?? {});
      const answer = await send("github", body, githubHeaders(body, name));
      expect(answer).toMatchObject({ status: 202, outcome: "ignored", recorded: [] });
      expect(answer).toHaveProperty("reason", `event "${name}" is not a push`);
    }
  });

  test("a push to another branch, or of a tag, is ignored", async () => {
    for (const example of definitions.find(({ name }) => name === "push")?.examples ?? []) {
      const body = JSON.stringify({ ...example, ref: "refs/tags/main" });
      expect(await send("github", body, githubHeaders(body))).toMatchObject({
        status: 202,
        outcome: "ignored",
      });
    }
    const body = captured("gitlab-tag-push.json");
    const headers = { "x-gitlab-event": "Tag Push Hook", "x-gitlab-token": SECRET };
    expect(await send("gitlab", body, headers)).toMatchObject({
      outcome: "ignored",
      reason: "the project follows refs/heads/main",
    });
  });

  test("a project that follows a tag takes its pushes", async () => {
    const the = world({
      findProject: async () => ({ webhookSecrets: [SECRET], ref: "refs/tags/v1.0.0" }),
    });
    const headers = { "x-gitlab-event": "Tag Push Hook", "x-gitlab-token": SECRET };
    await the.post("/hooks/gitlab/shop", captured("gitlab-tag-push.json"), headers);
    expect(the.recorded).toMatchObject([{ ref: "refs/tags/v1.0.0", commitHint: HEAD }]);
  });

  test("a deleted branch is recorded without a commit", async () => {
    const github = JSON.stringify({ ref: "refs/heads/main", after: "0".repeat(40), deleted: true });
    expect((await send("github", github, githubHeaders(github))).recorded).toMatchObject([
      { commitHint: null },
    ]);
    const gitea = captured("gitea-delete.json");
    const headers = { "x-gitea-event": "delete", "x-gitea-signature": hmac(gitea) };
    expect((await send("gitea", gitea, headers)).recorded).toMatchObject([{ commitHint: null }]);
    const bitbucket = JSON.stringify({
      push: { changes: [{ new: null, old: { type: "branch", name: "main" } }] },
    });
    const signed = { "x-event-key": "repo:push", "x-hub-signature": `sha256=${hmac(bitbucket)}` };
    expect((await send("bitbucket", bitbucket, signed)).recorded).toMatchObject([
      { commitHint: null },
    ]);
  });

  test("a form, no JSON, or JSON without a ref is the sender's mistake", async () => {
    const form = {
      ...githubHeaders("payload=x"),
      "content-type": "application/x-www-form-urlencoded",
    };
    expect(await send("github", "payload=x", form)).toMatchObject({ status: 415 });
    for (const body of ["{", "[]", '{"ref":"main","after":"x"}']) {
      expect(await send("github", body, githubHeaders(body))).toMatchObject({ status: 400 });
    }
  });
});
