import type { CommandModule } from "yargs";
import { createToken, listTokens, revokeToken } from "../../functions/api/tokens.ts";
import { TerminalError } from "../../volume/errors.ts";
import { openContext } from "../context.ts";
import { formatTable } from "../format.ts";

interface CreateArguments {
  name: string;
  project: string | undefined;
  operator: boolean;
  json: boolean;
}

const createCommand: CommandModule<object, CreateArguments> = {
  command: "create <name>",
  describe: "Make a token for one project, or an operator's for all",
  builder: (yargs) =>
    yargs
      .positional("name", { type: "string", demandOption: true })
      .option("project", { type: "string", describe: "the one project that it opens" })
      .option("operator", { type: "boolean", default: false, describe: "opens all, and the nodes" })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { control, signal, loadProject } = await openContext();
    if ((args.project === undefined) !== args.operator) {
      throw new TerminalError("name either --project or --operator", { code: "usage" });
    }
    const project = args.project === undefined ? null : (await loadProject(args.project)).project;
    const token = { name: args.name, project, createdAtMs: control.nowMs() };
    const secret = await createToken(control.store, token, signal);
    const line = `token    ${secret}  (shown once)`;
    process.stdout.write(args.json ? `${JSON.stringify({ ...token, secret })}\n` : `${line}\n`);
  },
};

const listCommand: CommandModule<object, { json: boolean }> = {
  command: "list",
  describe: "Names of the tokens, and what they open",
  builder: (yargs) => yargs.option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { control, signal } = await openContext();
    const tokens = await listTokens(control.store, signal);
    const rows = tokens.map(({ name, project, createdAtMs }) => [
      name,
      project ?? "everything",
      new Date(createdAtMs).toISOString(),
    ]);
    const table = formatTable([["NAME", "OPENS", "CREATED"], ...rows]);
    process.stdout.write(args.json ? `${JSON.stringify(tokens)}\n` : `${table}\n`);
  },
};

const revokeCommand: CommandModule<object, { name: string }> = {
  command: "revoke <name>",
  describe: "A token opens nothing from now on",
  builder: (yargs) => yargs.positional("name", { type: "string", demandOption: true }),
  handler: async (args) => {
    const { control, signal } = await openContext();
    await revokeToken(control.store, args.name, signal);
    process.stdout.write(`${args.name} is revoked\n`);
  },
};

export const tokenCommand: CommandModule = {
  command: "token",
  describe: "Tokens for the HTTP API",
  builder: (yargs) =>
    yargs
      .command(createCommand)
      .command(listCommand)
      .command(revokeCommand)
      .demandCommand(1, "name what to do: create, list, revoke"),
  handler: () => undefined,
};
