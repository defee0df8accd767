/**
 * Users, keys and policies by AWS's IAM: https://docs.aws.amazon.com/IAM/latest/APIReference/. A user
 * there has two keys at most, so clients and containers of a project have a user each, and each can
 * be rotated with an overlap.
 */
import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  IAMClient,
  ListAccessKeysCommand,
  PutUserPolicyCommand,
} from "@aws-sdk/client-iam";
import { RetryableError, TerminalError } from "../volume/errors.ts";
import type { KeyPair, LiveKeys } from "./live-keys.ts";
import { credentialsOf, followKeys } from "./refused-keys.ts";
import { KEY_HOLDERS, type KeyHolder, type S3Accounts } from "./s3-accounts.ts";

export interface IamAccountsOptions {
  /** Of the buckets; IAM itself has none. */
  readonly region: string;
  /** Null: as for any AWS SDK, from the environment or the machine's role. */
  readonly credentials: KeyPair | null;
  /** Asked with each request, in place of the credentials. */
  readonly liveKeys?: LiveKeys | undefined;
  /** Another IAM than AWS's own. */
  readonly endpoint?: string;
}

/** Apart from users of other making: an administrator's right can be bound to it. */
export const IAM_USER_PATH = "/bagage/";
const POLICY_NAME = "space";
const ATTEMPTS_MAX = 3;
/** AWS's first region is its default, and may not be named. */
const UNNAMED_REGION = "us-east-1";

const userOf = (user: string, holder: KeyHolder): string =>
  holder === "client" ? user : `${user}.containers`;

const connectClient = ({
  region,
  credentials,
  liveKeys,
  endpoint,
}: IamAccountsOptions): IAMClient => {
  const given = liveKeys === undefined ? credentials : credentialsOf(liveKeys);
  const client = new IAMClient({
    region,
    maxAttempts: ATTEMPTS_MAX,
    ...(given !== null && { credentials: given }),
    ...(endpoint !== undefined && { endpoint }),
  });
  return followKeys(client, liveKeys);
};

export const openIamAccounts = (options: IamAccountsOptions): S3Accounts => {
  const { region } = options;
  const client = connectClient(options);
  const both = (user: string) => KEY_HOLDERS.map((holder) => userOf(user, holder));
  const keysOf = async (UserName: string, abortSignal: AbortSignal): Promise<string[]> => {
    const sent = client.send(new ListAccessKeysCommand({ UserName }), { abortSignal });
    const { AccessKeyMetadata = [] } = await translated(`keys of ${UserName}`, sent);
    return AccessKeyMetadata.flatMap(({ AccessKeyId }) => AccessKeyId ?? []);
  };
  return {
    policies: {
      kind: "user",
      set: async (user, PolicyDocument, abortSignal) => {
        for (const UserName of both(user)) {
          const command = { UserName, PolicyName: POLICY_NAME, PolicyDocument };
          const sent = client.send(new PutUserPolicyCommand(command), { abortSignal });
          await translated(`policy of ${UserName}`, sent);
        }
      },
    },
    bucketLocation: region === UNNAMED_REGION ? null : region,
    ensureUser: async (user, abortSignal) => {
      for (const UserName of both(user)) {
        const made = client.send(new CreateUserCommand({ UserName, Path: IAM_USER_PATH }), {
          abortSignal,
        });
        await translated(`user ${UserName}`, made.catch(ifNamed("EntityAlreadyExists")));
      }
    },
    createKey: async (user, holder, abortSignal) => {
      const UserName = userOf(user, holder);
      const sent = client.send(new CreateAccessKeyCommand({ UserName }), { abortSignal });
      const { AccessKey: made } = await translated(`key of ${UserName}`, sent);
      const { AccessKeyId = "", SecretAccessKey = "" } = made ?? {};
      return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey };
    },
    listKeys: async (user, signal) =>
      (await Promise.all(both(user).map((name) => keysOf(name, signal)))).flat(),
    removeKey: async (user, AccessKeyId, abortSignal) => {
      for (const UserName of both(user)) {
        const command = new DeleteAccessKeyCommand({ UserName, AccessKeyId });
        const sent = client.send(command, { abortSignal }).catch(ifNamed("NoSuchEntity"));
        await translated(`key ${AccessKeyId} of ${UserName}`, sent);
      }
    },
    setQuota: async () => {
      throw new TerminalError("S3 on AWS has no quotas", {
        code: "no-quota",
        hint: "set an alarm on the bucket's BucketSizeBytes, or a budget for its tag",
      });
    },
    replaceSwiftKey: async () => {
      throw new TerminalError("S3 on AWS has no Swift protocol", {
        code: "no-swift",
        hint: "use an S3 client: docs/s3.md",
      });
    },
  };
};

const translated = async <T>(what: string, call: Promise<T>): Promise<T> => {
  try {
    return await call;
  } catch (cause) {
    throw translate(what, cause);
  }
};

interface IamFailure {
  readonly name?: string;
  readonly message?: string;
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** IAM's names carry `Exception` in the SDK and not on the wire. */
const nameOf = (error: unknown): string =>
  ((error as IamFailure).name ?? "").replace(/Exception$/, "");

const ifNamed =
  (name: string) =>
  (error: unknown): void => {
    if (nameOf(error) !== name) throw error;
  };

const translate = (what: string, cause: unknown): Error => {
  const { message = "", $metadata } = cause as IamFailure;
  const status = $metadata?.httpStatusCode ?? 0;
  const text = `accounts: ${what}: ${nameOf(cause)}: ${message}`;
  if (nameOf(cause) === "LimitExceeded") {
    return new TerminalError(text, {
      code: "accounts-limit",
      hint: "a user has two keys at most: bagage s3 keys PROJECT, then revoke the older one",
      cause,
    });
  }
  if (status === 0 || status >= 500 || status === 429 || nameOf(cause) === "Throttling") {
    return new RetryableError(text, { code: "accounts-unavailable", cause });
  }
  const hint = "check the administrator's key and its policy: docs/s3.md, On AWS";
  return status === 403
    ? new TerminalError(text, { code: "accounts-denied", hint, cause })
    : new TerminalError(text, { code: "accounts-refused", cause });
};
