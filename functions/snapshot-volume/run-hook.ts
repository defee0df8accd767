/** Commands that the project file wants run in a container before its volume is copied as it runs. */
import { TerminalError } from "../../volume/errors.ts";
import type { VolumeSettings } from "../../workflows/container-spec.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { containerName } from "../container-names.ts";
import type { NodePorts } from "../node-ports.ts";

/** A command must not keep a deploy waiting for ever. */
const TIMEOUT_MS = 5 * 60_000;
const OUTPUT_CHARS_MAX = 500;

export type HookKey = "before_snapshot" | "before_copy";

const findHook = (key: HookKey, settings: VolumeSettings) =>
  key === "before_snapshot"
    ? { command: settings.beforeSnapshot, container: settings.beforeSnapshotIn }
    : { command: settings.beforeCopy, container: settings.beforeCopyIn };

/**
 * Runs it, if there is one, in the container that asked for it. Throws TerminalError
 * `before-snapshot-failed` or `before-copy-failed` where that is not there, or the command does not
 * end well in time.
 */
export const runHook = async (
  ports: NodePorts,
  state: ProjectState,
  { key, settings }: { readonly key: HookKey; readonly settings: VolumeSettings },
  signal: AbortSignal,
): Promise<void> => {
  const { command, container } = findHook(key, settings);
  if (command === undefined || container === undefined) return;
  const running = state.containers[container];
  if (running === undefined) throw failed(key, `container ${container} does not run`);
  const name = containerName(state.project, container, running.epoch);
  const request = { name, command, timeoutMs: TIMEOUT_MS };
  const { exitCode, output } = await ports.docker.exec(request, signal).catch((error: unknown) => {
    throw error instanceof TerminalError ? failed(key, error.message, error) : error;
  });
  if (exitCode === 0) return;
  const end =
    exitCode === null ? `no end within ${TIMEOUT_MS / 60_000} minutes` : `exit code ${exitCode}`;
  const said = output.trim().slice(-OUTPUT_CHARS_MAX);
  throw failed(key, `${end} in container ${container}: ${said}`);
};

const failed = (key: HookKey, what: string, cause?: unknown): TerminalError =>
  new TerminalError(`${key}: ${what}`, {
    code: `${key.replace("_", "-")}-failed`,
    hint: "mend the command in the project file, or try it by `docker exec`",
    cause,
  });
