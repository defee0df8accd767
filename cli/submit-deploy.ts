/** Records a command's request for a deploy and, unless it shall run by itself, follows it to its end. */
import { randomUUID } from "node:crypto";
import { hintRequest, recordRequest } from "../functions/request-deploy.ts";
import type { ProjectId } from "../workflows/ids.ts";
import type { Desired } from "../workflows/record.ts";
import type { Context } from "./context.ts";
import { EXIT } from "./exit-codes.ts";
import { followDeploy } from "./follow-deploy.ts";

export type DeployWish = Omit<Desired, "requestId" | "deployId" | "trigger" | "requestedAtMs">;

/** Returns the command's exit code. */
export const submitDeploy = async (
  context: Context,
  project: ProjectId,
  wish: DeployWish,
  { detach, json }: { readonly detach: boolean; readonly json: boolean },
): Promise<number> => {
  const { control, signal } = context;
  const requestId = `cli.${randomUUID()}`;
  const request = {
    ...wish,
    requestId,
    trigger: "cli" as const,
    requestedAtMs: control.nowMs(),
  };
  const { deployId } = await recordRequest(control, project, request, signal);
  await hintRequest(control, project, requestId, signal);
  if (!detach) return followDeploy(context, project, deployId, { json });
  process.stdout.write(`${deployId}\n`);
  return EXIT.ok;
};
