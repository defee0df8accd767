import type { CommandModule } from "yargs";
import { addProject } from "../../functions/projects.ts";
import { NodeId, ProjectId } from "../../workflows/ids.ts";
import { openContext } from "../context.ts";

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

export const projectCommand: CommandModule = {
  command: "project",
  describe: "Manage projects",
  builder: (yargs) => yargs.command(addCommand).demandCommand(1, "name what to do: add"),
  handler: () => undefined,
};
