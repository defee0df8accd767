/** Who sends to which project, and whether it really is them: decided before anything is parsed. */
import type { APIGatewayProxyEventV2 } from "aws-lambda";
import * as z from "zod";
import { ProjectId } from "../../workflows/ids.ts";
import { HttpProblem, UNAVAILABLE } from "../http-problem.ts";
import { bareGit } from "./bare-git.ts";
import { bitbucket } from "./bitbucket.ts";
import { forgejo, gitea } from "./gitea.ts";
import { github } from "./github.ts";
import { gitlab } from "./gitlab.ts";
import type { ReceiveGitPushPorts } from "./receive-git-push.ts";
import type { Delivery, Sender } from "./sender.ts";

export const Provider = z.enum(["github", "gitlab", "gitea", "forgejo", "bitbucket", "git"]);
export type Provider = z.infer<typeof Provider>;

const SENDERS: Readonly<Record<Provider, Sender>> = {
  github,
  gitlab,
  gitea,
  forgejo,
  bitbucket,
  git: bareGit,
};

/** Verified against when a project does not exist, so that the answer takes as long. */
const NOBODYS_SECRET = "no project has this secret";

export interface Route {
  readonly provider: string;
  readonly project: string;
}

/** The end of the path counts: an API's stage may stand before it. */
const ROUTE = /\/hooks\/(?<provider>[^/]+)\/(?<project>[^/]+)\/?$/;

/** Throws HttpProblem 404 or 405. */
export const routeOf = ({ rawPath, requestContext }: APIGatewayProxyEventV2): Route => {
  const { provider, project } = ROUTE.exec(rawPath)?.groups ?? {};
  if (provider === undefined || project === undefined) {
    throw new HttpProblem({ status: 404, code: "not-found", detail: "There is nothing here." });
  }
  if (requestContext.http.method === "POST") return { provider, project };
  throw new HttpProblem({
    status: 405,
    code: "method-refused",
    detail: "Deliveries are posted.",
    headers: { allow: "POST" },
  });
};

export interface Verified {
  readonly project: ProjectId;
  readonly provider: Provider;
  readonly sender: Sender;
  readonly ref: string;
}

/** Null: refused, for a reason that is not told. */
export const verifyDelivery = async (
  ports: ReceiveGitPushPorts,
  route: Route,
  delivery: Delivery,
  signal: AbortSignal,
): Promise<Verified | null> => {
  const project = ProjectId.safeParse(route.project);
  const provider = Provider.safeParse(route.provider);
  const found = project.success ? await find(ports, project.data, signal) : null;
  const sender = SENDERS[provider.success ? provider.data : "git"];
  const secrets = (found?.webhookSecrets ?? []).filter((secret) => secret !== "");
  let isSigned = false;
  for (const secret of secrets.length === 0 ? [NOBODYS_SECRET] : secrets) {
    // Every secret is tried: the time tells nothing of which one matched.
    const matches = await sender.verify(delivery, secret, ports.nowMs());
    isSigned ||= matches && secrets.length > 0;
  }
  if (!isSigned || found === null || !project.success || !provider.success) return null;
  return { project: project.data, provider: provider.data, sender, ref: found.ref };
};

const find = async (ports: ReceiveGitPushPorts, project: ProjectId, signal: AbortSignal) => {
  try {
    return await ports.findProject(project, signal);
  } catch (cause) {
    throw new HttpProblem(UNAVAILABLE, { cause });
  }
};
