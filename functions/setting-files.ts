/** Settings whose values stand in files: `<NAME>_FILE` names the path where NAME is not set itself. */
import { existsSync, readFileSync } from "node:fs";
import type { KeyFiles } from "../adapters/live-keys.ts";

/** A wrong setting: what is wrong with each, one a line. */
export class ConfigError extends Error {}

/** The file that a setting is in; null: it is named itself, or not at all. */
export const fileOf = (
  environment: Readonly<Record<string, string | undefined>>,
  name: string,
): string | null =>
  environment[name] === undefined ? (environment[`${name}_FILE`] ?? null) : null;

/** The files that a pair of keys is in, for the parts that the environment does not name themselves. */
export const keyFilesOf = (
  environment: Readonly<Record<string, string | undefined>>,
  prefix: string,
): KeyFiles | undefined => {
  const accessKeyId = fileOf(environment, `${prefix}_ACCESS_KEY`);
  const secretAccessKey = fileOf(environment, `${prefix}_SECRET_KEY`);
  return accessKeyId === null && secretAccessKey === null
    ? undefined
    : { accessKeyId, secretAccessKey };
};

/** Half a pair of keys would count as none: another key would be used in its place, unsaid. */
export const refuseHalfPairs = (values: Readonly<Record<string, string | undefined>>): void => {
  const isSet = (name: string) => (values[name] ?? "") !== "";
  for (const name of Object.keys(values)) {
    const [, prefix, half] = /^(BAGAGE_\w+)_(ACCESS|SECRET)_KEY$/.exec(name) ?? [];
    if (half === undefined || !isSet(name)) continue;
    const other = `${prefix}_${half === "ACCESS" ? "SECRET" : "ACCESS"}_KEY`;
    if (!isSet(other)) throw new ConfigError(`${name} is set, and ${other} is not: set both`);
  }
};

/** Values from `<NAME>_FILE`, where the name itself is not set. */
export const withFiles = (
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> => {
  const values = { ...environment };
  for (const [name, path] of Object.entries(environment)) {
    const plain = /^(BAGAGE_\w+)_FILE$/.exec(name)?.[1];
    if (plain === undefined || path === undefined || values[plain] !== undefined) continue;
    if (!existsSync(path)) throw new ConfigError(`${name}: there is no file ${path}`);
    values[plain] = readFileSync(path, "utf8").trim();
  }
  return values;
};
