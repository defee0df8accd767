/** Keys of projects whose data are sealed. No secret is ever printed, but for `generate`, which makes one. */
import { randomBytes } from "node:crypto";
import type { CommandModule } from "yargs";
import { KEY_BYTES, newDataKey, rewrapKeys, wrapKey } from "../../functions/project-keys.ts";
import { TerminalError } from "../../volume/errors.ts";
import type { ProjectState } from "../../workflows/record.ts";
import { applyInput } from "../apply-input.ts";
import { openContext } from "../context.ts";

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const generateCommand: CommandModule = {
  command: "generate",
  describe: "Print a new wrapping key, for the file that BAGAGE_KEY_FILE names",
  handler: () => say(randomBytes(KEY_BYTES).toString("base64")),
};

interface Arguments {
  project: string;
}

const initCommand: CommandModule<object, Arguments> = {
  command: "init <project>",
  describe: "Seal all that the project stores from now on; what it has stored stays as it is",
  builder: (yargs) => yargs.positional("project", { type: "string", demandOption: true }),
  handler: async (args) => {
    const context = await openContext();
    const { project, state } = await context.loadProject(args.project);
    if (isSealing(state)) {
      throw new TerminalError(`project ${project} has a key already`, {
        code: "key-exists",
        hint: `bagage key rotate ${project}`,
      });
    }
    const key = wrapKey(context.config.wrappingKeys, project, newDataKey());
    await applyInput(context, project, { type: "key.added", key, isCurrent: true });
    say(`project ${project}: data key ${key.id}, wrapped by ${key.wrappedBy}`);
    say("keep the wrapping key: without it nobody can read what the project stores");
  },
};

const isSealing = ({ encryption }: ProjectState): boolean =>
  encryption !== null && encryption.current !== null;

const offCommand: CommandModule<object, Arguments> = {
  command: "off <project>",
  describe: "Seal nothing from now on; what was sealed stays so, and readable with its keys",
  builder: (yargs) => yargs.positional("project", { type: "string", demandOption: true }),
  handler: async (args) => {
    const context = await openContext();
    const { project, state } = await context.loadProject(args.project);
    if (!isSealing(state)) {
      say(`project ${project}: what it stores is not sealed`);
      return;
    }
    await applyInput(context, project, { type: "sealing.ended" });
    say(`project ${project}: the next snapshot stores everything anew, not sealed`);
    say("keep the wrapping key for as long as older snapshots are kept");
  },
};

const rotateCommand: CommandModule<object, Arguments & { data: boolean }> = {
  command: "rotate <project>",
  describe: "Wrap the project's keys anew, under the first key of BAGAGE_KEY",
  builder: (yargs) =>
    yargs.positional("project", { type: "string", demandOption: true }).option("data", {
      type: "boolean",
      default: false,
      describe: "seal new data under a new data key too; the old ones stay readable",
    }),
  handler: async (args) => {
    const context = await openContext();
    const { project, state } = await context.loadProject(args.project);
    const { wrappingKeys } = context.config;
    if (args.data && state.encryption !== null && !isSealing(state)) {
      throw new TerminalError(`project ${project} does not seal what it stores`, {
        code: "key-missing",
        hint: `seal it again with a new data key: bagage key init ${project}`,
      });
    }
    const keys = rewrapKeys(wrappingKeys, state);
    await applyInput(context, project, { type: "keys.rewrapped", keys });
    say(`project ${project}: ${keys.length} data keys are wrapped by ${keys[0]?.wrappedBy}`);
    if (!args.data) return;
    const key = wrapKey(wrappingKeys, project, newDataKey());
    await applyInput(context, project, { type: "key.added", key, isCurrent: true });
    say(`project ${project}: new data are sealed with data key ${key.id}`);
  },
};

const showCommand: CommandModule<object, Arguments & { json: boolean }> = {
  command: "show <project>",
  describe: "Which keys the project has, by their ids",
  builder: (yargs) =>
    yargs
      .positional("project", { type: "string", demandOption: true })
      .option("json", { type: "boolean", default: false }),
  handler: async (args) => {
    const { loadProject } = await openContext();
    const { project, state } = await loadProject(args.project);
    const { encryption } = state;
    const keys = (encryption?.keys ?? []).map(({ id, wrappedBy }) => ({
      id,
      wrappedBy,
      isCurrent: id === encryption?.current,
    }));
    if (args.json) return say(JSON.stringify(keys));
    if (keys.length === 0) say(`project ${project} has no key: what it stores is not sealed`);
    else if (!isSealing(state)) say(`project ${project} seals nothing new`);
    for (const { id, wrappedBy, isCurrent } of keys) {
      say(`data key ${id}, wrapped by ${wrappedBy}${isCurrent ? ", current" : ""}`);
    }
  },
};

export const keyCommand: CommandModule = {
  command: "key",
  describe: "Keys of projects whose data are sealed",
  builder: (yargs) =>
    yargs
      .command(generateCommand)
      .command(initCommand)
      .command(rotateCommand)
      .command(offCommand)
      .command(showCommand)
      .demandCommand(1, "name what to do: generate, init, rotate, off or show"),
  handler: () => undefined,
};
