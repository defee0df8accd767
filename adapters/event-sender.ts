/**
 * Tells others over HTTP: a subscriber's endpoint, signed as standardwebhooks.com has it, or a forge's
 * commit status. The address is judged and pinned, as a repository's is.
 */
import { Webhook } from "standardwebhooks";
import { type BagageError, RetryableError, TerminalError } from "../volume/errors.ts";
import { pinHost } from "./git-remote.ts";
import { requestPinned } from "./pinned-request.ts";
import type { RepositoryPolicy } from "./repository-url.ts";

export interface EventSender {
  /** Resolves when the endpoint took it (2xx). Throws RetryableError `subscriber-unavailable`. */
  post(request: SignedPost, signal: AbortSignal): Promise<void>;
  setCommitStatus(request: StatusRequest, signal: AbortSignal): Promise<void>;
}

export interface SignedPost {
  readonly url: string;
  /** `whsec_` and base64. */
  readonly secret: string;
  /** The same for the same event, so that a receiver knows a repeat. */
  readonly id: string;
  readonly sentAtMs: number;
  readonly contentType: string;
  readonly body: string;
}

export interface StatusRequest {
  readonly forge: "github" | "gitlab" | "gitea";
  readonly url: string;
  readonly repository: string;
  readonly token: string;
  readonly commit: string;
  readonly state: "pending" | "success" | "failure" | "error";
  readonly description: string;
}

/** What a forge shows the status under. */
const CONTEXT = "bagage/deploy";

export const createEventSender = (
  policy: RepositoryPolicy,
  resolveHost?: (host: string) => Promise<readonly string[]>,
): EventSender => {
  const send = async (
    url: string,
    headers: Readonly<Record<string, string>>,
    body: string,
    signal: AbortSignal,
  ): Promise<void> => {
    const { host, protocol, hostname } = new URL(url);
    if (protocol !== "https:" && !(protocol === "http:" && policy.allowPrivateNetworks)) {
      throw refuse(host, "only https is told");
    }
    const options = { policy, ...(resolveHost !== undefined && { resolveHost }) };
    const { ip } = await pinHost(hostname.replace(/^\[|\]$/g, ""), options).catch((cause) => {
      throw cause instanceof TerminalError
        ? refuse(host, "its address is not allowed", cause)
        : cause;
    });
    const request = { url, method: "POST", headers, body: Buffer.from(body), ip };
    const response = await requestPinned(request, signal).catch((cause: unknown) => {
      signal.throwIfAborted();
      throw unavailable(host, "no answer", cause);
    });
    response.resume();
    const status = response.statusCode ?? 0;
    if (status < 200 || status >= 300) throw unavailable(host, `it answered ${status}`);
  };
  return {
    post: async ({ url, secret, id, sentAtMs, contentType, body }, signal) => {
      const sentAt = new Date(sentAtMs);
      const headers = {
        "content-type": contentType,
        "webhook-id": id,
        "webhook-timestamp": String(Math.floor(sentAtMs / 1_000)),
        "webhook-signature": new Webhook(secret).sign(id, sentAt, body),
      };
      await send(url, headers, body, signal);
    },
    setCommitStatus: async (request, signal) => {
      const { url, headers, body } = renderStatus(request);
      await send(url, headers, JSON.stringify(body), signal);
    },
  };
};

/**
 * docs.github.com/en/rest/commits/statuses, docs.gitlab.com/api/commits, and Gitea's API, which is
 * GitHub's under another path.
 */
export const renderStatus = (request: StatusRequest) => {
  const { forge, repository, token, commit, state, description } = request;
  const base = request.url.replace(/\/+$/, "");
  const json = { "content-type": "application/json", "user-agent": "bagage" };
  if (forge === "gitlab") {
    const states = { pending: "running", success: "success", failure: "failed", error: "canceled" };
    return {
      url: `${base}/api/v4/projects/${encodeURIComponent(repository)}/statuses/${commit}`,
      headers: { ...json, "private-token": token },
      body: { state: states[state], name: CONTEXT, description },
    };
  }
  const path = forge === "gitea" ? "/api/v1/repos" : "/repos";
  const authorization = forge === "gitea" ? `token ${token}` : `Bearer ${token}`;
  return {
    url: `${base}${path}/${repository}/statuses/${commit}`,
    headers: { ...json, authorization },
    body: { state, context: CONTEXT, description },
  };
};

const unavailable = (host: string, what: string, cause?: unknown): BagageError =>
  new RetryableError(`can't tell ${host}: ${what}`, { code: "subscriber-unavailable", cause });

const refuse = (host: string, why: string, cause?: unknown): TerminalError =>
  new TerminalError(`${host} is not told: ${why}`, {
    code: "subscriber-refused",
    hint: "give the subscriber a public https URL, or set BAGAGE_ALLOW_PRIVATE_NETWORKS",
    cause,
  });
