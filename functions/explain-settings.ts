/** What a wrong setting is told: its name, its value, and what is allowed. */
import * as z from "zod";

export const wholeNumber = (min: number, max: number) => {
  const allowed = `write a whole number from ${min} to ${max}`;
  return z.coerce.number(allowed).int(allowed).min(min, allowed).max(max, allowed);
};

/** Each wrong setting once, with its value unless that is a secret. */
export const explainSettings = (
  error: z.ZodError,
  values: Readonly<Record<string, string | undefined>>,
): string => {
  const lines = new Map<string, string>();
  for (const { path, message } of error.issues) {
    const name = String(path[0]);
    const value = values[name] ?? "";
    // An address may hold a password.
    const isSecret = /KEY|HEADERS/.test(name) || value.includes("@");
    const given = isSecret ? name : `${name}=${value}`;
    if (!lines.has(name)) lines.set(name, `${given}: ${message}`);
  }
  return [...lines.values()].join("\n");
};
