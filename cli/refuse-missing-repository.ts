/** A repository of this machine that is not there: said when it is named, not at the first deploy. */
import { existsSync } from "node:fs";
import { checkRepositoryUrl } from "../adapters/repository-url.ts";
import { TerminalError } from "../volume/errors.ts";

/** Asks no other machine; whether local repositories are allowed, the deploy says. */
export const refuseMissingRepository = (repository: string): void => {
  if (!repository.startsWith("/") && !/^file:/i.test(repository)) return;
  const policy = { allowLocalRepositories: true, allowPrivateNetworks: true };
  const address = checkRepositoryUrl(repository, policy);
  if (address.protocol !== "file" || existsSync(address.path)) return;
  throw new TerminalError(`there is no repository at ${address.path}`, {
    code: "usage",
    hint: `check the path, make one with git init --bare ${address.path}, or name its https or ssh URL`,
  });
};
