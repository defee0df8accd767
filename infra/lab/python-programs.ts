/** Programs that come as Python packages, each set in a virtual environment of its own below `.lab`. */
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./command.ts";
import { ensureDebianPackages } from "./debian-packages.ts";
import { LABS_DIRECTORY } from "./lab.ts";

/** Where the programs of the virtual environment are; made when there is none, or half of one. */
export const ensurePythonPrograms = async (
  name: string,
  requirements: readonly string[],
  signal: AbortSignal,
): Promise<string> => {
  const home = join(LABS_DIRECTORY, name);
  const mark = join(home, "complete");
  const programs = join(home, "bin");
  if (existsSync(mark)) return programs;
  await ensureDebianPackages(["python3-venv"], signal);
  rmSync(home, { recursive: true, force: true });
  // In its place from the start: its programs know their interpreter by its path.
  mkdirSync(LABS_DIRECTORY, { recursive: true });
  await runCommand(["python3", "-m", "venv", home], {}, signal);
  const pip = [join(programs, "python3"), "-m", "pip", "install", "--quiet"] as const;
  await runCommand([...pip, ...requirements], {}, signal);
  writeFileSync(mark, "");
  return programs;
};
