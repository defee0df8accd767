import { readFileSync } from "node:fs";
import type { CommandModule } from "yargs";
import { newSigningSecret, putSubscriber, removeSubscriber } from "../../functions/subscribers.ts";
import { TerminalError } from "../../volume/errors.ts";
import { Subscriber } from "../../workflows/events/subscriber.ts";
import { openContext } from "../context.ts";

interface AddArguments {
  project: string;
  name: string;
  event: string[];
  queue: string | undefined;
  http: string | undefined;
  secretFile: string | undefined;
  github: string | undefined;
  gitlab: string | undefined;
  gitea: string | undefined;
  forgeUrl: string | undefined;
  tokenFile: string | undefined;
  json: boolean;
}

const FORGE_URLS = {
  github: "https://api.github.com",
  gitlab: "https://gitlab.com",
  gitea: undefined,
} as const;
const FORGES = ["github", "gitlab", "gitea"] as const;

const addCommand: CommandModule<object, AddArguments> = {
  command: "add <project> <name>",
  describe: "Tell a queue, an endpoint or a forge of what happens to the project",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("name", { type: "string", demandOption: true })
      .option("event", {
        ...{ type: "string", array: true, default: [] as string[] },
        describe: "only these, like deploy.ended or deploy.*",
      })
      .option("queue", { type: "string", describe: "a queue of the installation's broker" })
      .option("http", { type: "string", describe: "an endpoint that gets signed POSTs" })
      .option("secret-file", { type: "string", describe: "its signing secret; default: a new one" })
      .option("github", { type: "string", describe: "commit statuses of owner/name" })
      .option("gitlab", { type: "string", describe: "commit statuses of group/project" })
      .option("gitea", { type: "string", describe: "commit statuses of owner/name (Forgejo, too)" })
      .option("forge-url", { type: "string", describe: "of a forge of one's own" })
      .option("token-file", { type: "string", describe: "a token that may set commit statuses" })
      .option("json", { type: "boolean", default: false })
      .check((args) => {
        const targets = ["queue", "http", ...FORGES].filter((kind) => args[kind] !== undefined);
        if (targets.length === 1) return true;
        throw new Error("name one of --queue, --http, --github, --gitlab, --gitea");
      }) as never,
  handler: async (args) => {
    const { control, signal, loadProject } = await openContext();
    const { project } = await loadProject(args.project);
    const { subscriber, secret } = readSubscriber(args);
    await putSubscriber(control, project, { subscriber, secret }, signal);
    const isNew = subscriber.kind === "http" && args.secretFile === undefined;
    const shown = isNew ? { ...subscriber, secret } : subscriber;
    const lines = [
      `${subscriber.name} is told of ${args.event.join(", ") || "all events"} of ${project}`,
      ...(isNew ? [`secret   ${secret}  (shown once)`] : []),
    ];
    process.stdout.write(args.json ? `${JSON.stringify(shown)}\n` : `${lines.join("\n")}\n`);
  },
};

const readSubscriber = (args: AddArguments): { subscriber: Subscriber; secret: string | null } => {
  const common = { name: args.name, events: args.event };
  if (args.queue !== undefined) {
    const subscriber = Subscriber.parse({ kind: "queue", ...common, queue: args.queue });
    return { subscriber, secret: null };
  }
  if (args.http !== undefined) {
    const secret = args.secretFile === undefined ? newSigningSecret() : readSecret(args.secretFile);
    return { subscriber: Subscriber.parse({ kind: "http", ...common, url: args.http }), secret };
  }
  const forge = FORGES.find((kind) => args[kind] !== undefined) ?? "github";
  const url = args.forgeUrl ?? FORGE_URLS[forge];
  if (url === undefined) throw usage(`--${forge} needs --forge-url, like https://git.example.org`);
  if (args.tokenFile === undefined) throw usage("a forge needs --token-file");
  const place = { forge, url, repository: args[forge] };
  return {
    subscriber: Subscriber.parse({ kind: "commit-status", ...common, ...place }),
    secret: readSecret(args.tokenFile),
  };
};

const readSecret = (path: string): string => {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (cause) {
    throw new TerminalError(`can't read ${path}`, { code: "usage", cause });
  }
};

const usage = (message: string): TerminalError => new TerminalError(message, { code: "usage" });

interface ListArguments {
  project: string;
  json: boolean;
}

const listCommand: CommandModule<object, ListArguments> = {
  command: "list <project>",
  describe: "Who is told of the project's events",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { loadProject } = await openContext();
    const { state } = await loadProject(args.project);
    const subscribers = state.settings.subscribers ?? [];
    const lines = subscribers.map((one) => {
      const where = one.kind === "queue" ? one.queue : one.url;
      return `${one.name}  ${one.kind}  ${where}  ${one.events.join(", ") || "all events"}`;
    });
    process.stdout.write(
      args.json ? `${JSON.stringify(subscribers)}\n` : lines.map((line) => `${line}\n`).join(""),
    );
  },
};

interface RemoveArguments {
  project: string;
  name: string;
}

const removeCommand: CommandModule<object, RemoveArguments> = {
  command: "remove <project> <name>",
  describe: "Tell a subscriber no more",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .positional("name", { type: "string", demandOption: true }),
  handler: async (args) => {
    const { control, signal, loadProject } = await openContext();
    const { project } = await loadProject(args.project);
    await removeSubscriber(control, project, args.name, signal);
    process.stdout.write(`${args.name} is told no more\n`);
  },
};

export const subscribersCommand: CommandModule = {
  command: "subscribers",
  describe: "Who is told of a project's events",
  builder: (yargs) =>
    yargs
      .command(addCommand)
      .command(listCommand)
      .command(removeCommand)
      .demandCommand(1, "name what to do: add, list, remove"),
  handler: () => undefined,
};
