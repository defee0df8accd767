/** Options of every command that asks for a deploy, and follows it. */
export const DEPLOY_OPTIONS = {
  detach: { type: "boolean", default: false, describe: "do not wait for the end" },
  json: { type: "boolean", default: false, describe: "print the ended deploy as JSON" },
} as const;
