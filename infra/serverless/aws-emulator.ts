/**
 * AWS of another's making, on this machine: moto's server, from its Python package, in a virtual
 * environment below `.lab`. It keeps everything in memory and runs no function.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runCommand } from "../lab/command.ts";
import { ensureDebianPackages } from "../lab/debian-packages.ts";
import { LABS_DIRECTORY } from "../lab/lab.ts";
import { waitUntil } from "../lab/wait-until.ts";

/** Pinned, so that a test that passes today passes tomorrow. */
const REQUIREMENTS = ["moto[server]==5.2.5", "cfn-lint==1.58.0"];
const ENVIRONMENT = "aws-emulator-moto-5.2.5";
const LAUNCHER = fileURLToPath(new URL("aws-emulator.py", import.meta.url));
const READY_TIMEOUT_MS = 60_000;
export const EMULATED_REGION = "eu-west-3";

export interface EmulatedSettings {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

export interface AwsEmulator {
  /** For a client of the SDK. */
  readonly settings: EmulatedSettings;
  /** For a process that shall take the emulator for AWS. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

/** Where the programs of the virtual environment are; made when there is none, or half of one. */
export const ensureAwsEmulator = async (signal: AbortSignal): Promise<string> => {
  const home = join(LABS_DIRECTORY, ENVIRONMENT);
  const mark = join(home, "complete");
  const programs = join(home, "bin");
  if (existsSync(mark)) return programs;
  await ensureDebianPackages(["python3-venv"], signal);
  rmSync(home, { recursive: true, force: true });
  // In its place from the start: its programs know their interpreter by its path.
  mkdirSync(LABS_DIRECTORY, { recursive: true });
  await runCommand(["python3", "-m", "venv", home], {}, signal);
  const pip = [join(programs, "python3"), "-m", "pip", "install", "--quiet"] as const;
  await runCommand([...pip, ...REQUIREMENTS], {}, signal);
  writeFileSync(mark, "");
  return programs;
};

/** Resolves when it answers. */
export const startAwsEmulator = async (signal: AbortSignal): Promise<AwsEmulator> => {
  const programs = await ensureAwsEmulator(signal);
  const port = await findFreePort();
  const argv = [LAUNCHER, "-H", "127.0.0.1", "-p", String(port)];
  const child = spawn(join(programs, "python3"), argv, { cwd: programs, stdio: "ignore" });
  const exited = once(child, "exit");
  const endpoint = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    await exited;
  };
  try {
    await waitUntil(
      async () => (await fetch(`${endpoint}/moto-api/data.json`, { signal })).ok || undefined,
      { what: "the AWS emulator answers", timeoutMs: READY_TIMEOUT_MS },
      signal,
    );
  } catch (error) {
    await stop();
    throw error;
  }
  const settings = { endpoint, region: EMULATED_REGION, credentials: KEYS };
  return { settings, environment: environmentOf(endpoint), stop };
};

/** The emulator checks none, but a client has to have some. */
const KEYS = { accessKeyId: "emulated", secretAccessKey: "emulated" };

const environmentOf = (endpoint: string): Record<string, string> => ({
  AWS_ENDPOINT_URL: endpoint,
  AWS_REGION: EMULATED_REGION,
  AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
  AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
});

const findFreePort = async (): Promise<number> => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" && address !== null ? address.port : 0;
};
