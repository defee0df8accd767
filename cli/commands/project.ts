import type { CommandModule } from "yargs";
import { addProject, listProjects, replaceSecret } from "../../functions/projects.ts";
import { NodeId, ProjectId } from "../../workflows/ids.ts";
import { openContext } from "../context.ts";
import { formatTable } from "../format.ts";
import { refuseMissingRepository } from "../refuse-missing-repository.ts";

interface Arguments {
  project: string;
  repository: string;
  ref: string;
  file: string;
  node: string[];
  secret: string | undefined;
  json: boolean;
}

const addCommand: CommandModule<object, Arguments> = {
  command: "add <project>",
  describe: "Add a project: its repository, the ref that deploys, the nodes it may use",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .option("repository", { type: "string", demandOption: true, describe: "URL to fetch from" })
      .option("ref", { type: "string", default: "refs/heads/main" })
      .option("file", {
        type: "string",
        default: "Deliverous",
        describe: "path of the project file",
      })
      .option("node", {
        type: "string",
        array: true,
        default: [],
        describe: "allowed node; default: all",
      })
      .option("secret", { type: "string", describe: "webhook secret (default: a new one is made)" })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { control, config, signal } = await openContext();
    // With a store of its own, this machine is the one that fetches.
    if (config.store.url.startsWith("file:")) refuseMissingRepository(args.repository);
    const project = ProjectId.parse(args.project);
    const settings = {
      repository: args.repository,
      ref: args.ref,
      file: args.file,
      nodes: args.node.map((node) => NodeId.parse(node)),
      constraints: [],
    };
    const { webhookSecret } = await addProject(control, project, settings, args.secret, signal);
    const url = `http://${config.listen.host}:${config.listen.port}/hooks/PROVIDER/${project}`;
    const lines = [
      `project ${project} follows ${args.ref} of ${args.repository}`,
      `webhook  ${url}  (PROVIDER: github, gitlab, gitea, forgejo, bitbucket or git)`,
      `secret   ${webhookSecret}  (shown once)`,
    ];
    process.stdout.write(
      args.json ? `${JSON.stringify({ project, webhookSecret })}\n` : `${lines.join("\n")}\n`,
    );
  },
};

interface SecretArguments {
  project: string;
  secret: string | undefined;
  endOld: boolean;
  json: boolean;
}

const secretCommand: CommandModule<object, SecretArguments> = {
  command: "new-secret <project>",
  describe: "Replace the webhook secret; the one before stays good until --end-old",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .option("secret", { type: "string", describe: "the new secret (default: one is made)" })
      .option("endOld", {
        type: "boolean",
        default: false,
        describe: "refuse all others from now on; with --secret the one that the forge has by now",
      })
      .option("json", { type: "boolean", default: false }),
  handler: async ({ project: name, secret, endOld, json }) => {
    const { control, signal } = await openContext();
    const project = ProjectId.parse(name);
    const { webhookSecret } = await replaceSecret(control, project, { secret, endOld }, signal);
    const others = endOld ? "no other is good any more" : "the one before stays good";
    process.stdout.write(
      json
        ? `${JSON.stringify({ project, webhookSecret })}\n`
        : `secret   ${webhookSecret}  (shown once; ${others})\n`,
    );
  },
};

const listCommand: CommandModule<object, { json: boolean }> = {
  command: "list",
  describe: "List the projects, what each follows, and how its last deploy ended",
  builder: (yargs) => yargs.option("json", { type: "boolean", default: false }),
  handler: async ({ json }) => {
    const { control, signal } = await openContext();
    const projects = await listProjects(control, signal);
    if (json) {
      process.stdout.write(`${JSON.stringify(projects)}\n`);
      return;
    }
    const rows = projects.map(({ project, repository, ref, deploy }) => [
      project,
      repository,
      ref,
      deploy === null ? "none yet" : `${deploy.id} ${deploy.result ?? "under way"}`,
    ]);
    const table = formatTable([["PROJECT", "REPOSITORY", "REF", "LAST DEPLOY"], ...rows]);
    process.stdout.write(`${table}\n`);
  },
};

export const projectCommand: CommandModule = {
  command: "project",
  describe: "Manage projects",
  builder: (yargs) =>
    yargs
      .command(addCommand)
      .command(listCommand)
      .command(secretCommand)
      .demandCommand(1, "name what to do: add, list, new-secret"),
  handler: () => undefined,
};
