/** As much of IAM's evaluation as the roles use: allow statements, wildcards in resources. */
import * as z from "zod";

const OneOrMore = z.union([z.string().transform((one) => [one]), z.array(z.string())]);

export const PolicyDocument = z.object({
  Statement: z.array(
    z.object({ Effect: z.literal("Allow"), Action: OneOrMore, Resource: OneOrMore }),
  ),
});
export type PolicyDocument = z.infer<typeof PolicyDocument>;

/** Whether any statement allows the action (`sqs:SendMessage`) on the resource (an ARN). */
export const isAllowed = (
  policies: readonly PolicyDocument[],
  action: string,
  resource: string,
): boolean =>
  policies.some(({ Statement }) =>
    Statement.some(
      (one) =>
        one.Action.some((pattern) => matches(pattern, action)) &&
        one.Resource.some((pattern) => matches(pattern, resource)),
    ),
  );

const matches = (pattern: string, text: string): boolean => {
  const escaped = pattern.replaceAll(/[.+^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replaceAll("*", ".*").replaceAll("?", ".")}$`).test(text);
};
