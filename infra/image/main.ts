/** `node infra/setup.mjs infra/image/main.ts [NAME]`: the image of infra/compose.yml, into the local engine. */
import { BagageError } from "../../volume/errors.ts";
import { buildImage } from "./build-image.ts";

const SOCKET = process.env["BAGAGE_DOCKER_SOCKET"] ?? "/var/run/docker.sock";
const TIMEOUT_MS = 900_000;
const name = process.argv[2] ?? "bagage";

try {
  await buildImage({ socketPath: SOCKET, name }, AbortSignal.timeout(TIMEOUT_MS));
  console.log(`${name}:latest is in the engine at ${SOCKET}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof BagageError && error.hint !== undefined) console.error(error.hint);
  process.exitCode = 1;
}
