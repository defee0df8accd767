/** A command's own input to the rules: folded into the record here and now, or refused with a remedy. */
import { advanceProject } from "../functions/advance-deploy/advance-project.ts";
import { TerminalError } from "../volume/errors.ts";
import type { Input } from "../workflows/deploy/messages.ts";
import type { ProjectId } from "../workflows/ids.ts";
import type { Context } from "./context.ts";

export const applyInput = async (
  { control, signal }: Context,
  project: ProjectId,
  input: Input,
): Promise<void> => {
  const { refusal } = await advanceProject(control, { project, input, resend: false }, signal);
  if (refusal === null) return;
  throw new TerminalError(refusal.message, { code: refusal.code, hint: refusal.hint });
};
