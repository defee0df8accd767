/** As much of IAM's evaluation as the policies here use: allow, deny, wildcards in resources. */
import * as z from "zod";

const OneOrMore = z.union([z.string().transform((one) => [one]), z.array(z.string())]);

export const PolicyDocument = z.object({
  Statement: z.array(
    z.object({ Effect: z.enum(["Allow", "Deny"]), Action: OneOrMore, Resource: OneOrMore }),
  ),
});
export type PolicyDocument = z.infer<typeof PolicyDocument>;

/** Whether a statement allows the action (`sqs:SendMessage`) on the resource (an ARN) and none denies it. */
export const isAllowed = (
  policies: readonly PolicyDocument[],
  action: string,
  resource: string,
): boolean => {
  const concerned = policies
    .flatMap(({ Statement }) => Statement)
    .filter(({ Action }) => Action.some((pattern) => matches(pattern, action)))
    .filter(({ Resource }) => Resource.some((pattern) => matches(pattern, resource)));
  return concerned.length > 0 && concerned.every(({ Effect }) => Effect === "Allow");
};

const matches = (pattern: string, text: string): boolean => {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`).test(text);
};
