/**
 * AWS of another's making, on this machine: moto's server, from its Python package, in a virtual
 * environment below `.lab`. It keeps everything in memory and runs no function.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ensurePythonPrograms } from "../lab/python-programs.ts";
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

/** Where its programs are. */
export const ensureAwsEmulator = (signal: AbortSignal): Promise<string> =>
  ensurePythonPrograms(ENVIRONMENT, REQUIREMENTS, signal);

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
