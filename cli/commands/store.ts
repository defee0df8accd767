import type { CommandModule } from "yargs";
import { IAM_USER_PATH } from "../../adapters/iam-accounts.ts";
import { readConfig } from "../../functions/config.ts";
import {
  administratorUserPolicy,
  PLATFORM_ROLES,
  type PlatformRole,
  platformPolicy,
  platformUserPolicy,
  publisherUserPolicy,
} from "../../functions/platform-policy.ts";
import { TerminalError } from "../../volume/errors.ts";

const AWS_USERS = [...PLATFORM_ROLES, "publisher", "administrator"] as const;
type AwsUser = (typeof AWS_USERS)[number];

interface Arguments extends Record<PlatformRole, string | undefined> {
  bucket: string | undefined;
  owner: string | undefined;
  aws: AwsUser | undefined;
}

const policyCommand: CommandModule<object, Arguments> = {
  command: "policy",
  describe: "Print the policy under which each kind of process signs with a user of its own",
  builder: (yargs) =>
    yargs
      .option("bucket", { type: "string", describe: "the platform's (default: BAGAGE_STORE's)" })
      .option("owner", { type: "string", describe: "on Ceph: the user that owns the bucket" })
      .option("control", { type: "string", describe: "the user of `serve` and of commands" })
      .option("node", { type: "string", describe: "the user of nodes" })
      .option("edge", { type: "string", describe: "the user of edges" })
      .option("collector", { type: "string", describe: "the user that may delete data" })
      .option("aws", { choices: AWS_USERS, describe: "instead: the IAM policy of such a user" }),
  handler: (args) => {
    const { store, spaces } = readConfig(process.env);
    const bucket = args.bucket ?? /^s3:\/\/([a-z0-9.-]+)/.exec(store.url)?.[1];
    if (bucket === undefined) throw usage("which bucket?", "--bucket NAME");
    if (args.aws !== undefined) {
      process.stdout.write(`${awsPolicy(args.aws, bucket, spaces.prefix)}\n`);
      return;
    }
    if (args.owner === undefined) {
      throw usage("who owns the bucket?", "--owner USER, or --aws for AWS");
    }
    const users = Object.fromEntries(
      PLATFORM_ROLES.flatMap((role) => {
        const user = args[role];
        return user === undefined ? [] : [[role, principalOf(user)]];
      }),
    );
    const parties = { bucket, owner: principalOf(args.owner), users };
    process.stdout.write(`${platformPolicy(parties)}\n`);
  },
};

const principalOf = (user: string): string => `arn:aws:iam:::user/${user}`;

const awsPolicy = (user: AwsUser, bucket: string, prefix: string): string => {
  if (user === "publisher") return publisherUserPolicy(prefix);
  return user === "administrator"
    ? administratorUserPolicy(IAM_USER_PATH)
    : platformUserPolicy(bucket, user);
};

const usage = (message: string, hint: string): TerminalError =>
  new TerminalError(message, { code: "usage", hint });

export const storeCommand: CommandModule = {
  command: "store",
  describe: "The platform's own bucket: policy",
  builder: (yargs) => yargs.command(policyCommand).demandCommand(1, "name what to do: policy"),
  handler: () => undefined,
};
