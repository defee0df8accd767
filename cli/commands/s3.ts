import type { CommandModule } from "yargs";
import type { AccessKey } from "../../adapters/s3-accounts.ts";
import { advanceProject } from "../../functions/advance-deploy/advance-project.ts";
import {
  enableSpace,
  listSpaceKeys,
  revokeKey,
  rotateKey,
  setSpaceQuota,
} from "../../functions/spaces/manage-keys.ts";
import { notifyOfUploads } from "../../functions/spaces/notify-of-uploads.ts";
import { requireAccounts, requireSpace, type Space } from "../../functions/spaces/space.ts";
import { TerminalError } from "../../volume/errors.ts";
import type { Outcome } from "../../workflows/deliverous/outcome.ts";
import { parseDuration, parseMemoryLimit } from "../../workflows/deliverous/quantities.ts";
import { VolumeName } from "../../workflows/ids.ts";
import { keysOf } from "../../workflows/keys-of.ts";
import { UNPUBLISHED } from "../../workflows/publish/publication.ts";
import { openContext } from "../context.ts";
import { formatTable, formatTime } from "../format.ts";

interface ProjectArguments {
  project: string;
  json: boolean;
}

const project = { type: "string", demandOption: true } as const;
const json = { type: "boolean", default: false } as const;

const write = (asJson: boolean, value: object, lines: readonly string[]): void => {
  process.stdout.write(asJson ? `${JSON.stringify(value)}\n` : `${lines.join("\n")}\n`);
};

/** The environment that every S3 client understands. */
const describeAccess = ({ endpoint, region, bucket }: Space, key: AccessKey | null): string[] => [
  `endpoint  ${endpoint}  (region ${region}, path style)`,
  `bucket    ${bucket}`,
  ...(key === null
    ? ["keys      shown when they were made; a new one: bagage s3 rotate PROJECT"]
    : [
        `key       ${key.accessKeyId}`,
        `secret    ${key.secretAccessKey}  (shown once; docs/s3.md has what to paste)`,
      ]),
];

const accessJson = ({ endpoint, region, bucket }: Space, key: AccessKey | null) => ({
  endpoint,
  region,
  bucket,
  accessKeyId: key?.accessKeyId ?? null,
  secretAccessKey: key?.secretAccessKey ?? null,
});

/** A value of the command line, or the usage error that its parser words. */
const requireValue = <T>(option: string, outcome: Outcome<T>): T => {
  if (outcome.ok) return outcome.value;
  const [flaw] = outcome.flaws;
  throw new TerminalError(`--${option}: ${flaw?.message}`, {
    code: "usage",
    ...(flaw !== undefined && { hint: flaw.remedy }),
  });
};

const enableCommand: CommandModule<object, ProjectArguments> = {
  command: "enable <project>",
  describe: "Give the project a bucket and a key; may be repeated",
  builder: (yargs) => yargs.positional("project", project).option("json", json),
  handler: async (args) => {
    const { control, spaces, signal, loadProject } = await openContext();
    const loaded = await loadProject(args.project);
    const { space, key } = await enableSpace(spaces, loaded.project, signal);
    for (const volume of keysOf(loaded.state.volumes)) {
      // One that waited for the bucket is published now; any other answers that it needs nothing.
      const input = { type: "publication.requested", volume, full: false } as const;
      await advanceProject(control, { project: loaded.project, input, resend: true }, signal);
    }
    write(args.json, accessJson(space, key), describeAccess(space, key));
  },
};

const keysCommand: CommandModule<object, ProjectArguments> = {
  command: "keys <project>",
  describe: "List the keys that open the project's bucket; never their secrets",
  builder: (yargs) => yargs.positional("project", project).option("json", json),
  handler: async (args) => {
    const { spaces, signal, loadProject } = await openContext();
    const loaded = await loadProject(args.project);
    const keys = await listSpaceKeys(spaces, loaded.project, signal);
    const rows = keys.map((key) => [
      key.accessKeyId,
      key.purpose ?? "unknown",
      key.createdAtMs === null ? "-" : formatTime(key.createdAtMs),
      key.expiresAtMs === null ? "current" : `until ${formatTime(key.expiresAtMs)}`,
    ]);
    write(args.json, keys, [formatTable([["KEY", "FOR", "MADE", "WORKS"], ...rows])]);
  },
};

interface RotateArguments extends ProjectArguments {
  containers: boolean;
  overlap: string;
}

const OVERLAP = { minMs: 0, maxMs: 365 * 86_400_000 };

const rotateCommand: CommandModule<object, RotateArguments> = {
  command: "rotate <project>",
  describe: "Make a new key; the old one goes on working for a while",
  builder: (yargs) =>
    yargs
      .positional("project", project)
      .option("containers", {
        type: "boolean",
        default: false,
        describe: "the key of containers with s3: true, who get it at their next start",
      })
      .option("overlap", {
        type: "string",
        default: "7d",
        describe: "how long the old key goes on working",
      })
      .option("json", json),
  handler: async (args) => {
    const { spaces, signal, loadProject } = await openContext();
    const loaded = await loadProject(args.project);
    const overlapMs = requireValue("overlap", parseDuration(args.overlap, OVERLAP));
    const purpose = args.containers ? ("container" as const) : ("client" as const);
    const granted = await rotateKey(spaces, loaded.project, { purpose, overlapMs }, signal);
    const until = `the old key works until ${formatTime(spaces.nowMs() + overlapMs)}`;
    if (args.containers) {
      const { accessKeyId } = granted.key;
      const lines = [`containers get ${accessKeyId} at their next start; ${until}`];
      write(args.json, accessJson(granted.space, { accessKeyId, secretAccessKey: "" }), lines);
      return;
    }
    const lines = [...describeAccess(granted.space, granted.key), until];
    write(args.json, accessJson(granted.space, granted.key), lines);
  },
};

const revokeCommand: CommandModule<object, ProjectArguments & { key: string }> = {
  command: "revoke <project> <key>",
  describe: "Take a key away at once",
  builder: (yargs) =>
    yargs
      .positional("project", project)
      .positional("key", { type: "string", demandOption: true, describe: "its id" })
      .option("json", json),
  handler: async (args) => {
    const { spaces, signal, loadProject } = await openContext();
    const loaded = await loadProject(args.project);
    await revokeKey(spaces, loaded.project, args.key, signal);
    write(args.json, { revoked: args.key }, [`${args.key} opens nothing any more`]);
  },
};

interface QuotaArguments extends ProjectArguments {
  bytes: string;
  objects: string;
}

const quotaCommand: CommandModule<object, QuotaArguments> = {
  command: "quota <project>",
  describe: "Limit what the project's bucket may hold, published volumes included",
  builder: (yargs) =>
    yargs
      .positional("project", project)
      .option("bytes", { type: "string", demandOption: true, describe: "100g, or none" })
      .option("objects", { type: "string", demandOption: true, describe: "a count, or none" })
      .option("json", json),
  handler: async (args) => {
    const { spaces, signal, loadProject } = await openContext();
    const loaded = await loadProject(args.project);
    const bytes =
      args.bytes === "none" ? null : requireValue("bytes", parseMemoryLimit(args.bytes));
    const objects =
      args.objects === "none" ? null : requireValue("objects", parseCount(args.objects));
    await setSpaceQuota(spaces, loaded.project, { bytes, objects }, signal);
    write(args.json, { bytes, objects }, [`quota: ${args.bytes} bytes, ${args.objects} objects`]);
  },
};

const parseCount = (text: string): Outcome<number> =>
  /^\d{1,15}$/.test(text)
    ? { ok: true, value: Number(text) }
    : {
        ok: false,
        flaws: [{ message: `"${text}" is not a count`, remedy: "write a whole number" }],
      };

const swiftCommand: CommandModule<object, ProjectArguments> = {
  command: "swift <project>",
  describe: "Make a key for OpenStack Swift clients, in place of the one before",
  builder: (yargs) => yargs.positional("project", project).option("json", json),
  handler: async (args) => {
    const { spaces, signal, loadProject } = await openContext();
    const loaded = await loadProject(args.project);
    const { user, endpoint, bucket } = await requireSpace(spaces, loaded.project, signal);
    const made = await requireAccounts(spaces).replaceSwiftKey(user, signal);
    const auth = new URL("/auth/v1.0", endpoint).href;
    write(args.json, { auth, container: bucket, ...made }, [
      `auth       ${auth}  (version 1)`,
      `container  ${bucket}`,
      `user       ${made.swiftUser}`,
      `key        ${made.secretKey}  (shown once)`,
    ]);
  },
};

interface PublishArguments extends ProjectArguments {
  volume: string;
  full: boolean;
}

const publishCommand: CommandModule<object, PublishArguments> = {
  command: "publish <project> <volume>",
  describe: "Publish a volume again, after what stopped it was mended",
  builder: (yargs) =>
    yargs
      .positional("project", project)
      .positional("volume", { type: "string", demandOption: true })
      .option("full", {
        type: "boolean",
        default: false,
        describe: "write every object anew, whatever stands there",
      })
      .option("json", json),
  handler: async (args) => {
    const { control, signal, loadProject } = await openContext();
    const loaded = await loadProject(args.project);
    const volume = VolumeName.parse(args.volume);
    const input = { type: "publication.requested", volume, full: args.full } as const;
    const request = { project: loaded.project, input, resend: true };
    const { refusal, state } = await advanceProject(control, request, signal);
    if (refusal !== null) throw new TerminalError(refusal.message, refusal);
    const { target, snapshotId } = state.volumes[volume]?.publication ?? UNPUBLISHED;
    const head = state.volumes[volume]?.head?.id ?? null;
    const text =
      head === null
        ? `volume ${volume} has no snapshot yet: it is published after the first`
        : `${head === snapshotId ? `volume ${volume} is published:` : "publishing"} ${head}`;
    write(args.json, { head, published: snapshotId, publishing: target }, [text]);
  },
};

const notifyCommand: CommandModule<object, ProjectArguments & { off: boolean }> = {
  command: "notify <project>",
  describe: "Tell the project's subscribers of uploads (object.created)",
  builder: (yargs) =>
    yargs
      .positional("project", project)
      .option("off", { type: "boolean", default: false })
      .option("json", json),
  handler: async (args) => {
    const { spaces, signal, loadProject } = await openContext();
    const loaded = await loadProject(args.project);
    await notifyOfUploads(spaces, loaded.project, !args.off, signal);
    const told = args.off ? "uploads are not told of any more" : "uploads are told of from now on";
    write(args.json, { notify: !args.off }, [told]);
  },
};

export const s3Command: CommandModule = {
  command: "s3",
  describe:
    "S3 access to a project's files: enable, keys, rotate, revoke, quota, swift, publish, notify",
  builder: (yargs) =>
    yargs
      .command(enableCommand)
      .command(keysCommand)
      .command(rotateCommand)
      .command(revokeCommand)
      .command(quotaCommand)
      .command(swiftCommand)
      .command(publishCommand)
      .command(notifyCommand)
      .demandCommand(
        1,
        "name what to do: enable, keys, rotate, revoke, quota, swift, publish, notify",
      ),
  handler: () => undefined,
};
