/** Which mounts reach into a directory: those of it, below it, or above it. */
import { realpath } from "node:fs/promises";
import { resolve } from "node:path";
import type { MountingContainer } from "./docker-engine.ts";

/** Compares real paths: the engine keeps a source as it was given, symbolic links and all. */
export const findMounting = async (
  directory: string,
  mounts: readonly MountingContainer[],
): Promise<MountingContainer[]> => {
  const wanted = await realPath(directory);
  const found: MountingContainer[] = [];
  for (const mount of mounts) {
    const real = await realPath(mount.source);
    if (isWithin(real, wanted) || isWithin(wanted, real)) found.push(mount);
  }
  return found;
};

const realPath = (path: string): Promise<string> => realpath(path).catch(() => resolve(path));

const isWithin = (path: string, directory: string): boolean =>
  path === directory || directory === "/" || path.startsWith(`${directory}/`);
