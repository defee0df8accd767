/**
 * What `docker login` wrote down on this node. The engine itself does not read that file: whoever
 * asks it to pull has to hand the credentials over.
 */
import { readFile } from "node:fs/promises";
import * as z from "zod";
import { TerminalError } from "../volume/errors.ts";

export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
}

const DOCKER_HUB = "docker.io";
/** Docker Hub's name in that file, for historical reasons. */
const DOCKER_HUB_KEY = "https://index.docker.io/v1/";

/** Other fields (proxies, formats, credential helpers) are not for this reader. */
const DockerConfig = z.object({
  auths: z.record(z.string(), z.object({ auth: z.string().optional() })).default({}),
});

/**
 * The credentials for a registry (`host:port`), null when there are none. Secrets that a credential
 * helper keeps are not read.
 */
export const readRegistryCredentials = async (
  path: string,
  registry: string,
): Promise<RegistryCredentials | null> => {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw error;
  });
  if (text === null) return null;
  const serveraddress = registry === DOCKER_HUB ? DOCKER_HUB_KEY : registry;
  const auth = parse(path, text).auths[serveraddress]?.auth;
  if (auth === undefined) return null;
  const [, username, password] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(auth, "base64").toString()) ?? [];
  if (username === undefined || password === undefined) return null;
  return { username, password, serveraddress };
};

const parse = (path: string, text: string): z.infer<typeof DockerConfig> => {
  try {
    return DockerConfig.parse(JSON.parse(text));
  } catch {
    // The cause would quote the file, secrets and all.
    // biome-ignore lint/style/useErrorCause: see above.
    throw new TerminalError(`${path} is not what docker login writes`, {
      code: "registry-credentials-malformed",
      hint: "repair the file, or remove it and log in again",
    });
  }
};
