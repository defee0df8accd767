/** What a deployed function may do, and what a call that it made needs. */
import { GetRolePolicyCommand, IAMClient, ListRolePoliciesCommand } from "@aws-sdk/client-iam";
import type { FunctionConfiguration } from "@aws-sdk/client-lambda";
import { parse } from "yaml";
import { EMULATED_REGION, type EmulatedSettings } from "../../infra/serverless/aws-emulator.ts";
import { PolicyDocument } from "../../infra/serverless/iam-policy.ts";
import type { RecordedCall } from "../../infra/serverless/recording-proxy.ts";

export const ACCOUNT = "123456789012";

/** The policies of the function's role, as AWS has them. */
export const readRights = async (
  settings: EmulatedSettings,
  { Role }: FunctionConfiguration,
): Promise<PolicyDocument[]> => {
  const RoleName = Role?.split("/").at(-1) ?? "";
  const client = new IAMClient(settings);
  const { PolicyNames = [] } = await client.send(new ListRolePoliciesCommand({ RoleName }));
  return Promise.all(
    PolicyNames.map(async (PolicyName) => {
      const found = await client.send(new GetRolePolicyCommand({ RoleName, PolicyName }));
      // The emulator gives back Python's form of it, which YAML reads as it reads JSON.
      return PolicyDocument.parse(parse(decodeURIComponent(found.PolicyDocument ?? "")));
    }),
  );
};

export interface Right {
  readonly action: string;
  readonly resource: string;
}

/** The permissions that a call needs, and on what. */
export const rightsFor = ({ service, operation, parameters }: RecordedCall): Right[] => {
  if (service === "AmazonSSM") {
    const names = parameters["Names"] as string[];
    return names.map((name) => ({
      action: `ssm:${operation}`,
      resource: arnOf("ssm", `parameter${name}`),
    }));
  }
  if (service === "iam") {
    const user = `user/bagage/${String(parameters["UserName"])}`;
    return [{ action: `iam:${operation}`, resource: `arn:aws:iam::${ACCOUNT}:${user}` }];
  }
  const queue = String(parameters["QueueUrl"] ?? parameters["QueueName"]);
  // One permission for one message and for ten.
  const action = `sqs:${operation.replace("SendMessageBatch", "SendMessage")}`;
  return [{ action, resource: arnOf("sqs", queue.split("/").at(-1) ?? "") }];
};

const arnOf = (service: string, rest: string): string =>
  `arn:aws:${service}:${EMULATED_REGION}:${ACCOUNT}:${rest}`;
