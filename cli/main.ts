/** The command line. One file a command; errors become a message, a remedy and an exit code here. */
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import * as z from "zod";
import { ConfigError } from "../functions/setting-files.ts";
import { BagageError, RetryableError } from "../volume/errors.ts";
import { branchesCommand } from "./commands/branches.ts";
import { cancelCommand } from "./commands/cancel.ts";
import { cloneCommand } from "./commands/clone.ts";
import { cpCommand } from "./commands/cp.ts";
import { deployCommand } from "./commands/deploy.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { edgeCommand } from "./commands/edge.ts";
import { gcCommand } from "./commands/gc.ts";
import { guardCommand } from "./commands/guard.ts";
import { historyCommand } from "./commands/history.ts";
import { exportCommand, importCommand } from "./commands/import-export.ts";
import { inboxCommand } from "./commands/inbox.ts";
import { keyCommand } from "./commands/key.ts";
import { nodeCommand } from "./commands/node.ts";
import { nodesCommand } from "./commands/nodes.ts";
import { planCommand } from "./commands/plan.ts";
import { projectCommand } from "./commands/project.ts";
import { restoreCommand } from "./commands/restore.ts";
import { rollbackCommand } from "./commands/rollback.ts";
import { serveCommand, upCommand } from "./commands/run.ts";
import { s3Command } from "./commands/s3.ts";
import { snapshotCommand } from "./commands/snapshot.ts";
import {
  catCommand,
  diffCommand,
  lsCommand,
  snapshotsCommand,
  verifyCommand,
} from "./commands/snapshots.ts";
import { statusCommand } from "./commands/status.ts";
import { storeCommand } from "./commands/store.ts";
import { subscribersCommand } from "./commands/subscribers.ts";
import { tokenCommand } from "./commands/token.ts";
import { volumesCommand } from "./commands/volumes.ts";
import { warmCommand } from "./commands/warm.ts";
import { EXIT } from "./exit-codes.ts";
import { VERSION } from "./version.ts";

const EPILOGUE = `Exit codes: 0 done · 1 the answer is no (a deploy failed, a check did not pass) ·
2 wrong command line · 3 no such thing · 4 refused · 69 store or queue unavailable · 78 wrong setting.
Settings come from the environment (BAGAGE_…); see the README.`;

class UsageError extends Error {}

const NOT_FOUND = new Set([
  "unknown-project",
  "unknown-volume",
  "unknown-snapshot",
  "unknown-file",
  "unknown-key",
  "unknown-node",
  "unknown-branch",
  "unknown-subscriber",
  "unknown-token",
  "unknown-bucket",
  "no-space",
  "nothing-to-cancel",
]);

const report = (error: unknown): number => {
  const write = (text: string) => process.stderr.write(`bagage: ${text}\n`);
  if (error instanceof UsageError) {
    write(error.message);
    return EXIT.usage;
  }
  if (error instanceof ConfigError) {
    write(`settings: ${error.message}`);
    return EXIT.config;
  }
  if (error instanceof z.ZodError) {
    write(z.prettifyError(error));
    return EXIT.usage;
  }
  if (!(error instanceof BagageError)) throw error;
  write(error.hint === undefined ? error.message : `${error.message}\n  try: ${error.hint}`);
  if (NOT_FOUND.has(error.code)) return EXIT.notFound;
  if (error.code === "usage") return EXIT.usage;
  if (error.code.startsWith("config-")) return EXIT.config;
  return error instanceof RetryableError ? EXIT.unavailable : EXIT.refused;
};

const parser = yargs(hideBin(process.argv))
  .scriptName("bagage")
  .usage("$0 <command>\n\nContainer volumes that travel with their containers.")
  .command(upCommand)
  .command(serveCommand)
  .command(nodeCommand)
  .command(guardCommand)
  .command(edgeCommand)
  .command(projectCommand)
  .command(deployCommand)
  .command(planCommand)
  .command(cancelCommand)
  .command(statusCommand)
  .command(historyCommand)
  .command(volumesCommand)
  .command(snapshotCommand)
  .command(snapshotsCommand)
  .command(lsCommand)
  .command(diffCommand)
  .command(catCommand)
  .command(cpCommand)
  .command(restoreCommand)
  .command(rollbackCommand)
  .command(cloneCommand)
  .command(verifyCommand)
  .command(gcCommand)
  .command(branchesCommand)
  .command(s3Command)
  .command(storeCommand)
  .command(inboxCommand)
  .command(importCommand)
  .command(exportCommand)
  .command(subscribersCommand)
  .command(tokenCommand)
  .command(nodesCommand)
  .command(warmCommand)
  .command(keyCommand)
  .command(doctorCommand)
  .completion("completion", "Print a completion script for bash or zsh")
  .demandCommand(1, "name a command")
  .strict()
  .version(VERSION)
  .epilogue(EPILOGUE)
  .fail((message, error) => {
    throw error ?? new UsageError(`${message}; see bagage --help`);
  });

try {
  await parser.parseAsync();
  // Sockets that are kept alive must not keep a finished command.
  process.exit(process.exitCode ?? EXIT.ok);
} catch (error) {
  process.exit(report(error));
}
